"""The engine's events, as much of them as we use.

The format is pulumi/pulumi sdk/go/common/apitype/events.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..deployment import Gated

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Step:
    """One resource, and what the engine does to it."""

    urn: str
    type: str
    operation: str
    """create, update, replace, delete, same, refresh …"""
    done: bool
    resource: Mapping[str, Any] = field(default_factory=dict)
    """What it becomes, as the state would say it, as far as that is known; secrets are left out."""
    diffs: tuple[str, ...] = ()
    """Names of the properties that differ."""

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rpartition("::")[2]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the resource says of itself."""
        return self.resource.get("outputs") or {}

    @property
    def is_stack(self) -> bool:
        """Whether this is the stack itself, whose outputs are the deployment's."""
        return self.type == STACK_TYPE


@dataclass(frozen=True)
class Event:
    """Something that the engine said, or that we say while it works; what it isn't about is None."""

    step: Step | None = None
    failed: Step | None = None
    """A step that could not be done."""
    changes: Mapping[str, int] | None = None
    error: str = ""
    note: str = ""
    """What a provider says while it waits for something."""
    urn: str = ""
    """Of the resource that an error is about, if it is about one."""
    release: str = ""
    """Id of the release that is being deployed from now on."""
    gate: Gated | None = None
    """What a gate has seen of it."""


def read_event(line: str) -> Event | None:
    """The event on one line of the engine's JSON; None when the line says nothing that we use."""
    try:
        raw = json.loads(line)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        return None
    return next((read(raw[kind]) for kind, read in _READERS.items() if kind in raw), None)


def _step(metadata: Mapping[str, Any], *, done: bool) -> Step:
    diffs = tuple(metadata.get("diffs") or ())
    return Step(metadata["urn"], metadata["type"], metadata["op"], done, metadata.get("new") or {}, diffs)


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


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Event | None]] = {
    "resourcePreEvent": lambda raw: Event(step=_step(raw["metadata"], done=False)),
    "resOutputsEvent": lambda raw: Event(step=_step(raw["metadata"], done=True)),
    "resOpFailedEvent": lambda raw: Event(failed=_step(raw["metadata"], done=False)),
    "summaryEvent": lambda raw: Event(changes=raw.get("resourceChanges") or {}),
    "diagnosticEvent": _diagnostic,
}
"""What makes an event of each kind of line."""
