"""What a check has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ..errors import Problem

State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `ok` needs nothing, a `warning` may be what the user wants, and with something `missing` a command will fail.
    """

    check: str
    """Name of the check: that of its file in bentoship/doctor."""
    state: State
    message: str
    remedy: str = ""


def from_problems(check: str, problems: Iterable[Problem]) -> list[Finding]:
    """One finding for each problem; a problem of the configuration is always something missing."""
    return [Finding(check, "missing", str(Problem(each.where, each.fault)), each.remedy) for each in problems]
