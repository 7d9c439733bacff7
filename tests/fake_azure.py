"""As much of Azure Resource Manager as our provider asks, over HTTP: a web app with a slot, an address, a scale set.

The app and its slot answer below /production and /staging, in the name of the release that their settings name.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

GROUP = "/subscriptions/s/resourceGroups/g/providers"
SITE = f"{GROUP}/Microsoft.Web/sites/salary"
ADDRESS = f"{GROUP}/Microsoft.Network/publicIPAddresses/fixed"
INTERFACES = f"{GROUP}/Microsoft.Network/networkInterfaces"
SCALE_SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/salary"
OPERATION = "/subscriptions/s/operations/1"
REVISION = "BENTOSHIP_REVISION"
OLD, NEW = ("a" * 12 + "-000000"), ("b" * 12 + "-000000")
ANSWER = {"salary": 1}

Answer = tuple[int, Mapping[str, str], Any]
"""Status, headers and JSON."""


@dataclass
class FakeAzure:
    """Listens from `with` on."""

    settings: dict[str, dict[str, str]] = field(default_factory=lambda: {"production": {REVISION: OLD}, "staging": {}})
    """Of the app and its slot."""
    exists: bool = True
    rules: list[dict[str, Any]] = field(default_factory=list)
    """How much of production's traffic goes to the slot."""
    slow: int = 1
    """How many times a swap is looked at before it has happened."""
    starting: int = 1
    """How many times the slot is asked before it is ready."""
    answer: Any = field(default_factory=lambda: dict(ANSWER))
    holder: str = ""
    """Name of the interface that has the fixed address."""
    machines: Sequence[tuple[bool, str]] = ()
    """Of the scale set: whether each runs the newest model, and its health."""
    upgrades: list[tuple[str, str]] = field(default_factory=list)
    """Status and reason of the latest upgrade, one each time it is looked at; the last for ever."""
    refuse_from: int = 10**6
    """The number of the call from which on everything is refused."""
    refuse_after: bool = False
    """Whether the first of those calls is done all the same, and only its answer is lost."""
    refusals: list[tuple[int, str, str]] = field(default_factory=list)
    """Statuses, codes and messages with which the next calls are refused."""
    deaf_to: str = ""
    """The end of a path whose next call gets no answer, though it is done."""
    calls: list[str] = field(default_factory=list)
    swaps: int = 0

    def __enter__(self) -> Self:
        self._left = self._unready = 0
        self._lock = threading.Lock()
        self._called = threading.Condition(self._lock)
        self._running = {name: dict(told) for name, told in self.settings.items()}
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
        """Where it listens: a value for BENTOSHIP_AZURE_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def revision(self, slot: str) -> str:
        """What the settings of `production` or `staging` name."""
        return self.settings[slot].get(REVISION, "")

    def begin_swap(self) -> None:
        """As if somebody had asked for a swap just now."""
        self._left = self.slow + 1

    def end_swap(self) -> None:
        """Let the swap that is under way happen now."""
        self._left = min(self._left, 1)

    def wait_for(self, call: str) -> None:
        """Return once a path that ends so has been asked for."""
        with self._called:
            assert self._called.wait_for(lambda: any(each.endswith(call) for each in self.calls), timeout=30)

    def arm(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer | None:
        """The answer of Resource Manager to a request; None for none at all."""
        with self._lock:
            self.calls.append(f"{method} {path.removeprefix(GROUP)}")
            self._called.notify_all()
            number = len(self.calls)
            if number >= self.refuse_from:
                if number == self.refuse_from and self.refuse_after:
                    self._answer(method, path, query, body)
                return _error(403, "AuthorizationFailed", "not any more")
            if self.refusals:
                return _error(*self.refusals.pop(0))
            answer = self._answer(method, path, query, body)
            if self.deaf_to and path.endswith(self.deaf_to):
                self.deaf_to = ""
                return None
            return answer

    def _answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        if path == OPERATION:
            self._go_on()
            return (202 if self._left else 200), {"Location": f"{self.url}{OPERATION}"}, {}
        if path.startswith(SITE):
            return self._site(method, path.removeprefix(SITE), body) if self.exists else _error(404, "NotFound", path)
        if path.startswith(SCALE_SET):
            return self._scale_set(path.removeprefix(SCALE_SET))
        return self._network(method, path, body)

    def _go_on(self) -> None:
        if self._left:
            self._left -= 1
            if not self._left:
                self.swaps += 1
                for table in (self.settings, self._running):
                    table["production"], table["staging"] = table["staging"], table["production"]

    def _site(self, method: str, rest: str, body: Any) -> Answer:  # noqa: PLR0911 - one line a call
        slot = "staging" if rest.startswith("/slots/staging") else "production"
        match method, rest.removeprefix("/slots/staging"):
            case "GET", "":
                busy = "operation" if self._left else None
                self._go_on()
                return 200, {}, {"properties": {"inProgressOperationId": busy}}
            case "POST", "/config/appsettings/list":
                return 200, {}, {"properties": self.settings[slot]}
            case "PUT", "/config/appsettings":
                self.settings[slot] = dict(body["properties"])
                self._restart(slot)
                return 200, {}, body
            case "POST", "/restart":
                self._restart(slot)
                return 200, {}, {}
            case "GET", "/config/web":
                return 200, {}, {"properties": {"experiments": {"rampUpRules": self.rules}}}
            case "PATCH", "/config/web":
                self.rules = body["properties"]["experiments"]["rampUpRules"]
                return 200, {}, body
            case "POST", "/slotsswap" if self._left:
                return _error(409, "Conflict", "Cannot modify this site because another operation is in progress.")
            case "POST", "/slotsswap":
                self.begin_swap()
                return 202, {"Location": f"{self.url}{OPERATION}"}, {}
        return _error(404, "NotFound", rest)

    def _restart(self, slot: str) -> None:
        """What new settings do as well ("Configure an App Service app", App settings)."""
        self._running[slot], self._unready = dict(self.settings[slot]), self.starting

    def _network(self, method: str, path: str, body: Any) -> Answer:
        if path == ADDRESS and self.exists:
            found = {"ipConfiguration": {"id": f"{INTERFACES}/{self.holder}/ipConfigurations/machine"}}
            return 200, {}, {"properties": found if self.holder else {}}
        if path.startswith(INTERFACES) and method == "PUT":
            given = body["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"]
            name = path.rpartition("/")[2]
            if given and self.holder not in {"", name}:
                return _error(400, "PublicIPAddressInUse", f"the address is in use by {self.holder}")
            self.holder = name if given else ""
            return 201, {}, body
        if path.startswith(INTERFACES):
            return 200, {}, {"properties": {"ipConfigurations": [{"properties": {}}]}}
        return _error(404, "ResourceNotFound", path)

    def _scale_set(self, rest: str) -> Answer:
        if not self.exists:
            return _error(404, "ResourceNotFound", rest)
        if rest == "/virtualMachines":
            return 200, {}, {"value": [_machine(newest, health) for newest, health in self.machines]}
        if rest == "/rollingUpgrades/latest" and self.upgrades:
            code, reason = self.upgrades.pop(0) if len(self.upgrades) > 1 else self.upgrades[0]
            return 200, {}, {"properties": {"runningStatus": {"code": code}, "error": {"message": reason}}}
        return (200, {}, {"properties": {}}) if not rest else _error(404, "NotFound", rest)

    def serve(self, slot: str) -> tuple[int, str]:
        """The status and the release with which the app or its slot answers."""
        with self._lock:
            if slot == "staging" and self._unready:
                self._unready -= 1
                return 503, ""
            revision = self._running[slot].get(REVISION, "")
            return (200, revision[:12]) if revision else (501, "")


def _machine(is_newest: object, health: str) -> dict[str, Any]:
    status = {"vmHealth": {"status": {"code": f"HealthState/{health}"}}}
    return {"properties": {"latestModelApplied": is_newest, "instanceView": status}}


def _error(status: int, code: str, message: str) -> Answer:
    return status, {}, {"error": {"code": code, "message": message}}


def _handler(azure: FakeAzure) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two packets, and the second would wait for 40 ms

        def _do(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            address = urlsplit(self.path)
            if served := re.match(r"/(production|staging)/", address.path):
                status, release = azure.serve(served[1])
                self._send(status, {"x-bentoship-release": release} if release else {}, azure.answer)
                return
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            answer = azure.arm(self.command, address.path, query, body)
            if answer is None:
                self.close_connection = True
            else:
                self._send(*answer)

        do_GET = do_POST = do_PUT = do_PATCH = _do  # noqa: N815 - the server's names

        def _send(self, status: int, headers: Mapping[str, str], answer: Any) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            for key, value in {**headers, "Content-Type": "application/json", "Content-Length": len(body)}.items():
                self.send_header(key, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
