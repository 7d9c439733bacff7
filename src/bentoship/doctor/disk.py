"""Room on the disks where releases and their packages lie."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from ..engine import install
from ..project import Project
from .finding import Finding

GB = 10**9
LEAST = 2 * GB
"""Bytes: a release with its packages, unpacked and zipped, twice, and a build of the engine."""


def check(project: Project | None) -> Iterator[Finding]:
    """One finding for each file system that bentoship writes to."""
    places = [install.cache(), Path(platformdirs.user_cache_dir("bentoship"))]
    if project:
        places = [project.home, *places]
    disks = {existing.stat().st_dev: existing for existing in map(_nearest, reversed(places))}
    yield from map(_disk, disks.values())


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    message = f"{free / GB:.1f} GB free at {place}"
    if free < LEAST:
        return Finding("disk", "warning", message, f"free some space: a build and a deployment need {LEAST // GB} GB")
    return Finding("disk", "ok", message)


def _nearest(place: Path) -> Path:
    return next(each for each in (place, *place.parents) if each.exists())
