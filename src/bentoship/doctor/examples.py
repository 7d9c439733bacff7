"""The golden examples, which every release is tested with before it gets traffic."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Problem
from ..project import Project
from ..release import examples
from .finding import Finding, from_problems


def check(project: Project | None) -> Iterable[Finding]:
    """How many there are, or what is wrong with the file."""
    if project is None:
        return []
    problems: list[Problem] = []
    written = examples.read(project.root, problems)
    if problems:
        return from_problems("examples", problems)
    count = "1 golden example" if len(written) == 1 else f"{len(written)} golden examples"
    return [Finding("examples", "ok", f"{count} in {examples.NAME}")]
