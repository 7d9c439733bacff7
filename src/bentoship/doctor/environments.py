"""The environments: whether each file says what it may say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .. import environments
from ..errors import BentoshipError
from ..project import Project
from .finding import Finding, from_problems


def check(project: Project | None) -> Iterator[Finding]:
    """The deployments of each environment, or all problems of its file."""
    if project is None:
        return
    names = environments.names(project)
    for name in names:
        yield from _environment(project, name)
    if not names:
        example = "`deployments: {local: {target: local}}`"
        remedy = f"write environments/dev.yaml with {example}"
        yield Finding("environments", "missing", f"there is none in {project.environments}", remedy)


def _environment(project: Project, name: str) -> Iterable[Finding]:
    try:
        environment = environments.load(project, name)
    except BentoshipError as error:
        return from_problems("environments", error.problems)
    places = ", ".join(f"{each.name} ({each.target_name})" for each in environment.deployments)
    return [Finding("environments", "ok", f"{name}: {places}")]
