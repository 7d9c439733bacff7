"""The tiny release, unpacked once; and the service of every kind, served by the launcher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from launched import Served, packages, serving, with_service

from bentoship.release.unpack import unpack


@pytest.fixture(scope="session")
def unpacked(tiny_release, tmp_path_factory) -> Iterator[Path]:
    """The tiny release, in folders and files that nobody may write to."""
    folder = unpack(tiny_release.path, tmp_path_factory.mktemp("releases"))
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.fixture(scope="session")
def kinds(unpacked, tmp_path_factory) -> Path:
    """A release of the service of every kind."""
    service = (Path(__file__).parent / "kinds.py").read_text()
    return with_service(unpacked, tmp_path_factory.mktemp("kinds") / "release", service)


@pytest.fixture(scope="session")
def kinds_served(kinds, unpacked, tmp_path_factory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("kinds-host") / "state"
    variables = {"BENTOSHIP_SITE_PACKAGES": packages(unpacked, "pandas"), "SERVING_PAGE": "swagger"}
    with serving(kinds, state, **variables) as served:
        yield served
