"""Requests that flow while something changes: how many were sent, lost, and answered by whom."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from ..deployment import Example
from ..gate import READY_PATH, RELEASE_HEADER, authorization

TIMEOUT = 30.0
"""Seconds after which a request counts as lost."""
_PATIENCE = 2 * TIMEOUT
_DIGITS = 12


@dataclass(frozen=True)
class Tally:
    """What became of the requests of one step."""

    sent: int = 0
    lost: int = 0
    """Not answered, or with another status than 200."""
    wrong: int = 0
    """Answered by a release that should not have answered."""
    why: dict[str, int] = field(default_factory=dict)
    """How requests were lost: the status or the error, and how often."""
    by: dict[str, int] = field(default_factory=dict)
    """Answers by release, as its first twelve digits."""
    first: dict[str, float] = field(default_factory=dict)
    """Seconds from the step's begin to the first answer of each release."""


class Customers:
    """Asks a URL the same example at an even pace, in the background; to be entered and left."""

    def __init__(self, url: str, example: Example, per_second: float) -> None:
        self._url, self._example, self._pause = url, example, 1 / per_second
        self._headers = authorization()
        self._stop, self._news = threading.Event(), threading.Condition()
        self._answers: list[tuple[str, str, float]] = []
        """Of the current step: the release that answered and nothing, or nothing and why there was no answer; when."""
        self._begin = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def tally(self, expected: Collection[str]) -> Tally:
        """What became of the requests since the last tally; `expected` are the ids of those who may answer."""
        with self._news:
            answers, self._answers = self._answers, []
            begin, self._begin = self._begin, time.monotonic()
        lost = Counter(why for _, why, _ in answers if why)
        by = Counter(release for release, why, _ in answers if not why)
        first: dict[str, float] = {}
        for release, _, at in answers:
            if release:
                first.setdefault(release, at - begin)
        short = {identity[:_DIGITS] for identity in expected}
        wrong = sum(count for release, count in by.items() if release not in short)
        return Tally(len(answers), sum(lost.values()), wrong, dict(lost), dict(by), first)

    def latest(self) -> str:
        """Who answers the next request that is sent from now on; empty when nobody does."""
        with self._news:
            seen = len(self._answers) + 1  # one may be under way
            in_time = self._news.wait_for(lambda: len(self._answers) > seen, timeout=_PATIENCE)
            return self._answers[-1][0] if in_time else ""

    @staticmethod
    def ask_once(url: str) -> str:
        """Who says that it is ready at `url`; empty when nobody does."""
        try:
            answer = httpx.get(f"{url}{READY_PATH}", timeout=TIMEOUT, trust_env=False)
        except httpx.HTTPError:
            return ""
        return answer.headers.get(RELEASE_HEADER, "") if answer.status_code == httpx.codes.OK else ""

    def _run(self) -> None:
        with httpx.Client(headers=self._headers, timeout=TIMEOUT, trust_env=False) as client:
            while not self._stop.is_set():
                begin = time.monotonic()
                release, why = self._ask(client)
                with self._news:
                    self._answers.append((release, why, time.monotonic()))
                    self._news.notify_all()
                self._stop.wait(max(0, begin + self._pause - time.monotonic()))

    def _ask(self, client: httpx.Client) -> tuple[str, str]:
        try:
            answer = client.post(f"{self._url}{self._example.path}", json=self._example.body)
        except httpx.HTTPError as error:
            return "", type(error).__name__
        if answer.status_code != httpx.codes.OK:
            return "", str(answer.status_code)
        return answer.headers.get(RELEASE_HEADER, ""), ""
