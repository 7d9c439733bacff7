"""The boot script on a machine whose systemctl is fake_systemctl.py, and whose release answers HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import sys
import urllib.request
from pathlib import Path

import pytest
from machines import CLOUDS, BareMachine, Serving, sealed

SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/readyz" and "UNREADY" in os.environ else 200)
        self.end_headers()
        self.wfile.write(os.environ.get("GREETING", "hello").encode())

    def log_message(self, *_): ...

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def machine(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    archive = sealed({"run.sh": f'exec "{sys.executable}" "$(dirname "$0")/server.py"\n', "server.py": SERVER})
    cloud = CLOUDS["aws"](archive)
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = Path(__file__).with_name("fake_systemctl.py")
    program(programs / "systemctl", f'exec "{sys.executable}" "{fake}" "$@"')
    program(programs / "journalctl", "echo what the service wrote: $*")
    with Serving(cloud) as serving:
        machine = BareMachine(tmp_path / "disk", cloud, serving.metadata.address)
        (machine.disk / "etc/systemd/system").mkdir(parents=True)
        machine.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "BENTOSHIP_PORT": str(port)}
        yield machine
    with contextlib.suppress(OSError, ValueError):
        os.kill(process(machine), signal.SIGKILL)


def program(file, line):
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def process(machine):
    return int((machine.disk / "etc/systemd/system/process").read_text())


def told(machine):
    return (machine.disk / "etc/systemd/system/told").read_text().split("\n")[:-1]


def greeting(machine):
    with urllib.request.urlopen(f"http://127.0.0.1:{machine.environment['BENTOSHIP_PORT']}/") as answer:
        return answer.read().decode()


def test_systemd_runs_the_release_now_and_after_each_boot(machine):
    ran = machine.boot(variables={"GREETING": 'a "quoted" $HOME\nand \\ `more`'})
    assert (ran.code, ran.lines[-2:]) == (0, ["bentoship: the service is restarted", "bentoship: ready"])
    assert told(machine) == ["daemon-reload", "enable bentoship.service", "restart bentoship.service"]
    assert greeting(machine) == 'a "quoted" $HOME\nand \\ `more`'
    unit = (machine.disk / "etc/systemd/system/bentoship.service").read_text()
    release = machine.home / "releases" / machine.cloud.settings.release
    assert f"\nExecStart=/bin/sh {release}/run.sh\n" in unit
    assert "@RELEASE@" not in unit
    assert "@ENVIRONMENT@" not in unit
    assert "TimeoutStopSec=45\n" in unit


def test_the_environment_can_be_read_by_root_alone(machine):
    machine.boot()
    assert stat.S_IMODE((machine.home / "environment").stat().st_mode) == 0o600


def test_the_next_boot_leaves_a_service_that_runs_alone(machine):
    machine.boot()
    before = process(machine)
    ran = machine.boot()
    assert (ran.code, ran.lines[-2:]) == (0, ["bentoship: the service is running", "bentoship: ready"])
    assert process(machine) == before
    assert told(machine)[-1] == "start bentoship.service"
    assert len(machine.cloud.store.asked) == 1


def test_other_variables_restart_it(machine):
    machine.boot(variables={"GREETING": "before"})
    assert machine.boot(variables={"GREETING": "after"}).code == 0
    assert told(machine)[-1] == "restart bentoship.service"
    assert greeting(machine) == "after"


def test_a_release_that_is_never_ready_ends_with_its_log_and_one_clear_line(machine):
    ran = machine.boot(variables={"UNREADY": "1"}, ready_timeout=1)
    assert ran.code == 1
    assert ran.lines[-2] == "what the service wrote: --unit=bentoship --lines=50 --no-pager"
    assert ran.last.startswith("bentoship: failed: not ready after 1 s: http://127.0.0.1:")
    assert "answered 503" in ran.last


def test_a_systemd_that_refuses_ends_in_one_clear_line(machine):
    machine.environment["SYSTEMCTL_FAILS"] = "enable"
    ran = machine.boot()
    assert ran.code == 1
    assert ran.last.startswith("bentoship: failed: Command '['systemctl', 'enable', 'bentoship.service']' returned")
