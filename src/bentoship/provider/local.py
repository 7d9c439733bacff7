"""bentoship:local:* — sealed releases running on this machine behind one stable URL.

Router    one supervisor process, which outlives the command that started it
Service   one revision, running beside the others on a private address
Traffic   the pointer: the stable URL, and which revision answers there, in percent
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ..deployment import Frozen
from ..host import bytecode
from ..host.control import UNPACKED, Supervisor
from ..release.running import of_this_machine, share_bytecode
from ..release.unpack import unpack
from .kinds import Kind
from .server import Properties


class RouterInputs(Frozen):
    """What a router is told."""

    directory: str
    """Where the supervisor keeps its state, its logs and the unpacked releases; absolute."""
    port: int
    host: str = "127.0.0.1"


class Router(Kind[RouterInputs]):
    """The supervisor of a deployment.

    It takes its address when it is made, so that a taken port is told at once. When the address changes later,
    Traffic moves it, behind the gate.
    """

    inputs = RouterInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"directory"})
    ignore: ClassVar[frozenset[str]] = frozenset({"port", "host"})

    def create(self, inputs: RouterInputs) -> tuple[str, Properties]:
        """Start the supervisor, or adopt the one that runs; HostError when the port is taken."""
        supervisor = Supervisor(Path(inputs.directory))
        if supervisor.status() is None:
            supervisor.ensure(inputs.port, inputs.host)
        return inputs.directory, {}

    def read(self, inputs: RouterInputs, outputs: Properties) -> Properties | None:
        """Gone when the supervisor doesn't answer."""
        return outputs if Supervisor(Path(inputs.directory)).status() else None

    def delete(self, inputs: RouterInputs) -> None:
        """Stop the supervisor and whatever it still runs."""
        Supervisor(Path(inputs.directory)).shut_down()


class ServiceInputs(Frozen):
    """What a service is told."""

    router: str
    """Id of the router that it runs behind."""
    directory: str
    release: str
    revision: str
    """The release and its variables: what the supervisor calls it, and what traffic goes to."""
    archive: str
    """Absolute path of the sealed release."""
    variables: dict[str, str] = Field(default_factory=dict)
    ready_timeout: float = 120


class Service(Kind[ServiceInputs]):
    """One release, unpacked and running; it gets no traffic by being there."""

    inputs = ServiceInputs
    outputs = ("url",)
    replace_on: ClassVar[frozenset[str]] = frozenset({"router", "directory", "revision"})
    ignore: ClassVar[frozenset[str]] = frozenset({"archive", "ready_timeout"})

    def create(self, inputs: ServiceInputs) -> tuple[str, Properties]:
        """Check the bytes, unpack them, start them, wait for `/readyz`; HostError with the last log lines."""
        directory = Path(inputs.directory)
        unpacked = unpack(Path(inputs.archive), directory / UNPACKED)
        share_bytecode(directory / bytecode.FOLDER, unpacked)
        variables = {**of_this_machine(unpacked), **inputs.variables, "BENTOSHIP_RELEASE": inputs.release}
        url = Supervisor(directory).start(inputs.revision, unpacked, variables, inputs.ready_timeout)
        return f"{inputs.router}/{inputs.revision}", {"url": url}

    def read(self, inputs: ServiceInputs, outputs: Properties) -> Properties | None:
        """Gone when the supervisor doesn't run it."""
        status = Supervisor(Path(inputs.directory)).status()
        running = {release.id for release in status.releases} if status else set()
        return outputs if inputs.revision in running else None

    def delete(self, inputs: ServiceInputs) -> None:
        """Let the requests in flight finish, then stop it; its files go when nothing else runs from them."""
        supervisor = Supervisor(Path(inputs.directory))
        supervisor.stop(inputs.revision)
        status = supervisor.status()
        if not status or not any(release.id.startswith(inputs.release[:12]) for release in status.releases):
            shutil.rmtree(supervisor.directory / UNPACKED / inputs.release, ignore_errors=True)


class TrafficInputs(Frozen):
    """What the pointer is told."""

    router: str
    directory: str
    percent: dict[str, int]
    """Percent of the requests by revision."""
    port: int
    host: str


class Traffic(Kind[TrafficInputs]):
    """Which revision answers. Moving it is one step between two requests."""

    inputs = TrafficInputs
    outputs = ("url",)
    replace_on: ClassVar[frozenset[str]] = frozenset({"router", "directory"})

    def create(self, inputs: TrafficInputs) -> tuple[str, Properties]:
        """Point the router, and have it listen at its address; HostError when that port is taken."""
        supervisor = Supervisor(Path(inputs.directory))
        url = supervisor.ensure(inputs.port, inputs.host)
        supervisor.route(inputs.percent)
        return f"{inputs.router}/traffic", {"url": url}

    def read(self, inputs: TrafficInputs, outputs: Properties) -> Properties | None:
        """Where the router points, whoever pointed it there."""
        status = Supervisor(Path(inputs.directory)).status()
        if status is None:
            return None
        return {**outputs, "percent": dict(status.traffic), "port": status.port if inputs.port else 0}
