"""The launcher, as hosts run it: a sealed release, unpacked, and run.sh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from launched import Served, free_port, serving

from bentoship.host.launch import command, environment
from projects import SERVICE

pytestmark = pytest.mark.xdist_group("serving")  # which starts its releases once


@pytest.fixture(scope="module")
def served(unpacked, tiny_release, tmp_path_factory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("host") / "state"
    with serving(unpacked, state, BENTOSHIP_RELEASE=tiny_release.id) as running:
        yield running


def test_it_answers_as_the_service_does(served) -> None:
    assert served.post("/double", {"number": 21}).json() == {"number": 42, "process": 0}
    assert served.post("/double", {"number": "many"}).status_code == 400


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nowhere", "/"])
def test_every_answer_names_the_release(served, tiny_release, path) -> None:
    answer = served.get(path)
    assert answer.status_code == (404 if path == "/nowhere" else 200)
    assert answer.headers["x-bentoship-release"] == tiny_release.id[:12]


def test_the_page_has_the_first_golden_example_that_was_sealed(served) -> None:
    told = served.get("/", headers={"accept": "application/json"}).json()
    assert [(each["path"], each.get("example")) for each in told["endpoints"]] == [
        ("/double", {"number": 2}),
        ("/wait", None),
    ]


def test_metrics_count_requests(served) -> None:
    served.post("/double", {"number": 1})
    assert 'endpoint="/double",http_response_code="200"' in served.get("/metrics").text


def test_the_access_log_is_one_line_of_json_a_request(unpacked, tiny_release, tmp_path) -> None:
    with serving(unpacked, tmp_path / "state", BENTOSHIP_RELEASE=tiny_release.id) as running:
        running.get("/nowhere-else")
        # The line is written after the answer has left: it is there for certain once the process has ended.
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=30) == 0
    entries = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert {entry["release"] for entry in entries} == {tiny_release.id[:12]}
    (entry,) = [entry for entry in entries if "path" in entry]
    assert entry.keys() == {"time", "method", "path", "status", "milliseconds", "release", "request_id"}
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/nowhere-else", 404)


def test_it_is_one_process_on_the_interpreter_it_was_given_without_the_host_s_packages(served) -> None:
    words = Path(f"/proc/{served.process.pid}/cmdline").read_bytes().split(b"\0")
    assert words[0] == sys.executable.encode()
    assert served.post("/double", {"number": -1}).json()["process"] == served.process.pid
    mapped = Path(f"/proc/{served.process.pid}/maps").read_text()
    assert "/site-packages/pydantic_core/" in mapped
    assert str(Path(sys.prefix) / "lib") not in mapped


def test_nothing_is_written_into_the_release(served, unpacked) -> None:
    assert not list(unpacked.rglob("__pycache__"))
    assert not [path for path in unpacked.rglob("*") if path.stat().st_mode & 0o222]


def test_sigterm_lets_a_request_finish_and_ends_with_zero(unpacked, tmp_path) -> None:
    pipes = [tmp_path / "begun", tmp_path / "answer"]
    for pipe in pipes:
        os.mkfifo(pipe)
    with serving(unpacked, tmp_path / "state") as running, ThreadPoolExecutor(1) as pool:
        request = pool.submit(running.post, "/wait", {"folder": str(tmp_path)})
        assert pipes[0].read_text() == "begun"
        running.process.send_signal(signal.SIGTERM)
        wait_until_refused(running)
        pipes[1].write_text("after all")
        answer = request.result()
        assert (answer.status_code, answer.text) == (200, "after all")
        assert running.process.wait(30) == 0


def wait_until_refused(running: Served) -> None:
    """Ask until nobody listens any more, which is when the drain has begun."""
    while running.process.poll() is None:
        try:
            running.get("/livez")
        except httpx.ConnectError:
            return
        except (httpx.ReadError, httpx.RemoteProtocolError):
            continue  # it knocked in the very moment in which the door was shut
    pytest.fail("it ended before the request did")


def test_a_wrong_python_ends_with_78_and_one_line(unpacked, tmp_path) -> None:
    for name in ("dirname", "sh"):
        (tmp_path / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    wrong = tmp_path / "python3"
    wrong.write_text("#!/bin/sh\necho cpython 3.99\n")
    wrong.chmod(0o755)
    other = without_python(unpacked, tmp_path / "copy")
    around = {"PATH": str(tmp_path), "BENTOSHIP_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(["/bin/sh", str(other / "run.sh")], env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert done.stderr == (
        "bentoship: this release needs CPython 3.10, and there is none here; install it or set BENTOSHIP_PYTHON\n"
    )
    assert not (tmp_path / "state").exists()


def without_python(unpacked: Path, folder: Path) -> Path:
    """The start of a release for a Python that isn't on this PATH."""
    folder.mkdir()
    (folder / "run.sh").write_text((unpacked / "run.sh").read_text())
    (folder / "PYTHON").write_text("3.10\n")
    return folder


def test_the_start_script_is_posix(unpacked) -> None:
    subprocess.run(["sh", "-n", str(unpacked / "run.sh")], check=True)
    assert (unpacked / "Procfile").read_text() == "web: sh ./run.sh\n"


def started(folder: Path, tmp_path: Path, site_packages: Path) -> subprocess.CompletedProcess:
    variables = {"BENTOSHIP_PYTHON": sys.executable, "BENTOSHIP_SITE_PACKAGES": str(site_packages)}
    around = environment(free_port(), tmp_path / "state", variables)
    return subprocess.run(command(folder), env=around, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("raise ValueError('no luck')", "ValueError: no luck"),
        (SERVICE + "\n    def __init__(self): raise KeyError('weights')", "KeyError: 'weights'"),
    ],
    ids=["when imported", "when loading its model"],
)
def test_a_service_that_can_not_be_loaded_ends_with_70_and_the_reason_first(
    unpacked, tmp_path, service, reason
) -> None:
    broken = tmp_path / "release"
    for name in ("launcher", "app", "run.sh", "PYTHON"):
        copy(unpacked / name, broken / name)
    (broken / "app/src/service.py").write_text(service)
    done = started(broken, tmp_path, unpacked / "site-packages")
    assert done.returncode == 70
    first, *trace = done.stderr.splitlines()
    assert first == f"bentoship: the service can't be loaded: {reason}"
    assert trace[0] == "Traceback (most recent call last):"


def copy(source: Path, target: Path) -> None:
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    for path in files:
        place = target if path == source else target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())


def test_an_address_that_is_taken_is_no_success(unpacked, served, tmp_path) -> None:
    port = int(served.url.rpartition(":")[2])
    around = environment(port, tmp_path / "state", {"BENTOSHIP_PYTHON": sys.executable})
    done = subprocess.run(command(unpacked), env=around, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in {0, 70}
    assert done.stderr == f"bentoship: can't listen on 127.0.0.1:{port}: Address already in use\n"
