"""Files of rows, read one row at a time: CSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from .errors import BentoshipError, InvalidConfiguration, Problem

SUFFIXES = (".csv", ".jsonl", ".parquet")
_MOST_TOLD = 10
"""Broken lines of one file that are told."""
_LONGEST_CELL = 1 << 30


@dataclass(frozen=True)
class Table:
    """A file of rows that has been read through once, and can be read."""

    path: Path
    columns: tuple[str, ...] | None
    """Names of the columns; None for JSON lines, each of which is a whole value of its own."""
    count: int
    """Number of rows."""
    sha256: str
    """Of the bytes of the file, in hexadecimal."""

    def rows(self, start: int = 0) -> Iterator[Any]:
        """The rows from number `start` (from 0) on.

        A row of CSV is a mapping of column to text, a row of Parquet one of column to value, both with None for an
        empty cell; a row of JSON lines is the line as it is written.
        """
        with _reading(self.path):
            yield from islice(_rows(self.path), start, None)


def open_table(path: Path) -> Table:
    """The table in `path`, read through once; empty lines don't count.

    Raises InvalidConfiguration that names the lines which are no rows, and what is wrong with them, and
    BentoshipError when Parquet can't be read here.
    """
    if path.suffix not in SUFFIXES:
        raise InvalidConfiguration(str(path), "is no file of rows", f"the suffixes are {', '.join(SUFFIXES)}")
    with _reading(path):
        columns = _columns(path)
        problems: list[Problem] = []
        count = sum(1 for _ in _rows(path, problems))
        digest = _sha256(path)
    if problems:
        raise InvalidConfiguration.of(problems[:_MOST_TOLD])
    if not count:
        raise InvalidConfiguration(str(path), "has no rows")
    return Table(path, columns, count, digest)


def _rows(path: Path, problems: list[Problem] | None = None) -> Iterator[Any]:
    """The rows of `path`; a broken one is added to `problems`."""
    broken: list[Problem] = [] if problems is None else problems
    if path.suffix == ".csv":
        return _csv_rows(path, broken)
    return _json_lines(path, broken) if path.suffix == ".jsonl" else _parquet_rows(path)


def _columns(path: Path) -> tuple[str, ...] | None:
    if path.suffix == ".jsonl":
        return None
    if path.suffix == ".parquet":
        return tuple(_parquet(path).schema_arrow.names)
    with _text(path) as file:
        names = tuple(next(csv.reader(file, strict=True), ()))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or "" in names:
        fault = f"has a column twice: {', '.join(twice)}" if any(twice) else "has a column without a name"
        raise InvalidConfiguration(f"{path}:1", fault, "the first line names the columns")
    return names


def _csv_rows(path: Path, broken: list[Problem]) -> Iterator[dict[str, str | None]]:
    csv.field_size_limit(_LONGEST_CELL)
    with _text(path) as file:
        reader = csv.reader(file, strict=True)
        names = next(reader, [])
        for cells in reader:
            if cells and len(cells) != len(names):
                broken.append(Problem(f"{path}:{reader.line_num}", f"has {len(cells)} cells, not {len(names)}"))
            elif cells:
                yield {name: cell or None for name, cell in zip(names, cells, strict=True)}


def _json_lines(path: Path, broken: list[Problem]) -> Iterator[str]:
    with _text(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                json.loads(line)
            except (ValueError, RecursionError) as error:
                broken.append(Problem(f"{path}:{number}", f"is not JSON: {error}"))
            yield line.strip()


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for batch in _parquet(path).iter_batches():
            yield from batch.to_pylist()
    except (ValueError, NotImplementedError) as error:  # pyarrow's own errors among them
        raise InvalidConfiguration(str(path), f"can't be read: {error}") from None


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import parquet  # noqa: PLC0415 -- an extra
    except ImportError:
        raise BentoshipError(
            str(path), "needs a package that is not here", "pip install 'bentoship[parquet]'"
        ) from None
    try:
        return parquet.ParquetFile(path)
    except ValueError as error:
        raise InvalidConfiguration(str(path), f"is no Parquet file: {error}") from None


def _text(path: Path) -> IO[str]:
    return path.open(encoding="utf-8-sig", newline="" if path.suffix == ".csv" else "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidConfiguration(str(path), f"can't be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(str(path), f"is not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise InvalidConfiguration(str(path), f"is no CSV: {error}") from None
