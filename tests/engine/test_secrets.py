"""How a stack's secrets are encrypted: as its state says, and never with a passphrase that only one machine knows."""

from __future__ import annotations

import json

import pytest

from bentoship import environments
from bentoship.engine.install import CommandLine
from bentoship.errors import InvalidConfiguration
from bentoship.operations.stacks import stack_of
from bentoship.project import PASSPHRASE_VARIABLES, Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in (*PASSPHRASE_VARIABLES, "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "infra").mkdir()
    (tmp_path / "environments").mkdir()
    (tmp_path / "bentofile.yaml").touch()
    declare(tmp_path)
    return Project(tmp_path)


def declare(folder, **more):
    content = {"deployments": {"api": {"target": "local", "port": 3000}}, **more}
    (folder / "environments" / "dev.yaml").write_text(json.dumps(content))


def stack(project):
    environment = environments.load(project, "dev")
    return stack_of(
        project, environment, environment.deployments[0], CommandLine(project.root / "pulumi", "3.259.0", "PATH")
    )


def say_backend(project, url):
    (project.infra / "Pulumi.yaml").write_text(f"name: models\nbackend: {{url: '{url}'}}\n")


def test_a_shared_state_gets_no_made_up_passphrase(project, monkeypatch):
    say_backend(project, "s3://acme-state")
    for empty in (False, True):
        if empty:  # as a secret of CI is whose name is misspelt
            monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
        fault = "PULUMI_CONFIG_PASSPHRASE: is not set, or empty, and the state is shared"
        with pytest.raises(InvalidConfiguration, match=fault):
            stack(project)
    assert not (project.home / "passphrase").exists()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "ours")
    assert stack(project).name == "dev-api"


def test_what_was_made_up_for_this_machine_is_not_used_for_others_without_a_word(project, monkeypatch):
    say_backend(project, "file://../.bentoship/state")
    stack(project)
    say_backend(project, "s3://acme-state")
    with pytest.raises(InvalidConfiguration, match=r"\.bentoship/passphrase, .* can be that file"):
        stack(project)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(project.home / "passphrase"))
    assert stack(project).name == "dev-api"


def test_a_state_of_the_last_login_is_shared_as_well(project, tmp_path, monkeypatch):
    (project.infra / "Pulumi.yaml").write_text("name: models\n")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    stack(project)
    (project.home / "passphrase").unlink()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "credentials.json").write_text(json.dumps({"current": "s3://acme-state"}))
    with pytest.raises(InvalidConfiguration, match="the state is shared"):
        stack(project)


def test_a_folder_that_the_engine_misreads_is_told(tmp_path, monkeypatch):
    for name in (*PASSPHRASE_VARIABLES, "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "C#"
    for name in ("infra", "environments"):
        (root / name).mkdir(parents=True)
    (root / "bentofile.yaml").touch()
    declare(root)
    say_backend(Project(root), "file://../.bentoship/state")
    with pytest.raises(InvalidConfiguration, match=r"C#: has one of # % \? in it"):
        stack(Project(root))


def test_who_has_a_key_of_a_cloud_needs_none(project):
    say_backend(project, "s3://acme-state")
    declare(project.root, secrets_provider="awskms://alias/state")
    assert stack(project).secrets_provider == "awskms://alias/state"


def test_a_state_of_this_machine_gets_one(project):
    say_backend(project, "file://../.bentoship/state")
    stack(project)
    assert (project.home / "passphrase").is_file()
