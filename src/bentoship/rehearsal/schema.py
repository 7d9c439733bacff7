"""What a cloud's resource types take and give, as tools/schemas.py derived it from the pinned SDK.

The notation of the types is explained there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import Problem
from ..provider.properties import UNKNOWN

ASSET_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks an asset or an archive among the properties (sdk/python/lib/pulumi/runtime/rpc.py)."""
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_ZEROS: Mapping[str, Any] = {"string": "", "boolean": False, "integer": 0, "number": 0}


@dataclass(frozen=True)
class Shape:
    """A resource type, or a look-up function."""

    inputs: Mapping[str, Any]
    required: Sequence[str] = ()
    outputs: Mapping[str, Any] | None = None
    """What it gives beyond its inputs."""
    computed: Sequence[str] = ()
    """Inputs that the cloud fills in when they aren't told."""
    secrets: Sequence[str] = ()
    """Outputs that the SDK keeps encrypted."""

    @property
    def made_up(self) -> frozenset[str]:
        """What is known only once the resource exists, as far as it isn't told."""
        return frozenset(self.outputs or ()) | frozenset(self.computed)


@dataclass(frozen=True)
class Schema:
    """All types of one cloud, as its pinned SDK has them."""

    version: str
    """The version of the SDK, which is the provider's as well."""
    resources: Mapping[str, Shape]
    functions: Mapping[str, Shape]
    types: Mapping[str, Shape]

    def check(self, shape: Shape, inputs: Mapping[str, Any]) -> list[Problem]:
        """Everything in `inputs` that the SDK's own types don't allow; `where` is the property's path."""
        return list(self._object(shape, inputs, ""))

    def _object(self, shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[Problem]:
        for name in shape.required:
            if value.get(name) is None:
                yield Problem(_join(path, name), "missing required property")
        for name, item in value.items():
            if name.startswith("__"):
                continue  # the engine's own remarks
            if name not in shape.inputs:
                yield Problem(_join(path, name), "unknown property", did_you_mean(name, shape.inputs))
            elif item is not None:
                yield from self._value(shape.inputs[name], item, _join(path, name))

    def _value(self, kind: Any, value: Any, path: str) -> Iterator[Problem]:
        if value is UNKNOWN or kind in ("any", "object"):
            return
        if isinstance(kind, str):
            if not _is_scalar(kind, value):
                yield Problem(path, f"expected {_article(kind)}, got {_named(value)}")
        elif isinstance(kind, list):
            yield from self._list(kind[0], value, path)
        else:
            yield from self._compound(kind, value, path)

    def _list(self, kind: Any, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(path, f"expected a list, got {_named(value)}")
            return
        for index, item in enumerate(value):
            yield from self._value(kind, item, f"{path}[{index}]")

    def _compound(self, kind: Mapping[str, Any], value: Any, path: str) -> Iterator[Problem]:
        if "enum" in kind:
            if value not in kind["enum"]:
                yield not_one_of(path, value, kind["enum"])
        elif "oneOf" in kind:
            trials = [list(self._value(item, value, path)) for item in kind["oneOf"]]
            yield from min(trials, key=len)
        elif not isinstance(value, dict):
            yield Problem(path, f"expected an object, got {_named(value)}")
        elif "ref" in kind:
            yield from self._object(self.types[kind["ref"]], value, path)
        else:
            for key, item in value.items():
                yield from self._value(kind["map"], item, _join(path, key))


@cache
def load(cloud: str) -> Schema:
    """The schema of `cloud`, as it is kept beside this module."""
    raw = json.loads(files(__package__).joinpath("schemas", f"{cloud}.json").read_text(encoding="utf-8"))
    return Schema(
        version=raw["sdk"]["version"],
        resources={token: Shape(**{"inputs": {}, **found}) for token, found in raw["resources"].items()},
        functions={token: Shape(**{"inputs": {}, **found}) for token, found in raw["functions"].items()},
        types={
            name: Shape(found.get("properties", {}), found.get("required", ())) for name, found in raw["types"].items()
        },
    )


def zero(kind: Any) -> Any:
    """What a cloud answers for an output of this type that has nothing to say."""
    if isinstance(kind, str):
        return _ZEROS.get(kind, {})
    if isinstance(kind, list):
        return []
    return "" if "enum" in kind else {}


def did_you_mean(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """A hint at the nearest of the known words; empty when none is near."""
    lowered = {item.lower(): item for item in known}
    close = get_close_matches(word.lower(), lowered, n=1)
    return f"did you mean {lowered[close[0]]!r}?" if close else ""


def not_one_of(path: str, value: Any, allowed: Sequence[str]) -> Problem:
    """The complaint about a value that isn't among the allowed ones."""
    hint = did_you_mean(str(value), allowed) or f"there are: {', '.join(allowed)}"
    return Problem(path, f"{value!r} is not allowed", hint)


def _is_scalar(kind: str, value: Any) -> bool:
    if kind == "asset":
        return isinstance(value, dict) and ASSET_SIGNATURE in value
    return isinstance(value, _PYTHON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _named(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number", list: "list", dict: "object"}
    name = names.get(type(value), type(value).__name__)
    return f"{_article(name)} ({value!r})" if isinstance(value, str | int | float) else _article(name)
