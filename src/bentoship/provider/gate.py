"""bentoship:index:Gate — a release is ready and answers as it did when it was sealed, or the update fails."""

from __future__ import annotations

import json
import threading
from typing import ClassVar

from .. import gate
from ..deployment import Example, Frozen, Gated, now
from ..patience import patience
from .kinds import Kind
from .progress import Tell
from .server import Properties


class GateInputs(Frozen):
    """What a gate is told."""

    release: str
    revision: str
    """The release and its configuration; a release is gated again when its configuration changes."""
    machine: str = ""
    """What identifies the one machine that runs it; another one in its place, such as after an accident, is gated."""
    url: str
    examples: str
    """The golden examples as a JSON array: one string, so that no number changes on its way through the engine."""
    ready_timeout: float


class Gate(Kind[GateInputs]):
    """Waits for `/readyz`, replays the golden examples, remembers that both were well.

    It is a resource, and not a hook, because a hook that failed is forgotten by the next update, while a resource
    that could not be created is tried again. It is keyed by the revision and the machine: the same ones are gated once.
    """

    inputs = GateInputs
    outputs = ("passed", "asked", "ready_seconds", "results")
    replace_on: ClassVar[frozenset[str]] = frozenset({"revision", "machine"})
    # A serving process that was restarted may have another private address; it is still the release that passed.
    ignore: ClassVar[frozenset[str]] = frozenset({"url", "ready_timeout"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: GateInputs) -> tuple[str, Properties]:
        """Raise GateFailed, or answer how long readiness took and how each golden example was answered."""
        release, settle = inputs.release, patience(gate.SETTLE_SECONDS)
        timeout = patience(inputs.ready_timeout)
        waited = gate.wait_until_ready(inputs.url, timeout, stopped=self._why_stopped, release=release)
        examples = [Example.model_validate(item) for item in json.loads(inputs.examples)]
        answered = gate.replay(inputs.url, examples, self._tell, self._why_stopped, release=release, settle=settle)
        asked, waited = len(answered), round(waited, 3)
        results = Gated(at=now(), passed=True, ready_seconds=waited, asked=asked, met=asked, examples=answered)
        outputs = {"passed": True, "asked": asked, "ready_seconds": waited, "results": results.model_dump_json()}
        return f"gate-{inputs.revision}", outputs

    def cancel(self) -> None:
        """Stop waiting for readiness, and ask no further example."""
        self._cancelled.set()

    def _why_stopped(self) -> str | None:
        return "the gate was cancelled" if self._cancelled.is_set() else None
