from __future__ import annotations

import pytest

from bentoship.provider.kinds import KindProvider
from bentoship.provider.pin import Pin
from bentoship.provider.server import Difference

PIN = "bentoship:index:Pin"
FIRST = {"subject": "Ubuntu 24.04, generation 1", "value": "ami-1"}


@pytest.fixture
def provider():
    return KindProvider("bentoship", "1.0.0", {PIN: Pin()})


def test_the_first_value_stays_whatever_is_found_later(provider):
    identity, made = provider.create(PIN, "image", FIRST)
    assert made["pinned"] == "ami-1"
    assert provider.diff(PIN, FIRST, {**FIRST, "value": "ami-2"}) == Difference()
    assert provider.read(PIN, identity, FIRST, made)["pinned"] == "ami-1"


def test_another_subject_takes_the_value_that_is_found_now(provider):
    later = {"subject": "Ubuntu 24.04, generation 2", "value": "ami-2"}
    assert provider.diff(PIN, FIRST, later).replaced == ("subject",)
    assert provider.create(PIN, "image", later)[1]["pinned"] == "ami-2"
