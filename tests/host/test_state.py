from __future__ import annotations

import pytest

from bentoship.errors import HostError
from bentoship.host import state
from bentoship.host.state import Settings, State, Wanted


def test_what_is_written_is_what_is_read(tmp_path):
    wished = State("127.0.0.1", 80, {"a": Wanted("/x", {"K": "v"}, 5)}, {"a": 100}, Settings(drain=7))
    state.write(tmp_path, wished)
    assert state.read(tmp_path) == wished
    state.remove(tmp_path)
    state.remove(tmp_path)
    assert state.read(tmp_path) is None


def test_what_lay_below_a_directory_that_was_moved_lies_below_it_still(tmp_path):
    before, now = tmp_path / "before", tmp_path / "now"
    before.mkdir()
    state.write(before, State(releases={"a": Wanted(f"{before}/releases/a"), "b": Wanted("/elsewhere/b")}))
    before.rename(now)
    releases = state.read(now).releases
    assert releases == {"a": Wanted(f"{now}/releases/a"), "b": Wanted("/elsewhere/b")}


@pytest.mark.parametrize("content", ["{", "[]", '{"host": "x"}', '{"releases": {"a": {"wrong": 1}}}'])
def test_what_is_damaged_is_told_with_its_path(tmp_path, content):
    (tmp_path / state.FILE).write_text(content)
    with pytest.raises(HostError, match=r"state\.json: is damaged"):
        state.read(tmp_path)


def test_a_folder_that_takes_no_file_is_told(tmp_path):
    with pytest.raises(HostError, match="can't be written"):
        state.write(tmp_path / "missing", State())


def test_a_release_goes_with_its_traffic():
    wished = State().with_release("a", Wanted("/x")).without_release("a")
    assert wished == State()
    assert State(traffic={"a": 60, "b": 40}).without_release("a").traffic == {"b": 40}
