"""Scale sets that keep as many machines as they should have, and replace them by a rolling upgrade with surge.

"Configure rolling upgrades on Virtual Machine Scale Sets" and "Automatic instance repairs".
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...patience import patience
from ..hosts.balancer import Balancer
from ..hosts.machine import Machine
from ..world import Resource
from .machines import Machines

START_SECONDS = 600.0
"""What a machine may take until its probe finds it ready, before an upgrade fails."""
_LOOK = 0.1
Properties = Mapping[str, Any]


class _UpgradeError(Exception):
    """A machine of the new model is not ready."""


@dataclass(eq=False)
class Member:
    """One machine, and the model that it was made from."""

    machine: Machine
    model: Properties


@dataclass(eq=False)
class ScaleSet:
    """One scale set, from its creation to its end."""

    machines: Machines
    balancers: Mapping[str, Balancer]
    """By id of the load balancer."""
    resource: Resource
    members: list[Member] = field(default_factory=list)
    status: str = ""
    """Of the latest upgrade; empty when there has been none."""
    reason: str = ""
    _next: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Keep the machines from now on."""
        self._tasks.append(self.machines.plane.start(self._keep()))

    async def update(self, resource: Resource) -> None:
        """Take another model; where it makes other machines, an upgrade begins."""
        self.resource = resource
        if any(member.model != self.model for member in self.members):
            self.status, self.reason = "RollingForward", ""
            self._tasks.append(self.machines.plane.start(self._upgrade()))

    async def end(self) -> None:
        """End every machine, and keep no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*map(self._terminate, list(self.members)))

    @property
    def model(self) -> Properties:
        """What the next machine is made from."""
        told: Properties = self.resource.properties["virtualMachineProfile"]
        return told

    @property
    def capacity(self) -> int:
        """How many machines there should be."""
        return int((self.resource.properties.get("sku") or {}).get("capacity") or 0)

    def is_healthy(self, member: Member) -> bool:
        """Whether the load balancer's probe finds the machine ready."""
        states = [balancer.health().get(member.machine.name) for balancer in self._balancers()]
        return member.machine.url is not None and all(state == "healthy" for state in states)

    async def _keep(self) -> None:
        while True:
            if self.status != "RollingForward":
                for member in [each for each in self.members if self._trouble(each)]:
                    await self._terminate(member)
                for _ in range(self.capacity - len(self.members)):
                    self._launch()
                for member in self.members[self.capacity :]:
                    await self._terminate(member)
            await self._look()

    def _trouble(self, member: Member) -> bool:
        """Automatic repairs: what was ready once and is so no more, or will never be."""
        ill = [balancer.health().get(member.machine.name) == "unhealthy" for balancer in self._balancers()]
        return not member.machine.is_alive or any(ill)

    async def _upgrade(self) -> None:
        fresh: list[Member] = []
        try:
            old = [member for member in self.members if member.model != self.model]
            size = self._batch(len(self.members))
            while old:
                batch, old = old[:size], old[size:]
                fresh = [self._launch() for _ in batch]
                await self._until_healthy(fresh)
                await asyncio.gather(*map(self._terminate, batch))
                await self.machines.plane.sleep(30)
            self.status = "Completed"
        except _UpgradeError as error:
            self.status, self.reason = "Faulted", str(error)
            await asyncio.gather(*map(self._terminate, fresh))

    async def _until_healthy(self, members: Sequence[Member]) -> None:
        end = asyncio.get_running_loop().time() + patience(START_SECONDS)
        while not all(map(self.is_healthy, members)):
            for member in members:
                machine = member.machine
                why = machine.boot_failure or (machine.failure if machine.deaths > 1 else None)
                if why is None and asyncio.get_running_loop().time() > end:
                    why = machine.failure or "it did not get ready in time"
                if why:
                    code = "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
                    raise _UpgradeError(f"{code}: {machine.name} is not healthy: {why}")
            await self._look()

    def _batch(self, machines: int) -> int:
        policy = (self.resource.properties.get("upgradePolicy") or {}).get("rollingUpgradePolicy") or {}
        return max(1, math.ceil(machines * int(policy.get("maxBatchInstancePercent", 20)) / 100))

    def _launch(self) -> Member:
        told = self.resource.properties
        name = f"{told['name']}-{self._next}"
        self._next += 1
        script = str(self.model["osProfile"]["customData"])
        member = Member(self.machines.begin(name, told.get("identity") or {}, script), self.model)
        self.members.append(member)
        for balancer in self._balancers():
            balancer.register(name, lambda: member.machine.url)
        return member

    async def _terminate(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
        await asyncio.gather(*(balancer.deregister(member.machine.name) for balancer in self._balancers()))
        await self.machines.plane.stop(member.machine.name)

    def _balancers(self) -> list[Balancer]:
        profile = self.model.get("networkProfile") or {}
        pools = [
            str(pool["id"])
            for interface in profile.get("networkInterfaceConfigurations") or ()
            for address in interface.get("ipConfigurations") or ()
            for pool in address.get("loadBalancerBackendAddressPools") or ()
        ]
        return [balancer for name, balancer in self.balancers.items() if any(p.startswith(f"{name}/") for p in pools)]

    async def _look(self) -> None:
        waits = [asyncio.ensure_future(self.machines.plane.changed.wait())]
        await asyncio.wait(waits, timeout=_LOOK)
        waits[0].cancel()
