"""How fast a release answers, next to others: `make bench-serving`. Needs wrk (apt-get install wrk) on Linux.

Every contender serves the same model on the same machine, one process each. They are started one after the other,
then asked in turn, round after round, so that whatever else the machine does hits them alike. Read the ratios to bare
Starlette in the same row of rounds, and the processor time a request; not the absolute figures.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent
MODELS = os.environ.get("BENCH_NAMES", "linear,linear-onnx,forest,forest-onnx,forest-batch").split(",")
CONNECTIONS = [int(count) for count in os.environ.get("BENCH_CONNECTIONS", "1,16,64").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
FIRST_PORT = 17100
SCRIPT = """
wrk.method = "POST"
wrk.body = '%s'
wrk.headers["content-type"] = "application/json"
done = function(summary, latency, requests)
  local wrong = summary.errors
  io.write(string.format("found %d %d %f %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), wrong.status + wrong.connect + wrong.read + wrong.timeout))
end
"""
BODY = '{"a": 1.5, "b": -0.25, "c": 3.0}'
BATCHES = ("this runtime", "bentoml serve")
"""Who has an endpoint for several rows; the others are asked one row, as always."""
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Contender:
    name: str
    words: list[str]
    variables: dict[str, str]
    port: int
    script: Path
    process: subprocess.Popen | None = None
    start: float = 0.0
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def processes(self) -> list[int]:
        """The process that was started, and all below it."""
        found, waiting = [], [self.process.pid]
        while waiting:
            one = waiting.pop()
            found.append(one)
            waiting += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        return found

    def cpu_seconds(self) -> float:
        """Processor time of all of them so far."""
        fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in self.processes()]
        return sum(int(stat[11]) + int(stat[12]) for stat in fields) / TICK

    def megabytes(self) -> float:
        """Resident memory of all of them."""
        return sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in self.processes()) * PAGE / 2**20


def main() -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}, {ROUNDS} rounds of {SECONDS} s\n")
    with prepared() as (common, folder):
        for model in MODELS:
            measure(model, common, folder)


@contextmanager
def prepared() -> Iterator[tuple[dict[str, str], Path]]:
    """The variables of all contenders, and a folder in which the trained models are."""
    with tempfile.TemporaryDirectory(prefix="bentoship-bench-") as folder:
        common = {"BENCH_MODELS": folder, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        common |= {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode", "HOME": folder, "BENTOML_DO_NOT_TRACK": "True"}
        train = "import models, pathlib, sys; models.train(pathlib.Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", train, folder], cwd=HERE, env={**os.environ, **common}, check=True)
        yield common, Path(folder)


def contenders(model: str, common: dict[str, str], folder: Path) -> list[Contender]:
    """All of them, with the variables and the words to start them."""
    quiet = ["--no-access-log", "--log-level", "warning"]
    (folder / "launcher").mkdir(exist_ok=True)
    if not (link := folder / "launcher" / "bentoship").exists():
        link.mkdir()
        (link / "serving").symlink_to(ROOT / "src/bentoship/serving")
    metrics = folder / f"metrics-{model}"
    metrics.mkdir(exist_ok=True)
    ours = {"PYTHONPATH": f"{folder}/launcher", "BENTOSHIP_RELEASE": "0" * 64, "BENTOSHIP_HOST": "127.0.0.1"}
    ours |= {"PROMETHEUS_MULTIPROC_DIR": str(metrics), "PYTHONUNBUFFERED": "1", "BENTOML_HOME": f"{folder}/home"}
    python = str(BIN / "python")
    known = {
        "bare Starlette": ([python, "-m", "uvicorn", "apps:starlette", "--factory", *quiet, "--port"], {}),
        "this runtime": ([python, "-m", "bentoship.serving", str(HERE)], ours),
        "FastAPI": ([python, "-m", "uvicorn", "apps:fastapi", "--factory", *quiet, "--port"], {}),
        "Flask, gunicorn": ([str(BIN / "gunicorn"), "apps:flask()", "--threads", "4", "--bind"], {}),
        "bentoml serve": ([str(BIN / "bentoml"), "serve", "service:Measured", "--host", "127.0.0.1", "--port"], {}),
    }
    found = []
    for number, (name, (words, variables)) in enumerate(known.items()):
        port = FIRST_PORT + number
        last = {"--port": [str(port)], "--bind": [f"127.0.0.1:{port}"]}.get(words[-1], [])
        around = {"PATH": os.environ["PATH"], **common, **variables, "BENCH_MODEL": model, "PORT": str(port)}
        is_batch = model.endswith("-batch") and name in BATCHES
        script = folder / f"post-{port}.lua"
        script.write_text(SCRIPT.replace("%s", f'{{"rows": [{BODY}]}}' if is_batch else BODY, 1))
        found.append(Contender(name, [*words, *last], around, port, script))
    return found


def measure(model: str, common: dict[str, str], folder: Path) -> None:
    """Start all, ask them in turn, and print their table."""
    running = contenders(model, common, folder)
    try:
        for _ in range(2):  # the first start compiles, the second one is measured
            for one in running:
                stop(one)
                begin(one)
        for connections in CONNECTIONS:
            for one in running:
                one.rates, one.cpu, one.p50, one.p99 = [], [], [], []
            for number in range(ROUNDS):
                for one in running if number % 2 else reversed(running):
                    ask(one, connections)
            table(model, connections, running)
    finally:
        for one in running:
            stop(one)


def begin(one: Contender) -> None:
    """Start a contender and wait until it is ready."""
    since = time.monotonic()
    one.process = subprocess.Popen(
        one.words, cwd=HERE, env=one.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{one.port}/readyz", timeout=5).close()
            break
        except (TimeoutError, urllib.error.URLError, ConnectionError):
            if one.process.poll() is not None:
                sys.exit(f"{one.name} ended with {one.process.returncode}: {' '.join(one.words)}")
            time.sleep(0.005)
    one.start = time.monotonic() - since


def ask(one: Contender, connections: int) -> None:
    """One round of wrk."""
    before = one.cpu_seconds()
    found = fire(one, one.script, connections, SECONDS)
    if found.errors or not found.requests:
        sys.exit(f"{one.name}: {found}")
    one.rates.append(found.requests / found.seconds)
    one.cpu.append((one.cpu_seconds() - before) / found.requests * 1e6)
    one.p50.append(found.p50)
    one.p99.append(found.p99)


@dataclass(frozen=True)
class Fired:
    """What wrk saw; latencies in ms. An error is an answer above 399, or none."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def fire(one: Contender, script: Path, connections: int, seconds: int) -> Fired:
    """Ask a contender over so many connections, each with its next request as soon as the last one is answered."""
    load = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script]
    words = ["wrk", *load, f"http://127.0.0.1:{one.port}/predict"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    requests, microseconds, p50, p99, errors = map(float, re.search(r"found (.*)", said)[1].split())
    return Fired(int(requests), microseconds / 1e6, p50 / 1000, p99 / 1000, int(errors))


def stop(one: Contender) -> None:
    if one.process:
        one.process.terminate()
        one.process.wait()


def table(model: str, connections: int, running: list[Contender]) -> None:
    """Medians over the rounds; ratios are taken within a round."""
    print(f"**{model}, {connections} connections**\n")
    print("| | requests/s | of Starlette | CPU us a request | of Starlette | p50 ms | p99 ms | MB | start s |")
    print("|---|---|---|---|---|---|---|---|---|")
    first = running[0]
    for one in running:
        middle = [statistics.median(values) for values in (one.rates, one.cpu, one.p50, one.p99)]
        rate = statistics.median(a / b for a, b in zip(one.rates, first.rates, strict=True))
        cpu = statistics.median(a / b for a, b in zip(one.cpu, first.cpu, strict=True))
        cells = [f"{middle[0]:.0f}", f"{rate:.2f}", f"{middle[1]:.0f}", f"{cpu:.2f}", f"{middle[2]:.1f}"]
        print(f"| {one.name} | {' | '.join(cells)} | {middle[3]:.1f} | {one.megabytes():.0f} | {one.start:.2f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
