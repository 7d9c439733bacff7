"""AWS's own API, as far as our tool asks it: groups, environments of Elastic Beanstalk, alarms, what has a tag.

In the protocols that AWS's library for Python speaks to each: `query` and `ec2`, answered in XML, and `json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web

from .. import faults
from ..world import Resource, World
from .account import ACCOUNT
from .beanstalk import Environment
from .groups import Group, Refresh

Asked = Mapping[str, str]
REGION = "region"
"""Where the region of a call stands among what it says."""
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/")
_UNLISTED = ("s3.BucketObjectv2",)
_STATUS = {"permission": ("AccessDenied", 403), "throttling": ("Throttling", 400), "quota": ("LimitExceeded", 400)}


class _RefusalError(Exception):
    """A code of the API, and its sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """Answers calls about groups, environments and alarms, which belong to others."""

    def __init__(
        self,
        world: World,
        groups: Mapping[str, Group],
        environments: Mapping[str, Environment],
    ) -> None:
        self._world, self._groups, self._environments = world, groups, environments
        self._calls: Mapping[str, Callable[[Asked], Any]] = {
            "DescribeAutoScalingGroups": self._describe_groups,
            "DescribeInstanceRefreshes": self._describe_refreshes,
            "StartInstanceRefresh": self._start_refresh,
            "CancelInstanceRefresh": lambda asked: self._ask(asked, "cancel", "Cancelling"),
            "RollbackInstanceRefresh": lambda asked: self._ask(asked, "rollback", "RollbackInProgress"),
            "DescribeScalingActivities": lambda asked: {"Activities": self._group(asked).activities},
            "DescribeEnvironments": self._describe_environments,
            "DescribeEvents": self._describe_events,
            "DescribeEnvironmentHealth": self._describe_health,
            "GetResources": self._get_resources,
            "DescribeInstances": lambda _: {"reservationSet": ""},  # none stays for an hour after its end
            "DescribeAlarms": lambda _: {"MetricAlarms": []},  # none goes off: a rehearsal has no metrics
        }

    async def answer(self, request: web.Request) -> web.Response:
        """The answer to one call."""
        body = (await request.read()).decode()
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        asked = json.loads(body) if target else {key: values[0] for key, values in parse_qs(body).items()}
        call = target or asked.get("Action", "")
        asked[REGION] = _region(request)
        if call not in self._calls:
            return _error(400, "InvalidAction", f"a rehearsal does not answer {call or 'this'}")
        fault = faults.take(self._world, (call,), "before")
        if fault and fault.kind != "slow":
            code, status = _STATUS.get(fault.kind, ("InternalFailure", 500))
            return _error(status, code, f"{fault.kind} on purpose")
        try:
            found = self._calls[call](asked)
        except _RefusalError as refusal:
            return _error(400, refusal.code, str(refusal))
        if target:
            return web.Response(text=json.dumps(found), content_type="application/x-amz-json-1.0")
        within = "" if call == "DescribeInstances" else f"{call}Result"  # the protocol of EC2 has no such layer
        text = f"<{call}Response>{_within(within, as_xml(found))}</{call}Response>"
        return web.Response(text=text, content_type="text/xml")

    def _group(self, asked: Asked) -> Group:
        name = asked["AutoScalingGroupName"]
        if name not in self._groups:
            raise _RefusalError("ValidationError", f"AutoScalingGroup name not found - {name}")
        return self._groups[name]

    def _describe_groups(self, asked: Asked) -> Any:
        wanted = asked.get("AutoScalingGroupNames.member.1")
        return {"AutoScalingGroups": [_group(each) for name, each in self._groups.items() if wanted in (None, name)]}

    def _describe_refreshes(self, asked: Asked) -> Any:
        wanted = asked.get("InstanceRefreshIds.member.1")
        refreshes = self._group(asked).refreshes
        return {"InstanceRefreshes": [_refresh(each) for each in refreshes if wanted in (None, each.identity)]}

    def _start_refresh(self, asked: Asked) -> Any:
        group, start = self._group(asked), "DesiredConfiguration.LaunchTemplate."
        if group.active:
            raise _RefusalError("InstanceRefreshInProgress", "An Instance Refresh is already in progress")
        towards = {key.removeprefix(start): value for key, value in asked.items() if key.startswith(start)}
        told = "Preferences."
        preferences = {key.removeprefix(told): value for key, value in asked.items() if key.startswith(told)}
        return {"InstanceRefreshId": group.refresh(towards or group.template, preferences).identity}

    def _ask(self, asked: Asked, what: Any, status: str) -> Any:
        refresh = self._group(asked).active
        if refresh is None:
            raise _RefusalError("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found.")
        refresh.asked, refresh.status = what, status
        return {"InstanceRefreshId": refresh.identity}

    def _describe_environments(self, asked: Asked) -> Any:
        wanted = asked.get("EnvironmentNames.member.1")
        found = [each for each in self._environments.values() if wanted in (None, each.name)]
        return {"Environments": [_environment(each) for each in found]}

    def _describe_events(self, asked: Asked) -> Any:
        ranks = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
        least = ranks.index(asked.get("Severity", "TRACE"))
        events = [
            event
            for each in self._environments.values()
            if each.name == asked.get("EnvironmentName")
            for event in each.events
            if ranks.index(event["Severity"]) >= least
        ]
        return {"Events": events[: int(asked.get("MaxRecords", 100))]}

    def _get_resources(self, asked: Mapping[str, Any]) -> Any:
        """What has a tag and is of the region; roles are of none, and objects in a bucket are never listed."""
        (wanted,) = asked["TagFilters"]
        found = [
            {"ResourceARN": arn(item)}
            for item in self._world.every(region=asked[REGION])
            if asked[REGION] in (item.region, item.properties.get("bucketRegion"))
            and item.short_type not in _UNLISTED
            and item.tags.get(wanted["Key"]) in wanted["Values"]
        ]
        return {"PaginationToken": "", "ResourceTagMappingList": found}

    def _describe_health(self, asked: Asked) -> Any:
        found = [each for each in self._environments.values() if each.name == asked.get("EnvironmentName")]
        return {"Causes": [event["Message"] for each in found for event in each.events if event["Severity"] == "ERROR"]}


def arn(item: Resource) -> str:
    """The ARN of an object; made of its type and its id where it has none."""
    service, kind = item.short_type.split(".")
    short = f"{kind[0].lower()}{kind[1:]}"
    return str(item.properties.get("arn") or f"arn:aws:{service}:{item.region}:{ACCOUNT}:{short}/{item.id}")


def _region(request: web.Request) -> str:
    """The region that a call is signed for ("Create a signed AWS API request", IAM User Guide)."""
    found = _SCOPE.search(request.headers.get("Authorization", ""))
    return found["region"] if found else ""


def _within(layer: str, text: str) -> str:
    return f"<{layer}>{text}</{layer}>" if layer else text


def as_xml(value: Any) -> str:
    """A plain value as the `query` protocol has it: lists are members, the rest is text."""
    if isinstance(value, Mapping):
        return "".join(f"<{key}>{as_xml(item)}</{key}>" for key, item in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{as_xml(item)}</member>" for item in value)
    return escape(str(value))


def error_xml(code: str, message: str) -> str:
    """A refusal of the `query` protocol."""
    return as_xml({"ErrorResponse": {"Error": {"Code": code, "Message": message}, "RequestId": "rehearsal"}})


def _error(status: int, code: str, message: str) -> web.Response:
    return web.Response(status=status, text=error_xml(code, message), content_type="text/xml")


def _group(group: Group) -> dict[str, Any]:
    members = [
        {
            "InstanceId": member.id,
            "LifecycleState": "InService" if group.is_healthy(member) else "Pending",
            "HealthStatus": "Healthy",
            "LaunchTemplate": member.properties["launchTemplate"],
        }
        for member in group.members()
    ]
    told = {"AutoScalingGroupName": group.name, "DesiredCapacity": group.desired, "LaunchTemplate": group.template}
    return {**told, "Instances": members}


def _refresh(refresh: Refresh) -> dict[str, Any]:
    back = {"RollbackReason": refresh.reason} if refresh.status.startswith("Rollback") else {}
    return {
        "InstanceRefreshId": refresh.identity,
        "Status": refresh.status,
        "StatusReason": refresh.reason,
        "PercentageComplete": refresh.percent,
        "RollbackDetails": back,
        "DesiredConfiguration": {"LaunchTemplate": dict(refresh.towards)},
    }


def _environment(environment: Environment) -> dict[str, str]:
    return {
        "EnvironmentName": environment.name,
        "EnvironmentId": environment.identity,
        "ApplicationName": environment.application,
        "VersionLabel": environment.label,
        "Status": environment.status,
        "Health": environment.health,
        "CNAME": environment.address,
    }
