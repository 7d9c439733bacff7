"""The engine's events, as much of them as we use.

The format is pulumi/pulumi sdk/go/common/apitype/events.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Step:
    """One resource, and what the engine does to it."""

    urn: str
    type: str
    operation: str
    """create, update, replace, delete, same, refresh …"""
    done: bool
    outputs: Mapping[str, Any] = field(default_factory=dict)
    diffs: tuple[str, ...] = ()
    """Names of the properties that differ."""

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rpartition("::")[2]

    @property
    def is_stack(self) -> bool:
        """Whether this is the stack itself, whose outputs are the deployment's."""
        return self.type == STACK_TYPE


@dataclass(frozen=True)
class Event:
    """Something that the engine said; what it isn't about is None."""

    step: Step | None = None
    changes: Mapping[str, int] | None = None
    error: str = ""
    note: str = ""
    """What a provider says while it waits for something."""
    urn: str = ""
    """Of the resource that an error is about, if it is about one."""


def read_event(line: str) -> Event | None:
    """The event on one line of the engine's JSON; None when the line says nothing that we use."""
    try:
        raw = json.loads(line)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        return None
    if "resourcePreEvent" in raw:
        return Event(step=_step(raw["resourcePreEvent"]["metadata"], done=False))
    if "resOutputsEvent" in raw:
        return Event(step=_step(raw["resOutputsEvent"]["metadata"], done=True))
    if "summaryEvent" in raw:
        return Event(changes=raw["summaryEvent"].get("resourceChanges") or {})
    if "diagnosticEvent" in raw:
        return _diagnostic(raw["diagnosticEvent"])
    return None


def _step(metadata: Mapping[str, Any], *, done: bool) -> Step:
    new = metadata.get("new") or {}
    diffs = tuple(metadata.get("diffs") or ())
    return Step(metadata["urn"], metadata["type"], metadata["op"], done, new.get("outputs") or {}, diffs)


def _diagnostic(diagnostic: Mapping[str, Any]) -> Event | None:
    message = _clean(diagnostic["message"])
    if not message:
        return None
    kinds = {"error": Event(error=message, urn=diagnostic.get("urn", "")), "info": Event(note=message)}
    return kinds.get(diagnostic.get("severity", ""))


def _clean(message: str) -> str:
    # What the engine wraps around our provider's sentence says nothing to the reader.
    text = message.strip()
    for wrapping in ("rpc error: code = FailedPrecondition desc = ", "rpc error: code = Unknown desc = "):
        text = text.replace(wrapping, "")
    return text.removeprefix("error: ")
