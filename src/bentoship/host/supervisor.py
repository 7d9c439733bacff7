"""The process that keeps the releases of one deployment running: `python -m bentoship.host.supervisor DIRECTORY`.

It outlives the command that started it. What shall run is told to it over a unix socket, in JSON:

    GET /                     everything it runs
    PUT /address              {"host", "port"}                           -> {"url"}
    PUT /releases/{id}        {"directory", "variables", "ready_timeout"} -> {"url", "pid"} when it is ready
    DELETE /releases/{id}     drains and stops it
    PUT /traffic              {id: percent}
    DELETE /                  stops everything, forgets the state and ends

What can't be done is answered 409 with {"error": {"where", "fault", "remedy"}}, and a request that makes no sense
400. SIGTERM ends it and all that it runs, and keeps the state: the next supervisor of the directory comes back with
the same port, releases and traffic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from bentoship.errors import HostError

from . import state
from .address import socket_path
from .background import detach
from .fleet import Fleet
from .lock import sole
from .state import Settings, State, Wanted

_CONTROL_SHUTDOWN = 1.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """The supervisor's side of the unix socket."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.ended = asyncio.Event()
        self.forget = False

    def application(self) -> web.Application:
        """The web application to serve on the socket."""
        application = web.Application(middlewares=[_tell_errors])
        application.add_routes(
            [
                web.get("/", self.status),
                web.delete("/", self.end),
                web.put("/address", self.listen),
                web.put("/traffic", self.route),
                web.put("/releases/{id}", self.start),
                web.delete("/releases/{id}", self.stop),
            ]
        )
        return application

    async def status(self, _: web.Request) -> web.Response:
        """GET /."""
        return web.json_response(asdict(await asyncio.to_thread(self._fleet.status)))

    async def listen(self, request: web.Request) -> web.Response:
        """PUT /address."""
        wanted = await request.json()
        return web.json_response({"url": await self._fleet.listen(str(wanted["host"]), int(wanted["port"]))})

    async def start(self, request: web.Request) -> web.Response:
        """PUT /releases/{id}."""
        started = await self._fleet.start(request.match_info["id"], Wanted(**await request.json()))
        return web.json_response({"url": started.url, "pid": started.pid})

    async def stop(self, request: web.Request) -> web.Response:
        """DELETE /releases/{id}."""
        await self._fleet.stop(request.match_info["id"])
        return web.json_response({})

    async def route(self, request: web.Request) -> web.Response:
        """PUT /traffic."""
        self._fleet.route({release_id: int(percent) for release_id, percent in (await request.json()).items()})
        return web.json_response({})

    async def end(self, _: web.Request) -> web.Response:
        """DELETE /."""
        self.forget = True
        self.ended.set()
        return web.json_response({})


@web.middleware
async def _tell_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except HostError as error:
        return web.json_response({"error": asdict(error.problems[0])}, status=409)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return web.json_response({"error": {"where": request.path, "fault": repr(error), "remedy": ""}}, status=400)


async def supervise(directory: Path, wished: State, report: Callable[[dict[str, Any]], None]) -> None:
    """Run what `wished` says until told to end; `report` gets the stable URL when control is answered."""
    async with Fleet(directory, wished) as fleet:
        control = Control(fleet)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, control.ended.set)
        async with _served(control.application(), socket_path(directory)):
            report({"url": fleet.url})
            await control.ended.wait()
    if control.forget:
        state.remove(directory)


@asynccontextmanager
async def _served(application: web.Application, path: Path) -> AsyncIterator[None]:
    _remove(path)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CONTROL_SHUTDOWN)
    await runner.setup()
    try:
        await web.UnixSite(runner, path).start()
        os.chmod(path, 0o600)  # noqa: PTH101  neither blocks
        yield
    finally:
        await runner.cleanup()
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _wished(directory: Path, arguments: argparse.Namespace) -> State:
    """What was kept, with what the command line says otherwise."""
    kept = state.read(directory) or State()
    host = arguments.host or kept.host
    port = kept.port if arguments.port in (None, 0) else arguments.port
    settings = Settings(**json.loads(arguments.settings)) if arguments.settings else kept.settings
    return replace(kept, host=host, port=port, settings=settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bentoship.host.supervisor", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--host", help="address to listen on; the kept one, or 127.0.0.1")
    parser.add_argument("--port", type=int, help="stable port; the kept one, or a free one")
    parser.add_argument("--settings", help="JSON of Settings; the kept ones, or the defaults")
    parser.add_argument("--report", type=int, help="go to the background, and write the outcome to this descriptor")
    return parser.parse_args()


def main() -> None:
    """Read the arguments, take the lock, supervise."""
    arguments = _arguments()
    directory = arguments.directory.resolve()
    logging.raiseExceptions = False  # a full disk must not stop what is being served

    def report(outcome: dict[str, Any]) -> None:
        if arguments.report is not None:
            os.write(arguments.report, json.dumps(outcome).encode())
            os.close(arguments.report)

    if arguments.report is not None:
        detach()
        os.set_inheritable(arguments.report, False)  # noqa: FBT003
    try:
        with sole(directory):
            asyncio.run(supervise(directory, _wished(directory, arguments), report))
    except HostError as error:
        report({"error": asdict(error.problems[0])})
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
