"""Several serving processes, made by forking one that has imported everything: a dead one is back at once.

The parent binds the port and hands the same socket to all, so that a connection waits for the next free process and
none is lost with a process that died.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType

from . import metrics
from .settings import Settings

_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 10.0
"""A process that lived that long is started again at once."""
_MARGIN_SECONDS = 5
"""What a process may take, beyond the time to drain, before it is killed."""
_PR_SET_PDEATHSIG = 1


class Workers:
    """The processes of one release, and the one that looks after them."""

    def __init__(self, serve: Callable[[], int], sockets: list[socket.socket], settings: Settings) -> None:
        self.serve = serve
        self.sockets = sockets
        self.settings = settings
        self.started: dict[int, float] = {}
        """When each process began to serve, or is going to, by its id."""
        self.is_ending = False
        self.pause = 0.0

    def run(self) -> int:
        """Keep the processes running until SIGTERM; return the exit code: that of one that can't load the service."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        gc.collect()
        gc.freeze()  # what is in memory now is shared, as long as nobody writes to it
        for _ in range(self.settings.workers):
            self._start()
        code = 0
        while self.started:
            worker, status = os.wait()
            begun = self.started.pop(worker, None)
            metrics.forget(worker)
            if begun is None or self.is_ending:
                continue
            if code := _final(os.waitstatus_to_exitcode(status)):
                self._end()
            else:
                self._start_again(worker, status, begun)
        return code

    def _start(self, pause: float = 0) -> None:
        """Start a process that serves after `pause` seconds; meanwhile this one looks after the others."""
        parent = os.getpid()
        worker = os.fork()
        if worker:
            self.started[worker] = time.monotonic() + pause
            return
        code = 1
        try:
            _end_with(parent)
            signal.signal(signal.SIGTERM, _leave)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            time.sleep(pause)
            code = self.serve()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _start_again(self, worker: int, status: int, begun: float) -> None:
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"
        sys.stderr.write(f"bentoship: process {worker} {how}; another one is started\n")
        is_steady = time.monotonic() - begun > _STEADY_SECONDS
        self.pause = 0.0 if is_steady else min(max(self.pause * 2, 0.1), _LONGEST_PAUSE)
        if not self.is_ending:
            self._start(self.pause)

    def _end(self, *_: int | FrameType | None) -> None:
        """Have all processes drain, and see that they do so in time."""
        if self.is_ending:
            return
        self.is_ending = True
        for listener in self.sockets:
            listener.close()  # or connections would go on being accepted here, where nobody takes them
        self._signal(signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: self._signal(signal.SIGKILL))
        signal.alarm(int(self.settings.linger_seconds) + self.settings.drain_seconds + _MARGIN_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        for worker in list(self.started):
            os.kill(worker, number)  # they are our children, and not yet waited for


def _final(code: int) -> int:
    """The exit code of a process that will never do better, or 0."""
    from .server import CANT_LOAD  # noqa: PLC0415

    return code if code == CANT_LOAD else 0


def _end_with(parent: int) -> None:
    """Have this process end when its parent does, on Linux; elsewhere whoever ends the parent ends the group."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _leave(*_: object) -> None:
    sys.exit(0)
