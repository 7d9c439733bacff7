"""What `parity` has found as people read it: a row for each place, then the first answers that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import BentoshipError
from . import printer

if TYPE_CHECKING:
    from ..operations.parity import Answers, Difference, Parity

HEADINGS = ("", "target", "release", "answers", "p50 ms", "p95 ms", "p99 ms", "status")
SHOWN = 5
"""Differences that are shown; --json has all."""
_LETTERS = 200


def lines(found: Parity) -> Iterator[str]:
    """The lines to print."""
    answers = [each for each in found.places.values() if not isinstance(each, BentoshipError)]
    yield from printer.columns([HEADINGS, *(_row(each, found) for each in answers)])
    for difference in found.differences[:SHOWN]:
        yield from _difference(difference)
    if (more := len(found.differences) - SHOWN) > 0:
        yield f"... and {more} more (--json shows all)"
    differing = len({each.request for each in found.differences})
    if differing:
        largest = max((each.largest_difference or 0 for each in answers), default=0)
        yield f"{differing} of {found.requests} requests were answered differently; largest difference: {largest:g}"
    elif found.agree:
        yield f"{found.requests} requests, each {found.times} times: all answers agree"


def _row(answers: Answers, found: Parity) -> tuple[str, ...]:
    verdict = f"{answers.differing} of {found.requests} differ" if answers.differing else "agree"
    latencies = (answers.p50_milliseconds, answers.p95_milliseconds, answers.p99_milliseconds)
    return (
        answers.name,
        answers.target,
        ", ".join(answers.releases),
        f"{answers.unanswered} of {answers.sent} failed" if answers.unanswered else verdict,
        *("-" if each is None else f"{each:.1f}" for each in latencies),
        ", ".join(f"{count} x {status}" for status, count in answers.statuses.items()) or "-",
    )


def _difference(difference: Difference) -> Iterator[str]:
    yield f"request {difference.request}, POST {difference.path} {_short(difference.body)}"
    yield f"  {difference.place}: {difference.where}"
    yield f"    reference  {_short(difference.reference)}"
    yield f"    here       {_short(difference.answer)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}…"
