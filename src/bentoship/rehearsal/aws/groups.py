"""Auto-scaling groups that keep as many machines as they should have, and replace them by an instance refresh.

"Use an instance refresh to update instances", "Undo changes with a rollback" and "Health checks for instances in an
Auto Scaling group", Amazon EC2 Auto Scaling User Guide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..hosts.balancer import Balancer
from ..hosts.plane import Plane
from ..world import Resource
from . import account
from .compute import GROUP, TEMPLATE
from .instances import Instances
from .network import INSTANCE

GROUP_TAG = "aws:autoscaling:groupName"
_LOOK = 0.1
"""Seconds between two looks at the machines at most; a machine that gets ready or dies is seen at once."""
Template = Mapping[str, str]
Properties = Mapping[str, Any]


class _GoBackError(Exception):
    """The refresh can't go on, or shall not."""


@dataclass
class Refresh:
    """One instance refresh."""

    identity: str
    towards: Template
    preferences: Mapping[str, str]
    status: str = "Pending"
    reason: str = ""
    percent: int = 0
    asked: Literal["", "cancel", "rollback"] = ""
    """What somebody has asked of it since it began."""


@dataclass(eq=False)
class Group:
    """One auto-scaling group, from its creation to its end."""

    plane: Plane
    instances: Instances
    balancers: Mapping[str, Balancer]
    """By ARN of the target group."""
    name: str
    region: str
    refreshes: list[Refresh] = field(default_factory=list)
    activities: list[dict[str, str]] = field(default_factory=list)
    _keeper: asyncio.Task[None] | None = None
    _refreshing: asyncio.Task[None] | None = None
    _steady: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever starts and ends machines: the keeper, or a refresh."""

    def start(self) -> None:
        """Keep the machines from now on; those of an earlier process are started again."""
        for member in self.members():
            self.instances.begin(member)
            self._register(member)
        self._keeper = self.plane.start(self._keep())

    async def end(self) -> None:
        """End every machine, and keep no more."""
        for task in (self._keeper, self._refreshing):
            if task:
                task.cancel()
        await asyncio.gather(*(self._terminate(member) for member in self.members()))

    @property
    def properties(self) -> Properties:
        """What the group is told now."""
        found = self.plane.world("aws").get(GROUP, self.name, self.region)
        return found.properties if found else {}

    @property
    def template(self) -> Template:
        """What it starts machines from."""
        told = self.properties.get("launchTemplate") or {}
        return {"LaunchTemplateId": str(told.get("id", "")), "Version": str(told.get("version", ""))}

    @property
    def desired(self) -> int:
        """How many machines it should have."""
        told = self.properties
        least, most = int(told.get("minSize", 0)), int(told.get("maxSize", 0))
        return max(least, min(most, int(told.get("desiredCapacity") or least)))

    def members(self) -> list[Resource]:
        """Its machines, oldest first."""
        of_group = [
            item
            for item in self.plane.world("aws").every(INSTANCE, self.region)
            if item.tags.get(GROUP_TAG) == self.name
        ]
        return sorted(of_group, key=lambda item: str(item.properties["launchTime"]))

    def is_healthy(self, member: Resource) -> bool:
        """Whether a machine is ready, and whoever sends it requests thinks so too."""
        machine = self.plane.machines.get(member.id)
        states = [balancer.health().get(member.id) for balancer in self._balancers()]
        return machine is not None and machine.url is not None and all(state == "healthy" for state in states)

    def refresh(self, towards: Template, preferences: Mapping[str, str]) -> Refresh:
        """Begin to replace the machines by those of another template."""
        begun = Refresh(account.identity("refresh", self.name, str(len(self.refreshes))), towards, preferences)
        self.refreshes.insert(0, begun)
        self._refreshing = self.plane.start(self._see_through(begun))
        return begun

    @property
    def active(self) -> Refresh | None:
        """The refresh that has not ended."""
        ended = {"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}
        return next((each for each in self.refreshes if each.status not in ended), None)

    async def _keep(self) -> None:
        while True:
            if self.active is None and self._is_finished():
                async with self._steady:
                    await self._reconcile()
            await self._look()

    def _is_finished(self) -> bool:
        """Whether whoever creates the group has said everything."""
        found = self.plane.world("aws").get(GROUP, self.name, self.region)
        return found is not None and found.finished

    async def _reconcile(self) -> None:
        for member in self.members():
            if trouble := self._trouble(member):
                self._note("Failed", f"Instance {member.id} was taken out of service: {trouble}")
                await self._terminate(member)
        members = self.members()
        for _ in range(self.desired - len(members)):
            self._launch(self.template)
        for member in members[self.desired :]:
            self._note("Successful", f"Terminating EC2 instance: {member.id}")
            await self._terminate(member)

    def _trouble(self, member: Resource) -> str | None:
        """Why a machine must be replaced: it is gone, or was healthy and is so no more."""
        machine = self.plane.machines.get(member.id)
        if machine is None or not machine.is_alive:
            return "EC2 instance status checks failed"
        if machine.boot_failure:
            return machine.boot_failure
        states = [balancer.health().get(member.id) for balancer in self._balancers()]
        if "unhealthy" in states:
            return "an instance was taken out of service in response to an ELB system health check failure"
        return None

    async def _see_through(self, refresh: Refresh) -> None:
        async with self._steady:
            before = self.template
            refresh.status = "InProgress"
            try:
                await self._replace(refresh)
            except _GoBackError as reason:
                await self._go_back(refresh, before, str(reason))
            except Exception as error:
                refresh.status, refresh.reason = "Failed", repr(error)
                raise
            else:
                self._save(refresh.towards)
                refresh.status, refresh.percent = "Successful", 100

    async def _replace(self, refresh: Refresh) -> None:
        old = [member for member in self.members() if member.properties["launchTemplate"] != refresh.towards]
        surge = max(1, self.desired * (int(refresh.preferences.get("MaxHealthyPercentage", 110)) - 100) // 100)
        while old:
            batch, old = old[:surge], old[surge:]
            fresh = [self._launch(refresh.towards) for _ in batch]
            for member in fresh:
                await self._until_healthy(member, refresh)
            await self.plane.sleep(float(refresh.preferences.get("InstanceWarmup", 0)))
            self._heed(refresh)
            await asyncio.gather(*(self._terminate(member) for member in batch))
            refresh.percent = round(100 * (self.desired - len(old)) / max(1, self.desired))

    async def _until_healthy(self, member: Resource, refresh: Refresh) -> None:
        grace = float(self.properties.get("healthCheckGracePeriod", 300))
        end = asyncio.get_running_loop().time() + self.plane.patience(grace)
        while not self.is_healthy(member):
            self._heed(refresh)
            machine = self.plane.machines[member.id]
            why = machine.boot_failure or (machine.failure if machine.deaths > 1 else None)
            if why is None and asyncio.get_running_loop().time() > end:
                why = machine.failure or "it did not get ready within its grace period"
            if why:
                self._note("Failed", f"Instance {member.id} failed its health check: {why}")
                raise _GoBackError(f"instance {member.id} is not healthy: {why}")
            await self._look()

    def _heed(self, refresh: Refresh) -> None:
        """Stop when somebody has asked for it."""
        if refresh.asked:
            raise _GoBackError(f"somebody asked to {refresh.asked} it")

    async def _go_back(self, refresh: Refresh, before: Template, reason: str) -> None:
        refresh.reason = reason
        if refresh.asked == "cancel":
            refresh.status = "Cancelled"
            return
        if refresh.preferences.get("AutoRollback") != "true" and refresh.asked != "rollback":
            refresh.status = "Failed"
            return
        refresh.status = "RollbackInProgress"
        fresh = [member for member in self.members() if member.properties["launchTemplate"] == refresh.towards]
        stays = len(self.members()) - len(fresh)
        old = [self._launch(before) for _ in range(self.desired - stays)]
        try:
            for member in old:
                await self._until_healthy(member, Refresh("", before, {}))
        except _GoBackError as error:
            refresh.status, refresh.reason = "RollbackFailed", str(error)
            return
        await asyncio.gather(*(self._terminate(member) for member in fresh))
        refresh.status = "RollbackSuccessful"

    def _launch(self, template: Template) -> Resource:
        """Start a machine from a launch template; it gets ready by itself."""
        world = self.plane.world("aws")
        made = world.get(TEMPLATE, template["LaunchTemplateId"], self.region)
        told = made.properties if made else {}
        profile = told.get("iamInstanceProfile") or {}
        interfaces = told.get("networkInterfaces") or [{}]
        identity = f"i-{account.unique()}"
        tags = {item["key"]: item["value"] for item in self.properties.get("tags") or () if item["propagateAtLaunch"]}
        member = Resource(
            INSTANCE,
            identity,
            identity,
            self.region,
            {
                "id": identity,
                "launchTemplate": dict(template),
                "launchTime": account.now(),
                "userDataBase64": told.get("userData", ""),
                "iamInstanceProfile": profile.get("arn") or profile.get("name") or "",
                "instanceType": told.get("instanceType", ""),
                "subnetId": next(iter(self.properties.get("vpcZoneIdentifiers") or ()), ""),
                "vpcSecurityGroupIds": interfaces[0].get("securityGroups") or [],
                "tagsAll": {**tags, GROUP_TAG: self.name},
            },
        )
        world.put(member)
        self.instances.begin(member)
        self._register(member)
        self._note("Successful", f"Launching a new EC2 instance: {identity}")
        return member

    async def _terminate(self, member: Resource) -> None:
        await asyncio.gather(*(balancer.deregister(member.id) for balancer in self._balancers()))
        await self.instances.end(member.id, member.region)

    def _register(self, member: Resource) -> None:
        machine = self.plane.machines[member.id]
        for balancer in self._balancers():
            balancer.register(member.id, lambda: machine.url)

    def _balancers(self) -> list[Balancer]:
        arns = self.properties.get("targetGroupArns") or ()
        return [self.balancers[arn] for arn in arns if arn in self.balancers]

    def _save(self, template: Template) -> None:
        world = self.plane.world("aws")
        with world.locked():
            if (now := world.get(GROUP, self.name, self.region)) is not None:
                told = {"id": template["LaunchTemplateId"], "version": template["Version"]}
                launch = {**(now.properties.get("launchTemplate") or {}), **told}
                world.put(replace(now, properties={**now.properties, "launchTemplate": launch}))

    def _note(self, status: str, sentence: str) -> None:
        activity = {"StatusCode": status, "StatusMessage": sentence, "Cause": sentence, "StartTime": account.now()}
        self.activities.insert(0, activity)
        del self.activities[20:]

    async def _look(self) -> None:
        waits = [asyncio.ensure_future(self.plane.changed.wait())]
        await asyncio.wait(waits, timeout=_LOOK)
        waits[0].cancel()
