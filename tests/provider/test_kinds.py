from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import Field

from bentoship.deployment import Frozen
from bentoship.provider.kinds import Kind, KindProvider
from bentoship.provider.properties import UNKNOWN
from bentoship.provider.server import Difference

LAMP = "test:index:Lamp"


class LampInputs(Frozen):
    room: str
    watts: int = 40
    note: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class Lamp(Kind[LampInputs]):
    """A resource type that keeps what it made in memory."""

    inputs = LampInputs
    outputs = ("lit",)
    replace_on: ClassVar[frozenset[str]] = frozenset({"room"})
    ignore: ClassVar[frozenset[str]] = frozenset({"note"})

    def __init__(self):
        self.burning: dict[str, int] = {}

    def create(self, inputs):
        self.burning[inputs.room] = inputs.watts
        return f"lamp-{inputs.room}", {"lit": True}

    def read(self, inputs, outputs):
        if inputs.room not in self.burning:
            return None
        return {"watts": self.burning[inputs.room]}

    def delete(self, inputs):
        self.burning.pop(inputs.room, None)


@pytest.fixture
def lamp():
    return Lamp()


@pytest.fixture
def provider(lamp):
    return KindProvider("test", "1.0.0", {LAMP: lamp})


def faults(provider, inputs, token=LAMP):
    return [(each.where, each.fault, each.remedy) for each in provider.check(token, "lamp", inputs)[1]]


def test_inputs_that_are_right_pass_as_they_are(provider):
    assert provider.check(LAMP, "lamp", {"room": "hall"}) == ({"room": "hall"}, [])


def test_what_the_engine_adds_for_itself_is_left_out(provider):
    assert provider.check(LAMP, "lamp", {"room": "hall", "__defaults": []}) == ({"room": "hall"}, [])


def test_an_unknown_property_names_its_path_and_the_nearest_one(provider):
    assert faults(provider, {"room": "hall", "wats": 60}) == [("wats", "unknown property", "did you mean 'watts'?")]
    assert faults(provider, {"room": "hall", "xyz": 60}) == [("xyz", "unknown property", "")]


def test_every_fault_is_told(provider):
    found = faults(provider, {"watts": "many", "labels": {"a": 1}})
    assert [where for where, _, _ in found] == ["room", "watts", "labels.a"]
    assert found[0][1] == "missing required property"
    assert "'many'" in found[1][1]


def test_what_is_not_known_yet_is_not_missing(provider):
    inputs = {"room": UNKNOWN, "watts": UNKNOWN}
    assert provider.check(LAMP, "lamp", inputs) == (inputs, [])


def test_what_is_not_known_yet_hides_no_other_fault(provider):
    assert faults(provider, {"room": UNKNOWN, "wats": 1})[0][0] == "wats"


def test_a_mapping_whose_parts_are_not_known_yet_is_not_wrong(provider):
    inputs = {"room": "hall", "labels": {"a": UNKNOWN}}
    assert provider.check(LAMP, "lamp", inputs) == (inputs, [])


def test_a_type_that_is_not_there_is_told_with_those_that_are(provider):
    ((_, fault, remedy),) = faults(provider, {}, "test:index:Lmap")
    assert fault == "there is no resource type test:index:Lmap"
    assert LAMP in remedy


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ({"room": "hall"}, {"room": "hall"}, Difference()),
        ({"room": "hall", "watts": 40}, {"room": "hall", "watts": 60}, Difference(("watts",))),
        ({"room": "hall"}, {"room": "attic", "watts": 60}, Difference(("room", "watts"), ("room",))),
        ({"room": "hall", "note": "a"}, {"room": "hall", "note": "b"}, Difference()),
        ({"room": "hall"}, {"room": UNKNOWN}, Difference(("room",), ("room",))),
    ],
)
def test_what_differs_and_what_makes_a_new_one(provider, old, new, difference):
    assert provider.diff(LAMP, old, new) == difference


def test_a_preview_knows_the_inputs_and_awaits_the_outputs(provider, lamp):
    assert provider.preview(LAMP, {"room": "hall"}) == {"room": "hall", "lit": UNKNOWN}
    assert lamp.burning == {}


def test_a_resource_from_its_creation_to_its_end(provider, lamp):
    assert provider.create(LAMP, "lamp", {"room": "hall"}) == ("lamp-hall", {"room": "hall", "lit": True})
    made = {"room": "hall", "watts": 40, "lit": True}
    assert provider.update(LAMP, "lamp-hall", made, {"room": "hall", "watts": 60})["watts"] == 60
    assert lamp.burning == {"hall": 60}
    assert provider.read(LAMP, "lamp-hall", {"room": "hall", "watts": 60}, made)["watts"] == 60
    provider.delete(LAMP, "lamp-hall", made)
    assert lamp.burning == {}
    assert provider.read(LAMP, "lamp-hall", {"room": "hall"}, made) is None
    provider.delete(LAMP, "lamp-hall", made)


def test_what_somebody_else_changed_is_seen(provider, lamp):
    _, made = provider.create(LAMP, "lamp", {"room": "hall", "watts": 40})
    lamp.burning["hall"] = 100
    assert provider.read(LAMP, "lamp-hall", {"room": "hall", "watts": 40}, made)["watts"] == 100


def test_what_another_version_wrote_is_taken_for_gone(provider):
    assert provider.read(LAMP, "x", {"an": "older input"}, {}) is None
