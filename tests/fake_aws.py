"""As much of AWS's API as our provider asks: auto-scaling, Elastic Beanstalk and alarms, over HTTP.

Answers in the protocols that botocore speaks to each: `query` with XML, and `json` for CloudWatch.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

NEW = {"LaunchTemplateId": "lt-new", "Version": "2"}
OLD = {"LaunchTemplateId": "lt-old", "Version": "1"}
ENDED = {"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}


@dataclass
class Refresh:
    """An instance refresh that goes through `statuses`, one each time it is looked at, and stays at the last."""

    identity: str
    towards: Mapping[str, str]
    statuses: Sequence[str]
    reason: str = ""
    preferences: Mapping[str, str] = field(default_factory=dict)
    looks: int = 0

    @property
    def status(self) -> str:
        return self.statuses[min(self.looks, len(self.statuses) - 1)]


@dataclass
class FakeAws:
    """One auto-scaling group, one environment, some alarms. Listens from `with` on."""

    template: Mapping[str, str] | None = field(default_factory=lambda: dict(OLD))
    """What the group starts machines from; None when there is no group."""
    machines: list[dict[str, Any]] = field(default_factory=list)
    capacity: int = 2
    refreshes: list[Refresh] = field(default_factory=list)
    outcome: Sequence[str] = ("Pending", "InProgress", "Successful")
    """What the next refresh that is started goes through."""
    reason: str = ""
    activities: list[dict[str, str]] = field(default_factory=list)
    loud: list[str] = field(default_factory=list)
    """Alarms that go off."""
    environment: Sequence[Mapping[str, str]] = ()
    """What the environment goes through, one each time it is looked at; the last for ever."""
    events: list[dict[str, str]] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    """Codes and messages with which the next calls are refused."""
    calls: list[str] = field(default_factory=list)
    called: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        if not self.machines and self.template:
            self.machines = [machine(self.template) for _ in range(self.capacity)]

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens: a value for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait_for(self, call: str) -> None:
        """Return once `call` has been made."""
        with self.called:
            assert self.called.wait_for(lambda: call in self.calls, timeout=20), f"no {call} among {self.calls}"

    def answer(self, call: str, asked: Mapping[str, str]) -> Any:
        """The plain result of one call."""
        with self.called:
            self.calls.append(call)
            self.called.notify_all()
        return getattr(self, f"_{call}")(asked)

    def _DescribeAutoScalingGroups(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        if self.template is None:
            return {"AutoScalingGroups": []}
        group = {"AutoScalingGroupName": "group", "DesiredCapacity": self.capacity, "LaunchTemplate": self.template}
        return {"AutoScalingGroups": [{**group, "Instances": self.machines}]}

    def _DescribeInstanceRefreshes(self, asked: Mapping[str, str]) -> Any:  # noqa: N802
        wanted = asked.get("InstanceRefreshIds.member.1")
        found = [each for each in self.refreshes if wanted in {None, each.identity}]
        return {"InstanceRefreshes": [self._look(each) for each in found]}

    def _look(self, refresh: Refresh) -> dict[str, Any]:
        seen = {"InstanceRefreshId": refresh.identity, "Status": refresh.status, "PercentageComplete": 50}
        if refresh.status == "Successful":
            self.template = dict(refresh.towards)
            self.machines = [machine(refresh.towards) for _ in range(self.capacity)]
        details = {"RollbackReason": refresh.reason} if refresh.status.startswith("Rollback") else {}
        refresh.looks += 1
        desired = {"LaunchTemplate": refresh.towards}
        return {**seen, "StatusReason": refresh.reason, "RollbackDetails": details, "DesiredConfiguration": desired}

    def _StartInstanceRefresh(self, asked: Mapping[str, str]) -> Any:  # noqa: N802
        start = "DesiredConfiguration.LaunchTemplate."
        towards = {key.removeprefix(start): value for key, value in asked.items() if key.startswith(start)}
        preferences = {key.removeprefix("Preferences."): value for key, value in asked.items() if "Preferences." in key}
        identity = f"refresh-{len(self.refreshes)}"
        self.refreshes.insert(0, Refresh(identity, towards, self.outcome, self.reason, preferences))
        return {"InstanceRefreshId": identity}

    def _CancelInstanceRefresh(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        return self._end("Cancelling", "Cancelled")

    def _RollbackInstanceRefresh(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        return self._end("RollbackInProgress", "RollbackSuccessful")

    def _end(self, *statuses: str) -> Any:
        (active,) = [each for each in self.refreshes if each.status not in ENDED]
        active.statuses, active.looks = statuses, 0
        return {"InstanceRefreshId": active.identity}

    def _DescribeScalingActivities(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        return {"Activities": self.activities}

    def _DescribeAlarms(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": "ALARM"} for name in self.loud]}

    def _DescribeEnvironments(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        first, *others = self.environment or ({},)
        if others:
            self.environment = others
        return {"Environments": [first] if first else []}

    def _DescribeEvents(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        return {"Events": self.events}

    def _DescribeEnvironmentHealth(self, _: Mapping[str, str]) -> Any:  # noqa: N802
        return {"Causes": self.causes}


def machine(template: Mapping[str, str], state: str = "InService") -> dict[str, Any]:
    """A machine of a group."""
    return {"LifecycleState": state, "HealthStatus": "Healthy", "LaunchTemplate": template}


def _handler(aws: FakeAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            asked = json.loads(body) if target else {key: values[0] for key, values in parse_qs(body).items()}
            call = target or asked["Action"]
            if aws.refusals:
                self._send(400, "text/xml", _error(*aws.refusals.pop(0)))
            elif target:
                self._send(200, "application/x-amz-json-1.0", json.dumps(aws.answer(call, asked)))
            else:
                result = f"<{call}Result>{_xml(aws.answer(call, asked))}</{call}Result>"
                self._send(200, "text/xml", f"<{call}Response>{result}</{call}Response>")

        def _send(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{key}>{_xml(item)}</{key}>" for key, item in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(item)}</member>" for item in value)
    return escape(str(value))


def _error(code: str, message: str) -> str:
    error = {"ErrorResponse": {"Error": {"Code": code, "Message": message}, "RequestId": "1"}}
    return _xml(error)
