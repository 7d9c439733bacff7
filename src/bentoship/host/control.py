"""Speaks to the supervisor of a directory, and starts it when it isn't there."""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from bentoship.errors import HostError

from .address import socket_path
from .lock import MODULE, end_moved, sole
from .logs import FOLDER
from .ports import LOCALHOST
from .state import Settings
from .status import Status

UNPACKED = "releases"
"""Where a deployment has its unpacked releases, below its folder."""
START_TIMEOUT = 90.0
"""Seconds that a new supervisor may take until it answers; it may have to wait for an earlier one to drain."""
_ANSWER_TIMEOUT = 10.0
_STOP_TIMEOUT = 120.0
_POLL = 0.05
_OUTPUT = "supervisor.out"
_START_LOCK = "start.lock"


class Supervisor:
    """A handle on the supervisor of one directory, whether it runs or not.

    `settings` take effect when it is started. Every method raises HostError when the supervisor refuses, or no
    longer answers.
    """

    def __init__(self, directory: Path, settings: Settings | None = None) -> None:
        self.directory = directory.resolve()
        self._settings = settings

    def ensure(self, port: int, host: str = LOCALHOST) -> str:
        """Have it run and listen at `host`:`port`; return the stable URL.

        It is started when it isn't there, and then comes back with the releases and the traffic that it had, even
        when the directory has been moved since; it moves when it listens elsewhere. Port 0 keeps the port that it
        has, or lets the system choose one. Raises HostError when the port is taken, and names who holds it.
        """
        with self._only_starter():
            if self.status() is None:
                end_moved(self.directory)
                return self._start_supervisor(port, host)
            return str(self._ask("PUT", "/address", {"host": host, "port": port})["url"])

    def start(self, release_id: str, directory: Path, variables: Mapping[str, str], ready_timeout: float = 120) -> str:
        """Have the release unpacked in `directory` run beside the others, without traffic; return its private URL.

        Waits `ready_timeout` seconds at most until it is ready. One that runs with the same variables stays as it
        is; else it is started anew, and the old one drained. Raises HostError with the exit code and the last lines
        of its log when it doesn't become ready; nothing of it is left running then.
        """
        wanted = {"directory": str(directory.resolve()), "variables": dict(variables), "ready_timeout": ready_timeout}
        timeout = ready_timeout + _STOP_TIMEOUT
        return str(self._ask("PUT", f"/releases/{quote(release_id, safe='')}", wanted, timeout)["url"])

    def route(self, traffic: Mapping[str, int]) -> None:
        """Split the requests from now on by `traffic`: percent by release id, 100 in all, only running releases."""
        self._ask("PUT", "/traffic", dict(traffic))

    def stop(self, release_id: str) -> None:
        """Let the release answer what it has, then end it; one that doesn't run is none to be stopped."""
        with suppress(_NotRunningError):
            self._ask("DELETE", f"/releases/{quote(release_id, safe='')}", timeout=_STOP_TIMEOUT)

    def status(self) -> Status | None:
        """All that it runs; None when there is no supervisor."""
        try:
            return Status.of(self._ask("GET", "/"))
        except _NotRunningError:
            return None

    def shut_down(self) -> None:
        """End it and all that it runs, and forget what it ran; nothing to do when there is none."""
        if not self.directory.is_dir():
            self._end()
            return
        with self._only_starter():
            self._end()
            end_moved(self.directory)
            with sole(self.directory, _STOP_TIMEOUT):
                self._forget()

    @property
    def logs(self) -> Path:
        """Folder of the logs, for `bentoship.host.logs`."""
        return self.directory / FOLDER

    def _end(self) -> None:
        """End the supervisor that answers here, if one does, and wait until it is gone."""
        if running := self.status():
            with suppress(_NotRunningError):
                self._ask("DELETE", "/")
            _wait_for_end(running.pid)

    def _forget(self) -> None:
        # For a supervisor that was killed: neither its children nor its state may stay.
        from . import state  # noqa: PLC0415
        from .child import end_leftovers  # noqa: PLC0415

        end_leftovers(self.directory)
        state.remove(self.directory)
        socket_path(self.directory).unlink(missing_ok=True)

    def _start_supervisor(self, port: int, host: str) -> str:
        reader, writer = os.pipe()
        settings = ["--settings", json.dumps(asdict(self._settings))] if self._settings else []
        where = [str(self.directory), "--host", host, "--port", str(port), "--report", str(writer)]
        with (self.logs / _OUTPUT).open("w") as output, os.fdopen(reader, "rb", 0) as report:
            try:
                subprocess.run(
                    [sys.executable, "-P", "-m", MODULE, *where, *settings],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    pass_fds=[writer],
                    check=False,
                )
            finally:
                os.close(writer)
            ready, _, _ = select.select([report], [], [], START_TIMEOUT)
            answer = report.read() if ready else b""
        return self._outcome(answer)

    def _outcome(self, answer: bytes) -> str:
        if not answer:
            printed = (self.logs / _OUTPUT).read_text(errors="replace").strip()
            raise HostError("supervisor", "did not start", f"it printed: {printed[-2000:]}" if printed else "")
        outcome = json.loads(answer)
        _raise_error(outcome)
        return str(outcome["url"])

    def _ask(
        self, method: str, route: str, body: Mapping[str, Any] | None = None, timeout: float = _ANSWER_TIMEOUT
    ) -> Any:
        connection = _UnixConnection(socket_path(self.directory), timeout)
        try:
            with closing(connection):
                connection.request(method, route, json.dumps(body))
                answer = connection.getresponse()
                text = answer.read().decode()
        except (FileNotFoundError, ConnectionError) as error:
            raise _NotRunningError(
                str(self.directory), "has no supervisor that runs", "`bentoship up` starts it"
            ) from error
        except (OSError, HTTPException) as error:
            raise HostError(
                f"supervisor of {self.directory}", f"gave no answer ({type(error).__name__})", f"look into {self.logs}"
            ) from error
        if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RuntimeError(f"{method} {route}: {text}; its traceback is in {self.logs / _OUTPUT}")
        outcome = json.loads(text)
        _raise_error(outcome)
        return outcome

    @contextmanager
    def _only_starter(self) -> Iterator[None]:
        """Let no other command start or end the supervisor meanwhile."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.directory / _START_LOCK).open("w")
        except OSError as error:
            raise HostError(
                str(self.directory), f"can't be written ({error.strerror})", "make room, or make the folder writable"
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _NotRunningError(HostError):
    """Nobody listens at the control socket."""


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("supervisor", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _wait_for_end(pid: int) -> None:
    """Wait until process `pid` is gone; HostError when it isn't after two minutes."""
    deadline = time.monotonic() + _STOP_TIMEOUT
    while psutil.pid_exists(pid) and not _is_zombie(pid):
        if time.monotonic() > deadline:
            raise HostError("supervisor", f"does not end (pid {pid})", f"end it: kill -9 {pid}")
        time.sleep(_POLL)


def _is_zombie(pid: int) -> bool:
    # In a container, nobody may ask how a process ended whose parent is gone.
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _raise_error(outcome: Mapping[str, Any]) -> None:
    if error := outcome.get("error"):
        raise HostError(error["where"], error["fault"], error["remedy"])
