"""A group of virtual machines over the zones of a region, behind a global load balancer."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from ...deployment import Workload
from ...provider.resources import Gate, GroupRollout
from ._balancer import balancer
from ._hosts import BOOT_SECONDS, PORT, SCOPE, Host, disk_type, host, machine_revision
from ._network import BALANCERS, PROXY, SSH, Network, let_in, network
from ._shared import Place, keep_releases, open_place
from ._watch import balanced_figures, watch
from .compute_engine import ComputeEngine

ZONES = 3
"""How many zones Compute Engine spreads a regional group over, which its surge must be a multiple of or above."""
SETTLED_SECONDS = 30
"""How long a new machine must have been well before an old one goes: the load balancer, which asks for itself, finds it
meanwhile."""
BUSY = 0.6
"""The CPU utilisation that scaling aims at: what is left carries the load of a zone that fails."""
CERTIFICATE_SECONDS = 1800
"""What Google may take to issue a certificate, and to hand it to its front ends ("Google-managed certificates")."""


def provision(target: ComputeEngine, workload: Workload) -> pulumi.Output[str]:
    """A load balancer, a group that is moved to the release and awaited; then the gate."""
    place = open_place("ComputeEngine", target, workload)
    (release,) = workload.serving
    revision = machine_revision(target, workload, release)
    net = network(place, target, addresses=False)
    source = host(place, target, workload, keep_releases(place, workload), release)
    # Another one than that of a single machine, which is to be reached until the group has taken over.
    let_in(place, "balancer", net, PORT, BALANCERS, source.runner.email)
    let_in(place, "shell", net, SSH, PROXY, source.runner.email)
    template = _template(place, target, f"{place.name}-{revision}", source, net)
    patience = workload.ready_timeout + BOOT_SECONDS
    group = _group(place, template, release.short, int(patience))
    _scaling(place, workload, group, int(patience))
    front = balancer(place, target, group)
    moved = GroupRollout(
        f"{place.name}-rollout",
        project=target.project,
        region=target.region,
        group=group.name,
        template=template.self_link,
        size=workload.scale.min_replicas,
        patience=patience,
        opts=place.ours(),
    )
    gate = Gate(
        f"{place.name}-gate-{revision}",
        release,
        revision,
        front.url,
        patience + (CERTIFICATE_SECONDS if target.domain else 0),
        opts=place.ours(depends_on=[moved, *front.parts]),
    )
    port = 443 if target.domain else 80
    watch(place, target, release, front.host, balanced_figures(target, front.url_map, group.name, port))
    return pulumi.Output.all(front.url, gate.passed).apply(lambda known: str(known[0]))


def _template(
    place: Place, target: ComputeEngine, name: str, source: Host, net: Network
) -> gcp.compute.RegionInstanceTemplate:
    """What one release's machines are started from; a template a release, so that going back finds the old one."""
    compute = gcp.compute
    return compute.RegionInstanceTemplate(
        name,
        region=place.region,
        machine_type=source.machine_type,
        disks=[
            compute.RegionInstanceTemplateDiskArgs(
                source_image=source.image,
                boot=True,
                auto_delete=True,
                disk_size_gb=target.disk_gb,
                disk_type=disk_type(source.machine_type),
            )
        ],
        # Without a list of access configurations a machine has no external address.
        network_interfaces=[compute.RegionInstanceTemplateNetworkInterfaceArgs(subnetwork=net.subnetwork)],
        metadata=source.metadata,
        service_account=compute.RegionInstanceTemplateServiceAccountArgs(email=source.runner.email, scopes=[SCOPE]),
        shielded_instance_config=compute.RegionInstanceTemplateShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
        ),
        opts=place.options(depends_on=[*source.ready, *net.ways]),
    )


def _group(
    place: Place, template: gcp.compute.RegionInstanceTemplate, release: str, patience: int
) -> gcp.compute.RegionInstanceGroupManager:
    """The group. Whether a machine lives decides about the machine and the rollout; whether it is ready, about traffic.

    A machine counts as updated once its healing check has been well ("Rolling out updates", Compute Engine).
    """
    compute = gcp.compute
    lives = compute.HealthCheck(
        f"{place.name}-lives",
        check_interval_sec=10,
        timeout_sec=5,
        healthy_threshold=1,
        unhealthy_threshold=6,
        http_health_check=compute.HealthCheckHttpHealthCheckArgs(port=PORT, request_path="/livez"),
        opts=place.options(),
    )
    return compute.RegionInstanceGroupManager(
        place.name,
        region=place.region,
        base_instance_name=place.name,
        versions=[
            compute.RegionInstanceGroupManagerVersionArgs(name=f"r-{release}", instance_template=template.self_link)
        ],
        named_ports=[compute.RegionInstanceGroupManagerNamedPortArgs(name="http", port=PORT)],
        auto_healing_policies=compute.RegionInstanceGroupManagerAutoHealingPoliciesArgs(
            health_check=lives.id, initial_delay_sec=min(3600, patience)
        ),
        update_policy=compute.RegionInstanceGroupManagerUpdatePolicyArgs(
            type="PROACTIVE",
            minimal_action="REPLACE",
            most_disruptive_allowed_action="REPLACE",
            replacement_method="SUBSTITUTE",
            instance_redistribution_type="PROACTIVE",
            max_surge_fixed=ZONES,
            max_unavailable_fixed=0,
            min_ready_sec=SETTLED_SECONDS,
        ),
        # What comes of the machines is awaited by us: the provider gives up after its 15 minutes for a creation.
        wait_for_instances=False,
        # The number of machines follows the load.
        opts=place.options(ignore_changes=["targetSize"]),
    )


def _scaling(
    place: Place, workload: Workload, group: gcp.compute.RegionInstanceGroupManager, patience: int
) -> gcp.compute.RegionAutoscaler:
    policy = gcp.compute.RegionAutoscalerAutoscalingPolicyArgs(
        min_replicas=workload.scale.min_replicas,
        max_replicas=workload.scale.max_replicas,
        # How long a new machine's load says nothing yet.
        cooldown_period=min(600, patience),
        cpu_utilization=gcp.compute.RegionAutoscalerAutoscalingPolicyCpuUtilizationArgs(target=BUSY),
    )
    return gcp.compute.RegionAutoscaler(
        place.name, region=place.region, target=group.id, autoscaling_policy=policy, opts=place.options()
    )
