"""A load balancer of a rehearsal: an address, targets that it asks for their health, requests split by weight."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from ...host.router import Backend, Router
from ..clock import Clock

State = Literal["initial", "healthy", "unhealthy", "draining"]
SHORTEST_INTERVAL = 0.05
"""Seconds between two health checks at least, whatever the clock says."""
SHORTEST_DRAIN = 10.0
"""Seconds that a target gets to finish its requests at least: those take their own time, whatever the clock says."""
_OK = range(200, 300)


@dataclass(frozen=True)
class HealthCheck:
    """How a load balancer asks. Seconds are the cloud's."""

    path: str = "/readyz"
    interval: float = 10
    timeout: float = 5
    healthy: int = 2
    """So many good answers in a row make a target healthy."""
    unhealthy: int = 3


@dataclass(eq=False)
class Target:
    """One place that requests can go to."""

    name: str
    url: Callable[[], str | None]
    """Where it answers now."""
    weight: int
    backend: Backend = field(default_factory=Backend)
    state: State = "initial"
    """Initial until it is healthy for the first time: a release that is loading its model is no failure yet."""
    good: int = 0
    bad: int = 0


class Balancer:
    """Sends requests to healthy targets. To be opened before it answers, and closed for good."""

    def __init__(self, clock: Clock, check: HealthCheck, drain: float = SHORTEST_DRAIN) -> None:
        self.check = check
        self._clock = clock
        self._targets: dict[str, Target] = {}
        self._drain = drain
        self._router: Router | None = None
        self._changed = asyncio.Event()
        self._checks: dict[str, asyncio.Task[None]] = {}

    async def open(self, host: str, port: int) -> int:
        """Answer at `host`:`port` from now on; the port, where 0 asked for a free one. HostError when it is taken."""
        await self.shut()
        # A load balancer waits for no target, and sends nothing a second time.
        self._router = Router(patience=0, drain=self._drain, second_try=False)
        await self._router.__aenter__()
        self._route()
        return await self._router.listen(host, port)

    async def shut(self) -> None:
        """Answer no more, at once for those who connect, after their answers for those who wait; ask on."""
        router, self._router = self._router, None
        if router:
            await router.__aexit__(None, None, None)

    async def close(self) -> None:
        """Answer no more, and ask no more."""
        for task in self._checks.values():
            task.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)
        await self.shut()

    def register(self, name: str, url: Callable[[], str | None], weight: int = 1) -> None:
        """Ask this target for its health from now on, and send it requests while it is healthy."""
        if name in self._targets:
            return
        self._targets[name] = Target(name, url, weight)
        self._checks[name] = asyncio.create_task(self._check(self._targets[name]))
        self._route()

    async def deregister(self, name: str) -> None:
        """Send this target no more requests; wait for those that it has."""
        if (target := self._targets.get(name)) is None or target.state == "draining":
            return
        target.state, target.weight = "draining", 0
        self._checks.pop(name).cancel()
        self._route()
        await target.backend.idle(self._drain)
        self._targets.pop(name, None)
        self._route()

    def weigh(self, weights: Mapping[str, int]) -> None:
        """Split the requests so from now on; a target that is not named keeps its weight."""
        for name, weight in weights.items():
            self._targets[name].weight = weight
        self._route()

    def health(self) -> dict[str, State]:
        """What it thinks of each target."""
        return {name: target.state for name, target in self._targets.items()}

    async def changed(self, within: float) -> None:
        """Wait until the health of a target has changed, or `within` seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._changed.wait()

    def _route(self) -> None:
        backends = {name: target.backend for name, target in self._targets.items()}
        if self._router:
            self._router.route(backends, {name: target.weight for name, target in self._targets.items()})
        self._changed.set()
        self._changed = asyncio.Event()

    async def _check(self, target: Target) -> None:
        pause = max(self.check.interval * self._clock.scale, SHORTEST_INTERVAL)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                self._judge(target, await _is_well(session, target.url(), self.check))
                await asyncio.sleep(pause)

    def _judge(self, target: Target, well: bool) -> None:  # noqa: FBT001 - the outcome of one check
        target.good, target.bad = (target.good + 1, 0) if well else (0, target.bad + 1)
        before = target.state, target.backend.url
        if target.good >= self.check.healthy:
            target.state, target.backend.url = "healthy", target.url()
        elif target.bad >= self.check.unhealthy and target.state == "healthy":
            target.state, target.backend.url = "unhealthy", None
        if before != (target.state, target.backend.url):
            self._route()


async def _is_well(session: aiohttp.ClientSession, url: str | None, check: HealthCheck) -> bool:
    if url is None:
        return False
    try:
        async with session.get(f"{url}{check.path}", timeout=aiohttp.ClientTimeout(total=check.timeout)) as answer:
            return answer.status in _OK
    except (aiohttp.ClientError, TimeoutError):
        return False
