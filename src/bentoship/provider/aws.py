"""bentoship:aws:* — steps of a deployment on AWS that Pulumi's provider starts and does not see through to their end.

InstanceRefresh   a group's machines replaced by those of another launch template, and AWS's own way back awaited
BeanstalkVersion  the version that an environment really runs, which after a failed deployment is the old one

Why not Pulumi's: its auto-scaling group saves the new template before it starts a refresh, so that AWS rolls "back"
to the new one, and it doesn't wait (github.com/hashicorp/terraform-provider-aws/issues/34189 and /42355). Its
environment is content when Elastic Beanstalk calls itself ready, on whichever version.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, ClassVar

from ..deployment import Frozen
from ..errors import EngineMissing, UpdateFailed
from ..patience import patience
from .kinds import Kind
from .progress import Tell
from .server import Properties

ATTEMPTS = 10
"""Tries of one call: what is throttled is asked again, later and later ("Retries", Boto3 documentation)."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_UNDER_WAY = {"Pending", "InProgress", "Baking"}
_GOING_BACK = {"Cancelling", "RollbackInProgress"}
_REMEDIES = {
    "AuthFailure": "check the credentials: `aws sts get-caller-identity`",
    "InvalidClientTokenId": "check the credentials: `aws sts get-caller-identity`",
    "SignatureDoesNotMatch": "check the credentials and this machine's clock",
    "ExpiredToken": "log in to AWS again",
    "AccessDenied": "docs/aws.md lists what the deployer must be allowed to do",
    "Throttling": "others use the same account's quota; run `up` again later",
}


class InstanceRefreshInputs(Frozen):
    """What an instance refresh is told."""

    region: str
    group: str
    """Name of the auto-scaling group."""
    template: str
    """Id of the launch template that its machines shall run."""
    version: str
    alarms: list[str]
    """CloudWatch alarms that make AWS go back when they go off."""
    warmup: int
    """Seconds that a new machine must have been ready before the next one is replaced."""
    timeout: float
    """Seconds that all of it may take."""

    @property
    def wanted(self) -> dict[str, str]:
        """The launch template as AWS names it."""
        return {"LaunchTemplateId": self.template, "Version": self.version}


class InstanceRefresh(Kind[InstanceRefreshInputs]):
    """The launch template that every machine of a group runs; changing it replaces them, new beside old."""

    inputs = InstanceRefreshInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"region", "group"})
    ignore: ClassVar[frozenset[str]] = frozenset({"alarms", "warmup", "timeout"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: InstanceRefreshInputs) -> tuple[str, Properties]:
        """Do nothing where it is done, wait for a refresh that is under way, or start one; UpdateFailed if it fails."""
        patience = Patience(inputs.timeout, self._cancelled)
        with as_sentences(f"auto-scaling group {inputs.group}"):
            scaling = client("autoscaling", inputs.region)
            refresh = self._adopt(scaling, inputs, patience)
            if refresh is None and not _has_template(_group(scaling, inputs.group), inputs):
                refresh = _start(scaling, inputs)
            if refresh is not None:
                self._see_through(scaling, inputs, refresh, patience)
            self._until_in_service(scaling, inputs, patience)
        return f"{inputs.group}/refresh", {}

    def read(self, inputs: InstanceRefreshInputs, outputs: Properties) -> Properties | None:
        """The template that the group would start its next machine from; None when there is no group."""
        with as_sentences(f"auto-scaling group {inputs.group}"):
            group = _group(client("autoscaling", inputs.region), inputs.group)
        if group is None:
            return None
        now = group.get("LaunchTemplate") or {}
        template, version = now.get("LaunchTemplateId", ""), now.get("Version", "")
        return {**outputs, "template": template, "version": version}

    def cancel(self) -> None:
        """Have AWS bring the old machines back, and stop waiting."""
        self._cancelled.set()

    def _adopt(self, scaling: Any, inputs: InstanceRefreshInputs, patience: Patience) -> str | None:
        """The refresh to the wanted template that is under way, if one is; others are ended first."""
        while refresh := _active(scaling, inputs.group):
            towards = (refresh.get("DesiredConfiguration") or {}).get("LaunchTemplate") or {}
            if refresh["Status"] in _UNDER_WAY and _same(towards, inputs):
                return str(refresh["InstanceRefreshId"])
            if refresh["Status"] in _UNDER_WAY:
                self._tell(f"{inputs.group}: another instance refresh is under way, and is cancelled")
                with _unless_it_has_ended(scaling):
                    scaling.cancel_instance_refresh(AutoScalingGroupName=inputs.group)
            patience.wait(f"auto-scaling group {inputs.group}", "another instance refresh doesn't end")
        return None

    def _see_through(self, scaling: Any, inputs: InstanceRefreshInputs, refresh: str, patience: Patience) -> None:
        seen = ""
        while True:
            now = _refresh(scaling, inputs.group, refresh)
            if now["Status"] == "Successful":
                return
            if now["Status"] not in _UNDER_WAY | _GOING_BACK:
                raise _failure(inputs, now, _reasons(scaling, inputs.group))
            if (progress := _progress(now)) != seen:
                self._tell(f"{inputs.group}: {progress}")
                seen = progress
            try:
                patience.wait(f"auto-scaling group {inputs.group}", f"the instance refresh did not end ({progress})")
            except UpdateFailed:
                if now["Status"] in _UNDER_WAY:
                    with _unless_it_has_ended(scaling):
                        scaling.rollback_instance_refresh(AutoScalingGroupName=inputs.group)
                raise

    def _until_in_service(self, scaling: Any, inputs: InstanceRefreshInputs, patience: Patience) -> None:
        """A group that has just been made has no machines yet."""
        seen = ""
        while True:
            group = _group(scaling, inputs.group) or {"Instances": [], "DesiredCapacity": 1}
            running, asked = _in_service(group, inputs), max(1, group["DesiredCapacity"])
            if running >= asked:
                return
            if (progress := f"{running} of {asked} machines are in service") != seen:
                self._tell(f"{inputs.group}: {progress}")
                seen = progress
            patience.wait(f"auto-scaling group {inputs.group}", progress, lambda: _reasons(scaling, inputs.group))


class BeanstalkVersionInputs(Frozen):
    """What is expected of an environment."""

    region: str
    environment: str
    label: str
    """Label of the application version."""
    timeout: float
    """Seconds that it may take to become healthy once it is ready."""


class BeanstalkVersion(Kind[BeanstalkVersionInputs]):
    """An environment of Elastic Beanstalk that runs the version it was told to, and is healthy."""

    inputs = BeanstalkVersionInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"region", "environment"})
    ignore: ClassVar[frozenset[str]] = frozenset({"timeout"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: BeanstalkVersionInputs) -> tuple[str, Properties]:
        """Wait for the health of the version; UpdateFailed, with the events, when another one runs or it stays ill."""
        where = f"environment {inputs.environment}"
        patience = Patience(inputs.timeout, self._cancelled)
        with as_sentences(where):
            beanstalk = client("elasticbeanstalk", inputs.region)
            seen = ""
            while True:
                now = _environment(beanstalk, inputs.environment)
                if problem := _wrong_version(now, inputs.label):
                    raise UpdateFailed(where, _with(problem, _events(beanstalk, inputs.environment)))
                progress = f"{now['Status']}, health {now.get('Health', 'Grey')}"
                if progress == "Ready, health Green":
                    return f"{inputs.environment}/version", {}
                if progress != seen:
                    self._tell(f"{inputs.environment}: {progress}")
                    seen = progress
                patience.wait(where, progress, lambda: _causes(beanstalk, inputs.environment))

    def read(self, inputs: BeanstalkVersionInputs, outputs: Properties) -> Properties | None:
        """The label that the environment really has; None when there is no environment."""
        with as_sentences(f"environment {inputs.environment}"):
            now = _environment(client("elasticbeanstalk", inputs.region), inputs.environment)
        return {**outputs, "label": now.get("VersionLabel", "")} if _exists(now) else None

    def cancel(self) -> None:
        """Stop waiting; Elastic Beanstalk goes on by itself."""
        self._cancelled.set()


class Patience:
    """How long to wait, and how often to look: soon at first, then every ten seconds."""

    def __init__(self, seconds: float, cancelled: threading.Event) -> None:
        self._seconds, self._cancelled = patience(seconds), cancelled
        self._end, self._pause = time.monotonic() + self._seconds, _FIRST_PAUSE

    def wait(self, where: str, seen: str, why: Callable[[], Sequence[str]] = tuple) -> None:
        """Pause before the next look; UpdateFailed when the time is over or the operation was cancelled."""
        if self._cancelled.wait(self._pause):
            raise UpdateFailed(where, f"the update was cancelled ({seen})")
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)
        if time.monotonic() > self._end:
            raise UpdateFailed(where, _with(f"{seen} after {self._seconds:.0f} seconds", why()))


def client(service: str, region: str) -> Any:
    """A client of boto3, which reads credentials and AWS_ENDPOINT_URL itself; EngineMissing when there is no boto3."""
    try:
        import boto3  # noqa: PLC0415 - other targets do without it
        from botocore.config import Config  # noqa: PLC0415
    except ImportError:
        raise EngineMissing("aws", "needs packages that are not here", "pip install 'bentoship[aws]'") from None
    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    # A session of its own: the default one may not be used by two threads, and the engine asks for many at once.
    return boto3.session.Session(region_name=region).client(service, config=Config(retries=retries))


@contextmanager
def as_sentences(where: str) -> Iterator[None]:
    """Turn what AWS refuses, and an AWS that can't be reached, into UpdateFailed."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see client
    except ImportError:
        yield
        return
    try:
        yield
    except ClientError as error:
        code, said = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        known = next((remedy for start, remedy in _REMEDIES.items() if code.startswith(start)), "")
        raise UpdateFailed(where, f"AWS answered {code}: {said}", known) from error
    except BotoCoreError as error:
        remedy = "docs/aws.md says what a deployer needs: credentials, a region, and a way to AWS"
        raise UpdateFailed(where, str(error), remedy) from error


def _group(scaling: Any, name: str) -> Mapping[str, Any] | None:
    found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return found[0] if found else None


def _same(template: Mapping[str, Any] | None, inputs: InstanceRefreshInputs) -> bool:
    return {key: (template or {}).get(key) for key in inputs.wanted} == inputs.wanted


def _has_template(group: Mapping[str, Any] | None, inputs: InstanceRefreshInputs) -> bool:
    """Whether the group and all its machines have the wanted template; machines that are going don't count."""
    if group is None:
        raise UpdateFailed(f"auto-scaling group {inputs.group}", "is gone", "run `up` again, which sees that")
    going = ("Terminat", "Detach")
    stay = [machine for machine in group["Instances"] if not machine["LifecycleState"].startswith(going)]
    return all(_same(each.get("LaunchTemplate"), inputs) for each in (group, *stay))


def _in_service(group: Mapping[str, Any], inputs: InstanceRefreshInputs) -> int:
    return sum(
        machine["LifecycleState"] == "InService"
        and machine["HealthStatus"] == "Healthy"
        and _same(machine.get("LaunchTemplate"), inputs)
        for machine in group["Instances"]
    )


def _active(scaling: Any, group: str) -> Mapping[str, Any] | None:
    """The refresh that is under way or going back; there is at most one in a group."""
    found = scaling.describe_instance_refreshes(AutoScalingGroupName=group)["InstanceRefreshes"]
    return next((each for each in found if each["Status"] in _UNDER_WAY | _GOING_BACK), None)


def _refresh(scaling: Any, group: str, identity: str) -> Mapping[str, Any]:
    found = scaling.describe_instance_refreshes(AutoScalingGroupName=group, InstanceRefreshIds=[identity])
    refresh: Mapping[str, Any] = found["InstanceRefreshes"][0]
    return refresh


def _start(scaling: Any, inputs: InstanceRefreshInputs) -> str:
    preferences: dict[str, Any] = {
        "MinHealthyPercentage": 100,
        "MaxHealthyPercentage": 150,
        "InstanceWarmup": inputs.warmup,
        "SkipMatching": True,
        "AutoRollback": True,
    }
    if quiet := _quiet(inputs):
        preferences["AlarmSpecification"] = {"Alarms": quiet}
    started = scaling.start_instance_refresh(
        AutoScalingGroupName=inputs.group,
        Strategy="Rolling",
        DesiredConfiguration={"LaunchTemplate": inputs.wanted},
        Preferences=preferences,
    )
    return str(started["InstanceRefreshId"])


def _unless_it_has_ended(scaling: Any) -> AbstractContextManager[None]:
    """A refresh that has ended by itself since we looked is left as it ended."""
    return suppress(scaling.exceptions.ActiveInstanceRefreshNotFoundFault)


def _quiet(inputs: InstanceRefreshInputs) -> list[str]:
    """The alarms that don't go off already: one that does would stop the very release that mends what it tells."""
    if not inputs.alarms:
        return []
    found = client("cloudwatch", inputs.region).describe_alarms(AlarmNames=inputs.alarms, StateValue="ALARM")
    loud = {alarm["AlarmName"] for alarm in found["MetricAlarms"]}
    return [name for name in inputs.alarms if name not in loud]


def _progress(refresh: Mapping[str, Any]) -> str:
    if refresh["Status"] in _GOING_BACK:
        return f"going back to the old machines: {refresh.get('StatusReason') or 'no reason given'}"
    return f"{refresh.get('PercentageComplete', 0)} % of the machines are replaced"


def _failure(inputs: InstanceRefreshInputs, refresh: Mapping[str, Any], reasons: Sequence[str]) -> UpdateFailed:
    rollback = (refresh.get("RollbackDetails") or {}).get("RollbackReason")
    reason = rollback or refresh.get("StatusReason") or "no reason given"
    ends = {
        "RollbackSuccessful": "AWS went back to the old machines",
        "RollbackFailed": "AWS could not go back to the old machines",
        "Cancelled": "the instance refresh was cancelled",
    }
    fault = _with(f"{ends.get(refresh['Status'], 'the instance refresh failed')}: {reason}", reasons)
    remedy = "see a machine's console: `aws ec2 get-console-output --latest --instance-id …`"
    return UpdateFailed(f"auto-scaling group {inputs.group}", fault, remedy)


def _reasons(scaling: Any, group: str) -> list[str]:
    """What the group says of its latest failed attempts to start or stop a machine."""
    found = scaling.describe_scaling_activities(AutoScalingGroupName=group, MaxRecords=20)["Activities"]
    failed = [each for each in found if each["StatusCode"] in {"Failed", "Cancelled"}]
    return [str(each.get("StatusMessage") or each.get("Cause", "")) for each in failed[:3]]


def _environment(beanstalk: Any, name: str) -> Mapping[str, Any]:
    found = beanstalk.describe_environments(EnvironmentNames=[name], IncludeDeleted=False)["Environments"]
    return found[0] if found else {"Status": "Terminated"}


def _exists(environment: Mapping[str, Any]) -> bool:
    return environment["Status"] not in {"Terminating", "Terminated"}


def _wrong_version(now: Mapping[str, Any], label: str) -> str | None:
    if not _exists(now):
        return "is gone"
    if now["Status"] == "Ready" and now.get("VersionLabel") != label:
        return f"Elastic Beanstalk stayed on version {now.get('VersionLabel')} instead of going to {label}"
    return None


def _events(beanstalk: Any, name: str) -> list[str]:
    """The latest warnings and errors of an environment, oldest first."""
    found = beanstalk.describe_events(EnvironmentName=name, Severity="WARN", MaxRecords=5)["Events"]
    return [f"{event['EventDate']:%H:%M:%S} {event['Message']}" for event in reversed(found)]


def _causes(beanstalk: Any, name: str) -> list[str]:
    health = beanstalk.describe_environment_health(EnvironmentName=name, AttributeNames=["Causes"])
    return [*health.get("Causes", []), *_events(beanstalk, name)]


def _with(sentence: str, details: Sequence[str]) -> str:
    return f"{sentence}: {' | '.join(details)}" if details else sentence
