"""One serving process: load the service, open the port, answer, drain."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import resource
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import uvicorn

from . import logs
from .app import Application
from .around import around
from .bento import Bento, load
from .connection import Connection, Limits
from .settings import Settings

CANT_LOAD = 70
"""EX_SOFTWARE of sysexits.h."""
_BACKLOG = 2048
_MOST_IN_PROGRESS = 1000
_SPARE_FILES = 128
"""Files that a process may need beside its connections."""
_TICKS_A_SECOND = 10
_SWITCH_SECONDS = 0.0005
"""How long a thread that computes keeps the interpreter when the one that answers wants it. It wants it at each thing
that a connection has to say: with Python's 5 ms, refusals would wait behind what they refuse."""
_AT_A_TURN = 16
"""Connections that are taken at one turn of the loop. libuv takes one for each listener since 1.45
(github.com/libuv/libuv/pull/3696): while threads compute, a loop may turn thirty times a second, and new connections
waited for seconds."""


class Server(uvicorn.Server):
    """uvicorn's server, which looks for slow clients, writes the log, and still answers for a moment when it ends."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self.application = application

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: write the log; once a second: look at all connections."""
        self._look(counter)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say by /readyz that it ends, take what comes for a moment, then no more, and let what is begun end."""
        self.application.is_draining = True
        looking = asyncio.create_task(self._look_on())
        try:
            await self._drain(sockets)
        finally:
            looking.cancel()
        self.application.tick(0)

    def _look(self, counter: int) -> None:
        state = self.server_state
        self.application.log.flush()
        if counter % _TICKS_A_SECOND == 0:
            self.application.tick(len(state.tasks))
            now = asyncio.get_running_loop().time()
            for connection in list(state.connections):
                if isinstance(connection, Connection):
                    connection.look(now)

    async def _look_on(self) -> None:
        """Go on with what `on_tick` does, which uvicorn calls no more when it ends."""
        for counter in itertools.count():
            self._look(counter)
            await asyncio.sleep(1 / _TICKS_A_SECOND)

    async def _drain(self, sockets: list[socket.socket] | None) -> None:
        await asyncio.sleep(self.application.settings.linger_seconds)
        spare = [listener.dup() for listener in sockets or []]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)
        for listener in spare:
            await self._take_rest(listener)
        await super().shutdown(sockets)

    async def _take_rest(self, listener: socket.socket) -> None:
        """Answer the connections that the kernel has accepted and nobody has taken; closing would reset them."""
        config, loop = self.config, asyncio.get_running_loop()
        protocol: Any = config.http_protocol_class
        with listener, contextlib.suppress(BlockingIOError):
            listener.settimeout(0)
            while True:
                connection, _ = listener.accept()
                await loop.connect_accepted_socket(
                    lambda: protocol(config=config, server_state=self.server_state, app_state={}, _loop=loop),
                    connection,
                )


def prepare(folder: Path, settings: Settings) -> Bento:
    """Load the Bento in `folder` as far as it can be loaded before there is a process to answer."""
    logs.configure(settings.release)
    sys.setswitchinterval(_SWITCH_SECONDS)
    return load(folder, settings)


def serve(bento: Bento, settings: Settings, sockets: list[socket.socket]) -> int:
    """Serve until SIGTERM; return the exit code."""
    application = Application(bento, settings)
    try:
        Server(_config(application), application).run(_often(sockets))
    except SystemExit:
        if application.failure is None:
            raise
    finally:
        application.log.flush()
        bento.factory.let_threads_go()
    return 0 if application.failure is None else cant_load(application.failure)


def _often(sockets: list[socket.socket]) -> list[socket.socket]:
    """The sockets, and the first one, which clients come to, as often as the loop shall accept at a turn."""
    return [*sockets, *(sockets[0].dup() for _ in range(_AT_A_TURN - 1))]


def cant_load(trace: str) -> int:
    """Say why the service can't be loaded, the reason first; return the exit code."""
    lines = trace.strip().splitlines()
    reason = lines[-1] if lines else "it does not say why"
    sys.stderr.write(f"bentoship: the service can't be loaded: {reason}\n{trace}")
    return CANT_LOAD


def loaded(folder: Path, settings: Settings) -> Bento | int:
    """What `prepare` gives, or the exit code after it has been said why there is nothing."""
    try:
        return prepare(folder, settings)
    except Exception:  # noqa: BLE001 -- whatever the user's service raises is told in one line, then in full
        return cant_load(traceback.format_exc())


def _config(application: Application) -> uvicorn.Config:
    """Let uvicorn start the application, and with it the model, before it listens."""
    settings = application.settings
    outer = around(application, allows_sites=application.cors is not None)
    limits = Limits(
        application,
        outer is application,
        settings.max_concurrency or application.bento.max_concurrency or _MOST_IN_PROGRESS,
        min(settings.max_connections, _open_files() - _SPARE_FILES),
        settings.client_seconds,
    )
    protocol: Any = functools.partial(Connection, limits)
    return uvicorn.Config(
        outer,
        http=protocol,
        proxy_headers=False,  # for what goes through to BentoML, app.py looks at them
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def _open_files() -> int:
    """How many files this process may open: as many as it may allow itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS says "unlimited" and means less
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.sysconf("SC_OPEN_MAX"))
