"""One virtual machine with a fixed address."""

from __future__ import annotations

import pulumi
import pulumi_azure_native as azure

from ...deployment import ReleaseRef, Workload
from ...provider.resources import Gate, PublicAddress
from ._hosts import (
    BOOT_SECONDS,
    USER,
    console,
    custom_data,
    image,
    machine_revision,
    nobody_logs_in,
    size,
    trusted_launch,
)
from ._network import public_address, subnet, to_port
from ._shared import Place, keep_releases, open_place
from ._watch import Metric, alert, dashboard
from .virtual_machine import VirtualMachine

_MACHINES = "Microsoft.Compute/virtualMachines"
MOVE_SECONDS = 300


def provision(target: VirtualMachine, workload: Workload) -> pulumi.Output[str]:
    """A machine of its own for the release; the gate; then the address moves there."""
    place = open_place("VirtualMachine", target, workload)
    (release,) = workload.serving
    revision = machine_revision(target, workload, release)
    releases = keep_releases(place, workload)
    own = public_address(place, revision)
    interface = azure.network.NetworkInterface(
        f"{place.name}-{revision}",
        ip_configurations=[
            azure.network.NetworkInterfaceIPConfigurationArgs(
                name="machine",
                primary=True,
                subnet=azure.network.SubnetArgs(id=subnet(place).id),
                public_ip_address=azure.network.PublicIPAddressArgs(id=own.id),
            )
        ],
        **place.here,
        # It is born with an address by which it is proved; the fixed one takes its place below.
        opts=place.options(ignore_changes=["ipConfigurations"]),
    )
    machine = azure.compute.VirtualMachine(
        f"{place.name}-{revision}",
        hardware_profile=azure.compute.HardwareProfileArgs(vm_size=size(target, workload)),
        identity=azure.compute.VirtualMachineIdentityArgs(
            type="UserAssigned", user_assigned_identities=[releases.identity.id]
        ),
        os_profile=azure.compute.OSProfileArgs(
            computer_name=f"r-{release.short}",
            admin_username=USER,
            custom_data=custom_data(workload, release, releases),
            linux_configuration=nobody_logs_in(),
        ),
        storage_profile=_disk(target, release),
        network_profile=azure.compute.NetworkProfileArgs(
            network_interfaces=[
                azure.compute.NetworkInterfaceReferenceArgs(id=interface.id, primary=True, delete_option="Detach")
            ]
        ),
        security_profile=trusted_launch(),
        diagnostics_profile=console(),
        **place.here,
        # What a machine runs at its first start can't be changed later: another script is another machine's.
        opts=place.options(depends_on=releases.before(release), ignore_changes=["osProfile.customData"]),
    )
    patience = workload.ready_timeout + BOOT_SECONDS
    private = to_port(own.ip_address)
    gate = Gate(f"{place.name}-gate-{revision}", release, revision, private, patience, machine.vm_id, place.ours())
    address = public_address(place)
    pointer = PublicAddress(
        f"{place.name}-pointer",
        address=address.id,
        interface=interface.id,
        timeout=MOVE_SECONDS,
        opts=place.ours(depends_on=[gate]),
    )
    _monitor(place, target, machine, release)
    return pulumi.Output.all(to_port(address.ip_address), pointer.id).apply(lambda known: str(known[0]))


def _disk(target: VirtualMachine, release: ReleaseRef) -> azure.compute.StorageProfileArgs:
    return azure.compute.StorageProfileArgs(
        image_reference=image(target, release),
        os_disk=azure.compute.OSDiskArgs(
            create_option="FromImage",
            delete_option="Delete",
            disk_size_gb=target.disk_gb,
            managed_disk=azure.compute.ManagedDiskParametersArgs(storage_account_type="StandardSSD_LRS"),
        ),
    )


def _monitor(place: Place, target: VirtualMachine, machine: azure.compute.VirtualMachine, release: ReleaseRef) -> None:
    available = Metric(machine.id, _MACHINES, "VmAvailabilityMetric", "Average")
    busy = Metric(machine.id, _MACHINES, "Percentage CPU", "Average")
    alert(place, target, "broken", "The machine is not available", available, 1, minutes=5, below=True)
    dashboard(place, release, {"The machine is available": available, "CPU, percent": busy})
