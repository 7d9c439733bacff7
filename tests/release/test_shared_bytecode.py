"""Releases with the same packages share what is compiled of these; nothing else is shared."""

from __future__ import annotations

import json

import pytest

from bentoship.host import bytecode
from bentoship.release.running import share_bytecode
from bentoship.release.unpack import unpack
from small_release import small_release


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """Unpack a release whose service is made of `word`, and which has a package of these bytes."""

    monkeypatch.setenv("BENTOSHIP_CACHE_DIR", str(tmp_path / "cache"))

    def release(word: str, digest: str):
        folder = unpack(small_release(tmp_path / "sealed", word).path, tmp_path / "releases")
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        manifest["files"]["site-packages/own.py"] = {"sha256": digest, "size": 1, "executable": False}
        (folder / "MANIFEST.json").write_text(json.dumps(manifest))
        share_bytecode(tmp_path / "bytecode", folder)
        return folder

    return release


def test_the_same_packages_are_compiled_once_and_others_apart(unpacked, tmp_path):
    one, two, other = unpacked("one", "a" * 64), unpacked("two", "a" * 64), unpacked("three", "b" * 64)
    places = [bytecode.of(tmp_path / "bytecode", folder / "site-packages").resolve() for folder in (one, two, other)]
    assert places[0] == places[1] != places[2]
    assert places[0].is_dir()


def test_what_is_shared_stays_when_a_release_goes(unpacked, tmp_path):
    one, two = unpacked("one", "a" * 64), unpacked("two", "a" * 64)
    link = bytecode.of(tmp_path / "bytecode", one / "site-packages")
    (link / "own.cpython-311.pyc").write_bytes(b"compiled")
    bytecode.forget(tmp_path / "bytecode", one)
    assert not link.exists()
    there = bytecode.of(tmp_path / "bytecode", two / "site-packages") / "own.cpython-311.pyc"
    assert there.read_bytes() == b"compiled"


def test_files_are_dated_as_in_the_archive_wherever_they_are_unpacked(tmp_path):
    sealed = small_release(tmp_path / "sealed", "one").path
    one, two = unpack(sealed, tmp_path / "one"), unpack(sealed, tmp_path / "two")
    dates = {path.stat().st_mtime for folder in (one, two) for path in folder.rglob("*") if path.is_file()}
    assert len(dates) == 1
