"""Who holds a stack's lock, as the engine's own complaint tells it."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from datetime import datetime

import psutil

# pkg/backend/diy/lock.go prints: "  <url>: created by <user>@<host> (pid <pid>) at <RFC 3339>"
_HOLDER = re.compile(
    r"(?:(?P<place>\S+): )?created by (?P<user>[^@\s]*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)"
)

CLOCK_SLACK = 5
"""Seconds by which the time of a lock and that of a process may differ: one is cut to the second, one is computed."""


@dataclass(frozen=True)
class Holder:
    """A process that holds a stack's lock."""

    user: str
    host: str
    pid: int
    since: str
    """When it took the lock, ISO 8601."""
    place: str = ""
    """Address of the lock."""

    @property
    def who(self) -> str:
        """The holder as a person would name it."""
        return f"{self.user}@{self.host} (process {self.pid})"

    @property
    def is_gone(self) -> bool:
        """Whether it ran on this machine and runs no more; never true of another machine's process."""
        return self.is_here and not _runs(self.pid, self.since)

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine.

        Only said of a lock in a folder: two machines that share a backend may share a host name as well.
        """
        return self.host == socket.gethostname() and self.place.startswith("file://")


def holder(complaint: str) -> Holder | None:
    """The first holder that the engine's complaint names; None when it isn't about a lock."""
    found = _HOLDER.search(complaint)
    if found is None:
        return None
    return Holder(found["user"], found["host"], int(found["pid"]), found["since"], found["place"] or "")


def _runs(pid: int, since: str) -> bool:
    """Whether the engine that took the lock still runs; another process may have got its number meanwhile."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        is_younger = process.create_time() > datetime.fromisoformat(since).timestamp() + CLOCK_SLACK
        return not is_younger or "pulumi" in process.name()
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, ValueError):
        return True
