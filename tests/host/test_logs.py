from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from queue import Queue

import pytest

from bentoship.host.logs import KEPT_SOURCES, SUPERVISOR, Filter, Journal, Line, follow, tail

A, B = "a" * 12, "b" * 12


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path, file_bytes=2000, files=5)
    yield journal
    journal.close()


def texts(lines):
    return [line.text for line in lines]


def test_a_line_is_stored_with_time_and_source(journal, tmp_path):
    journal.write(A, "hello  world ")
    (line,) = tail(tmp_path)
    assert (line.source, line.text) == (A, "hello  world ")
    assert abs(datetime.fromisoformat(line.at) - datetime.now(UTC)) < timedelta(minutes=1)
    assert Line.of(f"{line}\n") == line


def test_the_last_lines_of_several_releases_come_in_the_order_of_time(journal, tmp_path):
    for number in range(6):
        journal.write(A if number % 2 else B, f"line {number}")
    assert texts(tail(tmp_path, 4)) == ["line 2", "line 3", "line 4", "line 5"]
    assert texts(tail(tmp_path, 0)) == []


def test_rotated_files_are_read_and_the_oldest_are_dropped(journal, tmp_path):
    for number in range(400):
        journal.write(A, f"line {number}")
    assert len(list(tmp_path.iterdir())) == 6
    assert all(file.stat().st_size <= 2000 for file in tmp_path.iterdir())
    assert texts(tail(tmp_path, 120)) == [f"line {number}" for number in range(280, 400)]
    assert 200 < len(tail(tmp_path, 1000)) < 400


def test_filters_choose_by_release_words_and_time(journal, tmp_path):
    journal.write(A, "GET /predict 200")
    journal.write(B, "GET /predict 500")
    between = datetime.now(UTC)
    journal.write(A, "GET /predict 503")
    assert texts(tail(tmp_path, wanted=Filter(source="a" * 64))) == ["GET /predict 200", "GET /predict 503"]
    assert texts(tail(tmp_path, wanted=Filter(pattern=r" 5\d\d$"))) == ["GET /predict 500", "GET /predict 503"]
    assert texts(tail(tmp_path, wanted=Filter(since=between))) == ["GET /predict 503"]
    assert texts(tail(tmp_path, 1, Filter(pattern="200"))) == ["GET /predict 200"]


def test_releases_that_ended_long_ago_lose_their_files_and_the_running_ones_keep_them(journal, tmp_path):
    ended = [f"{number:012x}" for number in range(KEPT_SOURCES + 2)]
    for age, source in enumerate([A, SUPERVISOR, *ended]):
        for number in range(60):
            journal.write(source, f"line {number}")
        for file in tmp_path.glob(f"{source}.log*"):
            os.utime(file, (1000 + age, 1000 + age))
    assert (tmp_path / f"{ended[0]}.log.1").exists()
    journal.forget_oldest({A})
    assert {file.name.split(".")[0] for file in tmp_path.iterdir()} == {A, SUPERVISOR, *ended[2:]}
    journal.write(ended[0], "back again")
    assert texts(tail(tmp_path, wanted=Filter(source=ended[0]))) == ["back again"]


def test_follow_tells_old_lines_then_new_ones_across_rotations_and_new_releases(journal, tmp_path):
    journal.write(A, "old")
    journal.write(A, "newest of the old")
    lines: Queue[Line] = Queue()
    following = follow(tmp_path, 1)
    wanted = zip(range(102), following, strict=False)
    thread = threading.Thread(target=lambda: [lines.put(line) for _, line in wanted], daemon=True)
    thread.start()
    assert lines.get(timeout=60).text == "newest of the old"
    for number in range(100):
        journal.write(A, f"line {number}")
        if number % 20 == 0:
            assert lines.get(timeout=60).text.startswith("line ")
    journal.write(B, "another release")
    thread.join(timeout=60)
    rest = [lines.get_nowait() for _ in range(lines.qsize())]
    assert {line.text for line in rest} >= {"line 99", "another release"}
    assert len(rest) == 96
    assert len(list(tmp_path.glob(f"{A}.log.*"))) > 1


def test_follow_without_old_lines_starts_with_the_next(journal, tmp_path):
    journal.write(A, "old")
    following = follow(tmp_path)
    writer = threading.Timer(0.2, journal.write, (A, "new"))
    writer.start()
    assert next(following).text == "new"
    following.close()
    writer.join()
