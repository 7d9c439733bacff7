"""A canary, on the local target: it goes on or back by itself, and whoever interrupts it can end it."""

from __future__ import annotations

import fcntl
import signal
import time

import psutil
import pytest
from conftest_operations import Customers, history, live, versions

from bentoship.host import state
from bentoship.host.control import UNPACKED
from bentoship.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two_releases")]


def shares(shop):
    (found,) = shop.ask("traffic", "dev")["deployments"]
    return {(share["role"], share["release"]): share["percent"] for share in found["shares"]}


def begin(shop, how, percent="30"):
    """Begin a canary that is watched for long, and end the command that watches it by the signal `how`."""
    going = shop.start("up", "dev", "--canary", percent, "--for", "1h")
    while len(state.read(shop.supervisor.directory).traffic) < 2 and going.poll() is None:
        time.sleep(0.01)
    while "% of the traffic" not in going.stderr.readline():
        assert going.poll() is None
    going.send_signal(how)
    going.communicate(timeout=60)
    return going.returncode


def watched(shop, duration):
    """The command that watches a canary, once it does."""
    going = shop.start("up", "dev", "--canary", "30", "--for", duration)
    while "% of the traffic" not in going.stderr.readline():
        assert going.poll() is None
    return going


@pytest.mark.long
def test_a_canary_that_is_as_good_as_the_stable_release_goes_live(second_live):
    shop, _, second = second_live
    shop.change("three")
    with Customers(shop.url, per_second=50) as customers:
        customers.wait_for("two", 10)
        (deployed,) = shop.ask("up", "dev", "--canary", "50", "--for", "3s")["deployments"]
    assert customers.failures == []
    assert len(customers.by("three")) > 10
    assert versions(shop, 3) == ["three"] * 3
    assert history(shop)[0] == (deployed["release"], "build", "live")
    recorded = shop.ask("history", "dev")["deployments"][0]["history"][0]
    assert (recorded["gate"]["passed"], recorded["seconds"]["canary"] >= 3) == (True, True)
    assert shares(shop) == {("stable", deployed["release"][:12]): 100}
    assert len(shop.supervisor.status().releases) == 1
    shop.run("rollback", "dev")
    assert live(shop) == second


def test_a_canary_that_fails_more_often_goes_back_by_itself(second_live):
    shop, _, second = second_live
    shop.change("broken")
    with Customers(shop.url, per_second=50, number=3) as customers:
        customers.wait_for("two", 10)
        told = shop.run("up", "dev", "--canary", "20", "--for", "1h", code=1)
    assert "requests failed, and 0 of" in told.stderr
    assert customers.by("broken") == []
    assert 0 < len(customers.failures) < len(customers.by("two"))
    assert versions(shop, 5) == ["two"] * 5
    assert history(shop)[0][1:] == ("build", "failed")
    recorded = shop.ask("history", "dev")["deployments"][0]["history"][0]
    assert (recorded["gate"]["passed"], "requests failed" in recorded["reason"]) == (True, True)
    assert live(shop) == second
    assert len(shop.supervisor.status().releases) == 1


@pytest.mark.long
def test_a_canary_that_dies_and_does_not_come_back_goes_back_when_nobody_else_changes_the_stack(second_live):
    shop, _, second = second_live
    shop.change("three")
    going = watched(shop, "1h")
    (canary,) = [release for release in shop.supervisor.status().releases if not release.id.startswith(second[:12])]
    for unpacked in (shop.supervisor.directory / UNPACKED).iterdir():
        if unpacked.name.startswith(canary.id[:12]):
            (unpacked / "run.sh").write_text("exit 1\n")
    with Project(shop.root).lock("dev-local").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        psutil.Process(canary.pid).kill()
        while "the canary ends as soon as that is over" not in going.stderr.readline():
            assert going.poll() is None
    _, told = going.communicate(timeout=120)
    assert going.returncode == 1
    assert "went back: it is not ready" in told
    assert versions(shop, 5) == ["two"] * 5
    assert live(shop) == second


@pytest.mark.long
def test_a_canary_whose_command_was_killed_is_seen_carried_on_and_ended_by_others(second_live):
    shop, _, second = second_live
    before = history(shop)
    shop.change("three")
    assert begin(shop, signal.SIGKILL) == -signal.SIGKILL
    (canary,) = [release for role, release in shares(shop) if role == "canary"]
    assert shares(shop) == {("stable", second[:12]): 70, ("canary", canary): 30}
    shop.run("drift", "dev")
    shop.change("four")
    assert f"a canary of release {canary} is under way" in shop.run("up", "dev", code=1).stderr
    shop.change("three")
    assert begin(shop, signal.SIGINT) == 130
    assert history(shop) == before
    shop.run("rollback", "dev")
    assert shares(shop) == {("stable", second[:12]): 100}
    (release, source, result), *others = history(shop)
    assert (release[:12], source, result) == (canary, "build", "failed")
    assert others == before


@pytest.mark.long
def test_a_canary_is_ended_by_hand(second_live):
    shop, _, _ = second_live
    shop.change("three")
    begin(shop, signal.SIGINT)
    shop.run("traffic", "dev", "--go-on")
    assert versions(shop, 3) == ["three"] * 3
    assert "no canary is under way" in shop.run("traffic", "dev", "--back", code=1).stderr
    assert versions(shop) == ["three"]


@pytest.mark.long
def test_one_that_somebody_else_has_go_on_is_live_for_who_watches_it_too(second_live):
    shop, _, _ = second_live
    shop.change("three")
    going = watched(shop, "8s")
    shop.run("traffic", "dev", "--go-on")
    _, told = going.communicate(timeout=120)
    assert going.returncode == 0, told
    assert "somebody had the canary" in told
    assert versions(shop) == ["three"]


@pytest.mark.long
@pytest.mark.parametrize("words", [("rollback", "dev"), ("traffic", "dev", "--back")])
def test_what_ends_it_and_is_killed_once_the_pointer_has_moved_is_finished_by_the_same_command(second_live, words):
    shop, _, second = second_live
    before = history(shop)
    shop.change("three")
    begin(shop, signal.SIGINT)
    going = shop.start(*words)
    while len(state.read(shop.supervisor.directory).traffic) > 1 and going.poll() is None:
        time.sleep(0.005)
    going.kill()
    going.communicate(timeout=60)
    shop.run(*words)
    assert live(shop) == second
    assert [release.id[:12] for release in shop.supervisor.status().releases] == [second[:12]]
    assert history(shop)[1:] == before


@pytest.mark.long
def test_a_rollback_to_another_release_ends_it_and_the_history_says_so(second_live):
    shop, first, _ = second_live
    before = history(shop)
    shop.change("three")
    begin(shop, signal.SIGINT)
    (canary,) = [release for role, release in shares(shop) if role == "canary"]
    shop.run("rollback", "dev", first)
    assert live(shop) == first
    back, (release, source, result), *others = history(shop)
    assert back == (first, "rollback", "live")
    assert (release[:12], source, result) == (canary, "build", "failed")
    assert others == before


@pytest.mark.long
def test_a_canary_with_other_variables_is_refused_since_both_releases_would_get_them(second_live):
    shop, _, _ = second_live
    before = history(shop)
    shop.configure(variables={"FACTOR": "2.000"})
    refused = shop.run("up", "dev", "--canary", "10", code=1)
    shop.configure()
    assert "would change both releases" in refused.stderr
    assert history(shop) == before


def test_where_nothing_is_live_there_is_nothing_to_compare_with(shop):
    assert "without --canary the first time" in shop.run("up", "dev", "--canary", "10", code=1).stderr
    assert "needs some time" in shop.run("up", "dev", "--canary", "10", "--for", "0s", code=1).stderr
    assert "is not a duration" in shop.run("up", "dev", "--canary", "10", "--for", "soon", code=1).stderr
