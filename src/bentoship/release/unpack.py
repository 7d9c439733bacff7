"""A sealed release becomes a folder on a host. Standard library only: the host needs nothing else."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..errors import ReleaseError, ReleaseTampered

_ID_LENGTH = 64
_CHUNK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_REMEDY = "fetch it again, or build it again"


def unpack(path: Path, directory: Path, expected_id: str | None = None) -> Path:
    """Unpack the release in `path` into `directory`/<id> and return that folder; does nothing when it is there already.

    The sha256 of the file must be `expected_id`, or else the id in its name: ReleaseTampered otherwise, and
    before anything is unpacked. The folder appears whole or not at all; two processes may do it at once.
    """
    identity = expected_id or path.stem
    target = directory / identity
    if target.is_dir():
        return target
    _check(path, identity)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=directory, ignore_cleanup_errors=True) as place:
        unfinished = Path(place) / identity
        try:
            _extract(path, unfinished)
        except _BROKEN as error:
            raise ReleaseTampered(str(path), f"can't be unpacked: {error}", _REMEDY) from None
        except OSError as error:
            raise ReleaseError(str(target), f"can't be written ({error.strerror})", "make room there") from error
        _place(unfinished, target)
    return target


def _check(path: Path, identity: str) -> None:
    if len(identity) != _ID_LENGTH:
        raise ReleaseError(str(path), "is not named by its id, so it can't be checked", "name it <id>.zip")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ReleaseError(str(path), f"can't be read ({error.strerror})", "build it, or check the path") from error
    if found != identity:
        raise ReleaseTampered(str(path), f"has sha256 {found[:12]}…, not {identity[:12]}…", _REMEDY)


def _extract(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise ReleaseTampered(str(path), "has two files of one name", _REMEDY)
        for info in archive.infolist():
            _extract_one(archive, info, target)


def _extract_one(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    mode = info.external_attr >> 16
    if fault := unsafe(info):
        raise ReleaseTampered(info.filename, fault, "this is no release of ours; don't unpack it")
    file = target / info.filename
    file.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, file.open("wb") as sink:
        shutil.copyfileobj(source, sink, _CHUNK)
    file.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    dated = calendar.timegm((*info.date_time, 0, 0, 0))  # the same wherever it is unpacked: Python tells bytecode by it
    os.utime(file, (dated, dated))


def unsafe(info: zipfile.ZipInfo) -> str | None:
    """Why an entry of a zip must not be unpacked, None when it may."""
    name = PurePosixPath(info.orig_filename)
    if name.is_absolute() or ".." in name.parts or "\\" in info.orig_filename or "\0" in info.orig_filename:
        return "leads out of its folder"
    if not stat.S_ISREG(info.external_attr >> 16):
        return "is no regular file"
    return None


def _place(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        # Another process was faster; what it made is the same, since its name is the hash of what it was made from.
        with contextlib.suppress(OSError):
            shutil.rmtree(source)
        if not target.is_dir():
            raise
