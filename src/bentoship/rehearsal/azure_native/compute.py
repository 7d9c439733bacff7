"""Virtual machines and scale sets.

REST reference of Microsoft.Compute; "Custom data and cloud-init on Azure Virtual Machines"; "Configure rolling upgrades
on Virtual Machine Scale Sets".
"""

from __future__ import annotations

from ..rules import Reference, Seconds
from . import checks
from .identity import NO_IDENTITY, USER_ASSIGNED
from .naming import HYPHENS, in_group, named
from .network import INTERFACE, NO_SUBNET, SUBNET
from .services import COMPUTE

MACHINE = "azure-native:compute:VirtualMachine"
SCALE_SET = "azure-native:compute:VirtualMachineScaleSet"
_SIZE = (r"Standard_[A-Za-z0-9_-]+", "a size such as Standard_D2as_v5")
_IDENTITY = Reference("identity.userAssignedIdentities[]", USER_ASSIGNED, NO_IDENTITY, status=404)
_PROFILE = "virtualMachineProfile"
_SET_ADDRESSES = f"{_PROFILE}.networkProfile.networkInterfaceConfigurations[].ipConfigurations[]"
_ROLLING = "upgradePolicy.rollingUpgradePolicy"

RULES = {
    MACHINE: in_group(
        COMPUTE,
        "VirtualMachines",
        "Microsoft.Compute/virtualMachines",
        named(64, "vmName", HYPHENS),
        outputs={"vmId": "{uuid}", "timeCreated": "{now}"},
        begun_with=frozenset({"osProfile", "storageProfile"}),
        replace=frozenset(
            {"zones", "osProfile.adminUsername", "osProfile.computerName", "storageProfile.imageReference"}
        ),
        patterns={"hardwareProfile.vmSize": _SIZE},
        ranges={"storageProfile.osDisk.diskSizeGB": (1, 4095)},
        checks=(checks.custom_data("osProfile.customData"), checks.login("osProfile")),
        references=(
            _IDENTITY,
            Reference(
                "networkProfile.networkInterfaces[].id",
                INTERFACE,
                "NotFound: The resource {value} was not found.",
                holds="NicInUse: Network Interface {id} is used by existing resource.",
            ),
        ),
        seconds=Seconds(40, 30, 60),
    ),
    SCALE_SET: in_group(
        COMPUTE,
        "VirtualMachineScaleSets",
        "Microsoft.Compute/virtualMachineScaleSets",
        named(64, "vmScaleSetName", HYPHENS),
        outputs={"uniqueId": "{uuid}", "timeCreated": "{now}"},
        defaults={"overprovision": True},
        begun_with=frozenset({"sku"}),
        replace=frozenset({"zones", "orchestrationMode", f"{_PROFILE}.osProfile.adminUsername"}),
        patterns={"sku.name": _SIZE},
        ranges={
            "sku.capacity": (0, 1000),
            f"{_ROLLING}.maxBatchInstancePercent": (5, 100),
            f"{_ROLLING}.maxUnhealthyInstancePercent": (5, 100),
            f"{_ROLLING}.maxUnhealthyUpgradedInstancePercent": (0, 100),
        },
        checks=(
            checks.custom_data(f"{_PROFILE}.osProfile.customData"),
            checks.login(f"{_PROFILE}.osProfile"),
            checks.rolling,
            checks.duration(f"{_ROLLING}.pauseTimeBetweenBatches", "automaticRepairsPolicy.gracePeriod"),
        ),
        references=(
            _IDENTITY,
            Reference(
                f"{_SET_ADDRESSES}.subnet.id",
                SUBNET,
                NO_SUBNET,
                holds="InUseSubnetCannotBeDeleted: Subnet {subnetName} is in use and cannot be deleted.",
            ),
        ),
        seconds=Seconds(90, 10, 120),
    ),
}
