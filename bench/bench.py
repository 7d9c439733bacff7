"""How long things take on this machine: `make bench`. Prints a table; changes nothing but a folder of its own.

Seal, no-change up, changed up, plan, start to ready; and no-change up, changed up and plan again with 1, 5 and 20
deployments in an environment. Then the two targets on AWS, rehearsed: with the memory of all that a command starts, and
that of the command itself, which loads no SDK of a cloud. Figures depend on the machine: compare ratios within one run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil

from bentoship.host.control import Supervisor
from bentoship.host.logs import tail
from bentoship.rehearsal.hosts import control

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SIZES = (1, 5, 20)
ROUNDS = 3
FIRST_PORT = 47000


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bentoship-bench-") as temporary:
        project = _copy(Path(temporary) / "project")
        try:
            _measure(project)
        finally:
            for size in SIZES:
                _bentoship(project, "destroy", f"bench{size}", "--yes")


def _measure(project: Path) -> None:
    _row("step", "deployments", "seconds (best of rounds)")
    _row("seal, nothing cached but the wheels", 1, _best(lambda: _seal(project)))
    _row("seal, nothing changed", 1, _best(lambda: _bentoship(project, "build")))
    for number, size in enumerate(SIZES):
        _environment(project, size)
        environment = f"bench{size}"
        _row("up, first", size, _time(lambda: _bentoship(project, "up", environment)))
        _row("up, nothing changed", size, _best(lambda: _bentoship(project, "up", environment)))
        _row("plan, nothing changed", size, _best(lambda: _bentoship(project, "plan", environment)))
        _change(project, number)
        _bentoship(project, "build")
        _row("plan, a new release", size, _best(lambda: _bentoship(project, "plan", environment, code=1)))
        _row("up, a new release (sealed before)", size, _time(lambda: _bentoship(project, "up", environment)))
        if size == 1:
            _row("start to /readyz, without bytecode", 1, _start_seconds(project, environment))
            _kill(project, environment)
            _row("start to /readyz, with bytecode", 1, _start_seconds(project, environment))
        _bentoship(project, "destroy", environment, "--yes")
    _rehearse(project)
    _row("bentoship --help", "-", _best(lambda: _bentoship(project, "--help")))


def _rehearse(project: Path) -> None:
    """The two targets on AWS over their doubles, one replica each."""
    fields = {"region": "eu-central-1", "http": True}
    kinds = ("elastic_beanstalk", "ec2")
    deployments = {kind.replace("_", "-"): {"target": f"aws/{kind}", **fields} for kind in kinds}
    (project / "environments" / "clouds.yaml").write_text(json.dumps({"deployments": deployments}))
    for step, words in {
        "plan, rehearsed on AWS, nothing there": ("plan", "clouds", "--rehearse"),
        "up, rehearsed on AWS, first": ("up", "clouds", "--rehearse"),
        "up, rehearsed on AWS, nothing changed": ("up", "clouds", "--rehearse"),
        "plan, rehearsed on AWS, nothing changed": ("plan", "clouds", "--rehearse"),
        "destroy, rehearsed on AWS": ("destroy", "clouds", "--rehearse", "--yes"),
    }.items():
        code = 1 if "nothing there" in step else 0
        peak = _Peak()
        _row(step, 2, _time(lambda: _bentoship(project, *words, code=code, watch=peak)))
        _row(f"  its memory, MB: the command itself {peak.own:.0f}, with all that it starts", 2, f"{peak.all:.0f}")
    control.end(project / ".bentoship" / "rehearsal")


class _Peak:
    """The most memory that a process, and all below it, had at once, in MB."""

    own = all = 0.0

    def look(self, process: psutil.Process) -> None:
        with suppress(psutil.Error):
            mine = process.memory_info().rss / 1e6
            below = [_rss(child) for child in process.children(recursive=True)]
            self.own, self.all = max(self.own, mine), max(self.all, mine + sum(below))


def _rss(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return process.memory_info().rss / 1e6
    return 0.0


def _copy(folder: Path) -> Path:
    folder.mkdir()
    for name in ("service.py", "bentofile.yaml", "bentofile.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("models", "infra"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("Pulumi.*-*.yaml"))
    (folder / "environments").mkdir()
    return folder


def _environment(project: Path, size: int) -> None:
    deployments = {f"d{number}": {"target": "local", "port": FIRST_PORT + number} for number in range(size)}
    (project / "environments" / f"bench{size}.yaml").write_text(json.dumps({"deployments": deployments}))


def _change(project: Path, number: int) -> None:
    """A change of the service that makes another release and leaves its answers as they are."""
    with (project / "service.py").open("a") as file:
        file.write(f"# release {number}\n")


def _seal(project: Path) -> None:
    shutil.rmtree(project / ".bentoship" / "builds", ignore_errors=True)
    _bentoship(project, "build")


def _start_seconds(project: Path, environment: str) -> float:
    """What passed between the start of the serving process and its readiness, as the supervisor tells both."""
    supervisor = _supervisor(project, environment)
    (release,) = supervisor.status().releases
    ready = [line.at for line in tail(supervisor.logs, 1000) if f"is ready (pid {release.pid}," in line.text]
    return (datetime.fromisoformat(ready[-1]) - datetime.fromisoformat(release.started_at)).total_seconds()


def _kill(project: Path, environment: str) -> None:
    supervisor = _supervisor(project, environment)
    pid = supervisor.status().releases[0].pid
    os.kill(pid, signal.SIGKILL)
    while (now := supervisor.status().releases[0]).pid in (pid, None) or not now.ready:
        time.sleep(0.01)


def _supervisor(project: Path, environment: str) -> Supervisor:
    return Supervisor(project / ".bentoship" / "local" / f"{environment}-d0")


def _bentoship(project: Path, *words: str, code: int = 0, watch: _Peak | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [BIN / "bentoship", *words], cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=said
        )
        while watch is not None and process.poll() is None:
            watch.look(psutil.Process(process.pid))
            time.sleep(0.1)
        if process.wait() != code:
            said.seek(0)
            sys.exit(f"bentoship {' '.join(words)} left with {process.returncode}:\n{said.read()}")


def _time(act) -> float:
    begin = time.monotonic()
    act()
    return time.monotonic() - begin


def _best(act) -> float:
    return min(_time(act) for _ in range(ROUNDS))


def _row(step: str, deployments: object, seconds: object) -> None:
    spelled = f"{seconds:.2f}" if isinstance(seconds, float) else seconds
    print(f"| {step} | {deployments} | {spelled} |", flush=True)


if __name__ == "__main__":
    main()
