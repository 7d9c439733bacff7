from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bentoship.errors import ReleaseError
from bentoship.release.writing import hidden, scratch, sweep, write_whole, writing


def test_a_full_disk_is_told_in_a_sentence() -> None:
    with pytest.raises(ReleaseError, match=r"^/somewhere: the disk is full; free some space"):  # noqa: SIM117
        with writing(Path("/somewhere")), Path("/dev/full").open("w") as full:
            full.write("x")


def test_a_place_that_can_not_be_written_is_told_in_a_sentence() -> None:
    with pytest.raises(ReleaseError, match=r"^/sys/bentoship\S*: can't be written"):
        write_whole(Path("/sys/bentoship/file"), "x")


def test_an_interrupted_write_leaves_what_was_there(tmp_path) -> None:
    write_whole(tmp_path / "file", "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "file", "second \ud800")
    assert (tmp_path / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_killed_builds_left_is_removed_a_day_later(tmp_path) -> None:
    folders = [tmp_path / name for name in ("wheels/unfinished-a/x", "wheels/key/unfinished-b", "pulumi/building-c")]
    files = [tmp_path / "releases" / name for name in (".unfinished-d", "finished.zip")]
    for folder in (*folders, tmp_path / "releases"):
        folder.mkdir(parents=True)
    for file in (*files, tmp_path / "wheels/unfinished-a/x/file"):
        file.touch()
    before = sorted(tmp_path.rglob("*"))
    sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before

    day_before_yesterday = time.time() - 2 * 86_400
    for path in before:
        os.utime(path, (day_before_yesterday,) * 2)
    sweep(tmp_path)
    names = ["pulumi", "releases", "releases/finished.zip", "wheels", "wheels/key"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == names


def test_scratch_is_never_below_a_hidden_folder(tmp_path, monkeypatch) -> None:
    (tmp_path / ".tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / ".tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    with scratch() as folder:
        assert not hidden(folder)
    assert not folder.exists()
