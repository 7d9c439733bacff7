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
IS_WHOLE = os.environ.get("BENTOSHIP_MATRIX") == "whole"


def pytest_collection_modifyitems(items):
    long = pytest.mark.skipif(not IS_WHOLE, reason="takes long: `make test-matrix` runs it")
    for item in items:
        if item.get_closest_marker("long"):
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
