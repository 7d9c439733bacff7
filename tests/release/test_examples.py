from __future__ import annotations

import json

import pytest

from bentoship.release.examples import MOST, MOST_BYTES, read
from projects import lines, tiny


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
