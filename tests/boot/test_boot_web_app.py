"""The start command of a web app, run as App Service runs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from machines import BEARER, CLIENT_ID, BareMachine, Serving, azure, sealed

from bentoship.boot.web_app import BOOT, NO_RELEASE, REVISION, START_COMMAND, app_settings
from bentoship.rehearsal.metadata import WebAppContainer

STARTUP = """\
#!/bin/sh
export APP_PATH="/home/site/wwwroot"
PATH="$PATH:/home/site/wwwroot" {command}
"""
"""What Oryx makes of a start command of the user's (microsoft/Oryx, src/startupscriptgenerator/src/python)."""


@pytest.fixture
def cloud():
    found = azure(sealed())
    found.machine = WebAppContainer(tokens={CLIENT_ID: BEARER})
    with Serving(found) as serving:
        found.identity = {
            "IDENTITY_ENDPOINT": f"{serving.metadata.address}/msi/token",
            "IDENTITY_HEADER": found.machine.header,
        }
        yield found


def startup(folder: Path) -> list[str]:
    """The script that Oryx writes, which gets the command between single quotes."""
    quoted = subprocess.run(["sh", "-c", f"printf %s '{START_COMMAND}'"], capture_output=True, text=True, check=True)
    script = folder / "startup.sh"
    script.write_text(STARTUP.format(command=quoted.stdout))
    return ["sh", str(script)]


def around(**more):
    # In App Service's image `python3` is the one that the app asked for.
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextmanager
def started(folder, **settings):
    port = free_port()
    command = startup(folder)
    with subprocess.Popen(command, env=around(PORT=str(port), **settings), stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                while process.poll() is None:
                    try:
                        client.get("/")
                    except httpx.ConnectError:
                        time.sleep(0.02)
                        continue
                    break
                yield client
        finally:
            process.kill()


def test_an_app_without_a_release_says_so_to_everybody_and_stays(tmp_path):
    with started(tmp_path) as client:
        for answer in (client.get("/readyz"), client.post("/predict", json={}), client.get("/")):
            assert (answer.status_code, answer.text) == (501, NO_RELEASE)


def test_the_settings_make_it_the_release(tmp_path, cloud):
    settings = app_settings(cloud.settings, "revision-1", {"GREETING": 'it\'s "here" $HOME'})
    assert settings[REVISION] == "revision-1"
    override = {"BENTOSHIP_ROOT": str(tmp_path), "BENTOSHIP_OBJECT_STORE": cloud.store.address}
    environment = around(**settings, **cloud.identity, **override)
    done = subprocess.run(startup(tmp_path), env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    told = BareMachine(tmp_path, cloud, "").told()
    assert told["GREETING"] == 'it\'s "here" $HOME'
    assert (told["PORT"], told["BENTOSHIP_RELEASE"]) == ("8000", cloud.settings.release)


def test_another_archive_than_was_deployed_does_not_start(tmp_path, cloud):
    settings = app_settings(cloud.settings, "revision-1", {})
    cloud.store.archive = sealed({"run.sh": "echo not ours\n"})
    override = {"BENTOSHIP_ROOT": str(tmp_path), "BENTOSHIP_OBJECT_STORE": cloud.store.address}
    environment = around(**settings, **cloud.identity, **override)
    done = subprocess.run(startup(tmp_path), env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "it is not the release that was deployed" in done.stderr


def test_the_command_survives_every_quoting_and_knows_of_no_release():
    assert not set(START_COMMAND) & set("'\\$`!\n")
    assert START_COMMAND.count('"') == 2


def test_a_variable_of_ours_cannot_be_taken_over(cloud):
    settings = app_settings(cloud.settings, "revision-1", {BOOT: "theirs", REVISION: "theirs"})
    assert "theirs" not in settings.values()
