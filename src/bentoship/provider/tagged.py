"""What still carries a workload's tag in its cloud, as the cloud itself lists it: the proof that nothing is left.

Asked are the kinds that cost something by themselves; each cloud's page in docs/ says what no list shows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from .arm import Arm
from .arm import Patience as ArmPatience
from .aws import as_sentences, client
from .google import Google
from .tags import LABEL, TAG

ARM_VERSION = "2021-04-01"
"""Of the API of Azure Resource Manager ("Resources - List" and "Resource Groups - List")."""
ARM_SECONDS = 120
GOOGLE_KINDS = ("instances", "disks", "addresses", "forwardingRules")
"""What costs something on Compute Engine and takes labels, as the API calls it, global ones included."""


def on_aws(region: str, workload: str) -> list[str]:
    """ARNs of what is in `region`; UpdateFailed when AWS refuses to tell.

    AWS goes on listing what was tagged once; of instances it says itself that they are gone ("GetResources", Resource
    Groups Tagging API reference; "Instance lifecycle", EC2 User Guide).
    """
    with as_sentences(_where(workload)):
        listing = client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        pages = listing.paginate(TagFilters=[{"Key": TAG, "Values": [workload]}])
        found = {each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]}
        if any(":instance/" in arn for arn in found):
            ended = _ended(region, workload)
            found = {arn for arn in found if arn.rpartition("/")[2] not in ended}
    return sorted(found)


def _ended(region: str, workload: str) -> set[str]:
    """The ids of instances that are being terminated, or were."""
    states = [{"Name": "instance-state-name", "Values": ["shutting-down", "terminated"]}]
    ours = [{"Name": f"tag:{TAG}", "Values": [workload]}]
    pages = client("ec2", region).get_paginator("describe_instances").paginate(Filters=[*states, *ours])
    groups = (group for page in pages for group in page.get("Reservations", []))
    return {machine["InstanceId"] for group in groups for machine in group["Instances"]}


def on_azure(subscription: str, workload: str) -> list[str]:
    """Ids of what is in `subscription`, resource groups first; UpdateFailed when Azure refuses to tell."""
    place, only = f"/subscriptions/{subscription}", f"tagName eq '{TAG}' and tagValue eq '{workload}'"
    patience = ArmPatience(_where(workload), ARM_SECONDS, threading.Event())
    with Arm(patience) as azure:
        return [
            str(each["id"])
            for what in ("resourcegroups", "resources")
            for each in azure.every(f"{place}/{what}", ARM_VERSION, {"$filter": only})
        ]


def on_compute_engine(project: str, workload: str) -> Iterator[str]:
    """Machines, disks, addresses and forwarding rules, by label ("Aggregated lists", Compute Engine API)."""
    google, only = Google("compute", _where(workload)), {"filter": f'labels.{LABEL}="{workload}"'}
    for kind in GOOGLE_KINDS:
        for page in google.pages(f"projects/{project}/aggregated/{kind}", only):
            for scope, held in page.get("items", {}).items():
                yield from (f"{scope}/{kind}/{each['name']}" for each in held.get(kind, []))


def on_app_engine(project: str, service: str, workload: str) -> Iterator[str]:
    """The service, which has no label, by its name: without it there is no version, and no instance."""
    path = f"apps/{project}/services/{service}"
    if Google("app_engine", _where(workload)).get(path) is not None:
        yield path


def on_cloud_storage(project: str, workload: str) -> Iterator[str]:
    """Buckets, by label; their names begin with the workload's."""
    for page in Google("storage", _where(workload)).pages("b", {"project": project, "prefix": workload}):
        yield from (f"gs://{each['name']}" for each in page.get("items", []) if _is_of(each.get("labels"), workload))


def on_monitoring(project: str, workload: str) -> Iterator[str]:
    """Alerts and uptime checks, by label."""
    google = Google("monitoring", _where(workload))
    for kind in ("alertPolicies", "uptimeCheckConfigs"):
        for page in google.pages(f"v3/projects/{project}/{kind}", {}):
            yield from (str(each["name"]) for each in page.get(kind, []) if _is_of(each.get("userLabels"), workload))


def _is_of(labels: Mapping[str, Any] | None, workload: str) -> bool:
    return (labels or {}).get(LABEL) == workload


def _where(workload: str) -> str:
    return f"the list of what is left of {workload}"
