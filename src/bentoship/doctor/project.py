"""The project: what bentofile.yaml says, and whether what it packs is there."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Problem
from ..project import BENTOFILE, Project
from ..release import bentofile
from .finding import Finding, from_problems


def check(project: Project | None) -> Iterable[Finding]:
    """The service and the files that will be packed, or every problem that stands against packing them."""
    if project is None:
        remedy = "go to the folder of your BentoML service, or name it with -C"
        return [Finding("project", "missing", f"there is no {BENTOFILE} here or in any folder above", remedy)]
    problems: list[Problem] = []
    found = bentofile.read(project.root, problems)
    if found is None or problems:
        return from_problems("project", problems)
    service = found.bentofile.service or "service.py"
    files = "1 file" if len(found.files) == 1 else f"{len(found.files)} files"
    return [Finding("project", "ok", f"{service} in {project.root}, {files} to pack")]
