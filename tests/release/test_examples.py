from __future__ import annotations

import json

import pytest

from bentoship.release.examples import MOST, MOST_BYTES, read
from projects import lines, tiny


def nested(levels: int) -> str:
    return f'{{"body": {"[" * levels}1{"]" * levels}}}'


def problems_of(tmp_path, text: str) -> list[str]:
    problems = []
    read(tiny(tmp_path, {"models/examples.jsonl": text}), problems)
    return [str(problem) for problem in problems]


def test_every_line_that_is_wrong_is_named_at_once(tmp_path) -> None:
    text = """{"body": {}}

{"body": {}, "answr": 1}
not json
{"path": "predict", "body": 1}
{"path": "/predict"}
[1]
"""
    told = problems_of(tmp_path, text)
    assert [line.split(": ")[0] for line in told] == [f"models/examples.jsonl:{number}" for number in (3, 4, 5, 6, 7)]
    assert "answr" in told[0]
    assert "the keys are path, body, answer, tolerance" in told[0]
    assert "is not JSON" in told[1]
    assert "body" in told[3]


@pytest.mark.parametrize(
    ("line", "clause"),
    [
        ('{"body": NaN}', "a number is not finite"),
        ('{"body": [{"a": -Infinity}]}', "a number is not finite"),
        ('{"body": 1, "answer": 1e999}', "a number is not finite"),
        ('{"body": 1, "tolerance": Infinity}', "a number is not finite"),
        (f'{{"body": {"9" * 5000}}}', "a whole number has more than 4,300 digits"),
        (nested(100), "it is nested more than 100 levels deep"),
        (nested(50_000), "it is nested more than 100 levels deep"),
        ('{"body": {"\\ud800": 1}}', "a text has half of a surrogate pair"),
    ],
)
def test_what_could_not_be_sent_is_told_with_its_line(tmp_path, line, clause) -> None:
    assert problems_of(tmp_path, f'{{"body": 1}}\n{line}\n') == [f"models/examples.jsonl:2: is not JSON: {clause}"]


def test_a_tolerance_is_a_finite_number(tmp_path) -> None:
    (told,) = problems_of(tmp_path, '{"body": 1, "tolerance": "Infinity"}')
    assert told.startswith("models/examples.jsonl:1: tolerance: Input should be a finite number")


def test_a_line_ends_where_json_lines_end(tmp_path) -> None:
    assert problems_of(tmp_path, '{"body": "one\u2028two"}\r\n{"body": 2}\r\n') == []


def test_an_empty_file_shows_a_line_to_write(tmp_path) -> None:
    (told,) = problems_of(tmp_path, "\n\n")
    assert told.startswith("models/examples.jsonl: is empty")
    example = told.partition("such as ")[2]
    assert problems_of(tmp_path, example) == []


@pytest.mark.parametrize("count", [MOST, MOST + 1])
def test_a_hundred_examples_are_enough(tmp_path, count) -> None:
    told = problems_of(tmp_path, lines([{"body": index} for index in range(count)]))
    assert told == ([] if count == 100 else [f"models/examples.jsonl: has 101 examples, at most 100; {reason()}"])


def test_256_kib_are_enough(tmp_path) -> None:
    bare = len(json.dumps({"body": ""})) + 1
    assert problems_of(tmp_path, lines([{"body": "x" * (MOST_BYTES - bare)}])) == []
    told = problems_of(tmp_path, lines([{"body": "x" * (MOST_BYTES - bare + 1)}]))
    assert told == [f"models/examples.jsonl: has 262,145 bytes, at most 262,144; {reason()}"]


def reason() -> str:
    return "they travel in the state of every stack; keep those that tell most"
