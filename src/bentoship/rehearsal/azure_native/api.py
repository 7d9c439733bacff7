"""Azure Resource Manager, as far as our tool asks it: sites and their slots, addresses, scale sets, what has a tag."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from aiohttp import web

from .. import faults
from ..world import Resource
from .machines import Machines
from .network import ADDRESS, INTERFACE
from .scale_sets import Member, ScaleSet
from .sites import PRODUCTION, Site

Moved = Callable[[Resource, Resource], Awaitable[None]]
_SITE = re.compile(
    r"/subscriptions/[^/]+/.*/Microsoft\.Web/sites/(?P<name>[^/]+)(/slots/(?P<slot>[^/]+))?(?P<rest>/.*)?"
)
GROUPS, GROUP = "resourcegroups", "resources.ResourceGroup"
_LIST = re.compile(r"/subscriptions/[^/]+/(?P<what>resources|resourcegroups)")
_TAGGED = re.compile(r"tagName eq '(?P<key>[^']+)' and tagValue eq '(?P<value>[^']*)'")
_OPERATION = "/subscriptions/rehearsal/operations/"
_CALLS = {
    ("GET", ""): "WebApps_Get",
    ("POST", "/config/appsettings/list"): "WebApps_ListApplicationSettings",
    ("PUT", "/config/appsettings"): "WebApps_UpdateApplicationSettings",
    ("GET", "/config/web"): "WebApps_GetConfiguration",
    ("PATCH", "/config/web"): "WebApps_UpdateConfiguration",
    ("POST", "/restart"): "WebApps_Restart",
    ("POST", "/slotsswap"): "WebApps_SwapSlotWithProduction",
}
_STATUS = {"permission": ("AuthorizationFailed", 403), "throttling": ("TooManyRequests", 429)}


class Api:
    """Answers for sites and scale sets, which belong to others, and for interfaces in the world."""

    def __init__(
        self, machines: Machines, sites: Mapping[str, Site], scale_sets: Mapping[str, ScaleSet], moved: Moved
    ) -> None:
        self._machines, self._sites, self._scale_sets, self._moved = machines, sites, scale_sets, moved

    async def answer(self, request: web.Request) -> web.Response:
        """The answer to one request."""
        path = f"/subscriptions/{request.match_info['rest']}"
        if path.startswith(_OPERATION):
            return self._operation(path)
        if found := _LIST.fullmatch(path):
            return self._tagged(found["what"], request.query.get("$filter", ""))
        if found := _SITE.fullmatch(path):
            return await self._site(request, found["name"], found["slot"] or PRODUCTION, found["rest"] or "")
        for identity, scale_set in self._scale_sets.items():
            if path.startswith(identity):
                return _of_scale_set(scale_set, path.removeprefix(identity))
        return await self._network(request, path)

    def _tagged(self, what: str, only: str) -> web.Response:
        """What has a tag: resource groups, or what is in them."""
        wanted = _TAGGED.fullmatch(only)
        if wanted is None:
            return _error(400, "InvalidFilterInQueryString", f"Invalid $filter '{only}' specified in the query string.")
        found = [
            {"id": item.id}
            for item in self._machines.world.every()
            if item.tags.get(wanted["key"]) == wanted["value"] and (item.short_type == GROUP) == (what == GROUPS)
        ]
        return web.json_response({"value": found})

    async def _site(self, request: web.Request, name: str, slot: str, rest: str) -> web.Response:
        site, call = self._sites.get(name), _CALLS.get((request.method, rest), "")
        if site is None or slot not in site.ports or not call:
            return _error(404, "ResourceNotFound", f"The Resource {request.path} was not found.")
        call = f"{call}Slot" if slot != PRODUCTION and not call.startswith("WebApps_Swap") else call
        if (fault := faults.take(self._machines.world, (call, f"Microsoft.Web:{call}"), "before")) is not None:
            if fault.kind != "slow":
                code, status = _STATUS.get(fault.kind, ("InternalServerError", 500))
                return _error(status, code, f"{fault.kind} on purpose")
            await self._machines.plane.sleep(fault.seconds)
        body = await request.json() if request.can_read_body else {}
        return await self._do(site, slot, request.method, rest, body)

    async def _do(  # noqa: PLR0911 - one line a call
        self, site: Site, slot: str, method: str, rest: str, body: Mapping[str, Any]
    ) -> web.Response:
        match method, rest:
            case "GET", "":
                return _ok({"defaultHostName": site.host(slot), "inProgressOperationId": site.operation or None})
            case "POST", "/config/appsettings/list":
                return _ok(site.settings(slot))
            case "PUT", "/config/appsettings":
                site.configure(slot, body["properties"])
                return _ok(body["properties"])
            case "POST", "/restart":
                await site.restart(slot)
                return _ok({})
            case "GET", "/config/web":
                rules = [{"name": name, "reroutePercentage": site.percent} for name in site.held if name != PRODUCTION]
                return _ok({"experiments": {"rampUpRules": rules if site.percent else []}})
            case "PATCH", "/config/web":
                rules = body["properties"]["experiments"]["rampUpRules"]
                site.send_to_slot(sum(rule["reroutePercentage"] for rule in rules))
                return _ok(body["properties"])
        return self._swap(site, slot)

    def _swap(self, site: Site, slot: str) -> web.Response:
        if site.operation:
            busy = "Cannot modify this site because another operation is in progress."
            return _error(409, "Conflict", busy)
        site.operation, site.failure = str(uuid4()), ""
        location = f"{self._machines.plane.url}{_OPERATION}{site.operation}/{site.name}"
        self._machines.plane.start(site.swap(slot))
        return web.json_response({}, status=202, headers={"Location": location})

    def _operation(self, path: str) -> web.Response:
        site = self._sites.get(path.rpartition("/")[2])
        if site is not None and site.operation and site.operation in path:
            return web.json_response({}, status=202, headers={"Location": f"{self._machines.plane.url}{path}"})
        if site is not None and site.failure:
            return _error(409, "Conflict", site.failure)
        return web.json_response({})

    async def _network(self, request: web.Request, path: str) -> web.Response:
        world = self._machines.world
        if found := world.get(ADDRESS, path, ""):
            holder = next((each for each in world.every(INTERFACE) if address_of(each) == found.id), None)
            told = {"ipConfiguration": {"id": f"{holder.id}/ipConfigurations/machine"}} if holder else {}
            return _ok(told)
        if (found := world.get(INTERFACE, path, "")) is None:
            return _error(404, "ResourceNotFound", f"The Resource {path} was not found.")
        if request.method == "PUT":
            body = await request.json()
            given = [each["properties"] for each in body["properties"]["ipConfigurations"]]
            new = replace(found, properties={**found.properties, "ipConfigurations": given})
            taken = [each for each in world.every(INTERFACE) if each.id != path and address_of(each) == address_of(new)]
            if address_of(new) and taken:
                sentence = f"{address_of(new)} is already allocated to {taken[0].id}"
                return _error(400, "PublicIPAddressInUse", sentence)
            world.put(new)
            await self._moved(found, new)
        configurations = [{"properties": each} for each in found.properties["ipConfigurations"]]
        return _ok({"ipConfigurations": configurations})


def address_of(interface: Resource) -> str:
    """The id of the public address of an interface; empty when it has none."""
    for configuration in interface.properties.get("ipConfigurations") or ():
        if address := configuration.get("publicIPAddress"):
            return str(address["id"])
    return ""


def _of_scale_set(scale_set: ScaleSet, rest: str) -> web.Response:
    if rest == "/virtualMachines":
        return web.json_response({"value": [_member(scale_set, each) for each in scale_set.members]})
    if rest == "/rollingUpgrades/latest" and scale_set.status:
        error = {"error": {"message": scale_set.reason}} if scale_set.reason else {}
        return _ok({"runningStatus": {"code": scale_set.status}, **error})
    return _ok({}) if not rest else _error(404, "NotFound", rest)


def _member(scale_set: ScaleSet, member: Member) -> dict[str, Any]:
    health = "healthy" if scale_set.is_healthy(member) else "unhealthy"
    told = {
        "latestModelApplied": member.model == scale_set.model,
        "provisioningState": "Succeeded",
        "instanceView": {"vmHealth": {"status": {"code": f"HealthState/{health}"}}},
    }
    return {"name": member.machine.name, "properties": told}


def _ok(properties: Mapping[str, Any]) -> web.Response:
    return web.json_response({"properties": properties})


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
