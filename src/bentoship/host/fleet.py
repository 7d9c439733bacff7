"""The releases of one deployment on this machine, behind their router; what shall run is written down first."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bentoship.errors import HostError

from . import bytecode, child, ports, state
from .logs import FOLDER, SUPERVISOR, Journal
from .replica import Replica
from .router import Router
from .state import State, Wanted
from .status import ReleaseStatus, Status, short


class Fleet:
    """All that one supervisor runs. To be entered before use; leaving it drains and ends everything."""

    def __init__(self, directory: Path, wished: State) -> None:
        self._directory = directory
        self._state = wished
        settings = wished.settings
        self._router = Router(settings.patience, settings.waiting_requests, settings.drain)
        self._journal = Journal(directory / FOLDER, settings.log_bytes, settings.log_files)
        self._replicas: dict[str, Replica] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        """Listen, and start what the state says. Raises HostError when the port is taken."""
        await self._router.__aenter__()
        try:
            await self.listen(self._state.host, self._state.port)
        except BaseException:
            await self._router.__aexit__(None, None, None)
            raise
        self._end_leftovers()
        for release_id, wanted in self._state.releases.items():
            self._replicas[release_id] = self._replica(release_id, wanted)
        self._reroute()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._journal.close)
            stack.push_async_callback(self._stop_all)
            stack.push_async_exit(self._router)

    async def listen(self, host: str, port: int) -> str:
        """Answer at `host`:`port`, where 0 keeps the port that there is or chooses one; return the stable URL."""
        if self._router.listens and host == self._state.host and port in (0, self._state.port):
            return self.url
        bound = await self._router.listen(host, port)
        self._remember(replace(self._state, host=host, port=bound))
        return self.url

    async def start(self, release_id: str, wanted: Wanted) -> ReleaseStatus:
        """Have the release run as `wanted`, beside the others, and wait until it is ready.

        One that runs so already stays; one that runs otherwise is replaced when the new one is ready. Raises
        HostError when it doesn't become ready; nothing of the new one is left running then.
        """
        async with self._locks[release_id]:
            current = self._replicas.get(release_id)
            if current and current.wanted.runs_like(wanted):
                await current.started()
                if release_id not in self._state.releases:
                    self._remember(self._state.with_release(release_id, wanted))
                return current.status()
            self._journal.forget_oldest({short(name) for name in (release_id, *self._replicas)})
            fresh = self._replica(release_id, wanted)
            try:
                await fresh.started()
                self._remember(self._state.with_release(release_id, wanted))
            except BaseException:
                await fresh.stop()
                raise
            self._replicas[release_id] = fresh
            self._reroute()
            if current:
                await current.stop()
            return fresh.status()

    async def stop(self, release_id: str) -> None:
        """Take the traffic from the release, wait for its requests in flight, end it."""
        async with self._locks[release_id]:
            self._remember(self._state.without_release(release_id))
            if current := self._replicas.pop(release_id, None):
                await current.stop()
                await self._forget_bytecode(current.wanted.directory)
                self._say(f"release {short(release_id)} is stopped")

    def route(self, traffic: Mapping[str, int]) -> None:
        """Split the requests from now on by `traffic`, percent by release id. Raises HostError when it can't."""
        unknown = [short(release_id) for release_id in traffic if release_id not in self._replicas]
        if unknown:
            raise HostError("traffic", f"goes to {', '.join(unknown)}, which does not run here", "start it first")
        if sum(traffic.values()) != 100 or min(traffic.values()) < 0:  # noqa: PLR2004
            raise HostError("traffic", f"must be percents that add up to 100, not {list(traffic.values())}")
        self._remember(replace(self._state, traffic=dict(traffic)))
        self._say("traffic: " + ", ".join(f"{short(key)} {value} %" for key, value in traffic.items()))

    @property
    def url(self) -> str:
        """The stable URL."""
        return ports.url(self._state.host, self._state.port)

    def status(self) -> Status:
        """What runs now."""
        # Asked from a thread of its own, while releases come and go.
        releases = tuple(replica.status() for replica in list(self._replicas.values()))
        return Status(self.url, self._state.port, os.getpid(), releases, self._state.traffic)

    def _replica(self, release_id: str, wanted: Wanted) -> Replica:
        return Replica(
            release_id,
            wanted,
            self._directory,
            self._state.settings,
            changed=self._router.refresh,
            print_line=self._journal.write,
        )

    def _remember(self, wished: State) -> None:
        if self._directory.is_dir():  # nobody comes back to a directory that was removed while we ran
            state.write(self._directory, wished)
        self._state = wished
        self._reroute()

    async def _forget_bytecode(self, unpacked: str) -> None:
        """Remove what was compiled of the folder `unpacked`, unless something still runs from there."""
        if all(replica.wanted.directory != unpacked for replica in self._replicas.values()):
            await asyncio.to_thread(bytecode.forget, self._directory / bytecode.FOLDER, Path(unpacked))

    def _reroute(self) -> None:
        backends = {release_id: replica.backend for release_id, replica in self._replicas.items()}
        self._router.route(backends, self._state.traffic)

    async def _stop_all(self) -> None:
        await asyncio.gather(*(replica.stop() for replica in self._replicas.values()))
        self._say("supervisor ends")

    def _end_leftovers(self) -> None:
        if pids := child.end_leftovers(self._directory):
            self._say(f"ended what an earlier supervisor had left running: {', '.join(map(str, pids))}")
        shutil.rmtree(self._directory / "run", ignore_errors=True)

    def _say(self, sentence: str) -> None:
        self._journal.write(SUPERVISOR, sentence)
