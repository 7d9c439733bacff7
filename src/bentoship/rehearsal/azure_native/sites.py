"""Web apps that run: two sets of containers, and which of them is production.

"Set up staging environments in Azure App Service": a swap waits until the slot's containers answer, and then moves the
traffic; settings go with the containers, identity and scale stay with the app and its slot.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...host import ports
from ...host.router import Backend, Router
from ...host.state import Wanted
from ...patience import patience
from .. import kept
from ..hosts.machine import Machine, of_this_laptop
from ..metadata import WebAppContainer
from ..world import write_whole
from .machines import Machines

PRODUCTION = "production"
BOOT = "BENTOSHIP_BOOT"
"""The setting without which our start command answers 501, to the platform's probes as well."""
SWAP_SECONDS = 60.0
HOLD_SECONDS = 30.0
"""How long App Service's front ends hold a request for a container that is starting."""
_LOOK = 0.05
_REFERENCE = "@Microsoft.KeyVault("
Properties = Mapping[str, Any]
STARTUP = """\
#!/bin/sh
# What Oryx makes of a start command (microsoft/Oryx, src/startupscriptgenerator/src/python).
PATH="$PATH:/home/site/wwwroot" {command}
"""


class SwapError(Exception):
    """The slot's containers do not answer as they have to."""


@dataclass(eq=False)
class Containers:
    """The containers of one set of settings, one on each instance of the plan."""

    settings: dict[str, str] = field(default_factory=dict)
    machines: list[Machine] = field(default_factory=list)
    restarting: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether every container answers the platform's probe with 200, or needn't."""
        statuses = self.settings.get("WEBSITE_SWAP_WARMUP_PING_STATUSES")
        return statuses is None or all(machine.url for machine in self.machines)


@dataclass(eq=False)
class Site:
    """A web app and its slot."""

    machines: Machines
    name: str
    held: dict[str, str] = field(default_factory=lambda: {PRODUCTION: "a"})
    """Which containers the app has, and which its slot."""
    ports: dict[str, int] = field(default_factory=dict)
    percent: int = 0
    """How much of production's traffic goes to the slot."""
    operation: str = ""
    """What is under way; empty when nothing is."""
    failure: str = ""
    """Why the last operation failed."""
    properties: Properties = field(default_factory=dict)
    instances: int = 1
    _containers: dict[str, Containers] = field(default_factory=lambda: {"a": Containers(), "b": Containers()})
    _routers: dict[str, Router] = field(default_factory=dict)
    _backends: dict[str, Backend] = field(default_factory=dict)
    _watch: asyncio.Task[None] | None = None

    async def open(self, slot: str, properties: Properties, instances: int) -> str:
        """Have the app, or its slot, answer; the host that stands in place of its name in the DNS."""
        self.properties, self.instances = properties, instances
        if slot not in self._routers:
            self.held.setdefault(slot, "b")
            router = Router(patience=HOLD_SECONDS, drain=10, second_try=False)
            await router.__aenter__()
            self._routers[slot] = router
            self.ports[slot] = await router.listen(ports.LOCALHOST, self.ports.get(slot, 0) or ports.free_port())
            self._watch = self._watch or self.machines.plane.start(self._follow())
            await self._start(self.held[slot])
        self._save()
        return self.host(slot)

    def host(self, slot: str) -> str:
        """Where the app, or its slot, answers."""
        return f"{ports.LOCALHOST}:{self.ports[slot]}"

    async def close(self, slot: str) -> None:
        """End the slot; with the app, all of it."""
        for name in [slot] if slot != PRODUCTION else list(self._routers):
            if router := self._routers.pop(name, None):
                await router.__aexit__(None, None, None)
            containers = self._containers[self.held[name]]
            if containers.restarting:
                containers.restarting.cancel()
            await asyncio.gather(*(self.machines.plane.stop(machine.name) for machine in containers.machines))
            containers.machines.clear()
        if slot == PRODUCTION:
            if self._watch:
                self._watch.cancel()
            self._file.unlink(missing_ok=True)

    async def resize(self, instances: int) -> None:
        """Run as many containers as the plan has instances."""
        self.instances = instances
        for slot in self._routers:
            await self._start(self.held[slot])

    def settings(self, slot: str) -> dict[str, str]:
        """The settings of the app, or of its slot."""
        return self._containers[self.held[slot]].settings

    def configure(self, slot: str, settings: Mapping[str, str]) -> None:
        """Other settings start the containers anew, by and by."""
        containers = self._containers[self.held[slot]]
        containers.settings = dict(settings)
        self._save()
        containers.restarting = self.machines.plane.start(self._start(self.held[slot], anew=True))

    async def restart(self, slot: str) -> None:
        """Start the containers anew, and return when the old ones are gone."""
        containers = self._containers[self.held[slot]]
        if containers.restarting is None or containers.restarting.done():
            containers.restarting = self.machines.plane.start(self._start(self.held[slot], anew=True))
        await asyncio.wait([containers.restarting])

    def send_to_slot(self, percent: int) -> None:
        """Send a part of production's requests to the slot."""
        self.percent = percent
        self._save()
        self._route()

    async def swap(self, slot: str) -> None:
        """Wait for the slot's containers, then let the two change places; the error is kept in `failure`."""
        try:
            await self.machines.plane.sleep(SWAP_SECONDS)
            await self._until_ready(self._containers[self.held[slot]])
            self.held[slot], self.held[PRODUCTION] = self.held[PRODUCTION], self.held[slot]
            self._save()
            self._route()
        except SwapError as error:
            self.failure = str(error)
        finally:
            self.operation = ""

    def load(self) -> None:
        """What it was before this process ran."""
        if self._file.is_file():
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self.held, self.ports, self.percent = kept["held"], kept["ports"], kept["percent"]
            for name, settings in kept["settings"].items():
                self._containers[name].settings = settings

    @property
    def _file(self) -> Path:
        return self.machines.plane.root / "sites" / f"{self.name}.json"

    def _save(self) -> None:
        settings = {name: containers.settings for name, containers in self._containers.items()}
        kept = {"held": self.held, "ports": self.ports, "percent": self.percent, "settings": settings}
        write_whole(self._file, json.dumps(kept))

    async def _start(self, name: str, *, anew: bool = False) -> None:
        containers = self._containers[name]
        fresh = range(len(containers.machines), self.instances)
        for machine in containers.machines[self.instances :]:
            await self.machines.plane.stop(machine.name)
        del containers.machines[self.instances :]
        again = list(containers.machines) if anew else []
        containers.machines += [self._container(name, number) for number in fresh]
        for machine in (*again, *containers.machines[fresh.start :]):
            await machine.run(self._wanted(machine, containers.settings))
        self._route()
        if BOOT not in containers.settings:
            await asyncio.gather(*(_until_listening(machine) for machine in containers.machines))
            self._refresh()

    def _container(self, name: str, number: int) -> Machine:
        tells = WebAppContainer(self.machines.tokens(self.properties.get("identity") or {}), secrets.token_urlsafe())
        return self.machines.bare(f"{self.name}-{name}-{number}", tells)

    def _wanted(self, machine: Machine, settings: Mapping[str, str]) -> Wanted:
        """What the platform runs in a container: the start command, in the image's Python, with the app's identity."""
        script = machine.disk / "startup.sh"
        command = (self.properties.get("siteConfig") or {}).get("appCommandLine", "")
        script.write_text(STARTUP.format(command=command), encoding="utf-8")
        tells = machine.tells
        variables = {
            **of_this_laptop(),
            **self.machines.around,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PORT": str(machine.port),
            "BENTOSHIP_PORT": str(machine.port),
            "BENTOSHIP_ROOT": str(machine.disk),
            "IDENTITY_ENDPOINT": f"{self.machines.plane.url}/metadata/{machine.name}/msi/token",
            "IDENTITY_HEADER": tells.header if isinstance(tells, WebAppContainer) else "",
            "WEBSITE_SITE_NAME": self.name,
            **{name: self._looked_up(name, value) for name, value in settings.items()},
        }
        return Wanted(str(machine.disk), variables, command=("sh", str(script)))

    def _looked_up(self, name: str, value: str) -> str:
        """What a container is told instead of a reference to a Key Vault ("Use Key Vault references", App Service)."""
        return kept.value(self.machines.plane.root, name, value) if value.startswith(_REFERENCE) else value

    async def _until_ready(self, containers: Containers) -> None:
        limit = float(containers.settings.get("WEBSITES_CONTAINER_START_TIME_LIMIT", "230"))
        end = asyncio.get_running_loop().time() + patience(limit)
        while not containers.is_ready:
            if asyncio.get_running_loop().time() > end:
                raise SwapError("Cannot swap slots because the slot did not respond to the warm-up ping with 200.")
            await asyncio.sleep(_LOOK)

    def _route(self) -> None:
        weights: dict[str, dict[str, int]] = {slot: {} for slot in self._routers}
        for slot in self._routers:
            behind = 0 if slot != PRODUCTION else self.percent
            self._weigh(weights[slot], self.held[slot], 100 - behind)
            if behind:
                (other,) = [each for each in self.held if each != PRODUCTION]
                self._weigh(weights[slot], self.held[other], behind)
        every = [machine.name for containers in self._containers.values() for machine in containers.machines]
        self._backends = {name: self._backends.get(name) or Backend() for name in every}
        for slot, router in self._routers.items():
            router.route({name: self._backends[name] for name in weights[slot]}, weights[slot])
        self._refresh()

    def _weigh(self, weights: dict[str, int], name: str, percent: int) -> None:
        weights.update({machine.name: percent for machine in self._containers[name].machines})

    def _refresh(self) -> None:
        """Send requests to the containers that answer."""
        for containers in self._containers.values():
            for machine in containers.machines:
                if backend := self._backends.get(machine.name):
                    direct = None if BOOT in containers.settings else machine.direct_url
                    backend.url = machine.url or direct
        for router in self._routers.values():
            router.refresh()

    async def _follow(self) -> None:
        while True:
            changed = self.machines.plane.changed
            self._refresh()
            await changed.wait()


async def _until_listening(machine: Machine) -> None:
    for _ in range(200):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(ports.LOCALHOST, machine.port)
            writer.close()
            return
        await asyncio.sleep(_LOOK)
