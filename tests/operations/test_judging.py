"""When a canary is worse than the release beside it, and when that may be chance."""

from __future__ import annotations

from math import comb

import pytest

from bentoship import targets
from bentoship.host.tally import Answers, Tally
from bentoship.operations.canary import chance, worse


def answers(count, failed=0, seconds=0.01):
    tally = Tally()
    for number in range(count):
        tally.answered(500 if number < failed else 200, seconds)
    return tally.answers()


@pytest.mark.parametrize(("count", "failed", "usual"), [(10, 2, 0.01), (30, 4, 0.01), (200, 60, 0.2), (5, 5, 0.5)])
def test_the_chance_is_the_tail_of_the_binomial_distribution(count, failed, usual):
    tail = sum(comb(count, k) * usual**k * (1 - usual) ** (count - k) for k in range(failed, count + 1))
    assert chance(count, failed, usual) == pytest.approx(tail, rel=1e-9)


@pytest.mark.parametrize(
    ("count", "failed", "usual"), [(0, 0, 0.01), (100, 1, 0.01), (10, 10, 1.0), (10**6, 10**4, 0.01)]
)
def test_no_more_failures_than_usual_say_nothing(count, failed, usual):
    assert chance(count, failed, usual) == 1


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (answers(0), answers(0)),
        (answers(100), answers(1, failed=1)),  # one of one may be chance
        (answers(1000), answers(1000, failed=10)),
        (answers(1000, failed=200), answers(100, failed=25)),  # the stable one is no better
        (answers(100), answers(10, seconds=5)),  # too few to compare latencies
        (answers(100, seconds=0.001), answers(100, seconds=0.02)),  # slower, and nobody notices
    ],
)
def test_what_may_be_chance_is_let_through(stable, canary):
    assert worse(stable, canary) is None


@pytest.mark.parametrize(
    ("stable", "canary", "clause"),
    [
        (answers(100), answers(2, failed=2), "2 of its 2 requests failed"),
        (answers(1000), answers(100, failed=8), "8 of its 100 requests failed, and 0 of 1000"),
        (Answers(), answers(10, failed=5), "5 of its 10 requests failed"),
        (answers(100, seconds=0.1), answers(20, seconds=0.5), "95 % of its answers came within"),
    ],
)
def test_what_is_beyond_chance_is_told(stable, canary, clause):
    assert clause in worse(stable, canary)


def test_every_target_says_whether_it_can_divide_the_traffic_and_by_what_means():
    said = {name: targets.find(name).splitting for name in targets.names()}
    assert all(splitting.reason for splitting in said.values())
    assert said["local"].how == "counted"
    assert (said["aws/elastic_beanstalk"].how, said["aws/ec2"].how) == ("platform", "never")
