"""One virtual machine, and a fixed address that points to it."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from ...deployment import Workload
from ...provider.resources import Gate
from ._hosts import BOOT_SECONDS, PORT, SCOPE, disk_type, host, machine_revision
from ._network import ANYWHERE, PROXY, SSH, let_in, network
from ._shared import Place, keep_releases, open_place
from ._watch import machine_figures, watch
from .compute_engine import ComputeEngine


def provision(target: ComputeEngine, workload: Workload) -> pulumi.Output[str]:
    """A machine of its own for the release; the gate; then the address points there.

    The address is a forwarding rule's, since an address that a machine itself has can't move to one that runs beside
    it. Google's guest agent makes a machine accept what is forwarded to it.
    """
    place = open_place("ComputeEngine", target, workload)
    (release,) = workload.serving
    revision = machine_revision(target, workload, release)
    net = network(place, target, addresses=True)
    source = host(place, target, workload, keep_releases(place, workload), release)
    rules = [
        let_in(place, "service", net, PORT, ANYWHERE, source.runner.email),
        let_in(place, "shell", net, SSH, PROXY, source.runner.email),
    ]
    compute = gcp.compute
    machine = compute.Instance(
        f"{place.name}-{revision}",
        zone=_zone(place),
        machine_type=source.machine_type,
        boot_disk=compute.InstanceBootDiskArgs(
            initialize_params=compute.InstanceBootDiskInitializeParamsArgs(
                image=source.image, size=target.disk_gb, type=disk_type(source.machine_type)
            )
        ),
        network_interfaces=[
            compute.InstanceNetworkInterfaceArgs(
                subnetwork=net.subnetwork, access_configs=[compute.InstanceNetworkInterfaceAccessConfigArgs()]
            )
        ],
        metadata=source.metadata,
        service_account=compute.InstanceServiceAccountArgs(email=source.runner.email, scopes=[SCOPE]),
        shielded_instance_config=compute.InstanceShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
        ),
        allow_stopping_for_update=True,
        # Another zone may be the first tomorrow.
        opts=place.options(depends_on=[*source.ready, *net.ways, *rules], ignore_changes=["zone"]),
    )
    own = machine.network_interfaces[0].access_configs[0].nat_ip
    private = pulumi.Output.concat("http://", own, f":{PORT}")
    patience = workload.ready_timeout + BOOT_SECONDS
    gate = Gate(
        f"{place.name}-gate-{revision}", release, revision, private, patience, machine.instance_id, place.ours()
    )
    address, pointer = _pointer(place, machine, revision, gate)
    watch(place, target, release, address.address, machine_figures(machine.instance_id, PORT))
    url = pulumi.Output.concat("http://", address.address, f":{PORT}")
    return pulumi.Output.all(url, pointer.id).apply(lambda known: str(known[0]))


def _pointer(
    place: Place, machine: gcp.compute.Instance, revision: str, gate: Gate
) -> tuple[gcp.compute.Address, gcp.compute.ForwardingRule]:
    address = gcp.compute.Address(place.name, region=place.region, opts=place.options())
    to = gcp.compute.TargetInstance(
        f"{place.name}-{revision}", instance=machine.self_link, zone=machine.zone, opts=place.options()
    )
    pointer = gcp.compute.ForwardingRule(
        place.name,
        region=place.region,
        ip_address=address.address,
        ip_protocol="TCP",
        port_range=str(PORT),
        load_balancing_scheme="EXTERNAL",
        target=to.id,
        opts=place.options(depends_on=[gate]),
    )
    return address, pointer


def _zone(place: Place) -> pulumi.Output[str]:
    """The first zone of the region."""
    found = gcp.compute.get_zones_output(region=place.region, project=place.project, status="UP", opts=place.look_up)
    return found.names.apply(min)
