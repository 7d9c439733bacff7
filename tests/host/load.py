"""Clients that ask without pause, or at a steady rate, and remember every answer."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from functools import partial

import aiohttp
import httpx

PATIENCE = 60
"""Seconds that a test waits for an answer: its machine may have much else to do."""
get, post = partial(httpx.get, timeout=PATIENCE), partial(httpx.post, timeout=PATIENCE)


@dataclass(frozen=True)
class Answer:
    sent: float
    status: int | None
    text: str


class Load:
    """To be entered; on leaving, every request that was sent has been answered or is counted as lost."""

    def __init__(self, url: str, connections: int = 8, pause: float = 0, body: bytes = b"x"):
        self.url = url
        self.body = body
        self.connections = connections
        self.pause = pause
        self.answers: list[Answer] = []
        self.sent = 0
        self._progress = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self):
        self._thread.start()
        self.more(self.connections)
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()

    def more(self, count: int) -> None:
        """Wait until `count` more requests are answered than now."""
        with self._progress:
            goal = len(self.answers) + count
            assert self._progress.wait_for(lambda: len(self.answers) >= goal, timeout=PATIENCE)

    def texts(self, since: float = 0) -> set[str]:
        return {answer.text for answer in self.answers if answer.sent >= since}

    def lost(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200]

    async def _run(self):
        connector = aiohttp.TCPConnector(limit=self.connections)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
            await asyncio.gather(*(self._ask_on(session) for _ in range(self.connections)))

    async def _ask_on(self, session):
        while not self._stopped.is_set():
            begin = time.monotonic()
            self.sent += 1
            try:
                async with session.post(self.url, data=self.body) as response:
                    answer = Answer(begin, response.status, await response.text())
            except (aiohttp.ClientError, TimeoutError) as error:
                answer = Answer(begin, None, repr(error))
            with self._progress:
                self.answers.append(answer)
                self._progress.notify_all()
            await asyncio.sleep(max(0, begin + self.pause - time.monotonic()) if self.pause else 0)
