"""Regional groups of machines that keep their size, heal, and replace old machines by new ones with surge.

"Automatically apply VM configuration updates in a MIG", "Set up an application-based health check and autohealing" and
"Verify MIG and VM health", Compute Engine documentation.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..hosts.balancer import Balancer
from ..hosts.machine import Machine
from ..hosts.plane import Plane
from ..world import Resource
from .compute import AUTOSCALER, GROUP, TEMPLATE
from .machines import Machines

_LOOK = 0.1
"""Seconds between two looks at the machines at most; a machine that gets ready or dies is seen at once."""
_KEPT_ERRORS = 20
Properties = Mapping[str, Any]


@dataclass(eq=False)
class Member:
    """One machine of a group."""

    machine: Machine
    template: str
    """Address of the template that it was started from."""
    errors: list[str] = field(default_factory=list)
    _well_since: float | None = None

    def well_for(self) -> float:
        """Seconds of this machine since it was found well, without a break; below 0 while it isn't."""
        if not self.is_well:
            self._well_since = None
            return -1
        self._well_since = self._well_since or time.monotonic()
        return time.monotonic() - self._well_since

    @property
    def name(self) -> str:
        """Its name."""
        return self.machine.name

    @property
    def is_well(self) -> bool:
        """Whether its healing check has been well: it lives, and has answered."""
        return self.machine.is_alive and self.machine.url is not None

    @property
    def trouble(self) -> str | None:
        """Why it must be healed; None while it starts or is well."""
        machine = self.machine
        if not machine.is_alive:
            return f"Instance '{self.name}' is terminated"
        if machine.boot_failure:
            return f"Instance '{self.name}': {machine.boot_failure}"
        if machine.deaths > 1 and machine.failure:
            return f"Instance '{self.name}' fails its health check: {machine.failure}"
        return None


@dataclass(eq=False)
class Group:
    """One managed instance group, from its creation to its end."""

    plane: Plane
    machines: Machines
    id: str
    balancers: Callable[[], list[Balancer]]
    """Those that send requests to its machines."""
    now: Callable[[], str]
    members: list[Member] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep its machines from now on."""
        self._keeper = self.plane.start(self._keep())

    async def end(self) -> None:
        """End every machine, and keep no more."""
        if self._keeper:
            self._keeper.cancel()
        await asyncio.gather(*(self._remove(member) for member in tuple(self.members)))

    @property
    def resource(self) -> Resource | None:
        """What the group is told now."""
        return self.plane.world("gcp").get(GROUP, self.id, "")

    @property
    def template(self) -> str:
        """What it starts machines from."""
        resource = self.resource
        versions = resource.properties.get("versions") if resource else None
        return str(versions[0]["instanceTemplate"]) if versions else ""

    @property
    def size(self) -> int:
        """How many machines it should have: what the autoscaler says, or else the group itself."""
        scalers = [item.properties for item in self.plane.world("gcp").every(AUTOSCALER)]
        of_group = [told["autoscalingPolicy"] for told in scalers if told.get("target") == self.id]
        if of_group:
            return int(of_group[0].get("minReplicas", 1))
        resource = self.resource
        return int(resource.properties.get("targetSize") or 0) if resource else 0

    @property
    def is_reached(self) -> bool:
        """Whether every machine is of the template."""
        return bool(self.members) and all(member.template == self.template for member in self.members)

    @property
    def is_stable(self) -> bool:
        """Whether there is nothing to do."""
        return len(self.members) == self.size and all(member.is_well for member in self.members)

    def register(self) -> None:
        """Have every balancer know every machine."""
        for member in self.members:
            self._register(member)

    def _register(self, member: Member) -> None:
        for balancer in self.balancers():
            balancer.register(member.name, lambda: member.machine.url)

    async def _keep(self) -> None:
        while True:
            resource = self.resource
            if resource is not None and resource.finished:
                await self._heal()
                await self._reconcile(resource.properties)
            await self._look()

    async def _heal(self) -> None:
        for member in tuple(self.members):
            if trouble := member.trouble:
                if trouble not in member.errors:
                    member.errors.append(trouble)
                    self._note(trouble)
                await self._remove(member)

    async def _reconcile(self, told: Properties) -> None:
        """New machines within the surge; an old one goes for each new one that is well."""
        policy = told.get("updatePolicy") or {}
        surge = int(policy.get("maxSurgeFixed") or 0)
        fresh = [member for member in self.members if member.template == self.template]
        old = [member for member in self.members if member not in fresh]
        room = self.size + (surge if old else 0) - len(self.members)
        for _ in range(min(room, self.size - len(fresh))):
            self._launch(told)
        settled = float(policy.get("minReadySec") or 0) * self.plane.clock.scale
        ready = [member for member in fresh if member.well_for() >= settled]
        for member in old[: max(0, len(ready) + len(old) - self.size)]:
            await self._remove(member)
        for member in fresh[self.size :]:
            await self._remove(member)

    def _launch(self, told: Properties) -> None:
        made = next((item for item in self.plane.world("gcp").every(TEMPLATE) if self.template in _names(item)), None)
        if made is None:
            self._note(f"The resource '{self.template}' was not found")
            return
        name = f"{told['baseInstanceName']}-{next(self._numbers):04d}"
        while name in self.plane.machines:
            name = f"{told['baseInstanceName']}-{next(self._numbers):04d}"
        member = Member(self.machines.begin(name, made.properties), self.template)
        self.members.append(member)
        self._register(member)

    async def _remove(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
        await asyncio.gather(*(balancer.deregister(member.name) for balancer in self.balancers()))
        await self.machines.end(member.name)

    def _note(self, message: str) -> None:
        self.errors.insert(0, {"error": {"code": "ERROR", "message": message}, "timestamp": self.now()})
        del self.errors[_KEPT_ERRORS:]

    async def _look(self) -> None:
        waits = [asyncio.ensure_future(self.plane.changed.wait())]
        await asyncio.wait(waits, timeout=_LOOK)
        waits[0].cancel()


def _names(resource: Resource) -> tuple[str, str]:
    return resource.id, str(resource.properties.get("selfLink"))
