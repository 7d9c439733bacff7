"""A release that runs on this machine for a while: while it is sealed, compared, or asked row by row."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import GateFailed, ReleaseError, ServiceBroken
from ..gate import wait_until_ready
from ..host import bytecode, child, ports
from ..host.launch import command, environment
from ..project import cache
from .manifest import NAME, parse
from .wheels import FOLDER, native_cache, native_site_packages, runs_here

LOG = "serving.log"
LONGEST_START = 1800.0
"""Seconds; a process that ends is not waited for, and a large model may take its time."""
_STOP_SECONDS = 10.0
_LAST_LINE_SECONDS = 1.0


def of_this_machine(unpacked: Path) -> dict[str, str]:
    """What a release must be told here: our interpreter, and native wheels where its own can't run."""
    variables = {"BENTOSHIP_PYTHON": sys.executable}
    if not runs_here():
        lock = unpacked / "bentofile.lock"
        variables["BENTOSHIP_SITE_PACKAGES"] = str(native_site_packages(lock, native_cache(lock)))
    return variables


def compiled() -> Path:
    """Where this machine keeps what Python compiles of packages, by the digest of these."""
    return cache() / "bytecode"


def share_bytecode(prefix: Path, unpacked: Path) -> None:
    """Let the release in `unpacked`, which is going to run with `prefix`, find what was compiled of its very packages.

    They are most of what a release consists of, and change less often than the service. All projects of this machine
    share what is compiled of them.
    """
    with suppress(OSError, ReleaseError):
        manifest = parse((unpacked / NAME).read_bytes(), unpacked)
        files = sorted((name, facts.sha256) for name, facts in manifest.files.items() if name.startswith(f"{FOLDER}/"))
        bytecode.share(prefix, unpacked / FOLDER, compiled() / hashlib.sha256(repr(files).encode()).hexdigest())


@contextmanager
def running(
    directory: Path, variables: dict[str, str], work: Path, *, keep: Callable[[bytes], bool] = lambda _line: True
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the release unpacked in `directory` as every host does, on a free port of this machine; its URL and process.

    It writes into `work`, where those lines of its log are kept too that are worth to `keep`, and is always stopped at
    the end. Raises ServiceBroken when it doesn't get ready.
    """
    port = ports.free_port()
    around = environment(port, work / "state", {"BENTOSHIP_PYTHON": sys.executable, **variables})
    process = subprocess.Popen(
        command(directory),
        env=around,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=child.end_with_parent,  # noqa: PLW1509 -- nothing else ends it when we are killed
    )
    reader = threading.Thread(target=_write_down, args=(process, work / LOG, keep), daemon=True)
    reader.start()
    url = ports.url(ports.LOCALHOST, port)
    try:
        wait_until_ready(url, LONGEST_START, stopped=lambda: _ended(process, work, reader))
        yield url, process
    except GateFailed as error:
        raise ServiceBroken("service", error.problems[0].fault, "correct it; `bentoml serve` shows more") from None
    finally:
        _stop(process)


def last_words(work: Path) -> str:
    """The launcher's own line about what went wrong, or else the last line of the log; nothing when there is none."""
    with suppress(FileNotFoundError):
        text = (work / LOG).read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        ours = [line.removeprefix("bentoship: ") for line in lines if line.startswith("bentoship: ")]
        return (ours or lines or [""])[-1]
    return ""


def _ended(process: subprocess.Popen[bytes], work: Path, reader: threading.Thread) -> str | None:
    if process.poll() is None:
        return None
    reader.join(_LAST_LINE_SECONDS)
    return f"does not start: {last_words(work) or f'exit code {process.returncode}'}"


def _write_down(process: subprocess.Popen[bytes], log: Path, keep: Callable[[bytes], bool]) -> None:
    assert process.stdout  # noqa: S101 -- we asked for one
    with process.stdout as printed, log.open("wb", buffering=0) as file:
        for line in printed:
            if keep(line):
                file.write(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # What the service itself has started is in the same group, and must not outlive it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
