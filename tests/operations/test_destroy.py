"""The end of a deployment on this machine: what protects it, what ends it by itself, and what is said of it."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import httpx
import pytest
from conftest_operations import BENTOSHIP, processes

from bentoship.host import ports

pytestmark = pytest.mark.slow


def declare(shop, other, **said):
    """Two deployments, `local` with what is `said` of it, and `other`."""
    both = {"local": {"target": "local", "port": shop.port, **said}, "other": {"target": "local", "port": other}}
    (shop.root / "environments" / "dev.yaml").write_text(json.dumps({"deployments": both}))


def answers(port) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def typed(shop, words, text):
    """Exit code and words of a command at a terminal at which somebody types `text`."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": subprocess.PIPE, "stderr": theirs}
    with subprocess.Popen([BENTOSHIP, *words], cwd=shop.root, **streams) as running:
        os.close(theirs)
        os.write(ours, f"{text}\n".encode())
        said = b""
        try:
            while more := os.read(ours, 4096):
                said += more
        except OSError:  # the other end is closed: that is how Linux says so
            pass
    os.close(ours)
    return running.returncode, said.decode()


@pytest.fixture
def other():
    return ports.free_port()


@pytest.mark.long
def test_what_is_protected_stays_and_what_has_expired_goes(shop, other):
    declare(shop, other, protect=True, ttl="1s")
    shop.run("up", "dev")

    refused = shop.run("destroy", "dev", "--yes", code=1).stderr
    assert (
        "environments/dev.yaml: deployments.local: is protected (`protect: true`), and nothing was removed" in refused
    )
    assert answers(shop.port)
    assert answers(other)

    shown = shop.run("destroy", "dev", "--only", "other", "--yes").stderr
    assert "dev-other (local): 4 resources go" in shown
    assert "goes: 1 local.Service" in shown
    assert "stays: the sealed releases in .bentoship/releases" in shown
    assert "dev-other: gone, and nothing of it is left" in shown
    assert (answers(shop.port), answers(other)) == (True, False)

    assert "dev-local: left alone, it has expired, and is protected" in shop.run("destroy", "--expired", "--yes").stderr
    shop.run("destroy", "dev", code=1)  # nobody there to ask
    declare(shop, other, ttl="1d")
    left = shop.ask("destroy", "dev", "--expired")["deployments"]
    assert left[0]["spared"].startswith("stays until 20")
    assert left[1]["spared"] == "is not up"
    assert answers(shop.port)

    declare(shop, other, ttl="1s")
    assert "add --yes" in shop.run("destroy", "--expired", code=1).stderr
    assert answers(shop.port)
    (environment,) = shop.ask("destroy", "--expired", "--yes")["environments"]
    assert [(bool(row["removed"]), row["left"]) for row in environment["deployments"]] == [(True, []), (False, [])]
    assert not answers(shop.port)
    assert processes(shop) == []
    assert list((shop.root / ".bentoship" / "local").iterdir()) == []
    assert shop.ask("status", "dev")["deployments"][0]["url"] is None


@pytest.mark.long
def test_what_the_file_does_not_name_any_more_is_told_and_goes_when_it_is_named(shop, other):
    declare(shop, other)
    shop.run("up", "dev")
    shop.configure()
    told = "dev-other: has a stack, and environments/dev.yaml does not name it any more"
    assert told in shop.run("status", "dev", code=1).stderr
    assert told in shop.run("destroy", "dev", "--yes", code=1).stderr
    assert (answers(shop.port), answers(other)) == (False, True)
    shop.run("destroy", "dev", "--only", "other", "--yes")
    assert not answers(other)
    shop.run("destroy", "dev", "--yes")
    assert "has no deployment 'other'" in shop.run("destroy", "dev", "--only", "other", "--yes", code=1).stderr


def test_an_environment_that_cannot_be_read_does_not_stop_the_others(shop, other):
    (shop.root / "environments" / "broken.yaml").write_text("deployments: {a: {target: nowhere}}")
    told = shop.run("destroy", "--expired", "--yes", code=1).stderr
    assert "broken: environments/broken.yaml: deployments.a.target: there is no target 'nowhere'" in told
    assert "dev-local: left alone, it is not up" in told


@pytest.mark.parametrize(
    ("text", "code", "said"), [("prod", 1, "nothing was removed"), ("dev", 0, "nothing to remove")]
)
def test_at_a_terminal_the_name_must_be_typed(shop, text, code, said):
    found, told = typed(shop, ("destroy", "dev"), text)
    assert (found, said in told) == (code, True), told
