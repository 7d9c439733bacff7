"""The endpoint of a release that rows are sent to, and how a row of a table becomes its request."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..errors import InvalidConfiguration
from ..gate import json_value
from ..tables import Table

SCHEMA = "app/apis/schema.json"
"""Where BentoML writes what the endpoints of a service take and give."""
_AS_ISO = TypeAdapter(timedelta)
_WORDS: Mapping[str, Any] = {"true": True, "false": False}
_JSON_LINES = "write JSON lines instead (.jsonl), the body of one request a line"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of a release."""

    route: str
    fields: Mapping[str, Any]
    """JSON schema of each field of its request, by name; nothing when a request isn't an object."""
    required: frozenset[str]


def find(release: Path, wanted: str) -> Endpoint:
    """The endpoint of the release unpacked in `release` whose route or name is `wanted`.

    Raises InvalidConfiguration that lists the endpoints when there is none.
    """
    routes = json.loads((release / SCHEMA).read_text(encoding="utf-8"))["routes"]
    found = next((route for route in routes if wanted in (route["route"], route["name"])), None)
    if found is None:
        there = ", ".join(route["route"] for route in routes)
        raise InvalidConfiguration("--route", f"the release has no endpoint {wanted}", f"there are: {there}")
    taken = found["input"]
    return Endpoint(found["route"], taken.get("properties", {}), frozenset(taken.get("required", ())))


def requests_of(table: Table, endpoint: Endpoint) -> Callable[[Any], bytes]:
    """How a row of `table` is written as a request to `endpoint`, in JSON.

    Columns become the fields of the same name, empty cells become null, text becomes what the field's schema asks for
    where it can: what can't is sent as it is, for the service to refuse. Raises InvalidConfiguration, with every
    missing column at once, for a table that can't be requests.
    """
    if table.columns is None:
        return str.encode  # every line is a request already
    if not endpoint.fields:
        raise InvalidConfiguration(str(table.path), f"{endpoint.route} takes no object with fields", _JSON_LINES)
    if missing := sorted(endpoint.required - set(table.columns)):
        there = ", ".join(table.columns)
        raise InvalidConfiguration(
            str(table.path),
            f"has no column {', '.join(missing)}, which {endpoint.route} requires",
            f"it has {there}; rename its columns, or {_JSON_LINES}",
        )
    kinds = {name: _kinds(endpoint.fields[name]) for name in table.columns if name in endpoint.fields}
    if not kinds:
        raise InvalidConfiguration(str(table.path), f"has no column that is a field of {endpoint.route}", _JSON_LINES)

    def request(row: Mapping[str, Any]) -> bytes:
        fields = {name: _value(row[name], kind) for name, kind in kinds.items()}
        try:
            return json.dumps(fields, default=_as_text).encode()
        except UnicodeDecodeError as error:
            fault = f"has bytes that are no text: {error.object[:20]!r}"
            raise InvalidConfiguration(str(table.path), fault, _JSON_LINES) from None

    return request


def left_out(table: Table, endpoint: Endpoint) -> Sequence[str]:
    """The columns of `table` that are no field of `endpoint`, and aren't sent."""
    return [name for name in table.columns or () if name not in endpoint.fields]


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that a JSON schema allows."""
    kinds = schema.get("type", ())
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found |= _kinds(one)
    return frozenset(found)


def _plain(cell: Any) -> Any:
    """A value of Parquet with the numbers that JSON has; of the others, the service says what it thinks of them."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else str(cell)
    if isinstance(cell, list):
        return [_plain(one) for one in cell]
    return {name: _plain(one) for name, one in cell.items()} if isinstance(cell, dict) else cell


def _as_text(cell: Any) -> str:
    """What of Parquet has no form in JSON: text that was stored as bytes, and dates and the like as ISO 8601."""
    if isinstance(cell, bytes):
        return cell.decode()
    if isinstance(cell, timedelta):
        return str(_AS_ISO.dump_python(cell, mode="json"))
    return str(cell.isoformat()) if hasattr(cell, "isoformat") else str(cell)


def _value(cell: Any, kinds: frozenset[str]) -> Any:
    """What is sent for a cell: its text as one of the types, the first that it can be."""
    if not isinstance(cell, str):
        return _plain(cell)
    if "boolean" in kinds and cell.lower() in _WORDS:
        return _WORDS[cell.lower()]
    for kind, read in (("integer", int), ("number", float)):
        if kind in kinds:
            with suppress(ValueError, OverflowError):
                if math.isfinite(number := read(cell)):  # JSON has no other numbers
                    return number
    if "string" not in kinds:
        with suppress(ValueError):
            return json_value(cell)
    return cell
