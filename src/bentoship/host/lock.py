"""One supervisor a directory: the lock that it holds while it runs, and who holds it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from bentoship.errors import HostError

FILE = "supervisor.lock"
MODULE = "bentoship.host.supervisor"
PREDECESSOR_TIMEOUT = 60.0
"""Seconds that a supervisor waits for an earlier one of its directory to end."""
_POLL = 0.05


@contextmanager
def sole(directory: Path, timeout: float = PREDECESSOR_TIMEOUT) -> Iterator[None]:
    """Be the one supervisor of `directory`; raises HostError when there is another after `timeout` seconds."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / FILE).open("a+") as lock:
        deadline = time.monotonic() + timeout
        while not _locked(lock):
            if time.monotonic() > deadline:
                holder = _pid(lock) or "unknown"
                raise HostError(str(directory), f"has another supervisor (pid {holder})", f"end it: kill {holder}")
            time.sleep(_POLL)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def end_moved(directory: Path) -> None:
    """Tell the supervisor to end that was started in this directory while it had another path; `sole` waits for it.

    Its lock has moved along, but it listens at the socket of the old path, where nobody asks any more. In a copy of
    a directory nobody holds the lock, whatever is written in it: the supervisor of the original is left alone.
    """
    with (directory / FILE).open("a+") as lock:
        supervisor = None if _locked(lock) else _supervisor_from_elsewhere(_pid(lock), directory)
    if supervisor:
        with suppress(psutil.NoSuchProcess):
            supervisor.terminate()


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(lock: IO[str]) -> int | None:
    lock.seek(0)
    text = lock.read().strip()
    return int(text) if text.isdecimal() else None


def _supervisor_from_elsewhere(pid: int | None, directory: Path) -> psutil.Process | None:
    """The process `pid`, when it is this user's supervisor of another path than `directory`."""
    try:
        process = psutil.Process(pid) if pid else None
        if process is None or process.uids().real != os.getuid():
            return None
        words = process.cmdline()
        where = words[words.index(MODULE) + 1]
    except (psutil.Error, ValueError, IndexError):
        return None
    return process if where != str(directory) else None
