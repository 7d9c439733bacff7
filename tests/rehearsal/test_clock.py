from __future__ import annotations

import threading

import pytest

from bentoship.errors import InvalidConfiguration
from bentoship.rehearsal.clock import VARIABLE, Clock


def test_a_clock_that_stands_still_waits_for_nothing():
    assert Clock(0).wait(1e9)


def test_a_wait_ends_when_the_operation_is_cancelled():
    clock, answers = Clock(1), []
    waiting = threading.Thread(target=lambda: answers.append(clock.wait(600)))
    waiting.start()
    clock.cancel()
    waiting.join(10)
    assert answers == [False]
    assert not clock.wait(600)


def test_the_environment_sets_the_clock(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.5")
    assert Clock.from_environment().scale == 0.5
    monkeypatch.delenv(VARIABLE)
    assert Clock.from_environment().scale == 0.01


@pytest.mark.parametrize("said", ["fast", "-1", "nan", "inf", ""])
def test_a_clock_that_is_no_number_is_refused(monkeypatch, said):
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(InvalidConfiguration, match=VARIABLE):
        Clock.from_environment()
