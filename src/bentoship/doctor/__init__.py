"""What is here, what is missing and how to get it: one check a file, each quick, none of which changes anything.

A check is a module with `check(project: Project | None) -> Finding | Iterable[Finding]`. `project` is None outside
of any project; what only a project has is then left out. A check that fails is a finding as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from ..errors import BentoshipError
from ..project import Project
from .finding import Finding, from_problems

__all__ = ["CHECKS", "Finding", "run"]

CHECKS = (
    "python",
    "uv",
    "engine",
    "go",
    "project",
    "lock",
    "examples",
    "environments",
    "ports",
    "endpoints",
    "infra",
    "backend",
    "disk",
)
"""The checks in the order in which they are told: the machine first, then what the project is, then where it goes."""


def run(folder: Path | None = None) -> list[Finding]:
    """What every check finds for the project that `folder` (default: the current one) lies in. Raises nothing."""
    project = _project(folder)
    return [finding for name in CHECKS for finding in _findings(name, project)]


def _project(folder: Path | None) -> Project | None:
    try:
        return Project.find(folder)
    except BentoshipError:
        return None  # the check `project` tells it


def _findings(name: str, project: Project | None) -> Iterable[Finding]:
    try:
        found: Finding | Iterable[Finding] = import_module(f".{name}", __name__).check(project)
        return [found] if isinstance(found, Finding) else list(found)
    except BentoshipError as error:
        return from_problems(name, error.problems)
    except Exception as error:  # noqa: BLE001 - whoever asks the doctor must not be answered with a traceback
        message = f"could not be checked ({type(error).__name__}: {error})"
        return [Finding(name, "warning", message, "this is a defect of bentoship; please report it with this line")]
