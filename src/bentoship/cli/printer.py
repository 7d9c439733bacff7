"""The one printer: data to stdout, talk to stderr."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from ..engine.events import Event, Step
    from ..errors import BentoshipError
    from .stream import Stream

SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±", "create-replacement": "+", "delete-replaced": "-"}
COLOURS = {"+": "green", "~": "yellow", "-": "red", "±": "yellow"}
_BAR_STEPS = 500
HEARTBEAT = 10.0
"""Seconds of silence after which a long step says that it still runs."""


def data(value: Any) -> None:
    """Print `value` as one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_encode))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under headings on stdout, in columns as wide as they need to be."""
    for number, line in enumerate(columns([tuple(headings), *map(tuple, rows)])):
        click.echo(click.style(line, bold=True) if number == 0 else line)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, in columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def complain(error: BentoshipError, name: str = "") -> None:
    """Print every problem of `error` on stderr, one a line."""
    for problem in error.problems:
        prefix = click.style("error: ", fg="red", bold=True)
        click.echo(f"{prefix}{name + ': ' if name else ''}{problem}", err=True)


def step_line(step: Step) -> str:
    """One resource, and what is done to it."""
    sign = SIGNS.get(step.operation, "·")
    what = f" ({', '.join(step.diffs)})" if step.diffs else ""
    return f"{click.style(sign, fg=COLOURS.get(sign))} {step.type.removeprefix('bentoship:')} {step.name}{what}"


class Progress:
    """Says on stderr what goes on, and from time to time what a long step is waiting for, and for how long."""

    def __init__(self, stream: Stream | None = None) -> None:
        self._stream = stream
        self._running: dict[tuple[str, str], tuple[str, float]] = {}
        self._lock, self._ended, self._last = threading.Lock(), threading.Event(), time.monotonic()

    def __enter__(self) -> Self:
        threading.Thread(target=self._heartbeat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def tell(self, sentence: str) -> None:
        """Say a sentence."""
        with self._lock:
            self._say(sentence)
            if self._stream:
                self._stream.tell(sentence)

    def watch(self, name: str, event: Event) -> None:
        """Take what the engine of the deployment `name` says, and pass on what matters."""
        with self._lock:
            if self._stream:
                self._stream.watch(name, event)
            for sentence in self._sentences(name, event):
                self._say(f"{name}: {sentence}")

    def _sentences(self, name: str, event: Event) -> Iterator[str]:
        if event.note:
            yield event.note
        if event.gate and not event.gate.passed:
            yield f"gate failed: {event.gate.met} of {event.gate.asked} golden examples met"
        if event.failed:
            self._running.pop((name, event.failed.urn), None)
        step = event.step
        if step is None or step.is_stack or step.operation in ("same", "refresh", "read"):
            return
        if not step.done:
            self._running[name, step.urn] = (step_line(step), time.monotonic())
            return
        _, begin = self._running.pop((name, step.urn), ("", time.monotonic()))
        yield f"{step_line(step)}  {time.monotonic() - begin:.1f} s"

    def _say(self, sentence: str) -> None:
        with suppress(OSError):  # nobody reads along any more, or the terminal is gone; the work goes on all the same
            self._last = time.monotonic()
            click.echo(sentence, err=True)

    def watch_notes(self, name: str, event: Event) -> None:
        """Take what the engine says, and pass on no more than what resources say of themselves."""
        if event.note:
            self.tell(f"{name}: {event.note}")

    def _heartbeat(self) -> None:
        while not self._ended.wait(1):
            if time.monotonic() - self._last < HEARTBEAT:
                continue
            for (name, _), (line, begin) in list(self._running.items()):
                self.tell(f"{name}: still at {line}  {time.monotonic() - begin:.0f} s")
            self._last = time.monotonic()


@contextmanager
def rows(progress: Progress) -> Iterator[Callable[[int, int], None]]:
    """What shows how many rows of how many are done: a bar on a terminal, a line from time to time elsewhere."""
    with ExitStack() as shown:
        bars: list[Any] = []
        last, shown_rows = 0.0, 0

        def show(done: int, all_rows: int) -> None:
            nonlocal last, shown_rows
            if sys.stderr.isatty():
                if not bars:
                    steps = max(1, all_rows // _BAR_STEPS)  # to draw it costs more than a row does
                    bar = click.progressbar(
                        length=all_rows, label="rows", show_pos=True, file=sys.stderr, update_min_steps=steps
                    )
                    bars.append(shown.enter_context(bar))
                bars[0].update(done - shown_rows)
                shown_rows = done
                return
            last = last or time.monotonic()
            if time.monotonic() - last > HEARTBEAT:
                last = time.monotonic()
                progress.tell(f"{done:,} of {all_rows:,} rows")

        yield show


def played_line(name: str, step: Any) -> str:
    """One step of a rehearsal: its verdict, how long it took, what became of the requests, what was seen."""
    mark, colour = {"passed": ("✓", "green"), "failed": ("✗", "red")}.get(step.verdict, ("·", "yellow"))
    tally = step.requests
    flow = f"  {tally.sent} requests, {tally.lost} lost{_lost(tally.why)}" if tally.sent else ""
    return f"{name}: {click.style(mark, fg=colour)} {step.name}  {step.seconds:.1f} s{flow}\n    {step.detail}"


def verdict_line(played: Any) -> str:
    """What a rehearsal came to for one deployment."""
    passed = sum(step.verdict == "passed" for step in played.steps)
    sent = sum(step.requests.sent for step in played.steps)
    lost = sum(step.requests.lost for step in played.steps)
    return f"{played.stack}: {passed} of {len(played.steps)} steps passed; {sent} requests, {lost} lost"


def going_lines(going: Any) -> str:
    """What `destroy` would remove of one deployment, and what it would leave."""
    if going.spared:
        return f"{going.stack}: left alone, it {going.spared}"
    count = sum(going.kinds.values())
    kinds = "".join(f"\n  goes: {number} {kind}" for kind, number in sorted(going.kinds.items()))
    stays = "".join(f"\n  stays: {clause}" for clause in going.stays)
    history = "\n  goes: its history, and the releases that are kept there" if count else ""
    return f"{going.stack} ({going.target}): {count or 'no'} resources go{kinds}{history}{stays}"


def gone_line(gone: Any) -> str:
    """What `destroy` came to for one deployment."""
    if gone.left:
        return f"{gone.stack}: removed, but something is left"
    done = f"{gone.stack}: gone" if gone.removed else f"{gone.stack}: there was nothing to remove"
    if not gone.listed:
        return f"{done}; what is left there, if anything, its target can't list"
    return f"{done}, and nothing of it is left" if gone.removed else done


def _lost(why: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count} {reason}' for reason, count in why.items())})" if why else ""


def short(release: str | None) -> str:
    """A release as a person reads it."""
    return release[:12] if release else "-"


def as_error(error: BentoshipError) -> dict[str, Any]:
    """An error as data."""
    return {"error": [str(problem) for problem in error.problems]}


def is_interactive() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return str(value)
