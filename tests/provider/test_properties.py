from __future__ import annotations

import pytest
from google.protobuf import struct_pb2

from bentoship.provider.properties import UNKNOWN, from_struct, has_unknown, to_struct

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_ON_THE_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Pulumi's own markers, from its Python SDK's rpc.py."""


def struct(**values):
    made = struct_pb2.Struct()
    made.update(values)
    return made


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "über", "number": 0.1, "whole": 3000, "yes": True, "nothing": None},
        {"list": [1, [2, {"a": 3}]], "mapping": {"a": {"b": [True]}}},
        {"awaited": UNKNOWN, "inside": {"list": [1, UNKNOWN]}},
    ],
)
def test_values_come_back_as_they_went(values):
    assert from_struct(to_struct(values)) == values


def test_whole_numbers_are_ints_and_others_stay_exact():
    read = from_struct(struct(port=3000.0, small=1e-320, third=1 / 3, yes=True))
    assert read == {"port": 3000, "small": 1e-320, "third": 1 / 3, "yes": True}
    assert type(read["port"]) is int
    assert type(read["yes"]) is bool


def test_a_secret_is_its_plain_value():
    assert from_struct(struct(password={SIGNATURE: SECRET, "value": "hush"})) == {"password": "hush"}
    nested = {SIGNATURE: SECRET, "value": {"a": [{SIGNATURE: SECRET, "value": 1}]}}
    assert from_struct(struct(all=nested)) == {"all": {"a": [1]}}


def test_an_output_is_its_value_or_unknown():
    assert from_struct(struct(url={SIGNATURE: OUTPUT, "value": "http://x", "dependencies": []})) == {"url": "http://x"}
    assert from_struct(struct(url={SIGNATURE: OUTPUT, "dependencies": []})) == {"url": UNKNOWN}


def test_what_is_not_known_yet_travels_as_pulumis_own_marker():
    assert from_struct(struct(url=UNKNOWN_ON_THE_WIRE)) == {"url": UNKNOWN}
    assert dict(to_struct({"url": UNKNOWN})) == {"url": UNKNOWN_ON_THE_WIRE}


def test_an_unknown_is_found_however_deep_it_lies():
    assert has_unknown({"a": [{"b": UNKNOWN}]})
    assert not has_unknown({"a": [{"b": None}], "c": ""})
