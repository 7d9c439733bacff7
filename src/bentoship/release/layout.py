"""The one form that the headers and the directory of a release's zip can have.

As PKWARE's APPNOTE.TXT describes them (4.3.7 local header, 4.3.12 directory, 4.3.14 to 4.3.16 its end), and as
Python's zipfile fills them in when a release is sealed. A reader of zips overlooks much of what stands in them, so
they are made again here, byte by byte, to be compared.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence

from .manifest import FileFacts
from .seal import entry

_RECORD = struct.Struct("<4s4B4HL2L5H2L")
_END = struct.Struct("<4s4H2LH")
_LARGE_END = struct.Struct("<4sQ2H2L4Q")
_LARGE_LOCATOR = struct.Struct("<4sLQL")
_LARGE_VERSION = 45
_MOST = 0xFFFFFFFF
_MOST_FILES = 0xFFFF
_UTF8 = 0x800
_SLACK = 1.05
"""zipfile leaves room for a file that grows by this factor when it is compressed."""


def as_sealed(found: zipfile.ZipInfo, file: FileFacts | None) -> zipfile.ZipInfo:
    """How sealing would have described `found`, which reading proves to have these sizes and this checksum.

    `file` is what the manifest says of it; it says nothing of itself, nor of a file that doesn't belong there.
    """
    info = entry(found.filename, file or FileFacts("", found.file_size))
    info.CRC, info.compress_size, info.header_offset = found.CRC, found.compress_size, found.header_offset
    return info


def local_header(info: zipfile.ZipInfo) -> bytes:
    """What stands before the content of a file."""
    return info.FileHeader(zip64=info.file_size * _SLACK > zipfile.ZIP64_LIMIT)


def directory(infos: Sequence[zipfile.ZipInfo], offset: int) -> bytes:
    """Everything after the last file: the directory, which begins at `offset`, and its end."""
    records = b"".join(map(directory_record, infos))
    count, size = len(infos), len(records)
    end = _END.pack(b"PK\5\6", 0, 0, *(min(count, _MOST_FILES),) * 2, min(size, _MOST), min(offset, _MOST), 0)
    if count <= _MOST_FILES and max(size, offset) <= zipfile.ZIP64_LIMIT:
        return records + end
    versions = (_LARGE_VERSION, _LARGE_VERSION)
    large = _LARGE_END.pack(b"PK\6\6", _LARGE_END.size - 12, *versions, 0, 0, count, count, size, offset)
    return records + large + _LARGE_LOCATOR.pack(b"PK\6\7", 0, offset + size, 1) + end


def directory_record(info: zipfile.ZipInfo) -> bytes:
    """What the directory says of one file."""
    local_header(info)  # which is also what makes zipfile ask for a newer version to read a large file
    name = info.filename.encode()
    sizes, large = _large_fields(info)
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    version = _LARGE_VERSION if large else info.extract_version
    flags = 0 if info.filename.isascii() else _UTF8
    offset = min(info.header_offset, _MOST) if info.header_offset <= zipfile.ZIP64_LIMIT else _MOST
    day, clock = _dos_time(info)
    numbers = (flags, info.compress_type, clock, day, info.CRC, *sizes, len(name), len(extra), 0, 0, 0)
    versions = (version, info.create_system, version, 0)
    return _RECORD.pack(b"PK\1\2", *versions, *numbers, info.external_attr, offset) + name + extra


def _large_fields(info: zipfile.ZipInfo) -> tuple[tuple[int, int], list[int]]:
    """The two sizes as the record has them, and the numbers that are too large for it."""
    limit = zipfile.ZIP64_LIMIT
    large = [info.header_offset] if info.header_offset > limit else []
    if max(info.file_size, info.compress_size) > limit:
        return (_MOST, _MOST), [info.file_size, info.compress_size, *large]
    return (info.compress_size, info.file_size), large


def _dos_time(info: zipfile.ZipInfo) -> tuple[int, int]:
    year, month, day, hour, minute, second = info.date_time
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
