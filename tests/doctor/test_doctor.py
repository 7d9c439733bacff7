from __future__ import annotations

import os
import platform
import socket
import stat
from pathlib import Path

import pytest

from bentoship import doctor
from bentoship.doctor import disk
from bentoship.host.control import Supervisor
from bentoship.project import Project
from fake_project import unused_port, write_project

PULUMI = """\
name: small
runtime: python
backend: {url: "file://../.bentoship/state"}
plugins: {providers: [{name: bentoship, path: ./plugin}]}
"""
PLUGIN = "infra/plugin/pulumi-resource-bentoship"


@pytest.fixture(autouse=True)
def pulumi(tmp_path, monkeypatch):
    """An engine on PATH that answers at once; what else the person who runs the tests has set is out of the way."""
    path = tmp_path / "bin" / "pulumi"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho v3.250.0\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return path


@pytest.fixture
def port():
    return unused_port()


@pytest.fixture
def project(tmp_path, port) -> Project:
    """A project with which nothing is wrong, but that it was never built."""
    files = {
        "bentofile.yaml": "service: service:Echo\ninclude: [service.py]\npython: {packages: [numpy]}\n",
        "service.py": "",
        "models/examples.jsonl": '{"body": 1}\n{"body": 2}\n',
        "environments/dev.yaml": f"deployments: {{local: {{target: local, port: {port}}}}}\n",
        "infra/Pulumi.yaml": PULUMI,
        "infra/__main__.py": "",
        PLUGIN: "#!/bin/sh\n",
    }
    made = write_project(tmp_path / "project", files)
    (made.root / PLUGIN).chmod(0o755)
    return made


def findings(project, check):
    return [finding for finding in doctor.run(project.root) if finding.check == check]


def only(project, check):
    (finding,) = findings(project, check)
    return finding


def snapshot(folder):
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.glob("**/*"))


def test_every_file_is_a_check_that_is_asked():
    helpers = {"__init__", "finding", "local"}
    files = {path.stem for path in Path(doctor.__file__).parent.glob("*.py")} - helpers
    assert set(doctor.CHECKS) == files
    assert len(doctor.CHECKS) == len(files)


def test_a_project_that_is_well_has_nothing_missing_and_the_checks_keep_their_order(project):
    found = doctor.run(project.root)
    assert [finding for finding in found if finding.state == "missing"] == []
    order = [doctor.CHECKS.index(finding.check) for finding in found]
    assert order == sorted(order)
    assert {"python", "uv", "project", "examples", "environments", "ports", "infra", "backend", "disk"} <= {
        finding.check for finding in found if finding.state == "ok"
    }
    assert all(finding.remedy for finding in found if finding.state != "ok")


def test_the_doctor_changes_nothing(project):
    before = snapshot(project.root)
    doctor.run(project.root)
    assert snapshot(project.root) == before


def test_outside_of_a_project_the_machine_is_looked_at_all_the_same(tmp_path):
    found = {finding.check: finding for finding in doctor.run(tmp_path)}
    assert set(found) - {"engine", "go"} == {"python", "uv", "project", "disk"}
    assert found["project"].state == "missing"
    assert "-C" in found["project"].remedy


def test_a_folder_inside_of_a_project_belongs_to_it(project):
    inside, outside = (
        [each for each in doctor.run(folder) if each.check != "disk"]  # somebody else may be filling it
        for folder in (project.environments, project.root)
    )
    assert inside == outside


def test_a_check_that_breaks_is_a_finding():
    (finding,) = doctor._findings("no_such_check", None)
    assert (finding.check, finding.state) == ("no_such_check", "warning")
    assert "could not be checked (ModuleNotFoundError" in finding.message


def test_a_model_that_was_not_trained_says_how_to_train_it(project):
    (project.root / "bentofile.yaml").write_text("service: service:Echo\ninclude: [service.py, models/m.joblib]\n")
    (project.root / "models" / "train.py").touch()
    finding = only(project, "project")
    assert finding.state == "missing"
    assert "'models/m.joblib' matches no file" in finding.message
    assert finding.remedy == "train the model: `python models/train.py`"


def test_a_service_that_is_not_there_is_missing(project):
    (project.root / "service.py").unlink()
    assert any("'service' is not in this project" in finding.message for finding in findings(project, "project"))


def test_a_lock_that_is_not_there_yet_is_a_warning(project):
    finding = only(project, "lock")
    assert (finding.state, finding.message) == ("warning", "bentofile.lock is not here yet")


def test_a_lock_that_disagrees_says_in_what(project):
    lock = project.root / "bentofile.lock"
    lock.write_text("# requirement: pandas\n")
    finding = only(project, "lock")
    assert finding.state == "warning"
    assert "numpy is new" in finding.message
    assert "pandas is not asked for any more" in finding.message
    lock.write_bytes(b"\xff\xfe")
    assert only(project, "lock").state == "warning"


def test_examples_that_are_wrong_are_missing_line_by_line(project):
    assert only(project, "examples").message == "2 golden examples in models/examples.jsonl"
    (project.root / "models" / "examples.jsonl").write_text('{"body": 1}\n{"bdoy": 1}\nnonsense\n')
    found = findings(project, "examples")
    assert {finding.state for finding in found} == {"missing"}
    assert any(finding.message.startswith("models/examples.jsonl:3: ") for finding in found)


def test_every_mistake_in_every_environment_is_told(project):
    (project.environments / "staging.yaml").write_text("scael: {}\ndeployments: {eu: {target: locl}}\n")
    ok, *wrong = findings(project, "environments")
    assert (ok.state, ok.message) == ("ok", "dev: local (local)")
    assert [finding.remedy for finding in wrong] == ["did you mean 'scale'?", "did you mean 'local'?"]
    assert all(finding.message.startswith("environments/staging.yaml: ") for finding in wrong)


def test_a_project_without_environments_is_told_what_to_write(project):
    (project.environments / "dev.yaml").unlink()
    finding = only(project, "environments")
    assert finding.state == "missing"
    assert "environments/dev.yaml" in finding.remedy


def test_a_port_that_is_free_is_well(project, port):
    assert only(project, "ports").message == f"port {port} is free for dev-local"


def test_a_port_that_somebody_else_has_names_who(project, port):
    with socket.create_server(("127.0.0.1", port)):
        finding = only(project, "ports")
    assert finding.state == "warning"
    assert f"(pid {os.getpid()})" in finding.message


def test_a_port_that_our_own_deployment_has_is_well(project, port):
    supervisor = Supervisor(project.local("dev-local"))
    supervisor.ensure(port)
    try:
        finding = only(project, "ports")
    finally:
        supervisor.shut_down()
    assert (finding.state, finding.message) == ("ok", f"port {port}: dev-local is up on it")


def test_two_deployments_cannot_have_one_port(project, port):
    (project.environments / "staging.yaml").write_text(f"deployments: {{local: {{target: local, port: {port}}}}}\n")
    finding = only(project, "ports")
    assert finding.state == "warning"
    assert "dev-local and staging-local" in finding.message


@pytest.mark.parametrize(
    ("host", "state"),
    [
        ("0.0.0.0", "warning"),  # noqa: S104 - to be warned of
        ("::", "warning"),
        ("10.0.0.1", "warning"),
        ("127.0.0.1", "ok"),
        ("::1", "ok"),
        ("localhost", "ok"),
    ],
)
def test_a_deployment_that_the_network_reaches_is_a_warning(project, port, host, state):
    text = f'deployments: {{local: {{target: local, port: {port}, host: "{host}"}}}}\n'
    (project.environments / "dev.yaml").write_text(text)
    assert only(project, "endpoints").state == state


def test_who_may_ask_in_a_cloud_is_told_and_no_failure(project):
    aws = "target: aws/elastic_beanstalk, region: eu-central-1, http: true"
    google = "target: gcp/app_engine, project: acme-models, region: europe-west3"
    secrets = "{SERVING_TOKENS: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokens'}"
    variables = f"{{SERVING_TOKENS: 'sha256:{64 * '0'}'}}"
    (project.environments / "staging.yaml").write_text(
        "deployments:\n"
        f"  open: {{{google}}}\n"
        f"  kept: {{{aws}, secrets: {secrets}}}\n"
        f"  told: {{{google}, variables: {variables}}}\n"
    )
    here, public, asking, readable = findings(project, "endpoints")
    assert [here.state, public.state, asking.state, readable.state] == ["ok", "ok", "ok", "warning"]
    assert public.message.startswith("whoever knows the URL can ask staging-open; ")
    assert asking.message == "whoever has a token can ask staging-kept, staging-told"
    assert readable.message.startswith("tokens for staging-kept travel over plain HTTP")


@pytest.mark.parametrize(
    ("tokens", "is_told"),
    [
        ("a-token-0123456789", True),
        (f"sha256:{64 * '0'},a-token-0123456789", True),
        (f"sha256:{64 * '0'}, sha256:{64 * '1'}", False),
        ("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/t)", False),
    ],
)
def test_a_token_that_stands_in_an_environment_is_a_warning(project, port, tokens, is_told):
    text = f'deployments: {{local: {{target: local, port: {port}, variables: {{SERVING_TOKENS: "{tokens}"}}}}}}\n'
    (project.environments / "dev.yaml").write_text(text)
    found = [each for each in findings(project, "endpoints") if each.state == "warning"]
    assert bool(found) is is_told
    assert not any("a-token" in each.message for each in found)


def test_a_provider_that_may_not_be_executed_says_how_to_allow_it(project):
    path = project.root / PLUGIN
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    finding = only(project, "infra")
    assert (finding.state, finding.remedy) == ("missing", f"`chmod +x {path}`")
    path.unlink()
    assert only(project, "infra").message == f"{path}: is not here"


@pytest.mark.parametrize(
    "text", ["name: small\n", "plugins: 3\n", "plugins: {providers: 3}\n", "plugins: {providers: [3]}\n"]
)
def test_a_pulumi_project_that_does_not_name_our_provider_is_told(project, text):
    (project.infra / "Pulumi.yaml").write_text(text)
    assert "does not name bentoship" in only(project, "infra").message


@pytest.mark.parametrize("text", ["- a list\n", "{", ""])
def test_a_pulumi_project_that_cannot_be_read_is_told(project, text):
    (project.infra / "Pulumi.yaml").write_text(text)
    assert only(project, "infra").state == "missing"


def test_a_project_without_infra_is_told_once(project):
    (project.infra / "Pulumi.yaml").unlink()
    assert only(project, "infra").message == f"{project.infra / 'Pulumi.yaml'}: is not here"
    assert findings(project, "backend") == []


def test_the_state_lies_where_pulumi_yaml_says(project):
    finding = only(project, "backend")
    assert finding.state == "ok"
    assert f"{project.home / 'state'}, says infra/Pulumi.yaml" in finding.message


def test_the_variable_wins_and_passwords_stay_unsaid(project, monkeypatch):
    monkeypatch.setenv("PULUMI_BACKEND_URL", "postgres://anna:hush@db.example.com/state?password=hush")
    finding = only(project, "backend")
    assert finding.message == "the state goes to postgres://db.example.com/state, says PULUMI_BACKEND_URL"


def test_a_backend_that_nobody_names_is_a_warning(project):
    (project.infra / "Pulumi.yaml").write_text("name: small\n")
    assert only(project, "backend").state == "warning"


def test_without_an_engine_the_ways_to_get_one_are_told(project, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("BENTOSHIP_CACHE_DIR", str(tmp_path / "cache"))
    assert (only(project, "engine").state, only(project, "go").state) == ("missing", "warning")
    go = tmp_path / "empty" / "go"
    go.write_text("#!/bin/sh\necho go version go1.26.0 linux/amd64\n")
    go.chmod(0o755)
    assert (only(project, "engine").state, only(project, "go").state) == ("warning", "ok")
    assert "go1.26.0" in only(project, "go").message


def test_an_engine_that_is_there_says_its_version_and_where_from(project, pulumi):
    assert only(project, "engine").message == f"pulumi 3.250.0 from PATH ({pulumi})"
    assert findings(project, "go") == []


@pytest.mark.skipif(platform.system() != "Linux", reason="needs /proc, a file system without any room")
def test_a_disk_without_room_is_a_warning():
    found = list(disk.check(Project(Path("/proc"))))
    assert [finding.message for finding in found if finding.state == "warning"] == ["0.0 GB free at /proc"]
