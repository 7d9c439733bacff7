"""The answers of a batch, written so that it can be interrupted at any byte, and carried on.

rows.answers.jsonl.unfinished   one line a row, in the order of the rows, appended as they are answered
rows.answers.jsonl.json         what it is made of: input, release, endpoint; and at the end how many were refused
rows.answers.jsonl              the first of them, when it is whole
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import BentoshipError, InvalidConfiguration
from ..release.writing import write_whole

_NAMES = {"sha256": "the input", "release": "the release", "route": "the endpoint"}


@dataclass(frozen=True)
class Making:
    """What answers are made of; the same command with other makings must not carry on."""

    input: str
    """Name of the file of rows."""
    sha256: str
    """Of its bytes."""
    rows: int
    release: str
    route: str


class Journal:
    """The answers that there are."""

    def __init__(self, output: Path, making: Making, file: BinaryIO) -> None:
        self.output, self.making, self._file = output, making, file
        self.rows, self.refused = _count(file)

    def add(self, line: dict[str, Any]) -> None:
        """Write down the answer to the next row; it is counted as refused when it has an `error`."""
        self.rows += 1
        text = json.dumps({"row": self.rows, **line}, ensure_ascii=False)
        self._file.write(f"{text}\n".encode("utf-8", "backslashreplace"))  # half a surrogate pair, as JSON spells it
        self._file.flush()
        self.refused += "error" in line

    def finish(self) -> None:
        """Say that there is an answer to every row, and give the file its name."""
        counts = {"answered": self.rows - self.refused, "refused": self.refused}
        _note(self.output, asdict(self.making) | counts)
        _unfinished(self.output).replace(self.output)


def finished(output: Path, making: Making) -> int | None:
    """How many rows were refused, when `output` is finished already; None when there is something left to do.

    Raises InvalidConfiguration when `output` is of another making, or of no batch at all.
    """
    note = _read_note(output)
    if note is None:
        if output.exists():
            raise InvalidConfiguration(str(output), "is there already", "remove it, or name another --output")
        return None
    _require_same(output, making, note)
    return int(note["refused"]) if output.exists() else None


@contextmanager
def journal(output: Path, making: Making) -> Iterator[Journal]:
    """The answers that an earlier command of the same making has left, to be carried on.

    Raises BentoshipError while another command is at work on them.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with _unfinished(output).open("ab+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BentoshipError(str(output), "another command is at work on it", "wait until it has ended") from None
        if _read_note(output) is None:
            file.truncate(0)
            _note(output, asdict(making))
        yield Journal(output, making, file)


def _count(file: BinaryIO) -> tuple[int, int]:
    """How many answers there are, and how many of them are refusals; what was cut off in the middle is removed."""
    file.seek(0)
    rows = refused = end = 0
    with suppress(ValueError):  # of a line that never reached the disk
        while (line := file.readline()).endswith(b"\n"):
            answer = json.loads(line)
            rows, end, refused = rows + 1, end + len(line), refused + ("error" in answer)
    file.truncate(end)
    file.seek(0, 2)
    return rows, refused


def _require_same(output: Path, making: Making, note: dict[str, Any]) -> None:
    now = asdict(making)
    for key, name in _NAMES.items():
        if note.get(key) != now[key]:
            fault = f"was begun with another one: {name} was {_short(note.get(key))}, and is {_short(now[key])}"
            remedy = f"name another --output, or remove {output.name}.json to begin again"
            if key == "release":
                remedy = f"carry on with --release {_short(note.get(key))}, {remedy}"
            raise InvalidConfiguration(str(output), fault, remedy)


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text  # noqa: PLR2004 -- a sha256 in hexadecimal


def _unfinished(output: Path) -> Path:
    return output.with_name(output.name + ".unfinished")


def _note_path(output: Path) -> Path:
    return output.with_name(output.name + ".json")


def _read_note(output: Path) -> dict[str, Any] | None:
    path = _note_path(output)
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InvalidConfiguration(str(path), f"can't be read: {error}", "name another --output") from None
    return note if isinstance(note, dict) else {}


def _note(output: Path, note: dict[str, Any]) -> None:
    write_whole(_note_path(output), json.dumps(note, indent=1, ensure_ascii=False) + "\n")
