"""The workflow in docs/github-actions.md: its YAML is read as GitHub would, and its commands as we do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import pytest
import yaml

from bentoship.cli.commands import bentoship
from projects import ROOT
from test_docs import blocks

PAGE = ROOT / "docs" / "github-actions.md"
WORKFLOW, *ACTIONS = [yaml.safe_load(text) for text in blocks(PAGE, "yaml")]
LINE = re.compile(
    r"\bbentoship (?:plan|up|promote|parity|drift|rollback|history|rehearse|destroy|build|status)\b[^|>;\n]*"
)


def steps():
    jobs = [job["steps"] for job in WORKFLOW["jobs"].values()]
    return [step for part in (*jobs, *(action["runs"]["steps"] for action in ACTIONS)) for step in part]


def commands():
    scripts = [step["run"] for step in steps() if "run" in step]
    return [found.strip() for script in scripts for found in LINE.findall(script)]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_the_command_line_understands(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # --events opens its file
    _, verb, *words = shlex.split(command.replace("/tmp/", f"{tmp_path}/"))  # noqa: S108 - GitHub's runner
    with bentoship.make_context("bentoship", [verb]) as above:
        bentoship.commands[verb].make_context(verb, words, parent=above).close()


def test_the_stages_follow_each_other_and_each_deploys_from_the_one_before():
    jobs = WORKFLOW["jobs"]
    assert (jobs["staging"]["needs"], jobs["production"]["needs"]) == ("dev", "staging")
    assert [jobs[name]["environment"] for name in ("dev", "staging", "production")] == ["dev", "staging", "production"]
    said = [command.partition(" --")[0] for command in commands()]
    assert [line for line in said if re.search("plan|up|promote", line)] == [
        "bentoship plan staging",
        "bentoship up dev",
        "bentoship promote dev staging",
        "bentoship promote staging production",
    ]


def test_a_pull_request_from_a_fork_meets_no_secret():
    jobs = WORKFLOW["jobs"]
    assert "head.repo.full_name == github.repository" in jobs["plan"]["if"]
    assert jobs["rehearse"]["permissions"] == {"contents": "read"}
    assert not [step for step in jobs["rehearse"]["steps"] if "credentials" in step.get("uses", "")]


def test_every_step_uses_an_action_with_a_version_or_runs_something():
    for step in steps():
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(
            r"[\w-]+/[\w-]+@v\d+|\./\.github/actions/(bentoship|credentials)", step.get("uses", "a/b@v1")
        )


def test_every_input_of_an_action_of_ours_is_given():
    (action,) = [action for action in ACTIONS if "inputs" in action]
    given = [step["with"] for step in steps() if step.get("uses", "").endswith("/credentials")]
    assert len(given) == 4
    assert all(set(each) == set(action["inputs"]) for each in given)


@pytest.mark.parametrize(("left_with", "code"), [(0, 0), (1, 0), (2, 1)])
def test_a_plan_is_the_summary_and_fails_the_job_only_for_an_error(tmp_path, left_with, code):
    program = tmp_path / "bin" / "bentoship"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho staging-aws: no new release\nexit {left_with}\n")
    program.chmod(0o755)
    (script,) = [step["run"] for step in WORKFLOW["jobs"]["plan"]["steps"] if "run" in step]
    summary = tmp_path / "summary.md"
    around = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(summary)}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=around, check=False)
    assert done.returncode == code
    assert "```text\nstaging-aws: no new release\n```" in summary.read_text()
