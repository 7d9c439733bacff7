"""batch: a file of rows through a sealed release, interrupted anywhere and carried on."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psutil
import pytest

from bentoship.errors import BentoshipError, InvalidConfiguration
from bentoship.operations.endpoint import Endpoint, left_out, requests_of
from bentoship.operations.journal import Making, finished, journal
from bentoship.tables import open_table

PATIENCE = 120
MAKING = Making(input="rows.csv", sha256="a" * 64, rows=3, release="b" * 64, route="/predict")
FIELDS = {
    "years": {"type": "number"},
    "count": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "name": {"type": "string"},
    "good": {"type": "boolean"},
    "tags": {"type": "array"},
}
ENDPOINT = Endpoint("/predict", FIELDS, frozenset({"years"}))


def table(folder: Path, text: str, name: str = "rows.csv"):
    (folder / name).write_text(text)
    return open_table(folder / name)


def requests(rows, endpoint=ENDPOINT) -> list:
    request = requests_of(rows, endpoint)
    return [json.loads(request(row)) for row in rows.rows()]


def test_cells_become_what_the_schema_asks_for(tmp_path):
    rows = table(tmp_path, 'years,count,name,good,tags\n1.5,3,007,TRUE,"[1, ""a""]"\n2,,,,\n')
    assert requests(rows) == [
        {"years": 1.5, "count": 3, "name": "007", "good": True, "tags": [1, "a"]},
        {"years": 2.0, "count": None, "name": None, "good": None, "tags": None},
    ]


def test_what_can_not_be_read_is_left_to_the_service_to_refuse(tmp_path):
    (request,) = requests(table(tmp_path, "years,count,good,tags\nNaN,1.5,perhaps,[\n"))
    assert request == {"years": "NaN", "count": 1.5, "good": "perhaps", "tags": "["}


def test_a_number_beyond_all_numbers_is_left_to_the_service_as_well(tmp_path):
    digits = "9" * 400
    (request,) = requests(table(tmp_path, f"years,count\n1,{digits}\n"))
    assert request == {"years": 1.0, "count": int(digits)}


def test_values_of_parquet_that_json_lacks(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet is an extra")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "years": [math.nan, math.inf],
        "name": [b"Ulm", b"Bonn"],
        "tags": [[1.0, math.nan], []],
        "count": [timedelta(days=1, seconds=3600), date(2026, 11, 26)],
    }
    for name, expected in (("name", ["Ulm", "Bonn"]), ("tags", [[1.0, None], []]), ("years", [None, "inf"])):
        parquet.write_table(pyarrow.table({"years": [1.0, 2.0], name: columns[name]}), tmp_path / "rows.parquet")
        assert [request[name] for request in requests(open_table(tmp_path / "rows.parquet"))] == expected
    for value, expected in ((columns["count"][0], "P1DT1H"), (columns["count"][1], "2026-11-26")):
        parquet.write_table(pyarrow.table({"years": [1.0], "count": [value]}), tmp_path / "rows.parquet")
        assert [request["count"] for request in requests(open_table(tmp_path / "rows.parquet"))] == [expected]


def test_columns_that_are_no_field_are_not_sent(tmp_path):
    rows = table(tmp_path, "note,years\nx,1\n")
    assert (requests(rows), left_out(rows, ENDPOINT)) == ([{"years": 1.0}], ["note"])


def test_json_lines_are_sent_as_they_are(tmp_path):
    rows = table(tmp_path, "[1.10,  2]\n", "rows.jsonl")
    assert requests_of(rows, replace(ENDPOINT, fields={}))(next(rows.rows())) == b"[1.10,  2]"


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (Endpoint("/p", FIELDS, frozenset({"name", "tags"})), "has no column name, tags, which /p requires"),
        (Endpoint("/p", {"other": {}}, frozenset()), "has no column that is a field of /p"),
        (Endpoint("/p", {}, frozenset()), "/p takes no object with fields; write JSON lines instead"),
    ],
)
def test_a_table_that_can_not_be_requests_is_refused(tmp_path, endpoint, said):
    with pytest.raises(InvalidConfiguration, match=said):
        requests_of(table(tmp_path, "years\n1\n"), endpoint)


def test_answers_are_carried_on_after_the_last_whole_one(tmp_path):
    output = tmp_path / "out.jsonl"
    with journal(output, MAKING) as answers:
        answers.add({"answer": 1})
        answers.add({"error": "no"})
    with (tmp_path / "out.jsonl.unfinished").open("a") as file:
        file.write('{"row": 3, "ans')
    assert finished(output, MAKING) is None
    with journal(output, MAKING) as answers:
        assert (answers.rows, answers.refused) == (2, 1)
        answers.add({"answer": "\udc80"})
        answers.finish()
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert lines == [{"row": 1, "answer": 1}, {"row": 2, "error": "no"}, {"row": 3, "answer": "\udc80"}]
    assert finished(output, MAKING) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "c" * 64}, "the input was aaaaaaaaaaaa, and is cccccccccccc; name another --output"),
        ({"release": "c" * 64}, "the release was bbbbbbbbbbbb, and is cccccccccccc; carry on with --release bbbbbbbb"),
        ({"route": "/other"}, "the endpoint was /predict, and is /other"),
    ],
)
def test_answers_of_another_making_are_not_carried_on(tmp_path, change, said):
    with journal(tmp_path / "out.jsonl", MAKING) as answers:
        answers.add({"answer": 1})
    with pytest.raises(InvalidConfiguration, match=said):
        finished(tmp_path / "out.jsonl", replace(MAKING, **change))


def test_a_file_that_is_no_batch_is_not_overwritten(tmp_path):
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(InvalidConfiguration, match="is there already"):
        finished(tmp_path / "out.jsonl", MAKING)


def test_two_commands_do_not_write_into_one_file(tmp_path):
    with (
        journal(tmp_path / "out.jsonl", MAKING),
        pytest.raises(BentoshipError, match="another command is at work on it"),
        journal(tmp_path / "out.jsonl", MAKING),
    ):
        pass


class Command:
    """The command in a project, on rows that lie in a folder."""

    def __init__(self, project: Path, release: str, folder: Path) -> None:
        self.folder, self.output = folder, folder / "rows.answers.jsonl"
        self.words = [sys.executable, "-m", "bentoship", "-C", str(project), "batch"]
        self.options = ["--release", release, "--workers", "1"]

    def begin(self, file: str, *options: str) -> subprocess.Popen:
        words = [*self.words, file, *self.options, *options]
        return subprocess.Popen(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, file: str, *options: str) -> tuple[int, str, str]:
        process = self.begin(file, *options)
        said, complained = process.communicate(timeout=PATIENCE)
        return process.returncode, said, complained

    def lines(self) -> list:
        return [json.loads(line) for line in self.output.read_text().splitlines()]


@pytest.fixture
def command(tiny_release, tmp_path) -> Command:
    return Command(tiny_release.path.parents[2], tiny_release.id[:8], tmp_path)


@pytest.mark.slow
def test_rows_are_answered_in_their_order_and_refused_ones_are_told(command):
    file = command.folder / "rows.csv"
    file.write_text("number,note\n" + "".join(f"{number},\n" for number in range(200)) + "many,\n,\n1e10,\n")
    code, said, complained = command.run("rows.csv")
    assert (code, said) == (1, "rows.answers.jsonl\n"), complained
    assert "not sent, since /double has no such field: note" in complained
    assert "203 rows, 3 refused" in complained
    *answered, words, nothing, much = command.lines()
    assert answered == [{"row": number + 1, "answer": {"number": number * 2, "process": 0}} for number in range(200)]
    assert [(line["row"], line["status"], line["detail"][0]["loc"]) for line in (words, nothing)] == [
        (201, 400, ["number"]),
        (202, 400, ["number"]),
    ]
    assert much == {"row": 203, "status": 429, "error": "not so much"}
    assert command.run("rows.csv")[:2] == (1, "rows.answers.jsonl\n")
    file.write_text("number\n1\n")
    code, said, complained = command.run("rows.csv")
    assert (code, said) == (1, "")
    assert "rows.answers.jsonl: was begun with another one: the input was" in complained


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)]
)
def test_interrupted_it_is_carried_on_and_no_row_is_lost_or_answered_twice(command, number, code):
    places = [command.folder / name for name in ("one", "two", "three")]
    for place in places:
        place.mkdir()
        for pipe in ("begun", "answer"):
            os.mkfifo(place / pipe)
    (command.folder / "rows.jsonl").write_text("".join(json.dumps({"folder": str(place)}) + "\n" for place in places))
    with command.begin("rows.jsonl", "--route", "/wait") as process:
        answer(places[0], "first")
        until_written(command.output.with_name("rows.answers.jsonl.unfinished"))
        assert (places[1] / "begun").read_text() == "begun"
        serving = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(PATIENCE) == code
        end(serving)  # it is told to end, and can't while its threads wait at a pipe
    assert not command.output.exists()
    with command.begin("rows.jsonl", "--route", "/wait") as process:
        for place, words in zip(places[1:], ("second", "third"), strict=True):
            answer(place, words)
        assert process.wait(PATIENCE) == 0
    assert command.lines() == [
        {"row": row, "answer": words} for row, words in enumerate(("first", "second", "third"), start=1)
    ]


def answer(place: Path, words: str) -> None:
    assert (place / "begun").read_text() == "begun"
    (place / "answer").write_text(words)


def end(processes) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def until_written(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_what_is_not_there_is_told_with_what_is(command):
    (command.folder / "rows.csv").write_text("number\n1\n")
    code, _, complained = command.run("rows.csv", "--route", "nowhere")
    assert code == 1
    assert "--route: the release has no endpoint nowhere; there are: /double, /wait" in complained
    command.options = ["--release", "ffffffff"]
    code, _, complained = command.run("rows.csv")
    assert code == 1
    assert "release ffffffff: no release on this machine begins so; there are: " in complained
