"""A public address of one machine: no health check, no second machine, and what it cuts off is cut off."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable

from ...host.router import Backend, Router
from .machine import Machine
from .plane import Plane


def loopback(plane: Plane, identity: str) -> str:
    """An address of this machine for the resource `identity`, the same every time, in place of a cloud's public one.

    All of 127.0.0.0/8 is this machine (RFC 6890); Linux listens at any of it without being told first. Each rehearsal
    has addresses of its own, though the same names stand in several.
    """
    digest = hashlib.sha256(f"{plane.root} {identity}".encode()).digest()
    return f"127.{64 + digest[0] % 128}.{digest[1]}.{1 + digest[2] % 254}"


class Front:
    """An address that leads to one machine at a time."""

    def __init__(self, plane: Plane, host: str) -> None:
        self._plane, self._host = plane, host
        self._routers: list[Router] = []
        self._watch: asyncio.Task[None] | None = None

    async def lead_to(self, machine: Machine, ports: Iterable[int]) -> None:
        """Lead to `machine` from now on; the connections to where it led before are cut off."""
        await self.close()
        backend = Backend()
        for port in ports:
            router = Router(patience=0, drain=0, second_try=False)
            await router.__aenter__()
            self._routers.append(router)
            router.route({machine.name: backend}, {machine.name: 1})
            await router.listen(self._host, port)
        self._watch = self._plane.start(self._follow(machine, backend))

    async def close(self) -> None:
        """Lead nowhere; connections are cut off."""
        if self._watch:
            self._watch.cancel()
        routers, self._routers = self._routers, []
        for router in routers:
            await router.__aexit__(None, None, None)

    async def _follow(self, machine: Machine, backend: Backend) -> None:
        while True:
            backend.url = machine.url or machine.direct_url
            for router in self._routers:
                router.refresh()
            await self._plane.changed.wait()
