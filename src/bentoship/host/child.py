"""One process of a release: started, its output captured, ended together with all that it started itself."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import psutil

from . import bytecode, launch, ports
from .logs import stamp
from .state import Wanted

OWNER = "BENTOSHIP_SUPERVISOR"
"""Environment variable of every child: the directory of the supervisor that started it."""
LAST_LINES = 20
_LONGEST_LINE = 64 * 1024
_PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """A running process of a release, leader of a process group of its own."""

    process: asyncio.subprocess.Process
    port: int
    scratch: Path
    """Folder for what the process writes; deleted when it has ended."""
    output: asyncio.Task[None]
    last_lines: deque[str]
    """The newest lines that it printed."""
    started_at: str = field(default_factory=lambda: stamp(datetime.now(UTC)))

    @property
    def pid(self) -> int:
        """Id of the process and of its group."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Private URL of the process."""
        return ports.url(ports.LOCALHOST, self.port)


async def start(wanted: Wanted, owner: Path, scratch: Path, print_line: Callable[[str], None]) -> Child:
    """Start what is `wanted` on a private port; `print_line` gets each line of its output.

    `owner` is the directory of the supervisor, below whose `scratch` the process may write. Raises OSError when
    the folder or the shell isn't there.
    """
    directory = Path(wanted.directory)
    port = wanted.port or ports.free_port()
    own = _folder_below(scratch)
    # A release that is started again need not compile again.
    kept = {"PYTHONPYCACHEPREFIX": str(owner / bytecode.FOLDER)}
    environment = {**kept, **launch.environment(port, own, wanted.variables), OWNER: str(owner)}
    reader, writer = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(wanted.command or launch.command(directory)),
            cwd=directory,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writer,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    except OSError:
        os.close(reader)
        shutil.rmtree(own, ignore_errors=True)
        raise
    finally:
        os.close(writer)
    last_lines: deque[str] = deque(maxlen=LAST_LINES)
    capture = asyncio.create_task(_capture(os.fdopen(reader, "rb", 0), _both(last_lines.append, print_line)))
    return Child(process, port, own, capture, last_lines)


async def end(child: Child, grace: float) -> int:
    """End `child` and its group: SIGTERM, then SIGKILL after `grace` seconds. Returns the exit code."""
    if child.process.returncode is None:
        _signal_group(child, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.process.wait(), grace)
    return await kill(child)


async def kill(child: Child) -> int:
    """End what is left of `child` and its group at once, and clean up after it. Returns the exit code."""
    _signal_group(child, signal.SIGKILL)
    code = await child.process.wait()
    await asyncio.wait([child.output], timeout=1)
    child.output.cancel()
    await asyncio.to_thread(shutil.rmtree, child.scratch, ignore_errors=True)
    return code


def how_it_ended(code: int) -> str:
    """A clause for an exit code as the subprocess module tells it, where -9 stands for SIGKILL."""
    if code >= 0:
        return f"exited with code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def rss_bytes(pid: int) -> int:
    """Resident memory of process `pid` and all below it, in bytes; 0 when it is gone."""
    try:
        process = psutil.Process(pid)
        return sum(_rss(member) for member in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def end_leftovers(owner: Path) -> list[int]:
    """Kill what an earlier supervisor of the directory `owner` left running; return the process ids.

    A supervisor that was killed could not end its children; their environment says whose they are.
    """
    left = [process for process in psutil.process_iter(["environ"]) if _is_of(process, owner)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return [process.pid for process in left]


def _folder_below(scratch: Path) -> Path:
    scratch.mkdir(exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(dir=scratch))


def _is_of(process: psutil.Process, owner: Path) -> bool:
    environment = process.info["environ"]
    return process.pid != os.getpid() and (environment or {}).get(OWNER) == str(owner)


def _rss(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _signal_group(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group of zombies
        os.killpg(child.pid, number)


async def _capture(pipe: BinaryIO, print_line: Callable[[str], None]) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    partial = b""
    try:
        while chunk := await reader.read(_LONGEST_LINE):
            *lines, partial = (partial + chunk).split(b"\n")
            if len(partial) > _LONGEST_LINE:
                lines, partial = [*lines, partial], b""
            for line in lines:
                print_line(line.decode(errors="replace"))
        if partial:
            print_line(partial.decode(errors="replace"))
    finally:
        transport.close()


def _both(first: Callable[[str], None], second: Callable[[str], None]) -> Callable[[str], None]:
    def call(line: str) -> None:
        first(line)
        second(line)

    return call


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent() -> None:
    """Have this process end when its parent does. For `preexec_fn`, on Linux; elsewhere it does nothing."""
    # Runs in the child between fork and exec. Elsewhere than on Linux only the next supervisor ends leftovers.
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
