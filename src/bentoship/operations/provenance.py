"""Where a release comes from: the commit that it was built from, and the CI run that deploys it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PATIENCE = 10.0
"""Seconds that git may take; a history without a commit is better than none."""
SDKS = {"aws": "pulumi-aws", "azure": "pulumi-azure-native", "gcp": "pulumi-gcp"}
"""The package of each cloud, by the first part of a target's name; another target may use any of them."""
RUNS = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")
"""Where GitLab, Buildkite, CircleCI and Jenkins say the page of a run (their references of predefined variables)."""


CREDENTIALS = "gha-creds-*.json"
"""What google-github-actions/auth writes into the folder that is checked out."""


@dataclass(frozen=True)
class Commit:
    """What git says of a project's folder."""

    id: str = ""
    """Empty where git is not here, or the folder is in no repository."""
    dirty: bool = False
    """Whether a file of the folder differs from the commit, or is new and not ignored, or git takes too long to say."""


def commit(folder: Path) -> Commit:
    """The commit that is checked out in `folder`. Settings of stacks, which `up` itself writes, don't make it dirty."""
    identity = _git(folder, "rev-parse", "HEAD")
    if not identity:
        return Commit()
    ours = [f":(exclude){path}" for path in ("infra/Pulumi.*.yaml", ".bentoship", CREDENTIALS)]
    changed = _git(folder, "status", "--porcelain", "--", ".", *ours)
    return Commit(identity, changed != "")


def run_page(variables: Mapping[str, str] = os.environ) -> str:
    """The page of the CI run that we are part of; empty when we are in none that says it.

    GitHub names the parts of it (docs.github.com, "Variables reference"), and so does Azure Pipelines
    (learn.microsoft.com, "Use predefined variables"); the others say it whole.
    """
    if variables.get("GITHUB_ACTIONS") == "true" and "GITHUB_RUN_ID" in variables:
        return "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(_Known(variables))
    if variables.get("TF_BUILD") == "True":
        page = "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}"
        return page.format_map(_Known(variables))
    return next((variables[name] for name in RUNS if variables.get(name)), "")


def sdks(target: str) -> dict[str, str]:
    """The installed versions of Pulumi's packages that a target's program is written with."""
    cloud = target.partition("/")[0]
    ours = () if cloud == "local" else (SDKS[cloud],) if cloud in SDKS else tuple(SDKS.values())
    found = {"pulumi-sdk": _version("pulumi"), **{name: _version(name) for name in ours}}
    return {name: value for name, value in found.items() if value}


class _Known(dict[str, str]):
    """Variables, of which one that is missing is empty."""

    def __missing__(self, _: str) -> str:
        return ""


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None when it fails or takes too long."""
    around = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            env=around,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
