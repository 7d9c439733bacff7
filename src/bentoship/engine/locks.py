"""Who holds a stack's lock, as the engine's own complaint tells it."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

import psutil

# pkg/backend/diy/lock.go prints: "  <url>: created by <user>@<host> (pid <pid>) at <RFC 3339>"
_HOLDER = re.compile(r"created by (?P<user>[^@\s]*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


@dataclass(frozen=True)
class Holder:
    """A process that holds a stack's lock."""

    user: str
    host: str
    pid: int
    since: str
    """When it took the lock, ISO 8601."""

    @property
    def who(self) -> str:
        """The holder as a person would name it."""
        return f"{self.user}@{self.host} (process {self.pid})"

    @property
    def is_gone(self) -> bool:
        """Whether it ran on this machine and runs no more; never true of another machine's process."""
        return self.is_here and not psutil.pid_exists(self.pid)

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()


def holder(complaint: str) -> Holder | None:
    """The first holder that the engine's complaint names; None when it isn't about a lock."""
    found = _HOLDER.search(complaint)
    if found is None:
        return None
    return Holder(found["user"], found["host"], int(found["pid"]), found["since"])
