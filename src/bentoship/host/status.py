"""What runs on this machine, as a supervisor tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .tally import Answers

DIGITS = 12


def short(release_id: str) -> str:
    """The first twelve digits of a release's id: enough to name it to a person, in a log and in a path."""
    return release_id[:DIGITS]


@dataclass(frozen=True)
class ReleaseStatus:
    """One release that a supervisor keeps running."""

    id: str
    url: str | None
    """Private URL of the running process; None between two processes. It is another one after a restart."""
    pid: int | None
    ready: bool
    restarts: int
    """How often it was started again because it had died or hung."""
    started_at: str | None
    """When the running process was started: ISO 8601, UTC."""
    rss_bytes: int
    """Resident memory of the process and those below it."""
    requests: int
    """How many requests the router has sent to it."""
    in_flight: int
    """How many of these are not answered yet."""
    failure: str | None
    """Why it is not ready, or was not when it was last started again."""
    answers: Answers = field(default_factory=Answers)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> ReleaseStatus:
        """The release in the JSON that a supervisor answers."""
        counted = data.get("answers")  # a supervisor that an earlier version started doesn't count
        return cls(**{**data, "answers": Answers.of(counted) if counted else Answers()})


@dataclass(frozen=True)
class Status:
    """One supervisor and all that it runs."""

    url: str
    """The stable URL."""
    port: int
    pid: int
    releases: tuple[ReleaseStatus, ...]
    traffic: Mapping[str, int]
    """Percent of the requests by release id."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Status:
        """The status in the JSON that a supervisor answers."""
        releases = tuple(ReleaseStatus.of(release) for release in data["releases"])
        return cls(data["url"], data["port"], data["pid"], releases, data["traffic"])
