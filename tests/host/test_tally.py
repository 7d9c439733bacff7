from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from bentoship.host.tally import Answers, Tally


def tally(*answers):
    counted = Tally()
    for status, seconds in answers:
        counted.answered(status, seconds)
    return counted.answers()


def test_answers_of_500_and_above_have_failed_and_so_has_what_was_never_answered():
    counted = Tally()
    for status in (200, 404, 422, 499, 500, 503):
        counted.answered(status, 0.1)
    counted.ended()
    assert (counted.answers().count, counted.answers().failed) == (7, 3)


def test_a_percentile_is_right_to_a_tenth():
    found = tally(*((200, milliseconds / 1000) for milliseconds in range(1, 101)))
    for percent in (1, 50, 95, 100):
        assert percent <= found.percentile(percent) <= 1.1 * percent


@pytest.mark.parametrize("seconds", [0, 1e-9, 1e-3, 86_400])
def test_no_latency_is_out_of_range(seconds):
    assert tally((200, seconds)).percentile(50) >= seconds * 1000


def test_without_answers_there_is_no_percentile():
    assert Answers().percentile(95) is None


def test_what_is_sent_as_json_comes_back():
    found = tally((200, 0.01), (500, 2))
    assert Answers.of(json.loads(json.dumps(asdict(found)))) == found
