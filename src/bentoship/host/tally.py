"""What a release has answered, counted as it passes through the router: how much, how much of it failed, how fast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FAILED = 500
"""The lowest status that counts as a failure: what is below it is the client's doing."""
_STEP = 1.1
"""Each class of latencies ends a tenth above the one before it, so that a thousand seconds take 150 numbers."""


@dataclass(frozen=True)
class Answers:
    """What a release has answered since the traffic was last divided otherwise."""

    count: int = 0
    failed: int = 0
    """How many of them had a status of 500 or above, or never came because the release ended."""
    milliseconds: Mapping[int, int] = field(default_factory=dict)
    """How many took how long from the request to the first byte of the answer, by class of latencies."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Answers:
        """The answers in JSON, whose keys are texts."""
        latencies = {int(step): number for step, number in data["milliseconds"].items()}
        return cls(data["count"], data["failed"], latencies)

    def percentile(self, percent: float) -> float | None:
        """So many percent of the answers came within this many milliseconds, to a tenth; None without any answer."""
        left = math.ceil(sum(self.milliseconds.values()) * percent / 100)
        for step in sorted(self.milliseconds):
            left -= self.milliseconds[step]
            if left <= 0:
                return float(_STEP**step)
        return None


class Tally:
    """Counts the answers of one release."""

    def __init__(self) -> None:
        self._count = self._failed = 0
        self._steps: Counter[int] = Counter()

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self._count += 1
        self._failed += status >= FAILED
        self._steps[max(0, math.ceil(math.log(max(seconds * 1000, 1e-9), _STEP)))] += 1

    def ended(self) -> None:
        """Count a request that will never be answered."""
        self._count += 1
        self._failed += 1

    def answers(self) -> Answers:
        """What has been counted."""
        return Answers(self._count, self._failed, dict(self._steps))
