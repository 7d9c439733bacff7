from __future__ import annotations

from bentoship.host.replica import pause


def test_the_first_death_costs_no_pause_and_later_ones_ever_more_up_to_a_bound():
    pauses = [pause(deaths, 30, was_ready=True) for deaths in range(1, 9)]
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]


def test_a_release_that_never_got_ready_is_not_started_again_at_once():
    assert pause(1, 30, was_ready=False) == 1
    assert pause(1000, 30, was_ready=False) == 30
