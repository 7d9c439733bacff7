"""Keeps one release running: starts it, waits until it is ready, asks whether it lives, starts it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from bentoship.errors import HostError

from . import child, ports
from .child import Child
from .logs import SUPERVISOR
from .router import Backend
from .state import Settings, Wanted
from .status import ReleaseStatus, short

READY_PATH = "/readyz"
LIVE_PATH = "/livez"
_POLL = 0.05
_PROBE_TIMEOUT = 5.0
_STARTS = 3


class Replica:
    """One release on this machine, from the first start to the last.

    `changed` is called whenever it has become ready or ceased to be; `print_line` gets the source and the text of
    each line of its output. `directory` is the one of the supervisor.
    """

    def __init__(
        self,
        release_id: str,
        wanted: Wanted,
        directory: Path,
        settings: Settings,
        *,
        changed: Callable[[], None],
        print_line: Callable[[str, str], None],
    ) -> None:
        self.id = release_id
        self.wanted = wanted
        self.backend = Backend()
        self._directory = directory
        self._settings = settings
        self._changed = changed
        self._print_line = print_line
        self._child: Child | None = None
        self._restarts = 0
        self._failure: HostError | None = None
        self._attempt: asyncio.Future[HostError | None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep())

    async def started(self) -> None:
        """Wait until it is ready; raises HostError when the start that goes on now, or went on last, failed."""
        attempt = self._attempt
        either: set[asyncio.Future[Any]] = {attempt, self._task}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not attempt.done():
            self._task.result()  # the keeper ended without a verdict: a defect, whose traceback is here
        elif failure := attempt.result():
            raise failure

    async def stop(self) -> None:
        """Wait for the requests in flight, then end it and all that it started."""
        await self.backend.idle(self._settings.drain)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._unready()
        if self._child:
            await child.end(self._child, self._settings.grace)
            self._child = None

    def status(self) -> ReleaseStatus:
        """What there is to know about it now."""
        running = self._child
        return ReleaseStatus(
            id=self.id,
            url=running.url if running else None,
            pid=running.pid if running else None,
            ready=self.backend.url is not None,
            restarts=self._restarts,
            started_at=running.started_at if running else None,
            rss_bytes=child.rss_bytes(running.pid) if running else 0,
            requests=self.backend.requests,
            in_flight=self.backend.in_flight,
            answers=self.backend.tally.answers(),
            failure=str(self._failure) if self._failure else None,
        )

    async def _keep(self) -> None:
        deaths = 0
        while True:
            ready_for = await self._live_once()
            deaths = 1 if ready_for and ready_for > self._settings.steady_after else deaths + 1
            was_ready = ready_for is not None
            await asyncio.sleep(pause(deaths, self._settings.longest_pause, was_ready=was_ready))
            self._restarts += 1

    async def _live_once(self) -> float | None:
        """Start it and watch it to its end; return for how many seconds it was ready, if it ever was."""
        self._begin_attempt()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            try:
                running = await self._start(session)
            except HostError as failure:
                self._note(failure)
                self._attempt.set_result(failure)
                return None
            begin = asyncio.get_running_loop().time()
            self._become_ready(running)
            self._note(await self._watch(running, session))
            return asyncio.get_running_loop().time() - begin

    async def _start(self, session: aiohttp.ClientSession) -> Child:
        for _ in range(_STARTS):
            running = await self._spawn()
            fault = await self._until_ready(running, session)
            if not fault:
                return running
            port_was_taken = not ports.listens(running.pid, running.port) and not ports.is_free(running.port)
            await self._discard()
            if not port_was_taken:
                raise _failure(self.id, fault, running)
        raise _failure(self.id, "found its port taken by another process, several times over", running)

    async def _spawn(self) -> Child:
        try:
            self._child = await child.start(
                self.wanted,
                self._directory,
                self._directory / "run",
                lambda line: self._print_line(short(self.id), line),
            )
        except OSError as error:
            raise HostError(
                f"release {short(self.id)}",
                f"can't be started in {self.wanted.directory} ({error.strerror})",
                "deploy it again, which unpacks it again",
            ) from error
        return self._child

    async def _until_ready(self, running: Child, session: aiohttp.ClientSession) -> str | None:
        """Wait until it is ready; else a clause that tells why it isn't."""
        exited = asyncio.create_task(running.process.wait())
        probe = asyncio.create_task(_poll(session, running))
        try:
            timeout = self.wanted.ready_timeout
            await asyncio.wait([exited, probe], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                return f"{child.how_it_ended(exited.result())} before it was ready"
            return None if probe.done() else f"was not ready within {timeout:g} seconds"
        finally:
            probe.cancel()
            exited.cancel()

    async def _watch(self, running: Child, session: aiohttp.ClientSession) -> HostError:
        """Wait until it has died or hangs; return what happened."""
        exited = asyncio.create_task(running.process.wait())
        hangs = asyncio.create_task(self._until_it_hangs(running, session))
        try:
            await asyncio.wait([exited, hangs], return_when=asyncio.FIRST_COMPLETED)
            died = exited.done()
        finally:
            hangs.cancel()
            exited.cancel()
        self._begin_attempt()
        self._unready()
        code = await self._discard()
        return _failure(self.id, child.how_it_ended(code) if died else "no longer answered /livez", running)

    async def _until_it_hangs(self, running: Child, session: aiohttp.ClientSession) -> None:
        misses = 0
        while misses < self._settings.liveness_misses:
            await asyncio.sleep(self._settings.liveness_interval)
            status = await _ask(session, f"{running.url}{LIVE_PATH}", self._settings.liveness_timeout)
            misses = 0 if status and status < 500 else misses + 1  # noqa: PLR2004

    async def _discard(self) -> int:
        running, self._child = self._child, None
        return await child.kill(running) if running else 0

    def _begin_attempt(self) -> None:
        if self._attempt.done():
            self._attempt = asyncio.get_running_loop().create_future()

    def _become_ready(self, running: Child) -> None:
        self.backend.url = running.url
        self._print_line(SUPERVISOR, f"release {short(self.id)} is ready (pid {running.pid}, port {running.port})")
        self._attempt.set_result(None)
        self._changed()

    def _unready(self) -> None:
        self.backend.url = None
        self._changed()

    def _note(self, failure: HostError) -> None:
        self._failure = failure
        self._print_line(SUPERVISOR, f"release {short(self.id)} {failure.problems[0].fault}")


def pause(deaths: int, longest: float, *, was_ready: bool) -> float:
    """Seconds until a release is started again that has died `deaths` times in a row: 0, 1, 2, 4 … `longest`.

    One that was not even ready is never started again at once.
    """
    if deaths <= 1:
        return 0.0 if was_ready else min(1.0, longest)
    return float(min(2 ** min(deaths - 2, 30), longest))


async def _poll(session: aiohttp.ClientSession, running: Child) -> None:
    # The port was free when it was chosen, but another process may be the one that answers on it now.
    while True:
        if await _ask(session, f"{running.url}{READY_PATH}", _PROBE_TIMEOUT) == 200:  # noqa: PLR2004, SIM102
            if await asyncio.to_thread(ports.listens, running.pid, running.port):
                return
        await asyncio.sleep(_POLL)


async def _ask(session: aiohttp.ClientSession, url: str, within: float) -> int | None:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=within)) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return None


def _failure(release_id: str, fault: str, running: Child) -> HostError:
    lines = "".join(f"\n    {line}" for line in running.last_lines)
    remedy = f"its last lines were:{lines}" if lines else "it printed nothing; look at its run.sh"
    return HostError(f"release {short(release_id)}", fault, remedy)
