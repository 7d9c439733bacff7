"""What AWS runs: instances, groups and environments, and the addresses and load balancers that lead to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from ...errors import HostError
from ...host import ports
from ..hosts.balancer import SHORTEST_DRAIN, Balancer, HealthCheck
from ..hosts.front import Front, loopback
from ..hosts.plane import Plane
from ..world import Resource
from .api import Api
from .balancing import BALANCER, LISTENER, TARGETS
from .beanstalk import ENVIRONMENT_TAG, Environment
from .compute import ENVIRONMENT, GROUP
from .groups import GROUP_TAG, Group
from .instances import Instances
from .network import ADDRESS, INSTANCE
from .store import Store

ASSOCIATION = "aws:ec2/eipAssociation:EipAssociation"
HOSTED = (INSTANCE, ADDRESS, ASSOCIATION, BALANCER, TARGETS, LISTENER, GROUP, ENVIRONMENT)
"""The types that run something, in the order in which they are started again."""
Properties = Mapping[str, Any]


class Hosting:
    """AWS's part of the process that runs a rehearsal."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._world = plane.world("aws")
        self._instances = Instances(plane)
        self._fronts: dict[str, Front] = {}
        self._associated: dict[str, str] = {}
        """By address: the association that holds now."""
        self._balancers: dict[str, Balancer] = {}
        self._groups: dict[str, Group] = {}
        self._environments: dict[str, Environment] = {}
        self._created: Mapping[str, Callable[[Resource], Awaitable[Properties]]] = {
            INSTANCE: self._run_instance,
            ADDRESS: self._allocate,
            ASSOCIATION: self._associate,
            BALANCER: self._name_balancer,
            TARGETS: self._open_targets,
            LISTENER: self._listen,
            GROUP: self._keep_group,
            ENVIRONMENT: self._launch_environment,
        }

    def routes(self) -> Sequence[web.RouteDef]:
        """The API at the root, where AWS_ENDPOINT_URL leads, and S3 below /s3."""
        api = Api(self._world, self._groups, self._environments)
        store = Store(self._plane, self._instances)
        return [web.post("", api.answer), web.post("/", api.answer), web.get("/s3/{bucket}/{key:.+}", store.get)]

    async def restore(self) -> None:
        """Run again what is in the world; machines of groups and environments are started by those."""
        for kind in HOSTED:
            for resource in self._world.finished(kind):
                if resource.given or {GROUP_TAG, ENVIRONMENT_TAG} & resource.tags.keys():
                    continue
                try:
                    await self._restore(resource)
                except HostError as error:  # a port that another program has taken: the rest runs all the same
                    self._plane.say(str(error))

    async def _restore(self, resource: Resource) -> None:
        if resource.type == ENVIRONMENT:
            self._plane.start(self._environment(resource).resume(resource.properties))
        else:
            await self._created[resource.type](resource)

    async def created(self, resource: Resource) -> Properties:
        """Something new."""
        return await self._created[resource.type](resource)

    async def updated(self, _: Resource, new: Resource) -> Properties:
        """Something changed in place."""
        if new.type == ENVIRONMENT:
            environment = self._environment(new)
            await environment.update(new.properties)
            return environment.outputs()
        if new.type == TARGETS:
            self._balancers[new.id].check = _check(new.properties)
        return {}

    async def read(self, resource: Resource) -> Properties:
        """What differs from what is remembered."""
        environment = self._environments.get(resource.id)
        return environment.outputs() if environment else {}

    async def deleted(self, resource: Resource) -> None:
        """Something is gone."""
        identity, properties = resource.id, resource.properties
        if resource.type == INSTANCE:
            await self._close_front(identity)
            await self._instances.end(identity, resource.region)
        elif resource.type == ASSOCIATION:
            address = str(properties["allocationId"])
            if self._associated.get(address) == identity:
                await self._close_front(address)
        elif resource.type == LISTENER:
            for arn in _forwards_to(properties):
                if balancer := self._balancers.get(arn):
                    await balancer.shut()
        elif resource.type == TARGETS and (balancer := self._balancers.pop(identity, None)):
            await balancer.close()
        elif resource.type == GROUP and (group := self._groups.pop(identity, None)):
            await group.end()
        elif resource.type == ENVIRONMENT and (environment := self._environments.pop(identity, None)):
            await environment.end()

    async def _run_instance(self, resource: Resource) -> Properties:
        machine = self._instances.begin(resource)
        if not resource.properties.get("associatePublicIpAddress"):
            return {}
        address = loopback(self._plane, resource.id)
        front = self._fronts.setdefault(resource.id, Front(self._plane, address))
        await front.lead_to(machine, self._instances.open_ports(resource.properties))
        return {"publicIp": address, "publicDns": address}

    async def _allocate(self, resource: Resource) -> Properties:
        return {"publicIp": loopback(self._plane, resource.id)}

    async def _associate(self, resource: Resource) -> Properties:
        allocation, instance = str(resource.properties["allocationId"]), str(resource.properties["instanceId"])
        found = self._world.get(INSTANCE, instance, resource.region)
        machine = self._plane.machines.get(instance)
        if found is not None and machine is not None:
            address = loopback(self._plane, allocation)
            front = self._fronts.setdefault(allocation, Front(self._plane, address))
            await front.lead_to(machine, self._instances.open_ports(found.properties))
        self._associated[allocation] = resource.id
        return {"publicIp": loopback(self._plane, allocation)}

    async def _name_balancer(self, resource: Resource) -> Properties:
        """A name with a port in it: this machine has no ports 80 and 443 to give away."""
        known = str(resource.properties.get("dnsName") or "")
        kept = known if known.startswith("127.0.0.1:") else f"127.0.0.1:{ports.free_port()}"
        return {"dnsName": kept}

    async def _open_targets(self, resource: Resource) -> Properties:
        drain = float(resource.properties.get("deregistrationDelay") or 300) * self._plane.clock.scale
        self._balancers[resource.id] = Balancer(
            self._plane.clock, _check(resource.properties), max(drain, SHORTEST_DRAIN)
        )
        return {}

    async def _listen(self, resource: Resource) -> Properties:
        """Answer for the first action that forwards; what only sends to HTTPS has nothing to answer here."""
        balancer = self._world.get(BALANCER, str(resource.properties["loadBalancerArn"]), resource.region)
        for arn in _forwards_to(resource.properties):
            if balancer is not None and arn in self._balancers:
                port = int(str(balancer.properties["dnsName"]).rpartition(":")[2])
                await self._balancers[arn].open(ports.LOCALHOST, port)
        return {}

    async def _keep_group(self, resource: Resource) -> Properties:
        if before := self._groups.pop(resource.id, None):  # deleted behind the engine's back, and made again
            await before.end()
        group = Group(self._plane, self._instances, self._balancers, resource.id, resource.region)
        self._groups[resource.id] = group
        group.start()
        return {}

    async def _launch_environment(self, resource: Resource) -> Properties:
        environment = self._environment(resource)
        await environment.launch(resource.properties)
        return environment.outputs()

    def _environment(self, resource: Resource) -> Environment:
        if resource.id not in self._environments:
            known = str(resource.properties.get("cname") or "")
            port = int(known.rpartition(":")[2]) if known.startswith("127.0.0.1:") else ports.free_port()
            self._environments[resource.id] = Environment(
                self._plane,
                self._instances,
                resource.id,
                str(resource.properties["name"]),
                resource.region,
                str(resource.properties["application"]),
                port,
            )
        return self._environments[resource.id]

    async def _close_front(self, name: str) -> None:
        if front := self._fronts.pop(name, None):
            await front.close()


def _check(properties: Properties) -> HealthCheck:
    told = properties.get("healthCheck") or {}
    return HealthCheck(
        str(told.get("path") or "/"),
        float(told.get("interval") or 30),
        float(told.get("timeout") or 5),
        int(told.get("healthyThreshold") or 3),
        int(told.get("unhealthyThreshold") or 3),
    )


def _forwards_to(properties: Properties) -> list[str]:
    actions = properties.get("defaultActions") or ()
    return [str(action["targetGroupArn"]) for action in actions if action.get("targetGroupArn")]
