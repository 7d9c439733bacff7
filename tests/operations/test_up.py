"""up, on the local target: the promises of a deployment, seen from outside."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest
from conftest_operations import PULUMI, CountingEngine, Customers, moments, shop_passphrase, supervisors, versions

from bentoship.engine import install
from bentoship.host import ports

pytestmark = pytest.mark.slow


def test_first_up_says_what_it_did_and_the_url_answers(shop):
    told = shop.ask("up", "dev", "--events", "events.jsonl")
    events = [json.loads(line) for line in (shop.root / "events.jsonl").read_text().splitlines()]
    said = [line for line in events if line["kind"] != "message"]
    router, service, gate = ("bentoship:local:Router", "bentoship:local:Service", "bentoship:index:Gate")
    assert [(line["kind"], line.get("resource", {}).get("type")) for line in said] == [
        ("begin", None),
        ("attempt", None),
        ("step_begin", router),
        ("step_end", router),
        ("step_begin", service),
        ("step_end", service),
        ("step_begin", gate),
        ("step_end", gate),
        ("gate", None),
        ("step_begin", "bentoship:local:Traffic"),
        ("step_end", "bentoship:local:Traffic"),
        ("deployed", None),
        ("end", None),
    ]
    assert {line["release"] for line in said[1:-1]} == {told["deployments"][0]["release"]}
    assert {line["deployment"] for line in said[1:-1]} == {"local"}
    assert (said[-2]["url"], said[-1]["code"]) == (shop.url, 0)
    (deployed,) = told["deployments"]
    assert told["environment"] == "dev"
    assert deployed == {
        "name": "local",
        "target": "local",
        "stack": "dev-local",
        "url": shop.url,
        "release": shop.run("build").stdout.strip(),
        "gate": {"passed": True, "examples": 1},
    }
    assert versions(shop) == ["one"]
    answer = httpx.get(f"{shop.url}/readyz")
    assert answer.headers["x-bentoship-release"] == deployed["release"][:12]


def test_second_up_changes_nothing_and_starts_no_process(shop):
    shop.run("up", "dev")
    before = {(release.id, release.pid) for release in shop.supervisor.status().releases}
    again = shop.run("up", "dev")
    assert "nothing changed" in again.stderr
    assert {(release.id, release.pid) for release in shop.supervisor.status().releases} == before
    assert shop.run("plan", "dev", code=0).stdout.count("nothing changes") == 1
    preview = shop.run(
        PULUMI, "-C", "infra", "preview", "-s", "dev-local", "--non-interactive", **shop_passphrase(shop)
    )
    assert "5 unchanged" in preview.stdout
    for change in ("to create", "to update", "to delete", "to replace"):
        assert change not in preview.stdout


@pytest.mark.long
def test_an_up_with_nothing_to_do_asks_the_engine_once(shop, tmp_path):
    shop.run("up", "dev")
    counting = CountingEngine(tmp_path)
    shop.run("up", "dev", PATH=counting.path)
    (asked,) = counting.operations()
    assert " up " in asked


def test_the_program_runs_with_our_python_whatever_the_engine_brings(shop, tmp_path):
    """As Pulumi's own installer puts it there, with a language host that looks for a Python of its own."""
    engine = shutil.copy(install.find().path, tmp_path / "pulumi")
    (tmp_path / "pulumi-language-python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pulumi-language-python").chmod(0o755)
    (shop.root / "uv.lock").write_text("version = 1\n")
    shop.run("up", "dev", PATH=f"{Path(engine).parent}{os.pathsep}{os.environ['PATH']}")
    assert versions(shop) == ["one"]


@pytest.mark.long
def test_plan_shows_a_changed_service_and_changes_nothing(shop):
    shop.run("up", "dev")
    shop.change("two")
    planned = shop.ask("plan", "dev", code=1)
    operations = {(step["operation"], step["type"].rpartition(":")[2]) for step in planned["deployments"][0]["changes"]}
    assert {("create", "Service"), ("create", "Gate"), ("update", "Traffic"), ("delete", "Service")} <= operations
    assert planned["deployments"][0]["live"] != planned["deployments"][0]["release"]
    assert versions(shop) == ["one"]
    assert len(shop.ask("history", "dev")["deployments"][0]["history"]) == 1


@pytest.mark.long
def test_no_request_is_lost_while_a_new_release_takes_over(shop):
    shop.run("up", "dev")
    shop.change("two")
    with Customers(shop.url, per_second=50) as customers:
        customers.wait_for("one", 50)
        shop.run("up", "dev")
        customers.wait_for("two", 50)
    assert customers.failures == []
    assert len(customers.by("one")) + len(customers.by("two")) == len(customers.answers)
    first_new = min(answer.received for answer in customers.by("two"))
    assert [answer for answer in customers.by("one") if answer.sent > first_new] == []
    assert len(shop.supervisor.status().releases) == 1


def test_a_release_that_answers_otherwise_here_fails_its_gate_and_the_old_one_serves_on(shop):
    shop.run("up", "dev")
    shop.change("two")
    shop.configure(variables={"FACTOR": "3"})
    failed = shop.run("up", "dev", "--events", "-", code=1)
    for word in ("expected 4", "got 6", "tolerance"):
        assert word in failed.stderr
    said = [json.loads(line) for line in failed.stdout.splitlines()]
    (gate,) = [line["gate"] for line in said if line["kind"] == "gate"]
    assert (gate["passed"], gate["asked"], gate["met"]) == (False, 1, 0)
    assert [line["resource"]["type"] for line in said if line["kind"] == "step_failed"] == ["bentoship:index:Gate"]
    assert [line["kind"] for line in said[-2:]] == ["failed", "end"]
    assert versions(shop, 3) == ["one"] * 3
    recorded, before = shop.ask("history", "dev")["deployments"][0]["history"]
    assert [(each["path"], each["met"]) for each in recorded["gate"]["examples"]] == [("/double", False)]
    assert (recorded["gate"]["passed"], set(recorded["seconds"])) == (False, {"build", "gate", "engine"})
    assert (before["gate"]["passed"], before["gate"]["met"], before["gate"]["asked"]) == (True, 1, 1)
    assert set(before["seconds"]) == {"build", "start", "ready", "gate", "live"}
    assert {"bentoship", "pulumi", "pulumi-sdk", "python", "bentoml"} == set(before["versions"])
    assert "0 of 1 golden examples met" in shop.run("history", "dev", recorded["release"][:8]).stdout
    assert "there are: " in shop.run("history", "dev", "000000", code=1).stderr
    shop.configure()
    shop.run("up", "dev")
    assert versions(shop, 3) == ["two"] * 3
    assert len(shop.supervisor.status().releases) == 1


@pytest.mark.long
def test_what_was_live_stays_as_it_was_when_the_environment_has_changed_as_well(shop):
    shop.run("up", "dev")
    (before,) = shop.supervisor.status().releases
    shop.change("two")
    shop.configure(variables={"FACTOR": "3"}, port=ports.free_port())
    shop.run("up", "dev", code=1)
    (after,) = shop.supervisor.status().releases
    assert (after.id, after.pid) == (before.id, before.pid)
    assert shop.supervisor.status().url == shop.url
    assert versions(shop) == ["one"]
    assert shop.ask("history", "dev")["deployments"][0]["history"][0]["result"] == "failed"
    words = ("-C", "infra", "preview", "-s", "dev-local", "--non-interactive")
    preview = shop.run(PULUMI, *words, **shop_passphrase(shop))
    assert "5 unchanged" in preview.stdout


def test_variables_are_encrypted_in_the_state(shop):
    shop.configure(variables={"FACTOR": "2.000000007"})
    shop.run("up", "dev")
    state = shop.root / ".bentoship" / "state"
    assert list(state.rglob("dev-local.json"))
    assert not [file for file in state.rglob("*") if file.is_file() and b"2.000000007" in file.read_bytes()]


def test_planning_what_was_never_deployed_leaves_nothing_behind(shop):
    assert shop.ask("plan", "dev", code=1)["deployments"][0]["live"] is None
    assert not list((shop.root / ".bentoship" / "state").rglob("dev-local.json"))
    assert not (shop.root / "infra" / "Pulumi.dev-local.yaml").exists()


@pytest.mark.long
def test_a_reader_of_our_talk_that_goes_away_stops_nothing(shop):
    going = shop.start("up", "dev")
    going.stderr.readline()
    going.stderr.close()
    with going.stdout:
        going.stdout.read()
    assert going.wait(timeout=120) == 0
    assert versions(shop) == ["one"]


@pytest.mark.long
def test_the_history_remembers_what_failed(shop):
    shop.run("up", "dev")
    first = shop.run("build").stdout.strip()
    shop.change("two")
    # It can't be ready within so short a time: the gate fails, whatever the variables say.
    shop.configure(ready_timeout=0.01)
    failed = shop.run("up", "dev", code=1)
    assert "ready" in failed.stderr
    entries = shop.ask("history", "dev")["deployments"][0]["history"]
    assert [entry["result"] for entry in entries] == ["failed", "live"]
    assert entries[1]["release"] == first
    assert len(shop.supervisor.status().releases) == 1
    assert versions(shop) == ["one"]


@pytest.mark.long
def test_changed_variables_alone_go_through_the_gate_as_well(shop):
    shop.run("up", "dev")
    shop.configure(variables={"FACTOR": "3"})
    assert "expected 4" in shop.run("up", "dev", code=1).stderr
    assert httpx.post(f"{shop.url}/double", json={"number": 2}).json()["number"] == 4
    assert len(shop.supervisor.status().releases) == 1
    shop.configure(variables={"FACTOR": "2.0"})
    shop.run("up", "dev")
    assert len(shop.supervisor.status().releases) == 1
    entries = shop.ask("history", "dev")["deployments"][0]["history"]
    assert [(entry["result"], entry["source"]) for entry in entries] == [
        ("live", "configuration"),
        ("failed", "configuration"),
        ("live", "build"),
    ]


@pytest.mark.long
def test_kill_9_of_the_serving_process_is_mended_on_the_same_url(shop):
    shop.run("up", "dev")
    (release,) = shop.supervisor.status().releases
    serving = psutil.Process(release.pid)
    serving.kill()
    serving.wait(10)  # a request that a dying process had accepted gets 502, and isn't what is asked here
    assert versions(shop) == ["one"]
    (again,) = shop.supervisor.status().releases
    assert again.pid != release.pid
    assert shop.run("up", "dev").stderr.count("nothing changed") == 1


@pytest.mark.long
def test_a_stable_url_moves_when_its_port_is_changed(shop):
    shop.run("up", "dev")
    shop.configure(port=ports.free_port())
    told = shop.ask("up", "dev")
    assert told["deployments"][0]["url"] != shop.url
    assert httpx.get(f"{told['deployments'][0]['url']}/readyz").status_code == 200


@pytest.mark.long
def test_a_taken_port_is_told_with_its_holder(shop):
    import socket

    with socket.create_server(("127.0.0.1", shop.port)):
        failed = shop.run("up", "dev", code=1)
    assert str(shop.port) in failed.stderr
    shop.run("up", "dev")
    assert versions(shop) == ["one"]


@pytest.mark.parametrize(
    "moment", [pytest.param(each, marks=pytest.mark.long) for each in ("begun", "starting", "ready")]
)
def test_kill_9_of_up_at_any_step_then_up_again(shop, moment):
    shop.run("build")
    killed = shop.start("up", "dev")
    while moments(shop) != moment and killed.poll() is None:
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    shop.run("up", "dev")
    assert versions(shop, 3) == ["one"] * 3
    status = shop.supervisor.status()
    assert [release.ready for release in status.releases] == [True]
    assert len(supervisors(shop)) == 1
    assert json.loads(shop.run("plan", "dev", "--json").stdout)["changed"] is False


@pytest.mark.parametrize(
    "how", [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGTERM, signal.SIGHUP))]
)
def test_an_interrupted_up_ends_well_and_is_carried_on_by_the_next(shop, how):
    shop.run("build")
    interrupted = shop.start("up", "dev")
    while moments(shop) != "starting" and interrupted.poll() is None:
        time.sleep(0.005)
    interrupted.send_signal(how)
    _, stderr = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert "Traceback" not in stderr
    assert not list((shop.root / ".bentoship" / "state").rglob("locks/**/*.json"))
    shop.run("up", "dev")
    assert versions(shop) == ["one"]


def test_a_stack_that_somebody_else_changes_is_refused_with_his_name(shop):
    shop.run("build")
    first = shop.start("up", "dev")
    while moments(shop) != "starting" and first.poll() is None:
        time.sleep(0.005)
    refused = shop.run("up", "dev", code=1)
    for word in (getpass.getuser(), str(first.pid), "since", "wait for it"):
        assert word in refused.stderr
    assert not (shop.root / "infra" / "Pulumi.dev-local.yaml").read_text().count("intent")
    _, stderr = first.communicate(timeout=120)
    assert first.returncode == 0, stderr
    assert versions(shop) == ["one"]


@pytest.mark.long
def test_kill_9_while_a_new_release_takes_over_then_up_again(shop):
    shop.run("up", "dev")
    shop.change("two")
    killed = shop.start("up", "dev")
    while len(shop.supervisor.status().releases) < 2 and killed.poll() is None:
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert versions(shop) == ["one"]
    shop.run("up", "dev")
    assert versions(shop, 3) == ["two"] * 3
    assert len(shop.supervisor.status().releases) == 1
    assert len(supervisors(shop)) == 1
