"""A release proves itself: everything that it says is computed again, and what was touched is named.

Three things cover every byte. The sha256 of each file, and of all bytes before the manifest, stand in the manifest;
the manifest lies uncompressed, so its checksum covers each of its bits; and the zip's directory, which follows it,
can only have one form. Where the file is named by its id, the sha256 of the whole file must be that id as well.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import Problem, ReleaseError, ReleaseTampered
from .layout import as_sealed, directory, directory_record, local_header
from .manifest import NAME, Manifest, Release, id_in_name, parse, release
from .seal import hash_until
from .unpack import unsafe
from .writing import sha256

_REMEDY = "don't deploy it; fetch it again, or build it again"
_CHUNK = 1 << 20
_DIRECTORY = "the zip's directory"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OSError,
)
"""What reading one file of a damaged zip can raise, by which of its bytes are damaged."""


def verify(path: Path, expected_id: str | None = None) -> Release:
    """Recompute everything that the release in `path` says of itself, and return it.

    Raises ReleaseTampered that names each file that was touched, added or is missing, and ReleaseError when there is
    no file. Its id must be `expected_id`, or the one in its name, where there is one.
    """
    if not path.is_file():
        raise ReleaseError(str(path), "there is no such release", "build it, or check the path")
    found, claimed = sha256(path), expected_id or id_in_name(path)
    try:
        manifest, files, problems = _inspect(path)
    except ReleaseError as error:
        raise ReleaseTampered(*_of(error.problems[0])) from None
    except _BROKEN as error:
        raise ReleaseTampered(str(path), f"{_DIRECTORY} is damaged: {error}", _REMEDY) from None
    if claimed and claimed != found:
        problems = problems or [Problem(_DIRECTORY, "was touched")]
        problems = [*problems, Problem(path.name, f"has sha256 {found[:12]}…, not {claimed[:12]}…", _REMEDY)]
    if problems:
        raise ReleaseTampered.of(problems)
    return release(path, found, manifest, files)


def _of(problem: Problem) -> tuple[str, str, str]:
    return problem.where, problem.fault, problem.remedy or _REMEDY


def _inspect(path: Path) -> tuple[Manifest, int, list[Problem]]:
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        infos = archive.infolist()
        problems = list(_unsafe_entries(infos))
        try:
            manifest = parse(archive.read(NAME), path)
        except KeyError:
            raise ReleaseTampered(NAME, "is missing, so nothing else can be checked", _REMEDY) from None
        except _BROKEN as error:
            raise ReleaseTampered(NAME, f"was touched ({error})", _REMEDY) from None
        problems.extend(_names(infos, manifest))
        problems.extend(_contents(archive, infos, manifest))
        problems.extend(_layout(archive, raw, manifest, problems))
        return manifest, len(infos), _told_once(problems)


def _unsafe_entries(infos: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    yield from (Problem(info.filename, fault) for info in infos if (fault := unsafe(info)))
    counts = Counter(info.filename for info in infos)
    yield from (Problem(name, f"is there {count} times") for name, count in counts.items() if count > 1)


def _names(infos: list[zipfile.ZipInfo], manifest: Manifest) -> Iterator[Problem]:
    here, sealed = {info.filename for info in infos}, {*manifest.files, NAME}
    yield from (Problem(name, "was added") for name in sorted(here - sealed))
    yield from (Problem(name, "is missing") for name in sorted(sealed - here))


def _contents(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], manifest: Manifest) -> Iterator[Problem]:
    for info in infos:
        file = manifest.files.get(info.filename)
        if file is None:
            continue
        try:
            with archive.open(info) as content:
                same = _hash(content) == file.sha256
        except _BROKEN:
            same = False
        if not same:
            yield Problem(info.filename, "was touched")


def _hash(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _layout(archive: zipfile.ZipFile, raw: IO[bytes], manifest: Manifest, found: list[Problem]) -> Iterator[Problem]:
    """What the contents don't show: headers, the bytes between files, and the directory at the end."""
    infos, offset = archive.infolist(), 0
    sealed = [as_sealed(info, manifest.files.get(info.filename)) for info in infos]
    for info in sealed:
        if info.header_offset != offset or _read(raw, offset, len(local_header(info))) != local_header(info):
            yield Problem(info.filename, "has a header that was touched")
        offset = info.header_offset + len(local_header(info)) + info.compress_size
    if not found and hash_until(Path(raw.name), sealed[-1].header_offset) != manifest.body:
        yield from _repacked(archive, raw, sealed)
    if offset != archive.start_dir or _read(raw, offset, -1) != directory(sealed, offset):
        yield from _touched_records(raw, sealed, archive.start_dir)


def _touched_records(raw: IO[bytes], sealed: list[zipfile.ZipInfo], offset: int) -> Iterator[Problem]:
    yield Problem(_DIRECTORY, "was touched")
    for info in sealed:
        record = directory_record(info)
        if _read(raw, offset, len(record)) != record:
            yield Problem(info.filename, f"is not in {_DIRECTORY} as it was sealed")
        offset += len(record)


def _repacked(archive: zipfile.ZipFile, raw: IO[bytes], sealed: list[zipfile.ZipInfo]) -> Iterator[Problem]:
    """Name the files that hold the same content in other compressed bytes, such as a flipped bit of padding."""
    named = False
    for info in sealed:
        packed = _read(raw, info.header_offset + len(local_header(info)), info.compress_size)
        if info.compress_type == zipfile.ZIP_DEFLATED and _deflated(archive.read(info.filename)) != packed:
            named = True
            yield Problem(info.filename, "was touched: its content is the same, its compressed bytes are not")
    if not named:
        yield Problem("the bytes between the files", "were touched")


def _deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def _read(raw: IO[bytes], offset: int, count: int) -> bytes:
    raw.seek(offset)
    return raw.read(count)


def _told_once(problems: list[Problem]) -> list[Problem]:
    """One problem for every file: the first, which says most."""
    return list({problem.where: problem for problem in reversed(problems)}.values())[::-1]
