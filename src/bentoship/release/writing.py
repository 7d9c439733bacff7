"""Effects on the disk: whole or not at all, and told in a sentence when the disk refuses."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ReleaseError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
_SCRATCH_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 -- only mkdtemp makes anything there
_UNFINISHED = (".unfinished-*", "unfinished-*", "building-*")
"""How files and folders are called until they are whole: here, beside the wheels, and beside the engines."""
_DAY = 86_400.0
_CHUNK = 1 << 20


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise ReleaseError instead of OSError when there is no room at `path`, or no right to write there."""
    try:
        yield
    except OSError as error:
        place = str(error.filename2 or error.filename or path)
        if error.errno in _FULL:
            raise ReleaseError(place, "the disk is full", "free some space there and run the same again") from error
        if error.errno in _CLOSED:
            sentence = f"can't be written ({error.strerror})"
            raise ReleaseError(place, sentence, "make that a folder that you may write to") from error
        raise


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path`, in UTF-8: a reader sees the old content or the new one, never a part of it."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with nameless(path.parent) as unfinished:
            unfinished.write_text(text, encoding="utf-8", newline="\n")
            unfinished.replace(path)


@contextmanager
def nameless(folder: Path) -> Iterator[Path]:
    """A new file in `folder` to write to and then to give its name; removed when it was given none."""
    handle, name = tempfile.mkstemp(prefix=".unfinished-", dir=folder)
    os.close(handle)
    unfinished = Path(name)
    unfinished.chmod(0o666 & ~_umask())
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of one's own that is removed at the end; no part of its path begins with a dot.

    BentoML refuses to read files below a folder whose name begins with a dot, wherever in the path that is.
    """
    place = next((path for path in _places() if not hidden(path) and os.access(path, os.W_OK)), None)
    if place is None:
        raise ReleaseError(
            tempfile.gettempdir(), "is below a hidden folder, which BentoML can't use", "set TMPDIR to another folder"
        )
    with writing(place):
        folder = Path(tempfile.mkdtemp(prefix="bentoship-", dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what builds that were killed more than a day ago have left unfinished in the folders of `folder`."""
    patterns = [f"{place}/{name}" for place in ("*", "*/*") for name in _UNFINISHED]
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        with suppress(OSError):
            if path.lstat().st_mtime < time.time() - _DAY:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def hidden(path: Path) -> bool:
    """Whether any part of `path` begins with a dot."""
    return any(part.startswith(".") for part in path.resolve().parts)


def sha256(path: Path) -> str:
    """The sha256 of the bytes of `path`, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Path, target: Path) -> str:
    """Copy the bytes of `source` to `target`; return their sha256, in hexadecimal."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            write.write(chunk)
    return digest.hexdigest()


def _places() -> Iterator[Path]:
    yield Path(tempfile.gettempdir())
    yield from map(Path, _SCRATCH_PLACES)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
