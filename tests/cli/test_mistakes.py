"""Whatever a user can do wrong, or a machine can lack, is a sentence with a remedy: never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bentoship.release import store
from projects import EXAMPLES, ROOT, bentofile, lines, tiny

BENTOSHIP = Path(sys.executable).parent / "bentoship"


def told(folder, *words, code=1, **variables) -> str:
    """What a command says on stderr; it must leave with `code` and without a traceback."""
    around = {"cwd": folder, "env": os.environ | variables, "capture_output": True, "text": True, "timeout": 240}
    done = subprocess.run([BENTOSHIP, *words], check=False, **around)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout == ""
    return done.stderr


def mentions(text: str, *words: str) -> None:
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"


def test_no_service(tmp_path):
    mentions(told(tiny(tmp_path, {"service.py": None}), "build"), "service.py", "bentofile.yaml")


def test_no_model(tmp_path):
    project = tmp_path / "sample"
    for name in ("service.py", "bentofile.yaml", "bentofile.lock"):
        project.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, project)
    shutil.copytree(ROOT / "models", project / "models", ignore=shutil.ignore_patterns("*.joblib"))
    mentions(told(project, "build"), "models/salary.joblib", "python models/train.py")


def test_no_examples(tmp_path):
    mentions(told(tiny(tmp_path, {"models/examples.jsonl": None}), "build"), "models/examples.jsonl", "golden example")


def test_several_mistakes_at_once(tmp_path):
    project = tiny(tmp_path, {"service.py": None, "models/examples.jsonl": '{"bodi": 1}\n'})
    assert len(told(project, "build").strip().splitlines()) >= 2


def test_a_service_that_does_not_import(tmp_path):
    broken = told(tiny(tmp_path, {"service.py": "import bentoml\nimport nowhere_at_all\n"}), "build")
    mentions(broken, "service.py", "nowhere_at_all")


def test_a_model_that_no_longer_gives_the_answer_is_not_sealed(tmp_path):
    project = tiny(tmp_path, {"factor.txt": "3\n"})
    mentions(told(project, "build"), "expected 4", "got 6", "tolerance", "models/examples.jsonl")
    assert not list(store(project).glob("*.zip"))


def test_a_broken_bentofile(tmp_path):
    mentions(told(tiny(tmp_path, {"bentofile.yaml": "service: [\n"}), "build"), "bentofile.yaml")


def test_no_network(tmp_path):
    files = {"bentofile.yaml": bentofile(python={"packages": ["bentoml==1.4.39", "humanize==4.9.0"]})}
    nowhere = {"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_HTTP_TIMEOUT": "1", "UV_NO_CACHE": "1"}
    mentions(told(tiny(tmp_path, files), "build", "--relock", UV_HTTP_RETRIES="0", **nowhere), "network")


def test_a_broken_zip(tmp_path):
    (tmp_path / "release.zip").write_bytes(b"PK\x03\x04 and no more")
    mentions(told(tmp_path, "release", "verify", "release.zip"), "release.zip")
    mentions(told(tmp_path, "release", "verify", "nothing.zip"), "nothing.zip")


def test_no_engine_and_no_way_to_get_one(tmp_path):
    project = tiny(tmp_path / "project", {"environments/dev.yaml": "deployments: {local: {target: local}}\n"})
    shutil.copytree(ROOT / "infra", project / "infra")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(shutil.which(name))
    nothing = {"PATH": str(tools), "BENTOSHIP_CACHE_DIR": str(tmp_path / "cache"), "HTTPS_PROXY": "http://127.0.0.1:9"}
    mentions(told(project, "status", "dev", **nothing), "Pulumi", "installer", "Go")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        project = tiny(disk / "project", {"models/examples.jsonl": lines(EXAMPLES)})
        mentions(told(project, "build"), "disk", "space")
        assert not list(store(project).glob("*.zip"))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_an_error_of_plan_is_not_taken_for_changes(tmp_path):
    project = tiny(tmp_path / "project")
    told(tmp_path, "-C", str(project), "plan", "nowhere", code=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("deployments: {a: {target: local, variables: {PORT: '1'}}}", ["PORT", "host"]),
        ("deployments: {a: {target: local, variables: {'A=B': '1'}}}", ["A=B", "letters"]),
        ("deployments: {a: {target: local, ready_timeout: .inf}}", ["ready_timeout"]),
        ("deployments: {a: {target: local, port: 2024-13-45}}", ["dev.yaml"]),
        ("scale: {cpu: .nan}\ndeployments: {a: {target: local}}", ["cpu"]),
    ],
)
def test_values_that_no_host_could_take(tmp_path, text, words):
    mentions(told(tiny(tmp_path, {"environments/dev.yaml": text}), "config", "dev"), "environments/dev.yaml", *words)


def test_a_file_where_our_folder_should_be(tmp_path):
    project = tiny(tmp_path, {"environments/dev.yaml": "deployments: {a: {target: local}}", ".bentoship": ""})
    shutil.copytree(ROOT / "infra", project / "infra")
    mentions(told(project, "status", "dev"), ".bentoship", "move it away")


def test_a_word_for_a_rehearsal_that_is_none_does_not_deploy(tmp_path):
    folder = tiny(tmp_path)
    mentions(told(folder, "status", "dev", BENTOSHIP_REHEARSE="true"), "BENTOSHIP_REHEARSE: is 'true'", "say 1")


def test_a_name_that_no_file_can_have(tmp_path):
    folder = tiny(tmp_path, {"environments/dev.yaml": "deployments: {local: {target: local}}\n"})
    mentions(told(folder, "config", "a" * 300), "the name is too long")


def test_a_time_without_a_canary(tmp_path):
    mentions(told(tiny(tmp_path), "up", "dev", "--for", "10m"), "--for", "add --canary")


def test_wrong_usage(tmp_path):
    mentions(told(tmp_path, "deploy", code=2), "deploy")
    mentions(told(tmp_path, "up", code=2), "ENVIRONMENT")


def test_outside_a_project(tmp_path):
    mentions(told(tmp_path, "up", "dev"), "bentofile.yaml", "-C")
