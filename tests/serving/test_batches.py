"""Requests that wait while one batch runs are answered together by the next one, and each gets its own answer."""

from __future__ import annotations

import asyncio

import numpy as np
import pandas as pd
import pytest
from bentoml.exceptions import ServiceUnavailable

from bentoship.serving.batches import Batches, Limits


class Model:
    """Doubles rows; notes the size of each call, and goes on when it may."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.called = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, rows):
        self.sizes.append(len(rows))
        self.called.set()
        await self.may_answer.wait()
        if "broken" in rows:
            raise ValueError("a broken row")
        return rows * 2 if isinstance(rows, np.ndarray) else [row * 2 for row in rows]


async def behind_one(batches, model, values) -> list:
    """The answers to `values`, all of which come while a first request is being answered."""
    first = asyncio.create_task(batches([0]))
    await model.called.wait()
    others = [asyncio.create_task(batches(value)) for value in values]
    await asyncio.sleep(0)  # each of them begins, and waits
    model.may_answer.set()
    return [await first, *await asyncio.gather(*others, return_exceptions=True)]


def limits(rows=100, seconds=60.0) -> Limits:
    return Limits(rows, seconds)


def test_who_comes_while_a_batch_runs_is_in_the_next_one():
    async def story():
        model, counted = Model(), []
        answers = await behind_one(Batches(model, limits(), counted.append), model, [[1], [2, 3], [4]])
        assert answers == [[0], [2], [4, 6], [8]]
        assert (model.sizes, counted) == ([1, 4], [1, 3])

    asyncio.run(story())


def test_who_finds_nothing_running_does_not_wait():
    async def story():
        model = Model()
        model.may_answer.set()
        batches = Batches(model, limits())
        assert [await batches([number]) for number in range(3)] == [[0], [2], [4]]
        assert model.sizes == [1, 1, 1]

    asyncio.run(story())


def test_a_call_has_no_more_rows_than_the_service_says():
    async def story():
        model = Model()
        answers = await behind_one(Batches(model, limits(rows=3)), model, [[1, 1], [2], [3, 3], [4, 4], [5] * 7])
        assert answers == [[0], [2, 2], [4], [6, 6], [8, 8], [10] * 7]
        assert model.sizes == [1, 3, 2, 2, 3, 3, 1]

    asyncio.run(story())


def test_the_batch_that_fails_fails_for_all_in_it_and_for_nobody_else():
    async def story():
        model = Model()
        first, *second, third = await behind_one(Batches(model, limits(rows=2)), model, [["a"], ["broken"], ["b"]])
        assert (first, third) == ([0], ["bb"])
        assert [str(fault) for fault in second] == ["a broken row"] * 2

    asyncio.run(story())


def test_rows_that_do_not_go_together_are_answered_one_by_one():
    async def story():
        model = Model()
        wide, narrow = np.ones((1, 3)), np.ones((2, 2))
        _, *answers = await behind_one(Batches(model, limits()), model, [wide, narrow])
        assert [answer.tolist() for answer in answers] == [[[2.0, 2.0, 2.0]], [[2.0, 2.0], [2.0, 2.0]]]
        assert model.sizes == [1, 1, 2]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"a": [3], "c": [4]})),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": ["x"]})),
        (np.array([[1, 2]]), np.array([["x", "y"]])),
    ],
    ids=["columns", "types of columns", "types"],
)
def test_what_would_change_one_another_is_answered_one_by_one(one, other):
    async def story():
        model = Model()
        calls: list = []

        async def note(value):
            calls.append(value)
            return await model(value) if isinstance(value, list) else value

        _, *answers = await behind_one(Batches(note, limits()), model, [one, other])
        assert [str(answer) for answer in answers] == [str(one), str(other)]
        assert len(calls) == 3

    asyncio.run(story())


def test_whole_numbers_and_fractions_go_together_and_rows_of_frames_are_counted():
    async def story():
        model = Model()
        _, *answers = await behind_one(Batches(model, limits()), model, [np.ones((1, 2), int), np.ones((2, 2))])
        assert [answer.tolist() for answer in answers] == [[[2.0, 2.0]], [[2.0, 2.0], [2.0, 2.0]]]
        assert model.sizes == [1, 3]
        model, sizes = Model(), []

        async def measure(frame):
            sizes.append(len(frame))
            return await model(frame) if isinstance(frame, list) else frame

        frames = [pd.DataFrame({"a": range(rows)}) for rows in (7, 5, 5)]
        await behind_one(Batches(measure, limits(rows=10)), model, frames)
        assert sizes == [1, 7, 10]

    asyncio.run(story())


def test_who_went_away_is_not_computed():
    async def story():
        model = Model()
        batches = Batches(model, limits())
        first = asyncio.create_task(batches([0]))
        await model.called.wait()
        gone, stays = asyncio.create_task(batches([1])), asyncio.create_task(batches([2]))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        model.may_answer.set()
        assert (await first, await stays) == ([0], [4])
        assert model.sizes == [1, 1]

    asyncio.run(story())


def test_a_call_that_nobody_waits_for_any_more_is_stopped_and_the_next_one_runs():
    async def story():
        model = Model()
        batches = Batches(model, limits())
        hangs = asyncio.create_task(batches([0]))
        await model.called.wait()
        after = asyncio.create_task(batches([1]))
        await asyncio.sleep(0)  # it begins, and waits
        hangs.cancel()
        model.called.clear()
        await model.called.wait()
        model.may_answer.set()
        assert await after == [2]
        assert await batches([3]) == [6]

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_call_that_one_still_waits_for_goes_on():
    async def story():
        model = Model()
        batches = Batches(model, limits())
        first = asyncio.create_task(batches([0]))
        await model.called.wait()
        pair = [asyncio.create_task(batches([number])) for number in (1, 2)]
        await asyncio.sleep(0)
        model.called.clear()
        model.may_answer.set()
        await first
        model.may_answer.clear()
        await model.called.wait()
        pair[0].cancel()
        await asyncio.sleep(0)
        model.may_answer.set()
        assert await pair[1] == [4]
        assert model.sizes == [1, 2]

    asyncio.run(asyncio.wait_for(story(), 60))


def test_who_has_waited_too_long_is_refused_while_the_batch_still_runs():
    async def story():
        model = Model()
        batches = Batches(model, limits(seconds=0.01))
        first = asyncio.create_task(batches([0]))
        await model.called.wait()
        with pytest.raises(ServiceUnavailable, match="overloaded"):
            await batches([1])
        model.may_answer.set()
        assert await first == [0]
        assert await batches([2]) == [4]

    asyncio.run(story())
