"""What Google Cloud runs: machines, groups, load balancers and forwarding rules, and services of App Engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from ...host import ports
from ..hosts.balancer import SHORTEST_DRAIN, Balancer, HealthCheck
from ..hosts.front import Front, loopback
from ..hosts.plane import Plane
from ..world import Resource
from .api import Api, now
from .appengine import FLEXIBLE, SPLIT, STANDARD
from .balancing import BACKEND, CHECK, GLOBAL_RULE, PLAIN, ROUTES, RULE, SECURE
from .compute import GROUP, INSTANCE, TARGET
from .groups import Group
from .machines import Machines
from .network import ADDRESS
from .resource import token
from .serving import Serving

GLOBAL_ADDRESS = token("GlobalAddress")
HOSTED = (ADDRESS, GLOBAL_ADDRESS, INSTANCE, RULE, GROUP, BACKEND, GLOBAL_RULE, STANDARD, FLEXIBLE, SPLIT)
"""The types that run something, in the order in which they are started again."""
Properties = Mapping[str, Any]


class Hosting:
    """Google Cloud's part of the process that runs a rehearsal."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._world = plane.world("gcp")
        self._machines = Machines(plane)
        self._serving = Serving(plane)
        self._fronts: dict[str, Front] = {}
        self._balancers: dict[str, Balancer] = {}
        """By id of the backend service."""
        self._groups: dict[str, Group] = {}
        self._created: Mapping[str, Callable[[Resource], Awaitable[Properties]]] = {
            ADDRESS: self._reserve,
            GLOBAL_ADDRESS: self._reserve_port,
            INSTANCE: self._run_instance,
            RULE: self._forward,
            GROUP: self._keep_group,
            BACKEND: self._open_backend,
            GLOBAL_RULE: self._listen,
            STANDARD: self._deploy,
            FLEXIBLE: self._deploy,
            SPLIT: self._split,
        }

    def routes(self) -> Sequence[web.RouteDef]:
        """The APIs where the variables for their addresses lead, and Cloud Storage as machines ask it."""
        api = Api(self._world, self._serving, self._groups)
        return [*api.routes(), web.get("/storage/v1/b/{bucket}/o/{name:.+}", self._machines.get_object)]

    async def restore(self) -> None:
        """Run again what is in the world."""
        for kind in HOSTED:
            for resource in self._world.finished(kind):
                await self._created[kind](resource)

    async def created(self, resource: Resource) -> Properties:
        """Something new."""
        return await self._created[resource.type](resource)

    async def updated(self, _: Resource, new: Resource) -> Properties:
        """Something changed in place."""
        if new.type == RULE:
            await self._forward(new)
        elif new.type == SPLIT:
            await self._split(new)
        return {}

    async def read(self, _: Resource) -> Properties:
        """What differs from what is remembered."""
        return {}

    async def deleted(self, resource: Resource) -> None:
        """Something is gone."""
        identity, properties = resource.id, resource.properties
        if resource.type in (INSTANCE, RULE):
            if front := self._fronts.pop(identity, None):
                await front.close()
            if resource.type == INSTANCE:
                await self._machines.end(str(properties["name"]))
        elif resource.type == GROUP and (group := self._groups.pop(identity, None)):
            await group.end()
        elif resource.type == BACKEND and (balancer := self._balancers.pop(identity, None)):
            await balancer.close()
        elif resource.type in (STANDARD, FLEXIBLE):
            await self._serving.remove(str(properties["service"]), str(properties["versionId"]))

    async def _reserve(self, resource: Resource) -> Properties:
        return {"address": loopback(self._plane, resource.id)}

    async def _reserve_port(self, resource: Resource) -> Properties:
        """An address with a port in it: this machine has no ports 80 and 443 to give away."""
        known = str(resource.properties.get("address") or "")
        return {"address": known if known.startswith("127.0.0.1:") else f"127.0.0.1:{ports.free_port()}"}

    async def _run_instance(self, resource: Resource) -> Properties:
        told = resource.properties
        machine = self._machines.begin(str(told["name"]), told)
        own = loopback(self._plane, resource.id)
        front = self._fronts[resource.id] = Front(self._plane, own)
        await front.lead_to(machine, self._machines.open_ports(told))
        interfaces = [
            {**each, "accessConfigs": [{**access, "natIp": own} for access in each.get("accessConfigs") or ()]}
            for each in told["networkInterfaces"]
        ]
        return {"networkInterfaces": interfaces}

    async def _forward(self, resource: Resource) -> Properties:
        told = resource.properties
        target = next((item for item in self._world.every(TARGET) if told["target"] in _names(item)), None)
        instances = self._world.every(INSTANCE) if target else []
        instance = next((item for item in instances if target and target.properties["instance"] in _names(item)), None)
        machine = self._plane.machines.get(str(instance.properties["name"])) if instance else None
        if machine:
            front = self._fronts.setdefault(resource.id, Front(self._plane, str(told["ipAddress"])))
            await front.lead_to(machine, [int(str(told["portRange"]).partition("-")[0])])
        return {}

    async def _keep_group(self, resource: Resource) -> Properties:
        link = str(resource.properties["instanceGroup"])
        group = Group(self._plane, self._machines, resource.id, lambda: self._in_front_of(link), now)
        self._groups[resource.id] = group
        group.start()
        return {}

    def _in_front_of(self, group: str) -> list[Balancer]:
        backends = [item for item in self._world.every(BACKEND) if item.id in self._balancers]
        return [
            self._balancers[item.id]
            for item in backends
            if group in [backend.get("group") for backend in item.properties.get("backends") or ()]
        ]

    async def _open_backend(self, resource: Resource) -> Properties:
        told = resource.properties
        check = next((item for item in self._world.every(CHECK) if told.get("healthChecks") in _names(item)), None)
        drain = float(told.get("connectionDrainingTimeoutSec") or 0) * self._plane.clock.scale
        asks = _check(check.properties if check else {})
        self._balancers[resource.id] = Balancer(self._plane.clock, asks, max(drain, SHORTEST_DRAIN))
        for group in self._groups.values():
            group.register()
        return {}

    async def _listen(self, resource: Resource) -> Properties:
        """Answer for the backend that the rule leads to; what only sends to HTTPS has nothing to answer here."""
        target = str(resource.properties["target"])
        routes = self._behind(PLAIN, target, "urlMap") or self._behind(SECURE, target, "urlMap")
        backend = self._behind(ROUTES, routes, "defaultService")
        address = str(resource.properties["ipAddress"])
        if backend in self._balancers and address.startswith("127.0.0.1:"):
            await self._balancers[backend].open(ports.LOCALHOST, int(address.rpartition(":")[2]))
        return {}

    def _behind(self, kind: str, name: str, what: str) -> str:
        found = next((item for item in self._world.every(kind) if name in _names(item)), None)
        return str(found.properties.get(what) or "") if found else ""

    async def _deploy(self, resource: Resource) -> Properties:
        await self._serving.deploy(resource)
        return {}

    async def _split(self, resource: Resource) -> Properties:
        await self._serving.split(str(resource.properties["service"]), resource.properties["split"]["allocations"])
        return {}


def _names(resource: Resource) -> tuple[str, str]:
    return resource.id, str(resource.properties.get("selfLink"))


def _check(properties: Properties) -> HealthCheck:
    http = properties.get("httpHealthCheck") or {}
    return HealthCheck(
        str(http.get("requestPath") or "/"),
        float(properties.get("checkIntervalSec") or 5),
        float(properties.get("timeoutSec") or 5),
        int(properties.get("healthyThreshold") or 2),
        int(properties.get("unhealthyThreshold") or 2),
    )
