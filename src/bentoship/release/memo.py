"""What was built out of what: a build of unchanged inputs finds its release here and does nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import ReleaseError
from .bento import model_store
from .bentofile import NAME as BENTOFILE
from .bentofile import Project
from .examples import NAME as EXAMPLES
from .manifest import Release, open_release, store
from .wheels import python_minor, runs_here
from .writing import sha256, write_whole


def key(project: Project, lock: Path) -> str:
    """A name for everything that a release of `project` is made of, ourselves included."""
    digest = hashlib.sha256()
    for name, content in _inputs(project, lock):
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def recall(folder: Path, name: str) -> Release | None:
    """The release that was built under the key `name`, when it is still there, byte for byte."""
    try:
        identity = _path(folder, name).read_text(encoding="utf-8").strip()
        path = store(folder) / f"{identity}.zip"
        return open_release(path) if sha256(path) == identity else None
    except (OSError, ValueError, ReleaseError):
        return None


def remember(folder: Path, name: str, release: Release) -> None:
    """Note that `release` is what the key `name` gives."""
    write_whole(_path(folder, name), f"{release.id}\n")


def _path(folder: Path, name: str) -> Path:
    return folder / ".bentoship" / "builds" / name


def _inputs(project: Project, lock: Path) -> Iterator[tuple[str, str]]:
    yield "python", f"{python_minor()} {runs_here()}"
    for path in (project.folder / BENTOFILE, project.folder / EXAMPLES, lock):
        yield path.name, sha256(path)
    for name in project.files:
        path = project.folder / name
        yield name, f"{sha256(path)} {path.stat().st_mode & 0o100}"
    yield from _ourselves()
    yield from _stored_models()


def _ourselves() -> Iterator[tuple[str, str]]:
    package = Path(__file__).parent.parent
    for folder in ("release", "serving"):
        for path in sorted((package / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(package).as_posix(), sha256(path)


def _stored_models() -> Iterator[tuple[str, str]]:
    """The versions in BentoML's store. A version never changes; which one is the latest does."""
    for path in sorted(model_store().glob("*/*")):
        yield f"{path.parent.name}/{path.name}", path.read_text(encoding="utf-8") if path.is_file() else ""
