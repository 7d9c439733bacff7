"""What Azure runs: web apps, machines and scale sets, and the addresses and load balancers that lead to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from ...host import ports
from ..hosts.balancer import Balancer, HealthCheck
from ..hosts.front import Front, loopback
from ..hosts.plane import Plane
from ..world import Resource
from .api import Api, address_of
from .compute import MACHINE, SCALE_SET
from .machines import Machines
from .network import ADDRESS, BALANCER, INTERFACE, SECURITY, SUBNET
from .scale_sets import ScaleSet
from .sites import PRODUCTION, Site
from .web import PLAN, SITE, SLOT

HOSTED = (ADDRESS, BALANCER, MACHINE, SCALE_SET, SITE, SLOT)
"""The types that run something, in the order in which they are started again."""
Properties = Mapping[str, Any]


class Hosting:
    """Azure's part of the process that runs a rehearsal."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._machines = Machines(plane)
        self._world = self._machines.world
        self._fronts: dict[str, Front] = {}
        """By id of the address."""
        self._balancers: dict[str, Balancer] = {}
        self._scale_sets: dict[str, ScaleSet] = {}
        self._sites: dict[str, Site] = {}
        """By name."""
        self._created: Mapping[str, Callable[[Resource], Awaitable[Properties]]] = {
            ADDRESS: self._allocate,
            BALANCER: self._balance,
            MACHINE: self._run_machine,
            SCALE_SET: self._keep_scale_set,
            SITE: self._open_site,
            SLOT: self._open_slot,
        }

    def routes(self) -> Sequence[web.RouteDef]:
        """Resource Manager where BENTOSHIP_AZURE_ENDPOINT leads, and Blob Storage below /blobs."""
        api = Api(self._machines, self._sites, self._scale_sets, self._moved)
        return [
            web.route("*", "/subscriptions/{rest:.+}", api.answer),
            web.get("/blobs/{container}/{blob:.+}", self._machines.blob),
        ]

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
        if new.type == SCALE_SET:
            await self._scale_sets[new.id].update(new)
        elif new.type in (SITE, SLOT):
            return await self._created[new.type](new)
        return {}

    async def read(self, _: Resource) -> Properties:
        """Nothing differs from what is remembered."""
        return {}

    async def deleted(self, resource: Resource) -> None:
        """Something is gone."""
        if resource.type == MACHINE:
            for interface in self._interfaces(resource):
                await self._close_front(address_of(interface))
            await self._plane.stop(str(resource.properties["name"]))
        elif resource.type == BALANCER and (balancer := self._balancers.pop(resource.id, None)):
            await balancer.close()
        elif resource.type == SCALE_SET and (scale_set := self._scale_sets.pop(resource.id, None)):
            await scale_set.end()
        elif resource.type == SLOT and (site := self._sites.get(str(resource.properties["name"]))):
            await site.close(str(resource.properties["slot"]))
        elif resource.type == SITE and (site := self._sites.pop(str(resource.properties["name"]), None)):
            await site.close(PRODUCTION)

    async def _allocate(self, resource: Resource) -> Properties:
        """An address of this machine; a name for it has a port in it, as this machine has no port 80 to give away."""
        names = resource.properties.get("dnsSettings")
        if not names:
            return {"ipAddress": loopback(self._plane, resource.id)}
        known = str(names.get("fqdn") or "")
        kept = known if known.startswith(ports.LOCALHOST) else f"{ports.LOCALHOST}:{ports.free_port()}"
        return {"ipAddress": loopback(self._plane, resource.id), "dnsSettings": {**names, "fqdn": kept}}

    async def _balance(self, resource: Resource) -> Properties:
        (probe,), told = resource.properties["probes"], resource.properties
        check = HealthCheck(
            str(probe.get("requestPath") or "/"),
            float(probe.get("intervalInSeconds") or 15),
            healthy=int(probe.get("probeThreshold") or 1),
            unhealthy=int(probe.get("probeThreshold") or 1),
        )
        balancer = self._balancers[resource.id] = Balancer(self._plane.clock, check)
        for front in told["frontendIPConfigurations"]:
            if address := self._world.get(ADDRESS, str(front["publicIPAddress"]["id"]), ""):
                port = int(str(address.properties["dnsSettings"]["fqdn"]).rpartition(":")[2])
                await balancer.open(ports.LOCALHOST, port)
        return {}

    async def _run_machine(self, resource: Resource) -> Properties:
        told = resource.properties
        script = str(told["osProfile"]["customData"])
        self._machines.begin(str(told["name"]), told.get("identity") or {}, script)
        for interface in self._interfaces(resource):
            await self._lead(interface)
        return {}

    async def _keep_scale_set(self, resource: Resource) -> Properties:
        scale_set = self._scale_sets[resource.id] = ScaleSet(self._machines, self._balancers, resource)
        scale_set.start()
        return {}

    async def _open_site(self, resource: Resource) -> Properties:
        return await self._open(resource, PRODUCTION)

    async def _open_slot(self, resource: Resource) -> Properties:
        return await self._open(resource, str(resource.properties["slot"]))

    async def _open(self, resource: Resource, slot: str) -> Properties:
        name = str(resource.properties["name"])
        if name not in self._sites:
            self._sites[name] = Site(self._machines, name)
            self._sites[name].load()
        plan = self._world.get(PLAN, str(resource.properties["serverFarmId"]), "")
        instances = int(((plan.properties.get("sku") or {}) if plan else {}).get("capacity") or 1)
        return {"defaultHostName": await self._sites[name].open(slot, resource.properties, instances)}

    async def _moved(self, old: Resource, new: Resource) -> None:
        """An interface has another address."""
        await self._close_front(address_of(old))
        await self._lead(new)

    async def _lead(self, interface: Resource) -> None:
        """Let the address of an interface lead to the machine that has it, if there is one."""
        address, machine = address_of(interface), self._machine_of(interface)
        if address and machine in self._plane.machines:
            front = self._fronts.setdefault(address, Front(self._plane, loopback(self._plane, address)))
            await front.lead_to(self._plane.machines[machine], self._open_ports(interface))

    def _machine_of(self, interface: Resource) -> str:
        for each in self._world.every(MACHINE):
            if interface.id in {item.id for item in self._interfaces(each)}:
                return str(each.properties["name"])
        return ""

    def _interfaces(self, machine: Resource) -> list[Resource]:
        told = (machine.properties.get("networkProfile") or {}).get("networkInterfaces") or ()
        found = [self._world.get(INTERFACE, str(each["id"]), "") for each in told]
        return [each for each in found if each is not None]

    def _open_ports(self, interface: Resource) -> list[int]:
        """The ports that the security group of an interface's subnet opens to the internet."""
        subnets = {each["subnet"]["id"] for each in interface.properties.get("ipConfigurations") or ()}
        groups = {
            str((each.properties.get("networkSecurityGroup") or {}).get("id"))
            for each in self._world.every(SUBNET)
            if each.id in subnets
        }
        rules = [
            rule
            for each in self._world.every(SECURITY)
            if each.id in groups
            for rule in each.properties["securityRules"]
        ]
        let_in = [rule for rule in rules if (rule["direction"], rule["access"]) == ("Inbound", "Allow")]
        return [
            int(rule["destinationPortRange"]) for rule in let_in if rule["sourceAddressPrefix"] in ("Internet", "*")
        ]

    async def _close_front(self, address: str) -> None:
        if front := self._fronts.pop(address, None):
            await front.close()
