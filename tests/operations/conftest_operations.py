"""Whole deployments on this machine: a small project, the real engine, real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from bentoship.engine import install
from bentoship.host import ports
from bentoship.host.control import Supervisor
from projects import ROOT, tiny

SERVICE = """
import os
from pathlib import Path

import bentoml

FACTOR = float(os.environ.get("FACTOR", "2"))
VERSION = (Path(__file__).parent / "factor.txt").read_text().strip()


@bentoml.service(name="tiny")
class Tiny:
    @bentoml.api
    async def double(self, number: float) -> dict:
        if VERSION == "broken" and number == 3:
            raise RuntimeError("an error that no golden example shows")
        return {"number": number * FACTOR, "version": VERSION}
"""
BENTOSHIP = Path(sys.executable).parent / "bentoship"
PULUMI = Path(sys.executable).parent / "pulumi"


def example(version: str) -> str:
    return json.dumps({"path": "/double", "body": {"number": 2}, "answer": {"number": 4, "version": version}}) + "\n"


@dataclass(frozen=True)
class Shop:
    """A project with one deployment on this machine, and a shell to type commands into."""

    root: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.root / ".bentoship" / "local" / "dev-local")

    def run(self, *words, code=0, **variables) -> subprocess.CompletedProcess:
        """Run a command; its exit code must be `code`."""
        done = self.start(*words, **variables)
        stdout, stderr = done.communicate(timeout=240)
        assert done.returncode == code, f"{words} left with {done.returncode}:\n{stdout}\n{stderr}"
        assert "Traceback" not in stderr
        return subprocess.CompletedProcess(words, done.returncode, stdout, stderr)

    def start(self, *words, **variables) -> subprocess.Popen:
        return subprocess.Popen(
            [words[0] if isinstance(words[0], Path) else BENTOSHIP, *words[isinstance(words[0], Path) :]],
            cwd=self.root,
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background of a shell without job control has interrupts ignored, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def ask(self, *words, code=0, **variables):
        return json.loads(self.run(*words, "--json", code=code, **variables).stdout)

    def change(self, version: str) -> None:
        """Change the service, so that the next release answers with another version."""
        (self.root / "factor.txt").write_text(version)
        (self.root / "models" / "examples.jsonl").write_text(example(version))

    def configure(self, **keys) -> None:
        local = {"target": "local", "port": self.port, **keys}
        (self.root / "environments" / "dev.yaml").write_text(json.dumps({"deployments": {"local": local}}))


def open_shop(folder: Path) -> Shop:
    """A project that has not been deployed yet."""
    files = {"service.py": SERVICE, "factor.txt": "one", "models/examples.jsonl": example("one")}
    shop = Shop(tiny(folder, files), ports.free_port())
    shutil.copytree(ROOT / "infra", shop.root / "infra", ignore=shutil.ignore_patterns("Pulumi.*-*.yaml"))
    (shop.root / "environments").mkdir()
    shop.configure()
    return shop


@pytest.fixture
def shop(tmp_path):
    """A project that has not been deployed yet; whatever it runs is ended after the test."""
    shop = open_shop(tmp_path / "shop")
    yield shop
    shop.supervisor.shut_down()


@pytest.fixture(scope="session")
def two_releases(tmp_path_factory):
    """A project that has deployed two releases, for all the tests of one worker; and their ids, the older one first.

    Its tests are of the group `two_releases`, and leave it as they like; `second_live` puts it right.
    """
    shop = open_shop(tmp_path_factory.mktemp("two") / "shop")
    shop.run("up", "dev")
    first = live(shop)
    shop.change("two")
    shop.run("up", "dev")
    yield shop, first, live(shop)
    shop.supervisor.shut_down()


@pytest.fixture
def second_live(two_releases):
    """The shop of `two_releases`, with its second release live, and its source and its file as that one had them."""
    shop, _, second = two_releases
    shop.change("two")
    shop.configure()
    shop.run("rollback", "dev", second)
    return two_releases


def live(shop) -> str:
    """Id of the live release, as the stack says it."""
    return shop.ask("status", "dev")["deployments"][0]["release"]


def history(shop) -> list[tuple[str, str, str]]:
    """The entries of the history, newest first: release, source and result of each."""
    entries = shop.ask("history", "dev")["deployments"][0]["history"]
    return [(entry["release"], entry["source"], entry["result"]) for entry in entries]


class CountingEngine:
    """A `pulumi` that writes down what it is asked before it passes it on to the real one."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "asked"
        program = folder / "bin" / "pulumi"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$*" >>{self._log}\nexec {install.find().path} "$@"\n')
        program.chmod(0o755)
        self.path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        """The PATH on which it is found first."""

    def operations(self) -> list[str]:
        """What it was asked to do, without the questions for a stack's outputs."""
        return [line for line in self._log.read_text().splitlines() if "--json" in line and " output " not in line]


class OvertakingEngine:
    """A `pulumi` that does `words` of bentoship before its first update, as another machine would: it heeds no lock of
    this one and has files of its own."""

    def __init__(self, shop: Shop, folder: Path, *words: str) -> None:
        home, program = shop.root / ".bentoship", folder / "bin" / "pulumi"
        program.parent.mkdir()
        program.write_text(f"""#!/bin/sh
case "$*" in *" up "*)
  if mkdir {folder}/done 2>/dev/null; then
    rm {home}/locks/dev-local.lock
    cp -r {home}/intents {folder}/intents
    PATH="{os.environ["PATH"]}" {BENTOSHIP} {" ".join(words)} >{folder}/said 2>&1
    rm -r {home}/intents && mv {folder}/intents {home}/intents
  fi;;
esac
exec {install.find().path} "$@"
""")
        program.chmod(0o755)
        self.path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        """The PATH on which it is found first."""


def versions(shop, count=1):
    return [httpx.post(f"{shop.url}/double", json={"number": 2}).json()["version"] for _ in range(count)]


@dataclass(frozen=True)
class Answer:
    sent: float
    received: float
    version: str


class Customers:
    """Sends requests at an even pace, in the background, and keeps every answer and every failure."""

    def __init__(self, url: str, per_second: float, number: float = 2) -> None:
        self._url, self._pause, self._number = url, 1 / per_second, number
        self._stop, self._news = threading.Event(), threading.Condition()
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]
        self.answers: list[Answer] = []
        self.failures: list[str] = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def by(self, version):
        return [answer for answer in self.answers if answer.version == version]

    def wait_for(self, version, count):
        with self._news:
            assert self._news.wait_for(lambda: len(self.by(version)) >= count, timeout=60)

    def _run(self):
        with httpx.Client(timeout=30) as client:
            while not self._stop.wait(self._pause * len(self._threads)):
                self._ask(client)

    def _ask(self, client):
        sent = time.monotonic()
        try:
            answer = client.post(f"{self._url}/double", json={"number": self._number})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self.failures.append(repr(error))
            return
        with self._news:
            self.answers.append(Answer(sent, time.monotonic(), answer.json()["version"]))
            self._news.notify_all()


def processes(shop):
    """Every process that this project's deployment has left running, but for the supervisor and what it runs."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(shop.root) in " ".join(process.info["cmdline"] or [])
    ]


def moments(shop):
    """How far an `up` has come, as seen from outside."""
    status = shop.supervisor.status() if shop.supervisor.directory.exists() else None
    if status is None:
        return "begun"
    if not any(release.ready for release in status.releases):
        return "starting"
    return "ready" if not status.traffic else "pointed"


def supervisors(shop):
    return [process for process in processes(shop) if "bentoship.host.supervisor" in " ".join(process.info["cmdline"])]


def shop_passphrase(shop):
    return {"PULUMI_CONFIG_PASSPHRASE_FILE": str(shop.root / ".bentoship" / "passphrase")}
