"""A bare machine in each of the three clouds."""

from __future__ import annotations

import pytest
from machines import CLOUDS, BareMachine, Serving, sealed


@pytest.fixture(params=list(CLOUDS))
def machine(request, tmp_path):
    cloud = CLOUDS[request.param](sealed())
    with Serving(cloud) as serving:
        yield BareMachine(tmp_path / "disk", cloud, serving.metadata.address)


@pytest.fixture
def aws_machine(tmp_path):
    cloud = CLOUDS["aws"](sealed())
    with Serving(cloud) as serving:
        yield BareMachine(tmp_path / "disk", cloud, serving.metadata.address)
