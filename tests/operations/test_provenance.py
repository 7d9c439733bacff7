from __future__ import annotations

import subprocess

import pytest

from bentoship.operations import provenance


def git(folder, *words):
    ours = ("-c", "user.name=Anna", "-c", "user.email=anna@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", folder, *ours, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A project in a folder of a repository, with everything committed."""
    project = tmp_path / "models" / "salary"
    (project / "infra").mkdir(parents=True)
    for name in ("service.py", "infra/Pulumi.yaml"):
        (project / name).write_text(name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return project


def test_what_was_committed_is_named_and_clean(project):
    assert provenance.commit(project) == provenance.Commit(git(project, "rev-parse", "HEAD"))


@pytest.mark.parametrize("name", ["service.py", "new.py", "infra/Pulumi.yaml"])
def test_a_file_that_differs_or_is_new_is_told(project, name):
    (project / name).write_text("changed")
    assert provenance.commit(project).dirty


@pytest.mark.parametrize("name", ["infra/Pulumi.dev-local.yaml", ".bentoship/passphrase", "../other.py"])
def test_what_up_itself_writes_and_what_lies_elsewhere_does_not_count(project, name):
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("new")
    assert not provenance.commit(project).dirty


def test_outside_of_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == provenance.Commit()


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "anna/salary",
    "GITHUB_RUN_ID": "7",
}
AZURE = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/anna/",
    "SYSTEM_TEAMPROJECT": "salary",
    "BUILD_BUILDID": "7",
}


@pytest.mark.parametrize(
    ("variables", "page"),
    [
        ({}, ""),
        ({"CI": "true"}, ""),
        (GITHUB, "https://github.com/anna/salary/actions/runs/7"),
        (AZURE, "https://dev.azure.com/anna/salary/_build/results?buildId=7"),
        ({"CI_JOB_URL": "https://gitlab.com/anna/salary/-/jobs/7"}, "https://gitlab.com/anna/salary/-/jobs/7"),
        ({"BUILD_URL": "https://jenkins/job/salary/7/"}, "https://jenkins/job/salary/7/"),
    ],
)
def test_the_page_of_a_run_is_where_its_ci_says(variables, page):
    assert provenance.run_page(variables) == page


def test_only_the_packages_that_a_target_is_written_with_are_told():
    assert set(provenance.sdks("local")) == {"pulumi-sdk"}
    assert set(provenance.sdks("aws/ec2")) <= {"pulumi-sdk", "pulumi-aws"}
    assert all(provenance.sdks("azure/web_app").values())
