"""The process that runs a rehearsal's machines: one HTTP server on one port, and a place for each cloud.

    GET    /hosts                        where it works
    DELETE /hosts                        end everything
    POST   /hosts/{cloud}/{verb}         a double created, updated, read or deleted something: [resource, ...]
    POST   /machines/{name}/{tool}       systemctl and journalctl on a machine
    *      /metadata/{name}/...          the metadata service of a machine
    *      /ill/{name}/...               a machine whose answers a fault has made slow or wrong
    *      whatever a cloud adds         its API, its object store

All of it lies below a first segment of the path that nobody can guess, since whoever may ask it can run programs as
this user: it is in a file that only this user can read, and in the environment of what this process starts. It ends by
itself when nothing has run for a while.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from ...errors import BentoshipError, HostError, Problem
from ...host import bytecode, child, ports
from ...patience import patience
from .. import faults, home, metadata
from ..clock import Clock
from ..world import Resource, World, write_whole
from . import standin
from .control import FILE
from .machine import Ailment, Machine

IDLE_SECONDS = 300.0
"""How long the process stays when it runs no machine and is asked nothing."""
TOOLS = "tools"
_LARGEST_BODY = 64 * 1024 * 1024
_PROBES = ("/readyz", "/livez")
_OF_CONNECTION = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})

Properties = Mapping[str, Any]
Work = Coroutine[Any, Any, None]


class Hosting(Protocol):
    """What a cloud does with what is created, updated and deleted. Errors are BentoshipErrors."""

    def routes(self) -> Sequence[web.RouteDef]:
        """What it answers over HTTP: its API and its object store."""

    async def restore(self) -> None:
        """Run again what the world says should run."""

    async def created(self, resource: Resource) -> Properties:
        """Something new; what is known of it once it runs."""

    async def updated(self, _: Resource, new: Resource) -> Properties:
        """Something changed in place."""

    async def read(self, resource: Resource) -> Properties:
        """What is known of it now."""

    async def deleted(self, resource: Resource) -> None:
        """Something is gone."""


class Plane:
    """What the clouds' parts share: the world, the clock, machines, the server's address, and tasks of their own."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port
        self._secret = secrets.token_urlsafe(24)
        self.clock = Clock.from_environment()
        self.machines: dict[str, Machine] = {}
        self.changed = asyncio.Event()
        """Set, and replaced, whenever a machine has become ready or ceased to be."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._hostings: dict[str, Hosting] = {}
        self.last_asked = time.monotonic()
        self.ended = asyncio.Event()
        """Set when somebody asks it to end."""

    @property
    def url(self) -> str:
        """Where this process answers."""
        return f"{ports.url(ports.LOCALHOST, self.port)}/{self._secret}"

    def world(self, cloud: str) -> World:
        """What exists in `cloud`."""
        return World.of(cloud, self.root / "worlds")

    @staticmethod
    def patience(seconds: float) -> float:
        """How long a cloud waits for a release's health here: less than those wait who have asked the cloud."""
        return min(seconds, patience(seconds) * 2 / 3)

    @staticmethod
    def say(sentence: str) -> None:
        """Write a sentence into the log."""
        sys.stderr.write(f"{sentence}\n")

    async def sleep(self, seconds: float) -> None:
        """Take as long as the cloud does, on the rehearsal's clock."""
        await asyncio.sleep(seconds * self.clock.scale)

    def start(self, work: Work) -> asyncio.Task[None]:
        """Do this beside everything else, from now on; an error ends it and is written into the log."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def machine(self, cloud: str, name: str, tells: metadata.Machine) -> Machine:
        """A new machine, which does nothing yet."""
        disk = self.root / "machines" / name
        made = Machine(name, disk, self.root / bytecode.FOLDER, self.url, tells, self._note_change)
        self.machines[name] = made
        self.start(self._afflict(cloud, made))
        return made

    async def boot(self, machine: Machine, script: str, more: Mapping[str, str], what: str) -> None:
        """Run a boot script on `machine`; when it fails, its last complaint is the machine's `boot_failure`.

        `what` is the cloud's word for the script, such as `user data`.
        """
        if code := await machine.boot(script, more, self.root / TOOLS):
            machine.print(f"the {what} ended with exit code {code}")
            said = (line for line in reversed(machine.console) if "failed" in line)
            machine.boot_failure = next(said, f"{what}: exit code {code}")

    async def stop(self, name: str) -> None:
        """End a machine for good; one that isn't there is none to be ended."""
        if machine := self.machines.pop(name, None):
            await machine.stop()

    def application(self) -> web.Application:
        """The web application of the whole process."""
        application = web.Application()
        application.add_routes(
            [
                web.get("/hosts", self._status),
                web.delete("/hosts", self._end),
                web.post("/hosts/{cloud}/{verb:created|updated|read|deleted}", self._told),
                web.post("/machines/{name}/{tool}", self._tool),
                web.route("*", "/metadata/{name}{path:/.*}", self._metadata),
                web.route("*", "/ill/{name}{path:/.*}", self._ill),
            ]
        )
        for cloud in home.CLOUDS:
            if (hosting := _hosting(cloud, self)) is not None:
                self._hostings[cloud] = hosting
                application.add_routes(hosting.routes())
        whole = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._note_request])
        whole.add_subapp(f"/{self._secret}", application)
        return whole

    async def restore(self) -> None:
        """Run again what the worlds say should run."""
        write_tools(self.root / TOOLS)
        for disk in (self.root / "machines").glob("*"):
            child.end_leftovers(disk)  # of a process that was killed
        for hosting in self._hostings.values():
            await hosting.restore()

    async def close(self) -> None:
        """End every task and every machine."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(machine.stop() for machine in self.machines.values()))

    @web.middleware
    async def _note_request(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.last_asked = time.monotonic()
        return await handler(request)

    async def _end(self, _: web.Request) -> web.Response:
        self.ended.set()
        return web.json_response({})

    async def _status(self, _: web.Request) -> web.Response:
        machines = {
            machine.name: {"url": machine.url, "console": list(machine.console)} for machine in self.machines.values()
        }
        return web.json_response({"root": str(self.root), "url": self.url, "machines": machines})

    async def _told(self, request: web.Request) -> web.Response:
        hosting, verb = self._hostings[request.match_info["cloud"]], request.match_info["verb"]
        resources = [Resource(**raw) for raw in await request.json()]
        handler: Callable[..., Awaitable[Properties | None]] = getattr(hosting, verb)
        try:
            # A caller that is killed does not stop what its cloud has begun.
            answer = await asyncio.shield(handler(*resources))
        except BentoshipError as error:
            return web.json_response({"refused": [asdict(problem) for problem in error.problems]})
        except Exception as error:  # noqa: BLE001 - a defect of ours fails one change, and is told with its place
            traceback.print_exc()
            where = f"the rehearsal's machines ({self.root / 'hosts.log'})"
            return web.json_response({"refused": [asdict(Problem(where, f"{type(error).__name__}: {error}"))]})
        return web.json_response(dict(answer or {}))

    async def _tool(self, request: web.Request) -> web.Response:
        machine, words = self._machine(request), await request.json()
        if request.match_info["tool"] == "journalctl":
            return web.json_response({"code": 0, "output": "".join(f"{line}\n" for line in machine.console)})
        return web.json_response({"code": await machine.systemctl(words), "output": ""})

    async def _metadata(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = metadata.Request(request.method, request.match_info["path"], dict(request.query), headers)
        reply = self._machine(request).tells.answer(asked)
        return web.Response(text=reply.body, status=reply.status, headers=dict(reply.headers))

    async def _ill(self, request: web.Request) -> web.StreamResponse:
        machine, path = self._machine(request), request.match_info["path"]
        ailment, seconds = machine.ailment or ("slow", 0.0)
        if path not in _PROBES:
            if ailment == "wrong":
                return web.json_response({"wrong": "the rehearsal lets this machine answer wrongly"}, status=500)
            await asyncio.sleep(seconds)
        url = f"{machine.direct_url}{path}?{request.query_string}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_CONNECTION}
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            try:
                asked = session.request(request.method, url, headers=headers, data=await request.read())
                async with asked as answer:
                    told = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_CONNECTION}
                    return web.Response(body=await answer.read(), status=answer.status, headers=told)
            except aiohttp.ClientError as error:
                return web.Response(status=502, text=f"{error}\n")

    def _machine(self, request: web.Request) -> Machine:
        if (found := self.machines.get(request.match_info["name"])) is None:
            raise web.HTTPNotFound
        return found

    def _note_change(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def _afflict(self, cloud: str, machine: Machine) -> None:
        """Once it is ready, let go wrong what is to go wrong with the next machine."""
        while machine.is_alive and machine.url is None:
            await self.changed.wait()
        if machine.is_alive and (fault := faults.take(self.world(cloud), (faults.MACHINE,), "before")):
            await machine.fall_ill(cast("Ailment", fault.kind), fault.seconds)  # `faults.parse` sees to the kinds


def write_tools(folder: Path) -> None:
    """Put the stand-ins for systemctl and journalctl into `folder`, for the PATH of machines."""
    for tool in ("systemctl", "journalctl"):
        text = f'#!/bin/sh\nexec "{sys.executable}" -I "{standin.__file__}" "$0" "$@"\n'
        write_whole(folder / tool, text, mode=0o755)


async def serve(root: Path, report: Callable[[str], None]) -> None:
    """Run it all until told to end, or until nothing has run for a while; `report` gets the address."""
    plane = Plane(root, _port(root))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, plane.ended.set)
    runner = web.AppRunner(plane.application(), access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        await web.TCPSite(runner, ports.LOCALHOST, plane.port).start()
        await plane.restore()
        write_whole(root / FILE, json.dumps({"url": plane.url}))
        report(plane.url)
        while not plane.ended.is_set() and not _is_idle(plane):
            with suppress(TimeoutError):
                await asyncio.wait_for(plane.ended.wait(), IDLE_SECONDS / 10)
    finally:
        await plane.close()
        await runner.cleanup()


def _is_idle(plane: Plane) -> bool:
    return not plane.machines and time.monotonic() - plane.last_asked > IDLE_SECONDS


def _port(root: Path) -> int:
    """The port of the last time, if it is free: addresses that were given out then stay true."""
    try:
        before = urlsplit(json.loads((root / FILE).read_text(encoding="utf-8"))["url"]).port
    except (OSError, ValueError, KeyError):
        before = None
    return before if before and ports.is_free(before) else ports.free_port()


def _hosting(cloud: str, plane: Plane) -> Hosting | None:
    """The part of a cloud; None where its double only remembers."""
    name = f"bentoship.rehearsal.{cloud.replace('-', '_')}.hosting"
    try:
        found: Hosting = import_module(name).Hosting(plane)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
    return found


async def _logged(work: Work) -> None:
    try:
        await work
    except HostError as error:
        sys.stderr.write(f"{error}\n")
    except Exception:  # noqa: BLE001 - one machine's trouble is not the others'
        traceback.print_exc()
