"""Golden examples: read from models/examples.jsonl, and recorded from the service while the release is sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from ..deployment import Example
from ..errors import ExampleMismatch, GateFailed, InvalidConfiguration, Problem, ServiceBroken
from ..gate import answer, disagreement, json_value
from .running import running

NAME = "models/examples.jsonl"
MOST = 100
"""How many examples a release may have: they travel in the state of every stack that it is deployed to."""
MOST_BYTES = 256 * 1024
"""How many bytes the file of examples may have, for the same reason."""
_ONE_LINE = '{"path": "/predict", "body": {"a": 1}}'
_DIGITS = 12
"""Significant digits of a recorded number. The digits after them differ between processors of different years."""
_STEADY_TOLERANCE = 1e-9
_MB = 1 << 20


@dataclass(frozen=True)
class Written:
    """An example as the user wrote it, and where."""

    line: int
    example: Example
    file: str = NAME

    @property
    def where(self) -> str:
        """The place that an error names."""
        return f"{self.file}:{self.line}"


def read(folder: Path, problems: list[Problem]) -> tuple[Written, ...]:
    """The examples of the project in `folder`; adds to `problems` every line that is wrong, and every limit broken."""
    remedy = f"write one request a line, such as {_ONE_LINE}"
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        problems.append(Problem(NAME, "is not here, and a release without a golden example can't be tested", remedy))
        return ()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(NAME, f"can't be read: {error}"))
        return ()
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        problems.append(Problem(NAME, "is empty, and a release without a golden example can't be tested", remedy))
    problems.extend(_broken_limits(len(lines), len(text.encode())))
    return tuple(_parsed(NAME, lines, problems))


def requests(path: Path) -> tuple[Example, ...]:
    """The requests in a file like that of the examples, of any length; an answer in it says nothing.

    Raises InvalidConfiguration that names every line that is wrong.
    """
    problems: list[Problem] = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InvalidConfiguration(str(path), f"can't be read: {reason}", "name a file of requests") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    found = tuple(_parsed(str(path), lines, problems))
    if not lines:
        problems.append(Problem(str(path), "has no request", f"write one a line, such as {_ONE_LINE}"))
    if problems:
        raise InvalidConfiguration.of(problems)
    return tuple(one.example for one in found)


def record(
    written: Sequence[Written], directory: Path, variables: dict[str, str], work: Path
) -> tuple[tuple[Example, ...], float]:
    """Run the release in `directory` and ask it every example, twice; return the examples with their answers,
    and the resident memory of the serving process afterwards, in MB of 1,048,576 bytes.

    Raises ServiceBroken when it doesn't start or answer, or gives two different answers to one request, and
    ExampleMismatch when it doesn't give the answers that the user wrote down.
    """  # noqa: D205 -- one sentence
    with running(directory, variables, work) as (url, process):
        first = [_ask(url, one) for one in written]
        second = [_ask(url, one) for one in written]
        memory = psutil.Process(process.pid).memory_info().rss / _MB
    _require_steady(written, first, second)
    _require_expected(written, first)
    return tuple(_recorded(one.example, got) for one, got in zip(written, first, strict=True)), round(memory, 1)


def _broken_limits(count: int, size: int) -> Iterator[Problem]:
    reason = "they travel in the state of every stack; keep those that tell most"
    if count > MOST:
        yield Problem(NAME, f"has {count} examples, at most {MOST}", reason)
    if size > MOST_BYTES:
        yield Problem(NAME, f"has {size:,} bytes, at most {MOST_BYTES:,}", reason)


def _parsed(name: str, lines: Sequence[tuple[int, str]], problems: list[Problem]) -> Iterator[Written]:
    for number, line in lines:
        where = f"{name}:{number}"
        try:
            yield Written(number, Example.model_validate(json_value(line)), name)
        except json.JSONDecodeError as error:
            problems.append(Problem(where, f"is not JSON: {error.msg} at character {error.colno}"))
        except ValidationError as error:
            problems.extend(_faults(where, error))
        except ValueError as error:
            problems.append(Problem(where, f"is not JSON: {error}"))


def _faults(where: str, error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors():
        key = ".".join(map(str, fault["loc"]))
        known = ", ".join(Example.model_fields)
        remedy = f"the keys are {known}" if fault["type"] == "extra_forbidden" else f"such as {_ONE_LINE}"
        yield Problem(f"{where}: {key}" if key else where, fault["msg"], remedy)


def _ask(url: str, one: Written) -> Any:
    try:
        return answer(url, one.example)
    except GateFailed as error:
        raise ServiceBroken(one.where, error.problems[0].fault, "correct the request, or the service") from None


def _require_steady(written: Sequence[Written], first: Sequence[Any], second: Sequence[Any]) -> None:
    problems = [
        Problem(one.where, f"is answered in two ways: {difference}", "leave out what changes from answer to answer")
        for one, got, again in zip(written, first, second, strict=True)
        if (difference := disagreement(got, again, one.example.tolerance))
    ]
    if problems:
        raise ServiceBroken.of(problems)


def _require_expected(written: Sequence[Written], first: Sequence[Any]) -> None:
    problems = [
        Problem(one.where, difference, "correct the model, or the answer if it was wrong")
        for one, got in zip(written, first, strict=True)
        if _is_given(one) and (difference := disagreement(one.example.answer, got, one.example.tolerance))
    ]
    if problems:
        raise ExampleMismatch.of(problems)


def _is_given(one: Written) -> bool:
    return one.example.answer is not None


def _recorded(example: Example, got: Any) -> Example:
    if example.answer is not None:
        return example
    return example.model_copy(update={"answer": _steady(got) if example.tolerance >= _STEADY_TOLERANCE else got})


def _steady(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, list):
        return [_steady(item) for item in value]
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items()}
    return value
