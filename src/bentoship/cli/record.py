"""The record of releases as people read it: a row for each attempt, or all that is known of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from . import printer

if TYPE_CHECKING:
    from ..deployment import Gated
    from ..ledger import Entry

HEADINGS = ("deployment", "at", "release", "result", "from", "by", "gate", "live after", "reason")
PHASES = ("build", "start", "ready", "gate", "canary", "live", "engine")
"""In the order in which they end; docs/releases.md says what each of them is."""
_COMMIT = 12


def rows(found: Mapping[str, tuple[Entry, ...]]) -> Iterator[tuple[str, ...]]:
    """One row for each entry, under HEADINGS."""
    for name, entries in found.items():
        for entry in entries:
            live = entry.seconds.get("live")
            yield (
                name,
                entry.at,
                printer.short(entry.release),
                entry.result,
                entry.source,
                entry.by,
                f"{entry.gate.met}/{entry.gate.asked}" if entry.gate else "-",
                f"{live:.1f} s" if live is not None else "-",
                entry.reason.partition("\n")[0],
            )


def details(name: str, entry: Entry) -> Iterator[str]:
    """Lines that say all of an entry; what isn't known is left out."""
    yield f"{name}: release {entry.release}"
    for heading, lines in _parts(entry).items():
        for number, line in enumerate(filter(None, lines)):
            yield f"  {heading if number == 0 else '':<8}  {line}"


def _parts(entry: Entry) -> dict[str, list[str]]:
    return {
        "result": [f"{entry.result}, begun at {entry.at}"],
        "by": [entry.by, *([entry.run] if entry.run else [])],
        "from": [entry.source + _commit(entry)],
        "gate": _gate(entry.gate) if entry.gate else [],
        "took": [", ".join(f"{phase} {entry.seconds[phase]:.3g} s" for phase in PHASES if phase in entry.seconds)],
        "versions": [", ".join(f"{what} {version}" for what, version in entry.versions.items())],
        "reason": entry.reason.splitlines(),
    }


def _commit(entry: Entry) -> str:
    if not entry.commit:
        return ""
    changed = ", with changes that were not committed" if entry.dirty else ""
    return f", built from commit {entry.commit[:_COMMIT]}{changed}"


def _gate(gate: Gated) -> list[str]:
    ready = "" if gate.ready_seconds is None else f"ready after {gate.ready_seconds:g} s, "
    verdict = "passed" if gate.passed else "failed"
    asked = f"{verdict} at {gate.at}: {ready}{gate.met} of {gate.asked} golden examples met"
    return [
        asked,
        *(
            f"{number:>3}  POST {each.path}  {'met' if each.met else 'not met'}  {each.seconds:.3f} s"
            for number, each in enumerate(gate.examples, start=1)
        ),
    ]
