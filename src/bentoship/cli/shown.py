"""What verbs about deployments came to, as rows for --json and as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

import click

from ..errors import BentoshipError
from . import printer

if TYPE_CHECKING:
    from ..engine.events import Step
    from .stream import Stream


def rows_of(found: Mapping[str, Any], row: Callable[[Any], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was found, by deployment, as data; an error is a row too."""
    return [
        {"name": name, **printer.as_error(value)} if isinstance(value, BentoshipError) else dict(row(value))
        for name, value in found.items()
    ]


def show_traffic(environment: str, found: Mapping[str, Any], *, as_json: bool) -> int:
    """Print how the traffic of each deployment is divided; the exit code."""
    if as_json:
        rows = rows_of(found, lambda divided: {**vars(divided), "shares": [_share(each) for each in divided.shares]})
        printer.data({"environment": environment, "deployments": rows})
        return complain_of(found)
    lines = [
        (name, *map(str, _share(share).values()))
        for name, divided in found.items()
        if not isinstance(divided, BentoshipError)
        for share in divided.shares
    ]
    printer.table(("deployment", "release", "role", "percent", "requests", "failed", "p95 ms"), lines)
    return complain_of(found)


def _share(share: Any) -> dict[str, Any]:
    answers = share.answers
    p95 = answers.percentile(95) if answers else None
    return {
        "release": printer.short(share.release),
        "role": share.role,
        "percent": share.percent,
        "requests": answers.count if answers else None,
        "failed": answers.failed if answers else None,
        "p95_milliseconds": round(p95, 1) if p95 is not None else None,
    }


def step_row(step: Step) -> dict[str, Any]:
    """One step of the engine as data."""
    return {"operation": step.operation, "type": step.type, "name": step.name, "properties": list(step.diffs)}


def planned_row(planned: Any) -> dict[str, Any]:
    """A plan as data."""
    return {**vars(planned), "changes": [step_row(step) for step in planned.changes]}


def drifted_row(drift: Any) -> dict[str, Any]:
    """Drift as data."""
    return {**vars(drift), "changes": [step_row(step) for step in drift.changes], "drifted": drift.drifted}


def deployed_row(deployed: Any) -> dict[str, Any]:
    """What a command that moves the pointer came to, as data."""
    names = ("name", "target", "stack", "url", "release", "gate")
    return {name: getattr(deployed, name) for name in names}


def played_row(played: Any) -> dict[str, Any]:
    """A rehearsed life as data."""
    return {**vars(played), "passed": played.passed}


def pruned_row(pruned: Any) -> dict[str, Any]:
    """What was pruned, as data."""
    return {name: getattr(pruned, name) for name in ("name", "target", "stack", "kept", "removed")}


def destroyed_row(destroyed: Any) -> dict[str, Any]:
    """What was destroyed, as data."""
    return {**vars(destroyed), "removed": [step_row(step) for step in destroyed.removed]}


def complain_of(found: Mapping[str, Any]) -> int:
    """Print every error that was found; the exit code."""
    failed = [(name, value) for name, value in found.items() if isinstance(value, BentoshipError)]
    for name, error in failed:
        printer.complain(error, name)
    return int(bool(failed))


def print_plan(found: Mapping[str, Any]) -> None:
    """Print what would change."""
    for planned in found.values():
        if isinstance(planned, BentoshipError):
            continue
        move = f"release {printer.short(planned.live)} -> {printer.short(planned.release)}"
        click.echo(f"{planned.stack}: {move if planned.live != planned.release else 'no new release'}")
        for step in planned.changes:
            click.echo(f"  {printer.step_line(step)}")
        if not planned.changes:
            click.echo("  nothing changes")


def print_drift(found: Mapping[str, Any]) -> None:
    """Print what has changed behind our back."""
    for drift in found.values():
        if isinstance(drift, BentoshipError):
            continue
        if drift.live is None:
            click.echo(f"{drift.stack}: is not up")
            continue
        click.echo(f"{drift.stack}: release {printer.short(drift.live)} is live, says the history")
        for step in drift.changes:
            click.echo(f"  {printer.step_line(step)}")
        if not drift.answers:
            answer = f"answers as release {drift.answered_by}" if drift.answered_by else "does not answer"
            click.echo(f"  {drift.url} {answer if drift.ready or not drift.answered_by else 'is not ready'}")
        if not drift.drifted:
            click.echo("  nothing has changed, and that release answers")


def open_stream(file: IO[str] | None, verb: str, environment: str, *, as_json: bool = False) -> Stream:
    """The stream of events that `--events` asks for."""
    from .stream import Stream  # noqa: PLC0415

    stream = Stream(file, verb, environment)
    if as_json and stream.takes_stdout:
        raise click.UsageError("--json and --events - both want stdout; name a file for the events")
    return stream


def end_deployed(
    environment: str, found: Mapping[str, Any], stream: Stream, progress: printer.Progress, *, as_json: bool
) -> int:
    """Tell what a command that moves the pointer came to, in every form that was asked for; its exit code."""
    if as_json:
        printer.data({"environment": environment, "deployments": rows_of(found, deployed_row)})
    else:
        print_deployed(found, progress, url=not stream.takes_stdout)
    return stream.end(complain_of(found), found)


def print_deployed(found: Mapping[str, Any], progress: printer.Progress, *, url: bool) -> None:
    """Print what went live, whether it passed the gate, and where it answers."""
    from ..operations.curl import curl_line  # noqa: PLC0415

    for deployed in found.values():
        if isinstance(deployed, BentoshipError):
            continue
        changed = "is live" if deployed.changes else "was live already; nothing changed"
        examples = deployed.gate["examples"]
        progress.tell(
            f"{deployed.stack}: release {printer.short(deployed.release)} {changed} ({deployed.seconds:.1f} s)"
        )
        if deployed.gate["passed"]:
            plural = "" if examples == 1 else "s"
            progress.tell(f"  gate passed: ready, {examples} golden example{plural} answered as sealed")
        else:
            progress.tell("  not gated: this target declares no gate")
        progress.tell(f"  try it:  {curl_line(deployed.url, deployed.examples)}")
        if url:
            click.echo(deployed.url)
