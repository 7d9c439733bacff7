"""What releases print: kept in rotating files, one family of files a release, and read back.

A line in a file is `<time, ISO 8601, UTC> <first 12 digits of the release> <what was printed>`. The supervisor
writes its own lines under the name `supervisor`.
"""

from __future__ import annotations

import heapq
import itertools
import os
import re
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import makeLogRecord
from logging.handlers import RotatingFileHandler
from operator import attrgetter
from pathlib import Path
from typing import TextIO

SUPERVISOR = "supervisor"
FOLDER = "logs"
KEPT_SOURCES = 10
"""Of how many releases that run no more the files are kept."""
_SUFFIX = ".log"
_POLL = 0.1


@dataclass(frozen=True)
class Line:
    """One line that a release printed."""

    at: str
    """When it was read from the release: ISO 8601, UTC, to the microsecond, so that times sort as text."""
    source: str
    """First 12 digits of the release's id, or `supervisor`."""
    text: str

    def __str__(self) -> str:
        return f"{self.at} {self.source} {self.text}"

    @classmethod
    def of(cls, stored: str) -> Line:
        """The line behind its form in a file; what has no such form is all text."""
        at, _, rest = stored.rstrip("\n").partition(" ")
        source, _, text = rest.partition(" ")
        return cls(at, source, text) if at[:4].isdigit() else cls("", "", stored.rstrip("\n"))


@dataclass(frozen=True)
class Filter:
    """Which lines somebody wants to see: all, unless a field says otherwise."""

    source: str | None = None
    """A release's id, or its first digits; `supervisor` for the supervisor's own lines."""
    pattern: str | None = None
    """A regular expression that must be found in what was printed; re.error is raised for a wrong one."""
    since: datetime | None = None
    """Nothing older than this; must know its time zone."""

    def takes(self, line: Line) -> bool:
        """Whether `line` is wanted."""
        if self.since and line.at < stamp(self.since):
            return False
        return self.pattern is None or re.search(self.pattern, line.text) is not None

    def names(self, file: Path) -> bool:
        """Whether `file` can hold wanted lines."""
        source = _source(file)
        return self.source is None or source.startswith(self.source[: len(source)])


EVERYTHING = Filter()


def stamp(moment: datetime) -> str:
    """`moment` as it is written in front of a line."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Journal:
    """The writing side: one rotating family of files for each source of lines."""

    def __init__(self, directory: Path, file_bytes: int, files: int) -> None:
        self._directory = directory
        self._file_bytes = file_bytes
        self._files = files
        self._handlers: dict[str, RotatingFileHandler] = {}
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, source: str, text: str) -> None:
        """Keep one line of `source`, with the time of now."""
        if source not in self._handlers:
            self._handlers[source] = self._open(source)
        line = Line(stamp(datetime.now(UTC)), source, text)
        self._handlers[source].handle(makeLogRecord({"msg": str(line)}))

    def forget_oldest(self, running: Collection[str]) -> None:
        """Remove the files of releases that are not among `running`, but for those of the ten that printed last."""
        printing = {SUPERVISOR, *running}
        ended = [file for file in _current_files(self._directory, EVERYTHING) if _source(file) not in printing]
        for file in sorted(ended, key=_written_at, reverse=True)[KEPT_SOURCES:]:
            if handler := self._handlers.pop(_source(file), None):
                handler.close()
            for member in _newest_first(file):
                with suppress(OSError):
                    member.unlink()

    def close(self) -> None:
        """Close every file."""
        for handler in self._handlers.values():
            handler.close()
        self._handlers.clear()

    def _open(self, source: str) -> RotatingFileHandler:
        file = self._directory / f"{source}{_SUFFIX}"
        # Opened with the first line, where a full disk is the handler's own affair and loses only lines.
        return RotatingFileHandler(
            file,
            maxBytes=self._file_bytes,
            backupCount=self._files,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )


def tail(directory: Path, count: int = 100, wanted: Filter = EVERYTHING) -> list[Line]:
    """The last `count` wanted lines in the log folder `directory`, over releases and rotated files, oldest first."""
    families = (_last_of_family(file, count, wanted) for file in _current_files(directory, wanted))
    return list(heapq.merge(*families, key=attrgetter("at")))[-count:] if count > 0 else []


def follow(directory: Path, count: int = 0, wanted: Filter = EVERYTHING) -> Iterator[Line]:
    """The last `count` wanted lines, then each new one as it is printed, without end and without a gap.

    Releases that start later are followed too, and rotated files are read to their end.
    """
    readers = {file: _Reader(file, at_end=True) for file in _current_files(directory, wanted)}
    try:
        newest: dict[str, str] = {}
        for line in tail(directory, count, wanted):
            newest[line.source] = line.at
            yield line
        while True:
            for file in _current_files(directory, wanted):
                if file not in readers:
                    readers[file] = _Reader(file)
            fresh = heapq.merge(*(list(reader.new_lines()) for reader in readers.values()), key=attrgetter("at"))
            yield from (line for line in fresh if wanted.takes(line) and line.at > newest.get(line.source, ""))
            time.sleep(_POLL)
    finally:
        for reader in readers.values():
            reader.close()


class _Reader:
    """Reads what is added to one log file, across rotations."""

    def __init__(self, file: Path, *, at_end: bool = False) -> None:
        self._path = file
        self._partial = ""
        self._file = _open_if_there(file)
        if at_end and self._file:
            self._file.seek(0, os.SEEK_END)

    def new_lines(self) -> Iterator[Line]:
        yield from self._rest()
        while successor := self._successor():
            yield from self._rest()  # what was written between the last look and the rotation
            self.close()
            self._file = _open_if_there(successor)
            yield from self._rest()

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _rest(self) -> Iterator[Line]:
        if self._file is None:
            return
        *whole, self._partial = (self._partial + self._file.read()).split("\n")
        yield from map(Line.of, whole)

    def _successor(self) -> Path | None:
        """The file that was begun after the one that is open; None when that is the current one."""
        family = [member for member in _newest_first(self._path) if member.exists()]
        if not family or self._file is None:
            return family[0] if family else None
        mine = os.fstat(self._file.fileno())
        for newer, member in itertools.pairwise([None, *family]):
            if member and os.path.samestat(member.stat(), mine):
                return newer
        return family[-1]


def _open(file: Path) -> TextIO:
    return file.open(encoding="utf-8", errors="replace", newline="\n")  # a lone carriage return ends no line


def _open_if_there(file: Path) -> TextIO | None:
    try:
        return _open(file)
    except FileNotFoundError:
        return None


def _current_files(directory: Path, wanted: Filter) -> list[Path]:
    return sorted(file for file in directory.glob(f"*{_SUFFIX}") if wanted.names(file))


def _source(file: Path) -> str:
    return file.name.split(_SUFFIX)[0]


def _written_at(file: Path) -> float:
    return file.stat().st_mtime


def _last_of_family(file: Path, count: int, wanted: Filter) -> list[Line]:
    last: list[Line] = []
    for member in _newest_first(file):
        older = deque((line for line in _lines(member) if wanted.takes(line)), maxlen=count - len(last))
        last = [*older, *last]
        if len(last) == count:
            break
    return last


def _newest_first(file: Path) -> Iterable[Path]:
    rotated = file.parent.glob(f"{file.name}.*")
    return [file, *sorted(rotated, key=lambda member: int(member.suffix[1:]))]


def _lines(file: Path) -> Iterator[Line]:
    # A file can be rotated away between being listed and being read; it is then read under its next name, or gone.
    with suppress(FileNotFoundError), _open(file) as stored:
        yield from map(Line.of, stored)
