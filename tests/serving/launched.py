"""Starts the launcher of this source as hosts do, with the packages of a sealed release and a service of a test."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import httpx

from bentoship.gate import wait_until_ready
from bentoship.host.launch import command, environment

PATIENCE = 60
RELEASE = "0123456789abcdef"
_LAUNCHER = ("launcher", "app", "run.sh", "PYTHON")


@dataclass
class Served:
    process: subprocess.Popen
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def post(self, path: str, body, **options) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, trust_env=False, timeout=PATIENCE, **options)

    def get(self, path: str, **options) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=PATIENCE, **options)

    def raw(self, data: bytes, *, shut: bool = False) -> bytes:
        """What comes back for `data` until the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: _received(connection), b""))

    def ended(self) -> list[dict]:
        """End it with SIGTERM; the lines of its log that are JSON."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def with_service(unpacked: Path, folder: Path, service: str) -> Path:
    """A copy in `folder` of what the release in `unpacked` starts with, around another service that is called tiny."""
    for part in _LAUNCHER:
        source = unpacked / part
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        folder.mkdir(exist_ok=True)
        copy(source, folder / part)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o700)
    (folder / "app/src/service.py").write_text(service)
    return folder


def packages(unpacked: Path, *more: str) -> str:
    """The sealed packages, then those of the tests' environment where `more` are, which aren't in the release."""
    others = {str(distribution(name).locate_file("")) for name in more}
    return ":".join([str(unpacked / "site-packages"), *others])


@contextmanager
def serving(folder: Path, state: Path, **variables) -> Iterator[Served]:
    port, log = free_port(), state.with_suffix(".log")
    told = {"BENTOSHIP_PYTHON": sys.executable, "BENTOSHIP_RELEASE": RELEASE, **variables}
    around = {**environment(port, state, told), **told}
    with running(command(folder), around, folder, port, log) as served:
        yield served


@contextmanager
def running(words: list[str], around: dict, folder: Path, port: int, log: Path) -> Iterator[Served]:
    with log.open("w") as output:
        process = subprocess.Popen(words, env=around, cwd=folder, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, stopped=lambda: log.read_text() if process.poll() is not None else None)
        yield Served(process, url, log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
