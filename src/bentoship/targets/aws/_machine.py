"""One virtual machine with a fixed address."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_aws as aws

from ...deployment import ReleaseRef, Workload
from ...provider.resources import Gate
from ._hosts import BOOT_SECONDS, PORT, boot_script, host
from ._instance_types import cheapest
from ._network import let_in, let_out, network, security_group
from ._shared import keep_releases, open_place
from ._watch import Metric, alarm, dashboard
from .ec2 import Ec2


def provision(target: Ec2, workload: Workload) -> pulumi.Output[str]:
    """A machine of its own for the release; the gate; then the address moves there."""
    place = open_place("Ec2", target, workload)
    (release,) = workload.serving
    revision = machine_revision(target, workload, release)
    releases = keep_releases(place, workload)
    net = network(place, target, workload.scale)
    group = security_group(place, "machine", net.vpc, "Whoever may ask the model")
    rules = [let_in(place, "machine", group, PORT), let_out(place, "machine", group)]
    source = host(place, target, workload, releases, release)
    machine = aws.ec2.Instance(
        f"{place.name}-{revision}",
        ami=source.image_id,
        instance_type=source.instance_type,
        subnet_id=net.machines[0],
        associate_public_ip_address=True,
        vpc_security_group_ids=[group.id],
        iam_instance_profile=source.profile.name,
        user_data=source.boot_script,
        user_data_replace_on_change=True,
        metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
            encrypted=True, volume_size=target.disk_gb, volume_type="gp3", delete_on_termination=True
        ),
        volume_tags=dict(place.tags),
        tags={"Name": place.name},
        opts=place.options(depends_on=[*source.ready, *net.ways, *rules]),
    )
    private = pulumi.Output.concat("http://", machine.public_ip, f":{PORT}")
    patience = workload.ready_timeout + BOOT_SECONDS
    gate = Gate(f"{place.name}-gate-{revision}", release, revision, private, patience, machine.id, place.ours())
    address = aws.ec2.Eip(place.name, domain="vpc", tags={"Name": place.name}, opts=place.options(depends_on=net.ways))
    pointer = aws.ec2.EipAssociation(
        place.name,
        allocation_id=address.id,
        instance_id=machine.id,
        allow_reassociation=True,
        opts=place.options(depends_on=[gate]),
    )
    broken = Metric("AWS/EC2", "StatusCheckFailed", "Maximum", {"InstanceId": machine.id})
    alarm(place, target, "broken", "The machine or its system fails EC2's status checks", broken, 0, minutes=3)
    busy = Metric("AWS/EC2", "CPUUtilization", "Average", {"InstanceId": machine.id})
    dashboard(place, release, {"Failed status checks": broken, "CPU, percent": busy})
    url = pulumi.Output.concat("http://", address.public_ip, f":{PORT}")
    return pulumi.Output.all(url, pointer.id).apply(lambda known: str(known[0]))


def machine_revision(target: Ec2, workload: Workload, release: ReleaseRef) -> str:
    """A name for one release on one kind of machine: whatever needs a new machine gives another name.

    The machine of the old name stays untouched until the new one has passed the gate, and going back finds it there.
    """
    kind = target.instance_type or cheapest(workload.scale)
    script = boot_script(workload, release, "bucket", target.region)
    shape = f"{kind} {target.image_generation} {target.disk_gb} {target.vpc} {target.public_subnets} {script}"
    return f"{release.short}-{hashlib.sha256(shape.encode()).hexdigest()[:6]}"
