"""A scale set behind a load balancer."""

from __future__ import annotations

import math
from collections.abc import Callable

import pulumi
import pulumi_azure_native as azure

from ...deployment import ReleaseRef, Workload
from ...errors import InvalidConfiguration
from ...provider.resources import Gate, RollingUpgrade
from ._hosts import (
    BOOT_SECONDS,
    PORT,
    USER,
    console,
    custom_data,
    image,
    machine_revision,
    nobody_logs_in,
    size,
    trusted_launch,
)
from ._network import nat_gateway, public_address, subnet
from ._shared import Place, Releases, account_name, keep_releases, open_place
from ._watch import Metric, alert, dashboard, scale_by_cpu
from .virtual_machine import VirtualMachine

FRONT, POOL, PROBE = "public", "machines", "ready"
_SETS, _BALANCERS = "Microsoft.Compute/virtualMachineScaleSets", "Microsoft.Network/loadBalancers"
_SHORTEST_GRACE, _LONGEST_GRACE = 10, 90
Inside = Callable[[str, str], pulumi.Output[str]]


def provision(target: VirtualMachine, workload: Workload) -> pulumi.Output[str]:
    """A load balancer, a scale set over zones, and its rolling upgrade to the release; then the gate."""
    place = open_place("VirtualMachine", target, workload)
    (release,) = workload.serving
    releases = keep_releases(place, workload)
    # Not the address that one machine has: an address that is there gets no zones any more.
    address = public_address(place, "front", target.zones, _label(place))
    balancer, inside = _balancer(place, address)
    way_out = nat_gateway(place)
    machines = subnet(place, way_out)
    scale_set = _scale_set(place, target, workload, release, releases, machines, balancer, inside)
    _scaling(place, workload, scale_set)
    revision = machine_revision(target, workload, release)
    patience = workload.ready_timeout + BOOT_SECONDS
    upgrade = RollingUpgrade(
        f"{place.name}-upgrade",
        scale_set=scale_set.id,
        revision=revision,
        timeout=patience * (1 + workload.scale.max_replicas),
        opts=place.ours(),
    )
    url = address.dns_settings.apply(lambda known: f"http://{known.fqdn}")
    gate = Gate(
        f"{place.name}-gate-{revision}", release, revision, url, patience, opts=place.ours(depends_on=[upgrade])
    )
    _monitor(place, target, balancer, scale_set, release)
    return pulumi.Output.all(url, gate.passed).apply(lambda known: str(known[0]))


def _label(place: Place) -> str:
    """A label that nobody else in the region has ("Public IP addresses", DNS name label)."""
    return f"{place.name}-{account_name(place.subscription, place.name)[-6:]}"


def _balancer(place: Place, address: azure.network.PublicIPAddress) -> tuple[azure.network.LoadBalancer, Inside]:
    """The load balancer, and the ids of what is inside of it, by kind and name.

    Its parts name one another by ids that hold its own name, so that name has to be known before it is made.
    """
    name = f"{place.name}-balancer"
    itself = place.group.apply(
        lambda group: (
            f"/subscriptions/{place.subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Network/loadBalancers/{name}"
        )
    )

    def inside(kind: str, what: str) -> pulumi.Output[str]:
        return itself.apply(lambda known: f"{known}/{kind}/{what}")

    def part(kind: str, what: str) -> azure.network.SubResourceArgs:
        return azure.network.SubResourceArgs(id=inside(kind, what))

    balancer = azure.network.LoadBalancer(
        name,
        load_balancer_name=name,
        sku=azure.network.LoadBalancerSkuArgs(name="Standard"),
        frontend_ip_configurations=[
            azure.network.FrontendIPConfigurationArgs(
                name=FRONT, public_ip_address=azure.network.PublicIPAddressArgs(id=address.id)
            )
        ],
        backend_address_pools=[azure.network.BackendAddressPoolArgs(name=POOL)],
        probes=[
            azure.network.ProbeArgs(
                name=PROBE,
                protocol="Http",
                port=PORT,
                request_path="/readyz",
                interval_in_seconds=5,
                probe_threshold=2,
            )
        ],
        load_balancing_rules=[
            azure.network.LoadBalancingRuleArgs(
                name="http",
                protocol="Tcp",
                frontend_port=80,
                backend_port=PORT,
                idle_timeout_in_minutes=4,
                enable_tcp_reset=True,
                # The way out is the NAT gateway.
                disable_outbound_snat=True,
                frontend_ip_configuration=part("frontendIPConfigurations", FRONT),
                backend_address_pool=part("backendAddressPools", POOL),
                probe=part("probes", PROBE),
            )
        ],
        **place.here,
        opts=place.options(),
    )
    return balancer, inside


def _scale_set(
    place: Place,
    target: VirtualMachine,
    workload: Workload,
    release: ReleaseRef,
    releases: Releases,
    machines: azure.network.Subnet,
    balancer: azure.network.LoadBalancer,
    inside: Inside,
) -> azure.compute.VirtualMachineScaleSet:
    scale = workload.scale
    return azure.compute.VirtualMachineScaleSet(
        place.name,
        orchestration_mode="Uniform",
        overprovision=False,
        single_placement_group=False,
        sku=azure.compute.SkuArgs(name=size(target, workload), tier="Standard", capacity=scale.min_replicas),
        zones=list(target.zones) or None,
        identity=azure.compute.VirtualMachineScaleSetIdentityArgs(
            type="UserAssigned", user_assigned_identities=[releases.identity.id]
        ),
        upgrade_policy=_upgrading(),
        automatic_repairs_policy=azure.compute.AutomaticRepairsPolicyArgs(
            enabled=True, grace_period=_grace_period(workload), repair_action="Replace"
        ),
        virtual_machine_profile=azure.compute.VirtualMachineScaleSetVMProfileArgs(
            os_profile=azure.compute.VirtualMachineScaleSetOSProfileArgs(
                computer_name_prefix=place.name[:9].rstrip("-"),
                admin_username=USER,
                custom_data=custom_data(workload, release, releases),
                linux_configuration=nobody_logs_in(),
            ),
            storage_profile=azure.compute.VirtualMachineScaleSetStorageProfileArgs(
                image_reference=image(target, release),
                os_disk=azure.compute.VirtualMachineScaleSetOSDiskArgs(
                    create_option="FromImage",
                    disk_size_gb=target.disk_gb,
                    managed_disk=azure.compute.VirtualMachineScaleSetManagedDiskParametersArgs(
                        storage_account_type="StandardSSD_LRS"
                    ),
                ),
            ),
            security_profile=trusted_launch(),
            diagnostics_profile=console(),
            network_profile=_networking(machines, inside),
        ),
        **place.here,
        # How many machines there are is decided by the load, where it may.
        opts=place.options(
            depends_on=[balancer, *releases.before(release)],
            ignore_changes=["sku.capacity"] if scale.max_replicas > scale.min_replicas else [],
            custom_timeouts=pulumi.CustomTimeouts(create="30m", update="60m"),
        ),
    )


def _grace_period(workload: Workload) -> str:
    """How long a machine may take to be ready before it is replaced: between 10 and 90 minutes, as Azure has it.

    "Automatic instance repairs for Azure Virtual Machine Scale Sets".
    """
    minutes = math.ceil((workload.ready_timeout + BOOT_SECONDS) / 60)
    if minutes > _LONGEST_GRACE:
        longest = _LONGEST_GRACE * 60 - BOOT_SECONDS
        fault = f"is {workload.ready_timeout:g} seconds, and a scale set replaces machines that take so long"
        raise InvalidConfiguration("ready_timeout", fault, f"at most {longest} seconds here")
    return f"PT{max(minutes, _SHORTEST_GRACE)}M"


def _upgrading() -> azure.compute.UpgradePolicyArgs:
    """New machines beside the old ones, half of them at a time, and none that isn't ready.

    By surge alone: a machine that is upgraded in its place keeps the script that it started with.
    """
    return azure.compute.UpgradePolicyArgs(
        mode="Rolling",
        rolling_upgrade_policy=azure.compute.RollingUpgradePolicyArgs(
            max_surge=True,
            max_batch_instance_percent=50,
            max_unhealthy_instance_percent=50,
            max_unhealthy_upgraded_instance_percent=0,
            pause_time_between_batches="PT30S",
            prioritize_unhealthy_instances=True,
            rollback_failed_instances_on_policy_breach=True,
        ),
    )


def _networking(
    machines: azure.network.Subnet, inside: Inside
) -> azure.compute.VirtualMachineScaleSetNetworkProfileArgs:
    address = azure.compute.VirtualMachineScaleSetIPConfigurationArgs(
        name="machine",
        primary=True,
        subnet=azure.compute.ApiEntityReferenceArgs(id=machines.id),
        load_balancer_backend_address_pools=[azure.compute.SubResourceArgs(id=inside("backendAddressPools", POOL))],
    )
    return azure.compute.VirtualMachineScaleSetNetworkProfileArgs(
        health_probe=azure.compute.ApiEntityReferenceArgs(id=inside("probes", PROBE)),
        network_interface_configurations=[
            azure.compute.VirtualMachineScaleSetNetworkConfigurationArgs(
                name="machine", primary=True, ip_configurations=[address]
            )
        ],
    )


def _scaling(place: Place, workload: Workload, scale_set: azure.compute.VirtualMachineScaleSet) -> None:
    scale = workload.scale
    if scale.max_replicas > scale.min_replicas:
        busy = Metric(scale_set.id, _SETS, "Percentage CPU", "Average")
        scale_by_cpu(place, scale_set.id, busy, scale.min_replicas, scale.max_replicas)


def _monitor(
    place: Place,
    target: VirtualMachine,
    balancer: azure.network.LoadBalancer,
    scale_set: azure.compute.VirtualMachineScaleSet,
    release: ReleaseRef,
) -> None:
    """A load balancer of TCP counts connections; answers, errors and latency are in the machines' own logs."""
    connections = Metric(balancer.id, _BALANCERS, "SYNCount", "Total")
    ready = Metric(balancer.id, _BALANCERS, "DipAvailability", "Average")
    busy = Metric(scale_set.id, _SETS, "Percentage CPU", "Average")
    alert(place, target, "unhealthy", "A machine is not ready", ready, 100, minutes=5, below=True)
    dashboard(
        place,
        release,
        {"New connections": connections, "Machines that are ready, percent": ready, "CPU, percent": busy},
    )
