"""Pulumi's properties as plain Python values, and back.

The markers are part of Pulumi's protocol (sdk/python/lib/pulumi/runtime/rpc.py): a value that is known only after
an update travels as one sentinel string, secrets and outputs as objects with a signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""A value that is not known during a preview."""


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The properties in `struct` as plain values; whole numbers become int, secrets their plain value."""
    return {key: _plain(value) for key, value in json_format.MessageToDict(struct).items()}


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The Struct that says `values` to the engine."""
    struct = struct_pb2.Struct()
    json_format.ParseDict({key: _wire(value) for key, value in values.items()}, struct)
    return struct


def has_unknown(value: Any) -> bool:
    """Whether any part of `value` is not known yet."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return value is UNKNOWN


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        signature = value.get(_SIGNATURE)
        if signature == _SECRET:
            return _plain(value.get("value"))
        if signature == _OUTPUT:
            return _plain(value["value"]) if "value" in value else UNKNOWN
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value == _UNKNOWN else value


def _wire(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(item) for item in value]
    return _UNKNOWN if value is UNKNOWN else value
