"""A release that runs on this machine for a while: while it is sealed, or compared with another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import GateFailed, ServiceBroken
from ..gate import wait_until_ready
from ..host import child, ports
from ..host.launch import command, environment
from .wheels import native_cache, native_site_packages, runs_here

_STOP_SECONDS = 10.0


def of_this_machine(unpacked: Path) -> dict[str, str]:
    """What a release must be told here: our interpreter, and native wheels where its own can't run."""
    variables = {"BENTOSHIP_PYTHON": sys.executable}
    if not runs_here():
        lock = unpacked / "bentofile.lock"
        variables["BENTOSHIP_SITE_PACKAGES"] = str(native_site_packages(lock, native_cache(lock)))
    return variables


@contextmanager
def running(directory: Path, variables: dict[str, str], work: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the release unpacked in `directory` as every host does, on a free port of this machine; its URL and process.

    It keeps what it writes in `work`, and is always stopped at the end. Raises ServiceBroken when it doesn't get ready.
    """
    port, log = ports.free_port(), work / "serving.log"
    around = environment(port, work / "state", {"BENTOSHIP_PYTHON": sys.executable, **variables})
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(directory),
            env=around,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=child.end_with_parent,  # noqa: PLW1509 -- nothing else ends it when we are killed
        )
    url = ports.url(ports.LOCALHOST, port)
    try:
        wait_until_ready(url, stopped=lambda: _ended(process, log))
        yield url, process
    except GateFailed as error:
        raise ServiceBroken("service", error.problems[0].fault, "correct it; `bentoml serve` shows more") from None
    finally:
        _stop(process)


def _ended(process: subprocess.Popen[bytes], log: Path) -> str | None:
    if process.poll() is None:
        return None
    return f"does not start: {_reason(log) or f'exit code {process.returncode}'}"


def _reason(log: Path) -> str:
    """The launcher's own line about what went wrong, or else the last line of the log."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    ours = [line.removeprefix("bentoship: ") for line in lines if line.startswith("bentoship: ")]
    return (ours or lines or [""])[-1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # What the service itself has started is in the same group, and must not outlive it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
