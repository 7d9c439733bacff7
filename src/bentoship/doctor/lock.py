"""bentofile.lock: whether it is there, and agrees with bentofile.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from ..project import Project
from ..release import bentofile
from ..release.lock import NAME, changes_in
from .finding import Finding

_REMEDY = "the next `bentoship build` does it; commit the file"


def check(project: Project | None) -> Iterator[Finding]:
    """What locking would change; nothing where bentofile.yaml can't be read, which another check tells."""
    described = bentofile.read(project.root, []) if project else None
    if described is None:
        return
    path = described.folder / NAME
    if not path.is_file():
        yield Finding("lock", "warning", f"{NAME} is not here yet", _REMEDY)
        return
    changes = changes_in(path.read_text(encoding="utf-8", errors="replace"), described)
    if changes:
        yield Finding("lock", "warning", f"{NAME} will be renewed: {'; '.join(changes)}", _REMEDY)
    else:
        yield Finding("lock", "ok", f"{NAME} agrees with bentofile.yaml")
