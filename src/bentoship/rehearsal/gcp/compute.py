"""Machines, templates, and groups of machines.

Compute Engine API reference (instances, regionInstanceTemplates, regionInstanceGroupManagers, regionAutoscalers), and
"About VM metadata" (limits); magic-modules' services/compute for what can't be changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Problem
from ..rules import Properties, Reference, Seconds, known
from .resource import NOT_FOUND, rules, to, token
from .storage import ACCOUNT

INSTANCE, TEMPLATE, GROUP = token("Instance"), token("RegionInstanceTemplate"), token("RegionInstanceGroupManager")
AUTOSCALER, TARGET = token("RegionAutoscaler"), token("TargetInstance")
LONGEST_VALUE = 262_144
"""Bytes of one value of a machine's metadata ("About VM metadata", limitations)."""
ZONES = 3
_MACHINE_TYPE = (r"(.*/)?[a-z][a-z0-9]*(-[a-z0-9]+)+", "a machine type such as e2-small")
_DISK_TYPE = (r"(.*/)?(pd-(standard|balanced|ssd|extreme)|hyperdisk-[a-z-]+)", "a type of disk such as pd-balanced")
_SIZE = (10, 65_536)
_RUNS_AS = Reference(
    "serviceAccount.email",
    ACCOUNT,
    "Invalid value for field 'resource.serviceAccounts[0].email': '{value}'. The service account does not exist., "
    "invalid",
    ("email",),
)


def _metadata(inputs: Properties) -> Iterator[Problem]:
    """A value that is too long."""
    for key, value in (inputs.get("metadata") or {}).items():
        if isinstance(value, str) and (size := len(value.encode())) > LONGEST_VALUE:
            fault = f"Metadata value is too large: {size:,} bytes, at most {LONGEST_VALUE:,}"
            yield Problem(f"metadata.{key}", fault)


def _surge(inputs: Properties) -> Iterator[Problem]:
    """How many machines may come or go at once: none, or one a zone at least; not none of both."""
    policy = inputs.get("updatePolicy") or {}
    surge, missing = policy.get("maxSurgeFixed"), policy.get("maxUnavailableFixed")
    for name, value in (("maxSurgeFixed", surge), ("maxUnavailableFixed", missing)):
        if isinstance(value, int) and 0 < value < ZONES:
            fault = (
                f"Fixed updatePolicy.{name} for regional managed instance group has to be either 0 or at least {ZONES}"
            )
            yield Problem(f"updatePolicy.{name}", fault)
    if surge == 0 and missing == 0:
        yield Problem("updatePolicy.maxSurgeFixed", "maxSurge and maxUnavailable can't both be 0")


def _replicas(inputs: Properties) -> Iterator[Problem]:
    """The least number of machines is not above the most."""
    policy = inputs.get("autoscalingPolicy") or {}
    least, most = policy.get("minReplicas"), policy.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem("autoscalingPolicy.minReplicas", f"{least} is more than maxReplicas ({most})")


def _one_version_takes_the_rest(inputs: Properties) -> Iterator[Problem]:
    """Of several versions, all but one say how many machines they have."""
    versions = [version for _, version in known(inputs, "versions[]") if isinstance(version, dict)]
    if sum("targetSize" not in version for version in versions) > 1:
        yield Problem("versions", "exactly one version must be without targetSize")


RULES = {
    INSTANCE: rules(
        "instances",
        "zonal",
        update="update",
        outputs={
            "instanceId": "{digits19}",
            "cpuPlatform": "Intel Broadwell",
            "currentStatus": "RUNNING",
            "metadataFingerprint": "{letters8}",
            "tagsFingerprint": "{letters8}",
        },
        inside={
            "networkInterfaces[].networkIp": "10.10.0.{octet}",
            "networkInterfaces[].accessConfigs[].natIp": "203.0.113.{octet}",
            "networkInterfaces[].name": "nic0",
        },
        renewed=frozenset({"metadataFingerprint", "currentStatus"}),
        defaults={"canIpForward": False, "deletionProtection": False},
        replace=frozenset(
            {
                "bootDisk.initializeParams",
                "hostname",
                "metadataStartupScript",
                "networkInterfaces[].subnetwork",
                "networkInterfaces[].network",
                "scratchDisks",
            }
        ),
        ranges={"bootDisk.initializeParams.size": _SIZE},
        patterns={"machineType": _MACHINE_TYPE, "bootDisk.initializeParams.type": _DISK_TYPE},
        checks=(_metadata,),
        references=(
            to("networkInterfaces[].subnetwork", "Subnetwork", "subnetwork"),
            to("networkInterfaces[].network", "Network", "network"),
            _RUNS_AS,
        ),
        protected=(
            "deletionProtection",
            "Resource cannot be deleted if it's protected against deletion., invalidResourceUsage",
        ),
        quota="Quota 'CPUS' exceeded.  Limit: 24.0 in region {region}., quotaExceeded",
        seconds=Seconds(30, 20, 40),
    ),
    TARGET: rules(
        "targetInstances",
        "zonal",
        defaults={"natPolicy": "NO_NAT"},
        replace=frozenset({"instance", "natPolicy", "network"}),
        references=(to("instance", "Instance"),),
    ),
    TEMPLATE: rules(
        "instanceTemplates",
        "regional",
        update="insert",
        outputs={"numericId": "{digits19}", "metadataFingerprint": "{letters8}"},
        # A template never changes ("Instance templates", Compute Engine documentation).
        replace=frozenset(
            {
                "disks",
                "machineType",
                "metadata",
                "networkInterfaces",
                "serviceAccount",
                "shieldedInstanceConfig",
                "tags",
            }
            | {"description", "labels", "scheduling", "minCpuPlatform", "metadataStartupScript"}
        ),
        ranges={"disks[].diskSizeGb": _SIZE},
        patterns={"machineType": _MACHINE_TYPE, "disks[].diskType": _DISK_TYPE},
        conflicts=(("name", "namePrefix"),),
        checks=(_metadata,),
        references=(
            to("networkInterfaces[].subnetwork", "Subnetwork"),
            to("networkInterfaces[].network", "Network"),
            _RUNS_AS,
        ),
        quota="Quota 'INSTANCE_TEMPLATES' exceeded.  Limit: 100.0 globally., quotaExceeded",
    ),
    GROUP: rules(
        "instanceGroupManagers",
        "regional",
        outputs={
            "instanceGroup": "https://www.googleapis.com/compute/v1/projects/{project}/regions/{region}"
            "/instanceGroups/{name}",
            "fingerprint": "{letters8}",
            "statuses": [{"isStable": True, "versionTargets": [{"isReached": True}]}],
        },
        renewed=frozenset({"fingerprint", "statuses"}),
        defaults={"waitForInstances": False, "waitForInstancesStatus": "STABLE"},
        replace=frozenset({"distributionPolicyZones", "description"}),
        choices={
            "updatePolicy.type": ("PROACTIVE", "OPPORTUNISTIC"),
            "updatePolicy.minimalAction": ("REFRESH", "RESTART", "REPLACE", "NONE"),
            "updatePolicy.mostDisruptiveAllowedAction": ("REFRESH", "RESTART", "REPLACE", "NONE"),
            "updatePolicy.replacementMethod": ("SUBSTITUTE", "RECREATE"),
            "updatePolicy.instanceRedistributionType": ("PROACTIVE", "NONE"),
            "waitForInstancesStatus": ("STABLE", "UPDATED"),
        },
        ranges={"autoHealingPolicies.initialDelaySec": (0, 3600), "namedPorts[].port": (1, 65535)},
        patterns={"baseInstanceName": (r"[a-z]([-a-z0-9]{0,57})", "a name of at most 58 letters")},
        checks=(_surge, _one_version_takes_the_rest),
        references=(
            Reference(
                "versions[].instanceTemplate",
                TEMPLATE,
                NOT_FOUND,
                ("id", "selfLink"),
                "The instance_template resource '{id}' is already being used, resourceInUseByAnotherResource",
                status=404,
            ),
            to("autoHealingPolicies.healthCheck", "HealthCheck", "health_check"),
        ),
        quota="Quota 'REGIONAL_INSTANCE_GROUP_MANAGERS' exceeded.  Limit: 25.0 in region {region}., quotaExceeded",
        seconds=Seconds(20, 10, 90),
    ),
    AUTOSCALER: rules(
        "autoscalers",
        "regional",
        checks=(_replicas,),
        ranges={
            "autoscalingPolicy.cpuUtilization.target": (0, 1),
            "autoscalingPolicy.minReplicas": (0, 2000),
            "autoscalingPolicy.maxReplicas": (1, 2000),
        },
        references=(to("target", "RegionInstanceGroupManager", "instance_group_manager"),),
        seconds=Seconds(15, 15, 15),
    ),
}
