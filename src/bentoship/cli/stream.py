"""The events of a command that deploys, one JSON object a line, for a program to read while it goes on.

docs/operations.md, "Events for CI", has every kind with its keys. Some may be added; none changes its meaning.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self

import click

from .. import _version
from ..errors import BentoshipError

if TYPE_CHECKING:
    from ..deployment import Gated
    from ..engine.events import Event, Step

Kind = Literal[
    "begin",
    "message",
    "attempt",
    "step_begin",
    "step_end",
    "step_failed",
    "gate",
    "deployed",
    "destroyed",
    "failed",
    "end",
]
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
_QUIET = ("same", "refresh", "read")


class Stream:
    """Writes events to a file, or nowhere; to be entered around all that a command does."""

    def __init__(self, file: IO[str] | None, verb: str, environment: str) -> None:
        self._file, self._verb, self._environment = file, verb, environment
        self._begun, self._ended = time.monotonic(), False
        self._releases: dict[str, str] = {}
        """What is being deployed, by deployment."""
        self._steps: dict[tuple[str, str], float] = {}

    def __enter__(self) -> Self:
        message = f"{self._verb} {self._environment}"
        self._write("begin", message, verb=self._verb, version=_version.__version__)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, BentoshipError):
            self.failed(error)
        if not self._ended:
            self._end(INTERRUPTED if isinstance(error, KeyboardInterrupt | click.Abort) else 1)

    @property
    def takes_stdout(self) -> bool:
        """Whether nothing else may be printed there."""
        return self._file is not None and self._file.name == "<stdout>"

    def tell(self, sentence: str) -> None:
        """Write a sentence that is said to people."""
        self._write("message", click.unstyle(sentence))

    def watch(self, name: str, event: Event) -> None:
        """Write what the engine of the deployment `name` says."""
        if event.release:
            self._releases[name] = event.release
            self._write("attempt", f"release {event.release[:12]}", name)
        if event.note:
            self._write("message", event.note, name)
        if event.gate:
            self._gate(name, event.gate)
        if event.failed:
            self._step(name, event.failed, "step_failed")
        if event.step:
            self._step(name, event.step, "step_end" if event.step.done else "step_begin")

    def at(self, environment: str) -> None:
        """What comes next is about this environment."""
        self._environment = environment
        self._releases.clear()

    def end(self, code: int, found: Mapping[str, Any] | None = None) -> int:
        """Write what became of each deployment, and the exit code, which is returned."""
        self.results(found or {})
        self._end(code)
        return code

    def results(self, found: Mapping[str, Any]) -> None:
        """Write what became of each deployment of the environment."""
        for name, value in found.items():
            if isinstance(value, BentoshipError):
                self.failed(value, name)
            elif hasattr(value, "removed"):
                self._destroyed(name, value)
            else:
                self._deployed(name, value)

    def _step(self, name: str, step: Step, kind: Kind) -> None:
        if step.is_stack or step.operation in _QUIET:
            return
        resource = {"operation": step.operation, "type": step.type, "name": step.name, "urn": step.urn}
        message = f"{step.operation} {step.type} {step.name}"
        if kind == "step_begin":
            self._steps[name, step.urn] = time.monotonic()
            self._write(kind, message, name, resource=resource)
        else:
            begun = self._steps.pop((name, step.urn), time.monotonic())
            self._write(kind, message, name, resource=resource, seconds=round(time.monotonic() - begun, 3))

    def _gate(self, name: str, gate: Gated) -> None:
        verdict = "passed" if gate.passed else "failed"
        message = f"gate {verdict}: {gate.met} of {gate.asked} golden examples met"
        self._write("gate", message, name, gate=gate.model_dump(mode="json"))

    def _deployed(self, name: str, deployed: Any) -> None:
        self._releases[name] = deployed.release
        changed = bool(deployed.changes)
        message = f"release {deployed.release[:12]} {'is live' if changed else 'was live already'}"
        seconds = round(deployed.seconds, 3)
        self._write("deployed", message, name, url=deployed.url, changed=changed, seconds=seconds)

    def _destroyed(self, name: str, destroyed: Any) -> None:
        message = (
            f"left alone: {destroyed.spared}" if destroyed.spared else f"{len(destroyed.removed)} resources removed"
        )
        self._write("destroyed", message, name, removed=len(destroyed.removed), spared=bool(destroyed.spared))

    def failed(self, error: BentoshipError, name: str | None = None) -> None:
        """Write why a deployment, or all of it, failed."""
        problems = [{"where": each.where, "fault": each.fault, "remedy": each.remedy} for each in error.problems]
        self._write("failed", str(error), name, problems=problems)

    def _end(self, code: int) -> None:
        self._ended = True
        message = f"{self._verb} {self._environment} ended with exit code {code}"
        self._write("end", message, code=code, seconds=round(time.monotonic() - self._begun, 3))

    def _write(self, kind: Kind, message: str, deployment: str | None = None, **more: Any) -> None:
        if self._file is None:
            return
        place = {} if deployment is None else {"deployment": deployment}
        release = {"release": self._releases[deployment]} if deployment in self._releases else {}
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        about = {"environment": self._environment, **place, **release}
        line = {"time": when, "kind": kind, **about, **more, "message": message}
        with suppress(BrokenPipeError):  # nobody reads along any more; the work goes on all the same
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
