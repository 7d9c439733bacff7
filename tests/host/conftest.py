from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from bentoship.host.child import OWNER
from bentoship.host.control import Supervisor
from bentoship.host.state import Settings

sys.path.insert(0, str(Path(__file__).parent))

from fake_release import unpacked

IMPATIENT = Settings(liveness_interval=0.1, longest_pause=0.5, patience=60, grace=0.5)


@pytest.fixture
def release(tmp_path):
    """The folder of an unpacked release; what it does is up to its variables."""
    return unpacked(tmp_path / "release")


@pytest.fixture
def supervisor(tmp_path):
    """A handle on a supervisor that isn't started yet, and is gone after the test with all that it ran."""
    handle = Supervisor(tmp_path / "deployment", IMPATIENT)
    yield handle
    handle.shut_down()
    assert processes_of(handle) == []


@pytest.fixture
def url(supervisor):
    """The stable URL of the running supervisor."""
    return supervisor.ensure(0)


@pytest.fixture
def processes(supervisor):
    """Ask for the ids of all that the supervisor runs, found by their environment and not by its own word."""
    return lambda: processes_of(supervisor)


def processes_of(supervisor):
    found = psutil.process_iter(["environ", "status"])
    return [
        process.pid
        for process in found
        if (process.info["environ"] or {}).get(OWNER) == str(supervisor.directory)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
