"""What tests of every layer share: sealed releases, built once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bentoship.engine import install
from bentoship.release import Release, build
from projects import sample, tiny

REAL = (
    "boot/test_boot.py",
    "boot/test_boot_systemd.py",
    "cli/test_mistakes.py",
    "doctor/test_doctor.py",
    "engine/test_stack.py",
    "host/test_replica.py",
    "host/test_router.py",
    "host/test_supervisor.py",
    "provider/test_aws_kinds.py",
    "provider/test_gcp_kinds.py",
    "provider/test_azure_kinds.py",
    "release/test_build.py",
    "release/test_lock.py",
    "release/test_proof.py",
    "release/test_wheels.py",
    "serving/test_access.py",
    "serving/test_as_bentoml.py",
    "serving/test_bad_input.py",
    "serving/test_served_onnx.py",
    "serving/test_page.py",
    "serving/test_serving_limits.py",
    "serving/test_serving.py",
    "serving/test_workers.py",
    "targets/aws/test_ec2.py",
    "targets/aws/test_elastic_beanstalk.py",
    "targets/gcp/test_app_engine.py",
    "targets/gcp/test_compute_engine.py",
)
"""Modules whose tests all start real releases, engines, supervisors or servers: each quick, together minutes."""


LONG = (
    "operations/test_batch.py::test_interrupted_it_is_carried_on_and_no_row_is_lost_or_answered_twice[2-130]",
    "operations/test_canary.py::test_a_canary_that_is_as_good_as_the_stable_release_goes_live",
    "operations/test_canary.py::test_a_canary_that_dies_and_does_not_come_back_goes_back",
    "operations/test_canary.py::test_a_canary_whose_command_was_killed_is_seen_carried_on_and_ended_by_others",
    "operations/test_destroy.py::test_what_is_protected_stays_and_what_has_expired_goes",
    "operations/test_prune.py::test_what_nobody_keeps_any_more_goes_from_this_machine",
    "operations/test_rollback.py::test_a_release_comes_back_with_the_variables_that_it_was_live_with",
    "operations/test_rollback.py::test_interrupted_at_any_step_it_is_ended_by_the_same_command[pointed-9]",
    "operations/test_rollback.py::test_where_there_is_nothing_to_go_back_to_nothing_is_changed",
    "operations/test_up.py::test_a_reader_of_our_talk_that_goes_away_stops_nothing",
    "operations/test_up.py::test_a_stable_url_moves_when_its_port_is_changed",
    "operations/test_up.py::test_an_interrupted_up_ends_well_and_is_carried_on_by_the_next[1]",
    "operations/test_up.py::test_an_interrupted_up_ends_well_and_is_carried_on_by_the_next[15]",
    "operations/test_up.py::test_an_up_with_nothing_to_do_asks_the_engine_once",
    "operations/test_up.py::test_kill_9_of_up_at_any_step_then_up_again[ready]",
    "operations/test_up.py::test_kill_9_of_up_at_any_step_then_up_again[starting]",
    "operations/test_up.py::test_kill_9_while_a_new_release_takes_over_then_up_again",
    "operations/test_up.py::test_no_request_is_lost_while_a_new_release_takes_over",
    "operations/test_up.py::test_the_history_remembers_what_failed",
    "operations/test_up.py::test_what_was_live_stays_as_it_was_when_the_environment_has_changed_as_well",
    "provider/test_tagged.py::test_a_terminated_instance_is_none_that_is_left",
    "rehearsal/test_machines.py::test_a_machine_that_answers_wrongly_or_late_does_so_at_the_address_of_the_deployment",
    "rehearsal/test_machines.py::test_a_new_release_whose_machine_hangs_is_gone_back_from",
    "rehearsal/test_machines.py::test_machines_come_back_after_the_process_that_runs_them_was_ended",
    "rehearsal/test_play.py::test_a_first_release_that_does_not_start_fails_with_what_it_said",
    "rehearsal/test_play.py::test_who_asks_for_a_token_that_is_kept_as_a_secret_is_asked_with_that_one[app]",
    "rehearsal/test_play.py::test_who_asks_for_a_token_that_is_kept_as_a_secret_is_asked_with_that_one[beanstalk]",
    "rehearsal/test_remains.py::test_what_carries_the_tag_is_found_until_it_is_gone",
    "release/test_build.py::test_a_removed_a_lengthened_and_a_changed_one_are_built_again",
)
"""Tests that take half a minute or more, next to others of the same thing: left to `make test-matrix`."""
IS_WHOLE = os.environ.get("BENTOSHIP_MATRIX") == "whole"


def pytest_collection_modifyitems(items):
    long = pytest.mark.skipif(not IS_WHOLE, reason="takes long: `make test-matrix` runs it")
    for item in items:
        if item.nodeid.removeprefix("tests/") in LONG:
            item.add_marker(long)
        if item.path.relative_to(Path(__file__).parent).as_posix() in REAL:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def command_line():
    """Pulumi's command line, for tests that run the real engine."""
    found = install.find()
    if found is None:
        pytest.skip("there is no Pulumi here")
    return found


@pytest.fixture(scope="session")
def sample_release(request) -> Release:
    """The sample's release, kept from run to run while nothing in it changes. Its project's folder is hidden."""
    folder = Path(request.config.cache.mkdir("bentoship")) / "sample"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project = sample(folder / "project")
        subprocess.run([sys.executable, "models/train.py"], cwd=project, check=True, capture_output=True)
        return build(project)


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory) -> Release:
    """A release of the tiny service of projects.py."""
    return build(tiny(tmp_path_factory.mktemp("tiny")))
