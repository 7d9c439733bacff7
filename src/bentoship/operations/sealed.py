"""The sealed releases that are on this machine."""

from __future__ import annotations

from pathlib import Path

from ..errors import ReleaseError
from ..project import Project
from ..release import store
from .status import beginning_of_id


def sealed_file(project: Project, beginning: str) -> Path:
    """The sealed file of the one release on this machine whose id begins so; ReleaseError that lists them otherwise."""
    wanted = beginning_of_id(beginning)
    folders = (store(project.root), project.variants)
    here = {path.stem: path for folder in folders for path in sorted(folder.glob("*.zip"))}
    found = [path for identity, path in here.items() if identity.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(identity[:12] for identity in here) or "none; `bentoship build` makes one"
    fault = f"{len(found)} releases on this machine begin so" if found else "no release on this machine begins so"
    raise ReleaseError(f"release {wanted}", fault, f"there are: {there}")
