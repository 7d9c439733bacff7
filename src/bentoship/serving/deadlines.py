"""The time-out of requests, with one timer for all of them.

BentoML sets a timer for every request and never cancels it, which keeps the request in memory for as long.
"""

from __future__ import annotations

import asyncio


class Deadlines:
    """Cancels tasks that have been at it for `seconds`. All have the same time: the first in is the first due."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: dict[asyncio.Task[None], float] = {}
        self._expired: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, task: asyncio.Task[None], loop: asyncio.AbstractEventLoop) -> None:
        """Begin to count for `task`."""
        self._due[task] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._expire, loop)

    def leave(self, task: asyncio.Task[None]) -> None:
        """Count no longer for `task`."""
        self._due.pop(task, None)
        self._expired.discard(task)

    def has_expired(self, task: asyncio.Task[None]) -> bool:
        """Whether it was this time-out that cancelled `task`, which from now on is no longer being cancelled."""
        if task not in self._expired:
            return False
        self._expired.discard(task)
        task.uncancel()
        return True

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._timer = loop.time(), None
        for task, due in list(self._due.items()):
            if due > now:
                self._timer = loop.call_at(due, self._expire, loop)
                return
            del self._due[task]
            self._expired.add(task)
            task.cancel()
