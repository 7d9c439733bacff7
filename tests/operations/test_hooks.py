"""Commands of the project around an `up`: when they run, what they are told, and what their failures stop."""

from __future__ import annotations

import signal

import psutil
import pytest
from conftest_operations import CountingEngine, history, versions

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two_releases")]


@pytest.fixture
def facts(second_live):
    shop, _, second = second_live
    return shop, second, shop.root / "told"


def test_they_run_in_the_projects_folder_with_the_facts(facts):
    shop, second, told = facts
    shop.configure(
        before_up="echo looking at $BENTOSHIP_DEPLOYMENT; echo and more >&2",
        after_up="env | grep ^BENTOSHIP_ >told",
        on_failure="touch failed",
    )
    said = shop.run("up", "dev").stderr
    assert "dev-local: before_up: looking at local\ndev-local: before_up: and more\n" in said
    assert set(told.read_text().splitlines()) >= {
        "BENTOSHIP_HOOK=after_up",
        "BENTOSHIP_ENVIRONMENT=dev",
        "BENTOSHIP_DEPLOYMENT=local",
        "BENTOSHIP_STACK=dev-local",
        "BENTOSHIP_TARGET=local",
        "BENTOSHIP_BENTO=tiny",
        f"BENTOSHIP_RELEASE={second}",
        f"BENTOSHIP_URL={shop.url}",
        "BENTOSHIP_CHANGES=0",
    }
    assert not (shop.root / "failed").exists()


def test_one_that_fails_before_stops_all_and_one_that_fails_after_undoes_nothing(facts, tmp_path):
    shop, second, told = facts
    engine, before = CountingEngine(tmp_path), history(shop)
    failure = 'printf "%s: %s" $BENTOSHIP_HOOK "$BENTOSHIP_ERROR" >told; exit 5'
    shop.configure(before_up="exit 3", on_failure=failure, variables={"FACTOR": "3"})
    said = shop.run("up", "dev", code=1, PATH=engine.path).stderr
    assert "error: local: dev-local: before_up ended with exit code 3, and nothing was touched" in said
    assert told.read_text() == "on_failure: dev-local: before_up ended with exit code 3, and nothing was touched"
    assert "dev-local: on_failure ended with exit code 5" in said
    assert engine.operations() == []

    shop.configure(after_up="echo not so; exit 4", on_failure="rm told")
    said = shop.run("up", "dev", code=1).stderr
    assert "dev-local: after_up: not so" in said
    assert f"release {second[:12]} is live at {shop.url}, but after_up ended with exit code 4" in said
    assert told.exists()
    assert (versions(shop), history(shop)) == (["two"], before)


@pytest.mark.parametrize("waits", ["; wait", "", "; trap '' TERM; wait"])
def test_an_interrupt_ends_the_one_that_runs_and_all_that_it_started(facts, waits):
    shop, _, told = facts
    shop.configure(before_up=f"sleep 86399 & echo $! >told; echo begun{waits}", on_failure="touch failed")
    running = shop.start("up", "dev")
    seen = next(line for line in running.stderr if "before_up: begun" in line)
    assert seen.startswith("dev-local: ")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert not psutil.pid_exists(int(told.read_text())) or psutil.Process(int(told.read_text())).status() == "zombie"
    assert not (shop.root / "failed").exists()
