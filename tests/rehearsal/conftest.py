from __future__ import annotations

import pytest
from rehearsed import Rehearsed, double
from stage import Stage

from bentoship import patience


@pytest.fixture
def aws(tmp_path):
    """A double in this process, over an empty world."""
    return double(tmp_path)


@pytest.fixture
def rehearsed(tmp_path, command_line):
    """A project on the doubles; its stack exists, and is empty."""
    pytest.importorskip("pulumi_aws", reason="pulumi-aws, which the programs use, isn't installed")
    made = Rehearsed(tmp_path, command_line)
    made.stack.create()
    return made


@pytest.fixture
def stage(tmp_path, command_line, monkeypatch):
    """A project on the doubles that runs what it deploys."""
    pytest.importorskip("pulumi_aws", reason="pulumi-aws, which the targets use, isn't installed")
    monkeypatch.setenv(patience.LEAST, "40")
    made = Stage(tmp_path / "project")
    yield made
    made.close()
