"""How long things take on this machine: `make bench`. Prints a table; changes nothing but a folder of its own.

Seal, no-change up, changed up, plan, start to ready; and no-change up, changed up and plan again with 1, 5 and 20
deployments in an environment. Then, rehearsed: the two targets on AWS, with the memory of all that a command starts,
and that of the command itself, which loads no SDK of a cloud; two clouds together and alone; and the whole life of all
that `environments/production.yaml` names. BENCH_ONLY=rehearsed leaves the first part out. Figures depend on the
machine: compare ratios within one run.
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
from collections.abc import Mapping
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
            for file in (project / "environments").glob("bench*.yaml"):
                _bentoship(project, "destroy", file.stem, "--yes")


def _measure(project: Path) -> None:
    _row("step", "deployments", "seconds (best of rounds)")
    if os.environ.get("BENCH_ONLY") != "rehearsed":
        _measure_local(project)
    _bentoship(project, "build")
    _rehearse(project)
    _rehearse_two_clouds(project)
    _rehearse_production(project)


def _measure_local(project: Path) -> None:
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
    _row("bentoship --help", "-", _best(lambda: _bentoship(project, "--help")))


AWS = {"region": "eu-central-1", "http": True}
GOOGLE = {"project": "acme-models", "region": "europe-west3"}
CLOUDS = {
    "aws": {
        "elastic-beanstalk": {"target": "aws/elastic_beanstalk", **AWS},
        "ec2": {"target": "aws/ec2", **AWS},
    },
    "google": {
        "app-engine": {"target": "gcp/app_engine", **GOOGLE},
        "compute-engine": {"target": "gcp/compute_engine", **GOOGLE, "http": True},
    },
}


def _rehearse(project: Path) -> None:
    """The two targets on AWS over their doubles, one replica each."""
    _write(project, "clouds", CLOUDS["aws"])
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
        _row("  processor time of the engine itself", 2, peak.engine)
    control.end(project / ".bentoship" / "rehearsal")


def _rehearse_two_clouds(project: Path) -> None:
    """Two clouds go up side by side: together they should take little longer than the slower one alone."""
    for name, deployments in {**CLOUDS, "both": {**CLOUDS["aws"], **CLOUDS["google"]}}.items():
        _write(project, name, deployments)
        took = _time(lambda: _bentoship(project, "up", name, "--rehearse"))
        _row(f"up, rehearsed, first: {name}", len(deployments), took)
        _bentoship(project, "destroy", name, "--rehearse", "--yes")
    control.end(project / ".bentoship" / "rehearsal")


def _rehearse_production(project: Path) -> None:
    """The whole life of the six deployments of the sample's production, at once."""
    shutil.copy(ROOT / "environments" / "production.yaml", project / "environments")
    peak = _Peak()
    begin = time.monotonic()
    played = json.loads(_bentoship(project, "rehearse", "production", "--json", watch=peak))["deployments"]
    _row("rehearse production, the whole life", len(played), time.monotonic() - begin)
    _row("  its memory with all that it starts, MB", len(played), f"{peak.all:.0f}")
    _row("  processor time of the engine itself", len(played), peak.engine)
    for deployment in played:
        (step,) = (step for step in deployment["steps"] if step["name"] == "rollback")
        first = max(step["requests"]["first"].values(), default=0.0)
        _row(f"  rollback of {deployment['name']} to the first answer of the old release", 1, first)
    control.end(project / ".bentoship" / "rehearsal")


class _Peak:
    """The most memory that a process, and all below it, had at once, in MB; the seconds that engines computed."""

    own = all = 0.0

    def __init__(self) -> None:
        self._engines: dict[int, float] = {}

    @property
    def engine(self) -> float:
        return sum(self._engines.values())

    def look(self, process: psutil.Process) -> None:
        with suppress(psutil.Error):
            mine = process.memory_info().rss / 1e6
            below = process.children(recursive=True)
            self.own, self.all = max(self.own, mine), max(self.all, mine + sum(map(_rss, below)))
            for child in below:
                self._look_at_engine(child)

    def _look_at_engine(self, process: psutil.Process) -> None:
        with suppress(psutil.Error):
            if process.name() == "pulumi":
                self._engines[process.pid] = sum(process.cpu_times()[:2])


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
    _write(
        project,
        f"bench{size}",
        {f"d{number}": {"target": "local", "port": FIRST_PORT + number} for number in range(size)},
    )


def _write(project: Path, environment: str, deployments: Mapping[str, object]) -> None:
    (project / "environments" / f"{environment}.yaml").write_text(json.dumps({"deployments": deployments}))


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


def _bentoship(project: Path, *words: str, code: int = 0, watch: _Peak | None = None) -> str:
    """Run a command; what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([BIN / "bentoship", *words], cwd=project, env=environment, stdout=told, stderr=said)
        while watch is not None and process.poll() is None:
            watch.look(psutil.Process(process.pid))
            time.sleep(0.1)
        if process.wait() != code:
            said.seek(0)
            sys.exit(f"bentoship {' '.join(words)} left with {process.returncode}:\n{said.read()}")
        told.seek(0)
        return told.read()


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
