"""The command line as a shell sees it: words in; stdout, stderr and an exit code out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fake_project import write_project
from projects import ROOT

ENVIRONMENT = "variables: {LOG: info}\ndeployments: {local: {target: local, port: 3007}}\n"
SERVICE = "import bentoml\n\n@bentoml.service\nclass Echo: ...\n"


@pytest.fixture
def project(tmp_path):
    files = {"environments/dev.yaml": ENVIRONMENT, "environments/broken.yaml": "deployments: {eu: {target: locl}}\n"}
    return write_project(tmp_path / "project", {**files, "service.py": SERVICE}).root


def bentoship(*words, folder, options=()):
    command = [sys.executable, *options, "-m", "bentoship", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def test_help_names_every_verb_and_loads_none_of_the_heavy_libraries(tmp_path):
    done = bentoship("--help", folder=tmp_path, options=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert loaded.isdisjoint({"pulumi", "bentoml", "aiohttp", "grpc", "pydantic", "httpx"})
    assert done.returncode == 0
    for verb in (
        "build",
        "plan",
        "up",
        "promote",
        "prune",
        "rollback",
        "drift",
        "traffic",
        "status",
        "history",
        "parity",
        "open",
        "logs",
        "invoke",
        "destroy",
        "doctor",
        "config",
        "onnx",
        "batch",
    ):
        assert f"  {verb} " in done.stdout


def test_the_version_is_told(tmp_path):
    done = bentoship("--version", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bentoship, version ")


@pytest.mark.parametrize(
    "words",
    [
        ("no_such_verb",),
        ("config",),
        ("config", "dev", "--no-such-option"),
        ("logs", "dev", "--tail", "many"),
        ("-C", "/no/such/folder", "config", "dev"),
        ("plan", "dev", "--no-such-option"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(project, words):
    done = bentoship(*words, folder=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: bentoship" in done.stderr
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("config", "dve"), 1),
        (("status", "dve"), 1),
        (("destroy", "dve", "--yes"), 1),
        (("up", "dve"), 1),
        (("rollback", "dve"), 1),
        (("prune", "dve", "--keep", "2"), 1),
        (("promote", "dev", "dve"), 1),
        (("drift", "dve"), 2),
        (("traffic", "dve"), 1),
        (("plan", "dve"), 2),
        (("logs", "dve"), 1),
        (("invoke", "dve"), 1),
        (("history", "dve", "--json"), 1),
        (("parity", "dve"), 1),
    ],
)
def test_an_unknown_environment_is_one_line_with_the_nearest_name(project, words, code):
    done = bentoship(*words, folder=project)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "error: environments: there is no environment 'dve'; did you mean 'dev'?\n"


@pytest.mark.parametrize(("verb", "code"), [("config", 1), ("plan", 2), ("up", 1)])
def test_a_broken_environment_is_told_before_anything_is_done(project, verb, code):
    done = bentoship(verb, "broken", folder=project)
    assert (done.returncode, done.stdout) == (code, "")
    fault = "environments/broken.yaml: deployments.eu.target: there is no target 'locl'; did you mean 'local'?"
    assert done.stderr == f"error: {fault}\n"
    assert not (project / ".bentoship").exists()


@pytest.mark.parametrize(("words", "code"), [(("build",), 1), (("config", "dev"), 1), (("plan", "dev"), 2)])
def test_outside_of_a_project_the_remedy_says_where_to_go(tmp_path, words, code):
    done = bentoship(*words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"error: {tmp_path}: there is no bentofile.yaml here")
    assert "-C" in done.stderr


def test_an_unknown_deployment_is_told_with_those_that_are_there(project):
    done = bentoship("destroy", "dev", "--only", "eu", "--yes", folder=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: environments/dev.yaml: has no deployment 'eu'; there are: local\n"


def test_nothing_is_destroyed_where_nobody_can_be_asked(project):
    done = bentoship("destroy", "dev", folder=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert "dev-local" in done.stderr
    assert "add --yes" in done.stderr


def test_the_configuration_is_one_json_document_that_says_who_said_it(project):
    done = bentoship("config", "dev", "--json", folder=project)
    assert (done.returncode, done.stderr) == (0, "")
    said = {setting["path"]: setting for setting in json.loads(done.stdout)}
    assert said["local.port"]["value"] == 3007
    assert said["local.port"]["source"] == "environments/dev.yaml: deployments.local.port"
    assert said["local.variables.LOG"]["source"] == "environments/dev.yaml: variables.LOG"


def test_the_configuration_for_people_has_the_same_rows(project):
    done = bentoship("config", "dev", folder=project)
    assert done.returncode == 0
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["setting", "value", "said", "by"]
    assert any(row.split()[:2] == ["local.port", "3007"] for row in rows)


def test_the_targets_are_one_json_document_with_every_field(project):
    done = bentoship("targets", "--json", folder=project)
    assert (done.returncode, done.stderr) == (0, "")
    found = {target["name"]: target for target in json.loads(done.stdout)}
    port = next(field for field in found["local"]["fields"] if field["name"] == "port")
    assert (port["required"], port["default"], port["meaning"]) == (False, 3000, "port of the stable URL")


def test_another_folder_can_be_named(project, tmp_path):
    done = bentoship("-C", str(project / "environments"), "config", "dev", "--json", folder=tmp_path)
    assert done.returncode == 0


@pytest.mark.parametrize("words", [("release", "verify", "nothing.zip"), ("release", "verify", "service.py")])
def test_what_is_no_release_is_told_in_a_sentence(project, words):
    done = bentoship(*words, folder=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(project):
    command = f'"{sys.executable}" -m bentoship config dev --json | head -c 1; echo "${{PIPESTATUS[0]}}" >&2'
    done = subprocess.run(["bash", "-c", command], cwd=project, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_the_doctor_tells_what_is_missing_and_answers_1(tmp_path):
    done = bentoship("doctor", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert findings["project"]["state"] == "missing"
    assert findings["python"]["state"] == "ok"


COMMANDS = """
import sys
from pathlib import Path
import bentoship
from bentoship import environments
from bentoship.operations import destroy, drift, plan, rehearse, rollback, status, up
from bentoship.project import Project
from bentoship.rehearsal import home

environments.load(Project.find(Path(sys.argv[1])), "staging")
for cloud in home.CLOUDS:
    home.load(cloud)
print(sorted(name for name in sys.modules if name.startswith(("pulumi_", "boto", "google.cloud", "azure"))))
"""


def test_a_command_loads_no_sdk_of_a_cloud():
    """The programs do, in processes of their own, and so do our provider and the process that runs machines."""
    words = [sys.executable, "-c", COMMANDS, str(ROOT)]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"
