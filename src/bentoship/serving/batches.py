"""Adaptive batching: requests that wait while one batch runs are answered together by the next one.

Nobody waits for company. A request that finds nothing running is run at once, by itself; the busier the service, the
more requests wait meanwhile, and the larger the batches. BentoML's own dispatcher holds requests back by what it
guesses of the latency, and looks a thousand times a second whether it should go on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bentoml._internal.runner.container import AutoContainer
from bentoml.exceptions import ServiceUnavailable

_NUMBERS = frozenset("biuf")
"""Kinds of numpy's types that are the same numbers in one another."""


@dataclass(frozen=True)
class Limits:
    """What `@bentoml.api(batchable=True, …)` says."""

    rows: int
    """`max_batch_size`: most rows of one call."""
    seconds: float
    """`max_latency_ms`, in seconds: who has waited for so long is answered 503."""
    input_dimension: int = 0
    """`batch_dim`: along which dimension requests are put together."""
    output_dimension: int = 0
    """`batch_dim`: along which dimension answers are taken apart."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """One request that waits for its answer."""

    value: Any
    rows: int
    since: float
    answer: asyncio.Future[Any]


class Batches:
    """Calls `infer` with the rows of many requests at once, one call at a time."""

    def __init__(
        self, infer: Callable[[Any], Awaitable[Any]], limits: Limits, count: Callable[[int], object] = lambda _: None
    ) -> None:
        self._infer = infer
        self._limits = limits
        self._count = count
        self._queue: deque[_Waiting] = deque()
        self._running: Sequence[_Waiting] = ()
        """The batch that `infer` is at."""
        self._work: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, value: Any) -> Any:
        """What `infer` answers to the rows of `value`, in whatever batch they are.

        Raises what `infer` raises, to every request of that batch; ServiceUnavailable after waiting for too long.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(value, self._rows(value), loop.time(), loop.create_future())
        self._queue.append(waiting)
        if self._work is None:
            self._work = loop.create_task(self._run_all())
        if self._timer is None:
            self._timer = loop.call_later(self._limits.seconds, self._look_for_late_ones)
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Stop the call that runs when nobody waits for its answer any more: the next batch waits behind it."""
        if self._work and self._running and all(one.answer.done() for one in self._running):
            self._running = ()  # it is asked once: what it does to end is not to be broken off
            self._work.cancel()

    async def _run_all(self) -> None:
        try:
            while batch := self._next():
                await self._run(batch)
        finally:
            self._work = None

    def _next(self) -> list[_Waiting]:
        """Those who have waited longest, as many as go into one call; more rows than that are a batch of their own."""
        self._refuse_late_ones()
        batch: list[_Waiting] = []
        rows = 0
        while self._queue and (not batch or rows + self._queue[0].rows <= self._limits.rows):
            waiting = self._queue.popleft()
            if not waiting.answer.done():  # a client that went away takes its request with it
                batch.append(waiting)
                rows += waiting.rows
        return batch

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        values = [one.value for one in batch]
        try:
            if not _go_together(values):
                return await self._run_each(batch)
            together, ends = AutoContainer.batches_to_batch(values, self._limits.input_dimension)
        except Exception as fault:  # noqa: BLE001 -- such as arrays of different shapes
            return await self._run_each(batch) if len(batch) > 1 else _refuse(batch, fault)
        self._count(len(batch))
        self._running = batch
        try:
            result = await self._in_parts(together, batch[0].rows if len(batch) == 1 else 0)
            answers = AutoContainer.batch_to_batches(result, ends, self._limits.output_dimension)
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)
        except asyncio.CancelledError:
            work = asyncio.current_task()
            if work is None or not all(one.answer.done() for one in batch):
                raise
            while work.uncancel():
                pass
        except Exception as fault:  # noqa: BLE001 -- whatever the user's service raises is raised to who asked
            _refuse(batch, fault)
        finally:
            self._running = ()

    async def _run_each(self, batch: Sequence[_Waiting]) -> None:
        """Answer them one by one: none of them is wrong by itself."""
        for one in batch:
            await self._run([one])

    async def _in_parts(self, value: Any, rows: int) -> Any:
        """What `infer` answers to `value`, in several calls when one request has more `rows` than go into one."""
        most, limits = self._limits.rows, self._limits
        if rows <= most:
            return await self._infer(value)
        ends = [*range(0, rows, most), rows]
        parts = AutoContainer.batch_to_batches(value, ends, limits.input_dimension)
        results = [await self._infer(part) for part in parts]
        return AutoContainer.batches_to_batch(results, limits.output_dimension)[0]

    def _rows(self, value: Any) -> int:
        try:
            size: Any = AutoContainer.get_batch_size(value, self._limits.input_dimension)
            return int(size[0] if isinstance(size, tuple) else size)  # of a frame, BentoML gives the shape
        except Exception:  # noqa: BLE001 -- putting it together with others will say what is wrong with it
            return 1

    def _look_for_late_ones(self) -> None:
        self._timer = None
        self._refuse_late_ones()
        if self._queue:
            due = self._queue[0].since + self._limits.seconds
            self._timer = asyncio.get_running_loop().call_at(due, self._look_for_late_ones)

    def _refuse_late_ones(self) -> None:
        latest = asyncio.get_running_loop().time() - self._limits.seconds
        while self._queue and self._queue[0].since <= latest:
            _refuse([self._queue.popleft()], ServiceUnavailable("process is overloaded"))


def _go_together(values: Sequence[Any]) -> bool:
    """Whether each of them is the same among the others: no column is added to it, no number becomes a text."""
    first, *others = values
    if hasattr(first, "columns"):
        wanted = [list(first.columns), list(first.dtypes)]
        return all([list(one.columns), list(one.dtypes)] == wanted for one in others)
    if hasattr(first, "dtype"):
        types = {one.dtype for one in values}
        return len(types) == 1 or {one.kind for one in types} <= _NUMBERS
    return True


def _refuse(batch: Sequence[_Waiting], fault: Exception) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(fault)
