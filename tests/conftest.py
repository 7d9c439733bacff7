"""What tests of every layer share: sealed releases, built once."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from bentoship.release import Release, build
from projects import sample, tiny


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
