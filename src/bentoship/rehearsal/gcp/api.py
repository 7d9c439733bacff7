"""Google's own APIs, as far as our tool asks them: App Engine, groups of machines, the log, what has a label."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .. import faults
from ..world import Resource, World
from .account import open_project, staging
from .appengine import FLEXIBLE, SPLIT, STANDARD
from .balancing import GLOBAL_RULE, RULE
from .compute import INSTANCE
from .groups import Group
from .machines import refusal
from .network import ADDRESS
from .resource import token
from .serving import Serving
from .storage import BUCKET

APPLICATION = "gcp:appengine/application:Application"
"""Not a type that our targets declare: a project has one for ever, which is used or made by its API."""
_STATUS = {"permission": 403, "throttling": 429, "quota": 403, "internal": 500}
_OF = re.compile(r'resource\.labels\.(module_id|version_id)="([^"]*)"')
_LABEL = re.compile(r'labels\.(?P<key>[a-z0-9_-]+)="(?P<value>[^"]*)"')
_AGGREGATED = {
    "instances": (INSTANCE,),
    "disks": (),  # a machine's own goes with it
    "addresses": (ADDRESS, token("GlobalAddress")),
    "forwardingRules": (RULE, GLOBAL_RULE),
}
_WATCHED = {
    "alertPolicies": "gcp:monitoring/alertPolicy:AlertPolicy",
    "uptimeCheckConfigs": "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def now() -> str:
    """This moment as Google's answers have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Api:
    """Answers calls about services and groups, which belong to others."""

    def __init__(self, world: World, serving: Serving, groups: Mapping[str, Group]) -> None:
        self._world, self._serving, self._groups = world, serving, groups

    def routes(self) -> Sequence[web.RouteDef]:
        """Below /v1 App Engine, /compute/v1 Compute Engine, /storage/v1 buckets, /v2 the log, /v3 what is watched."""
        app, service = "/v1/apps/{project}", "/v1/apps/{project}/services/{service}"
        group = "/compute/v1/projects/{project}/regions/{region}/instanceGroupManagers/{group}"
        return [
            web.get(app, self._named("apps.get", self._application)),
            web.post("/v1/apps", self._named("apps.create", self._create_application)),
            web.get(service, self._named("apps.services.get", self._service)),
            web.delete(service, self._named("apps.services.delete", self._delete_service)),
            web.get(f"{service}/versions/{{version}}", self._named("apps.services.versions.get", self._version)),
            web.post(f"{service}/versions", self._named("apps.services.versions.create", self._create_default)),
            web.get(group, self._named("instanceGroupManagers.get", self._group)),
            web.post(f"{group}/listManagedInstances", self._named("instanceGroupManagers.list", self._members)),
            web.get(f"{group}/listErrors", self._named("instanceGroupManagers.listErrors", self._errors)),
            web.get(
                "/compute/v1/projects/{project}/aggregated/{kind}", self._named("aggregatedList", self._aggregated)
            ),
            web.get("/storage/v1/b", self._named("buckets.list", self._buckets)),
            web.get("/v3/projects/{project}/{kind}", self._named("monitoring.list", self._watched)),
            web.post("/v2/entries:list", self._named("entries.list", self._log)),
        ]

    def _named(self, call: str, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            fault = faults.take(self._world, (call,), "before")
            if fault and fault.kind != "slow":
                return refusal(_STATUS.get(fault.kind, 500), f"a fault: {fault.kind}")
            return await handler(request)

        return answer

    def _find_application(self, project: str) -> Resource | None:
        return self._world.get(APPLICATION, f"apps/{project}", "")

    async def _application(self, request: web.Request) -> web.StreamResponse:
        found = self._find_application(request.match_info["project"])
        return web.json_response(dict(found.properties)) if found else refusal(404, "Could not find Application.")

    async def _create_application(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        project = str(asked["id"])
        if self._find_application(project):
            return refusal(409, "This application already exists and cannot be re-created.")
        told = {
            **asked,
            "name": f"apps/{project}",
            "codeBucket": staging(project),
            "defaultHostname": f"{project}.ey.r.appspot.com",
            "servingStatus": "SERVING",
        }
        identity = f"apps/{project}"
        self._world.put(Resource(APPLICATION, identity, identity, "", told, given=True))
        open_project(self._world, project)
        return _done()

    async def _service(self, request: web.Request) -> web.StreamResponse:
        project, name = request.match_info["project"], request.match_info["service"]
        application = self._find_application(project)
        if name == "default" and application and application.properties.get("hasDefault"):
            return web.json_response({"id": name})
        found = self._serving.services.get(name)
        if found is None or not found.versions:
            return refusal(404, f"Service '{name}' was not found.")
        return web.json_response({"id": name, "split": {"allocations": found.shares}, "url": found.url})

    async def _delete_service(self, request: web.Request) -> web.StreamResponse:
        project, name = request.match_info["project"], request.match_info["service"]
        if name not in self._serving.services:
            return refusal(404, f"Service '{name}' was not found.")
        for item in (item for kind in (SPLIT, STANDARD, FLEXIBLE) for item in self._world.every(kind)):
            if (item.properties.get("project"), item.properties.get("service")) == (project, name):
                self._world.remove(item.type, item.key, item.region)
        await self._serving.end(name)
        return _done()

    async def _version(self, request: web.Request) -> web.StreamResponse:
        service = self._serving.services.get(request.match_info["service"])
        version = service.versions.get(request.match_info["version"]) if service else None
        if version is None:
            return refusal(404, f"Version '{request.match_info['version']}' was not found.")
        return web.json_response({"id": request.match_info["version"], "versionUrl": version.url})

    async def _create_default(self, request: web.Request) -> web.StreamResponse:
        """The first version of `default`; others come from Pulumi's provider."""
        application = self._find_application(request.match_info["project"])
        if application is None or request.match_info["service"] != "default":
            return refusal(404, "Could not find Application.")
        self._world.put(replace(application, properties={**application.properties, "hasDefault": True}))
        return _done()

    def _find_group(self, request: web.Request) -> Group | None:
        words = request.match_info
        return self._groups.get(
            f"projects/{words['project']}/regions/{words['region']}/instanceGroupManagers/{words['group']}"
        )

    async def _group(self, request: web.Request) -> web.StreamResponse:
        group = self._find_group(request)
        if group is None:
            return refusal(404, f"The resource '{request.match_info['group']}' was not found")
        status = {"isStable": group.is_stable, "versionTarget": {"isReached": group.is_reached}}
        versions = [{"instanceTemplate": group.template}]
        return web.json_response({"status": status, "versions": versions, "targetSize": group.size})

    async def _members(self, request: web.Request) -> web.StreamResponse:
        group = self._find_group(request)
        return web.json_response({"managedInstances": [_member(each) for each in group.members] if group else []})

    async def _errors(self, request: web.Request) -> web.StreamResponse:
        group = self._find_group(request)
        return web.json_response({"items": group.errors if group else []})

    async def _aggregated(self, request: web.Request) -> web.StreamResponse:
        """What a label finds, in all places at once (aggregatedList, Compute Engine API)."""
        kind, label = request.match_info["kind"], _LABEL.fullmatch(request.query["filter"])
        if label is None:
            return refusal(400, f"Invalid list filter expression: {request.query['filter']}")
        found = [
            {"name": item.properties["name"]}
            for each in _AGGREGATED[kind]
            for item in self._world.every(each)
            if item.tags.get(label["key"]) == label["value"]
        ]
        return web.json_response({"items": {"global": {kind: found}} if found else {}})

    async def _buckets(self, request: web.Request) -> web.StreamResponse:
        buckets = [item for item in self._world.every(BUCKET) if item.id.startswith(request.query["prefix"])]
        return web.json_response({"items": [{"name": item.id, "labels": dict(item.tags)} for item in buckets]})

    async def _watched(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        found = [{"name": item.id, "userLabels": dict(item.tags)} for item in self._world.every(_WATCHED[kind])]
        return web.json_response({kind: found})

    async def _log(self, request: web.Request) -> web.StreamResponse:
        asked = dict(_OF.findall((await request.json()).get("filter", "")))
        service = self._serving.services.get(asked.get("module_id", ""))
        version = service.versions.get(asked.get("version_id", "")) if service else None
        lines = [*version.log, *reversed(version.machine.console)] if version else []
        return web.json_response({"entries": [{"textPayload": line} for line in lines[:10]]})


def _member(member: Any) -> dict[str, Any]:
    errors = [{"message": message} for message in member.errors]
    return {
        "instance": f"zones/z/instances/{member.name}",
        "instanceStatus": "RUNNING",
        "currentAction": "NONE" if member.is_well else "VERIFYING",
        "version": {"instanceTemplate": member.template},
        "lastAttempt": {"errors": {"errors": errors}},
    }


def _done() -> web.Response:
    return web.json_response({"name": "operations/1", "done": True})
