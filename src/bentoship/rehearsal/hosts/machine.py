"""One rehearsed machine: a folder as its disk, its cloud's metadata service, and a service that is kept running."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ...host import bytecode, child, ports
from ...host.replica import Replica
from ...host.state import Settings, Wanted
from ...release.running import share_bytecode
from .. import metadata

Ailment = Literal["dies", "hangs", "slow", "wrong"]
"""What a fault can make of a machine."""
STATE = "var/lib/bentoship-service"
UNITS = "etc/systemd/system"
RELEASES = "var/lib/bentoship/releases/*"
"""Where the boot script unpacks them."""
CONSOLE = "console.log"
ANY_DISK = "disk"
"""Folder for the bytecode of what lies on the disk of any machine."""
READY_TIMEOUT = 3600.0
"""Seconds; who waits for a machine has a patience of its own."""
_KEPT_LINES = 50
_ENVIRONMENT = re.compile(r'^(\w+)="((?:[^"\\]|\\.)*)"$', re.MULTILINE | re.DOTALL)
_ESCAPED = re.compile(r'\\([\\"$`])')
# A cloud's own probes decide about a machine; systemd and a platform's agent restart only what has ended.
_SETTINGS = Settings(liveness_interval=86_400, drain=10, grace=10, longest_pause=5)


class Machine:
    """A machine, from its first start to its end.

    `compiled` is a folder that all machines share, so that only the first of them that starts a release compiles it:
    three quarters of what a start costs. `changed` is called when its service has become ready or ceased to be.
    """

    def __init__(
        self, name: str, disk: Path, compiled: Path, address: str, tells: metadata.Machine, changed: Callable[[], None]
    ) -> None:
        self.name = name
        self.disk = disk
        self.tells = tells
        """What its metadata service says."""
        self.port = ports.free_port()
        """Where its service is told to listen, on 127.0.0.1."""
        self.console = deque[str](maxlen=_KEPT_LINES)
        self.ailment: tuple[Ailment, float] | None = None
        """What is wrong with it, and the seconds that go with it."""
        self.is_alive = True
        self.was_ready = False
        """Whether its service has ever been ready."""
        self.boot_failure: str | None = None
        """The last thing that its boot script said, when that failed."""
        self._bytecode = compiled
        self._address = address
        self._changed = changed
        self._service: Replica | None = None
        self._booting: asyncio.Task[Any] | None = None
        disk.mkdir(parents=True, exist_ok=True, mode=0o700)
        bytecode.share(compiled, disk, compiled / ANY_DISK)

    @property
    def url(self) -> str | None:
        """Where its service answers; None while it doesn't."""
        if self._service is None or self._service.backend.url is None:
            return None
        return f"{self._address}/ill/{self.name}" if self.ailment else self._service.backend.url

    @property
    def direct_url(self) -> str:
        """Where its service listens, or would."""
        return ports.url(ports.LOCALHOST, self.port)

    @property
    def pid(self) -> int | None:
        """The number of its service's process; None while there is none."""
        return self._service.status().pid if self._service else None

    def end_process(self) -> None:
        """End its service's process as the kernel does when memory is out; it is started again."""
        self._signal(signal.SIGKILL)

    @property
    def failure(self) -> str | None:
        """Why its service is not running, or was not when it was last started again; None when all is well."""
        status = self._service.status() if self._service else None
        return status.failure if status and not status.ready else None

    @property
    def deaths(self) -> int:
        """How often its service has been started again."""
        return self._service.status().restarts if self._service else 0

    async def boot(self, script: str, more: Mapping[str, str], tools: Path) -> int:
        """Run a boot script as the machine's root would; its exit code. `tools` is the folder of our stand-ins."""
        (self.disk / UNITS).mkdir(parents=True, exist_ok=True)
        file = self.disk / "boot-script"
        file.write_text(script, encoding="utf-8")
        environment = {
            **{name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ},
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "BENTOSHIP_METADATA": f"{self._address}/metadata/{self.name}",
            "BENTOSHIP_ROOT": str(self.disk),
            "BENTOSHIP_PORT": str(self.port),
            "BENTOSHIP_MACHINE": f"{self._address}/machines/{self.name}",
            **more,
        }
        self._booting = asyncio.current_task()
        process = await asyncio.create_subprocess_exec(
            *_interpreter(script),
            str(file),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=child.end_with_parent,
        )
        try:
            while process.stdout and (line := await process.stdout.readline()):
                self.print(line.decode(errors="replace").rstrip("\n"))
            return await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise

    async def systemctl(self, words: Sequence[str]) -> int:
        """What `systemctl` would do, as far as boot scripts use it; the exit code."""
        verb, names = words[0], [word for word in words[1:] if not word.startswith("-")]
        if verb in ("start", "restart"):
            if "/" in names[0]:
                return 1
            wanted = self._unit(names[0])
            runs = self._service is not None and self._service.wanted.runs_like(self._at_our_port(wanted))
            if verb == "restart" or not runs:
                await self.run(wanted)
        elif verb == "stop":
            await self._end_service()
        elif verb not in ("daemon-reload", "enable"):
            self.print(f"systemctl {verb} is not rehearsed")
            return 1
        return 0

    async def run(self, wanted: Wanted) -> None:
        """Keep this service running from now on, and no other; what it prints goes to the console."""
        await self._end_service()
        if not self.is_alive:  # it was ended while the old service drained
            return
        for unpacked in (Path(wanted.directory), *self.disk.glob(RELEASES)):
            share_bytecode(self._bytecode, unpacked)
        self._service = Replica(
            self.name,
            self._at_our_port(wanted),
            self.disk,
            _SETTINGS,
            changed=self._note_change,
            print_line=lambda _, line: self.print(line),
        )

    async def fall_ill(self, ailment: Ailment, seconds: float) -> None:
        """Let something go wrong with it: from now on, until it is replaced."""
        self.print(f"the rehearsal lets this machine go wrong: {ailment}")
        if ailment == "dies":
            await self.kill()
        elif ailment == "hangs":
            self._signal(signal.SIGSTOP)
        self.ailment = (ailment, seconds)
        self._changed()

    async def kill(self) -> None:
        """End it as a power cut does."""
        self.is_alive = False
        self._stop_booting()
        self._signal(signal.SIGKILL)
        await self._end_service()

    async def stop(self) -> None:
        """Let its service finish what it has, end it, and remove the disk."""
        self.is_alive = False
        self._stop_booting()
        if self.ailment and self.ailment[0] == "hangs":
            self._signal(signal.SIGKILL)
        await self._end_service()
        bytecode.of(self._bytecode, self.disk).unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, self.disk, ignore_errors=True)

    def print(self, line: str) -> None:
        """Write a line to its console."""
        self.console.append(line)
        with suppress(OSError), (self.disk / CONSOLE).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _stop_booting(self) -> None:
        if self._booting and self._booting is not asyncio.current_task():
            self._booting.cancel()

    async def _end_service(self) -> None:
        service, self._service = self._service, None
        if service:
            await service.stop()

    def _at_our_port(self, wanted: Wanted) -> Wanted:
        variables = {"PYTHONPYCACHEPREFIX": str(self._bytecode), **wanted.variables}
        return replace(wanted, variables=variables, port=self.port, ready_timeout=READY_TIMEOUT)

    def _note_change(self) -> None:
        self.was_ready = self.was_ready or self.url is not None
        self._changed()

    def _signal(self, number: signal.Signals) -> None:
        pid = self._service.status().pid if self._service else None
        if pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def _unit(self, name: str) -> Wanted:
        """The service that a unit file describes: its command, and the environment that it names."""
        lines = (self.disk / UNITS / name).read_text(encoding="utf-8").splitlines()
        unit = dict(line.split("=", 1) for line in lines if "=" in line)
        told = Path(unit["EnvironmentFile"]).read_text(encoding="utf-8")
        variables = {key: _ESCAPED.sub(r"\1", value) for key, value in _ENVIRONMENT.findall(told)}
        state = self.disk / STATE
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        ours = {**of_this_laptop(), "BENTOSHIP_STATE_DIR": str(state)}
        return Wanted(str(self.disk), {**ours, **variables}, command=tuple(unit["ExecStart"].split()))


def of_this_laptop() -> dict[str, str]:
    """What a release must be told where the machine of a cloud has one Python, and this one several."""
    return {"BENTOSHIP_PYTHON": sys.executable}


def _interpreter(script: str) -> list[str]:
    """What the first line names, where this laptop has it; else the Python that runs us."""
    first = script.partition("\n")[0].removeprefix("#!").split()
    return first if first and Path(first[0]).exists() else [sys.executable, *first[1:]]
