"""Whole deployments on this machine: a small project, the real engine, real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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

    def ask(self, *words, code=0):
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def change(self, version: str) -> None:
        """Change the service, so that the next release answers with another version."""
        (self.root / "factor.txt").write_text(version)
        (self.root / "models" / "examples.jsonl").write_text(example(version))

    def configure(self, **keys) -> None:
        local = {"target": "local", "port": self.port, **keys}
        (self.root / "environments" / "dev.yaml").write_text(json.dumps({"deployments": {"local": local}}))


@pytest.fixture
def shop(tmp_path):
    """A project that has not been deployed yet; whatever it runs is ended after the test."""
    files = {"service.py": SERVICE, "factor.txt": "one", "models/examples.jsonl": example("one")}
    shop = Shop(tiny(tmp_path / "shop", files), ports.free_port())
    shutil.copytree(ROOT / "infra", shop.root / "infra", ignore=shutil.ignore_patterns("Pulumi.*-*.yaml"))
    (shop.root / "environments").mkdir()
    shop.configure()
    yield shop
    shop.supervisor.shut_down()
