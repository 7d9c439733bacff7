"""Other releases of the same service, for rehearsals: one that differs in its id alone, and one that is broken."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ..deployment import Example
from .manifest import NAME, FileFacts, Manifest, Release, open_release, read
from .seal import entry, seal
from .writing import nameless, writing

MARKER = "REHEARSAL"
"""The file that a variant has beyond the release that it is made of."""
_NOT_STARTING = b"#!/bin/sh\necho 'this release was made by a rehearsal, and does not start' >&2\nexit 1\n"
_EXECUTABLE = ("run.sh",)


def marked(source: Path, folder: Path, mark: str) -> Release:
    """The release in `source` with one more file, which says `mark`: another id, the same answers.

    What is packed already is copied as it is. The new release is put into `folder` as `<id>.zip`.
    """
    manifest, _ = read(source)
    content = f"{mark}\n".encode()
    facts = _facts({MARKER: content})
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder), nameless(folder) as unfinished:
        shutil.copyfile(source, unfinished)
        with zipfile.ZipFile(unfinished, "a") as zipped:
            _forget_manifest(zipped)
            zipped.writestr(entry(MARKER, facts[MARKER]), content)
        files = {**manifest.files, **facts}
        return _sealed(unfinished, folder, manifest.model_copy(update={"files": files}))


def of_files(files: Mapping[str, bytes], like: Manifest, folder: Path, examples: tuple[Example, ...] = ()) -> Release:
    """A release that consists of `files` and says of itself what `like` says; put into `folder` as `<id>.zip`."""
    facts = _facts(files)
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder), nameless(folder) as unfinished:
        with zipfile.ZipFile(unfinished, "w") as zipped:
            for name, content in sorted(files.items()):
                zipped.writestr(entry(name, facts[name]), content)
        return _sealed(
            unfinished, folder, like.model_copy(update={"files": facts, "examples": examples or like.examples})
        )


def broken(source: Path, folder: Path) -> Release:
    """A release that hosts find everything in that they look for, and that does not start."""
    manifest, _ = read(source)
    with zipfile.ZipFile(source) as archive:
        wrappers = {name: archive.read(name) for name in manifest.files if "/" not in name and name != NAME}
    return of_files({**wrappers, "run.sh": _NOT_STARTING}, manifest, folder)


def _sealed(unfinished: Path, folder: Path, manifest: Manifest) -> Release:
    def describe(body: str, _: int) -> Manifest:
        return manifest.model_copy(update={"body": body})

    identity = seal(unfinished, folder, {}, describe)
    return open_release(unfinished.replace(folder / f"{identity}.zip"))


def _facts(files: Mapping[str, bytes]) -> dict[str, FileFacts]:
    return {
        name: FileFacts(hashlib.sha256(content).hexdigest(), len(content), name in _EXECUTABLE)
        for name, content in files.items()
    }


def _forget_manifest(zipped: zipfile.ZipFile) -> None:
    """Let what comes next be written over the manifest, which is the last file in every release."""
    last = zipped.getinfo(NAME)
    zipped.filelist.remove(last)
    del zipped.NameToInfo[NAME]
    zipped.start_dir = last.header_offset
