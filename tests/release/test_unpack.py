from __future__ import annotations

import hashlib
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bentoship.errors import ReleaseError, ReleaseTampered
from bentoship.release.unpack import unpack


def named_by_its_id(folder: Path, entries: dict[str, tuple[int, str]]) -> Path:
    """A zip with these modes and contents, under the name that a release with these bytes has."""
    path = folder / "zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, (mode, text) in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, text)
    return path.rename(folder / f"{hashlib.sha256(path.read_bytes()).hexdigest()}.zip")


FILE, SCRIPT = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755


def test_files_and_modes_come_out_and_nothing_is_left_over(tmp_path) -> None:
    path = named_by_its_id(tmp_path, {"run.sh": (SCRIPT, "#!"), "app/src/a.py": (FILE, "a")})
    folder = unpack(path, tmp_path / "releases")
    assert folder == tmp_path / "releases" / path.stem
    assert (folder / "app/src/a.py").read_text() == "a"
    assert stat.S_IMODE((folder / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "app/src/a.py").stat().st_mode) == 0o644
    assert list((tmp_path / "releases").iterdir()) == [folder]


def test_a_second_time_does_nothing(tmp_path) -> None:
    path = named_by_its_id(tmp_path, {"a": (FILE, "a")})
    folder = unpack(path, tmp_path / "releases")
    path.unlink()
    assert unpack(path, tmp_path / "releases") == folder


def test_several_at_once_are_fine(tmp_path) -> None:
    path = named_by_its_id(tmp_path, {f"folder/{index}": (FILE, "x" * 1000) for index in range(300)})
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: unpack(path, tmp_path / "releases"), range(8)))
    assert len(list(folders.pop().rglob("*"))) == 301
    assert not folders
    assert len(list((tmp_path / "releases").iterdir())) == 1


@pytest.mark.parametrize("entry", ["../evil", "/tmp/evil", "a/../../evil"])  # noqa: S108
def test_nothing_is_written_outside(tmp_path, entry) -> None:
    path = named_by_its_id(tmp_path, {"ok": (FILE, ""), entry: (FILE, "evil")})
    with pytest.raises(ReleaseTampered, match="leads out of its folder"):
        unpack(path, tmp_path / "releases")
    assert list((tmp_path / "releases").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_link_is_refused(tmp_path) -> None:
    path = named_by_its_id(tmp_path, {"link": (stat.S_IFLNK | 0o777, "/etc/passwd")})
    with pytest.raises(ReleaseTampered, match="is no regular file"):
        unpack(path, tmp_path / "releases")


def test_bytes_that_are_not_those_of_the_id_are_refused(tmp_path) -> None:
    path = named_by_its_id(tmp_path, {"a": (FILE, "a")})
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ReleaseTampered, match="has sha256"):
        unpack(path, tmp_path / "releases")
    assert not (tmp_path / "releases").exists()


def test_a_file_without_an_id_can_be_given_one(tmp_path) -> None:
    path = named_by_its_id(tmp_path, {"a": (FILE, "a")})
    other = path.rename(tmp_path / "release.zip")
    with pytest.raises(ReleaseError, match="not named by its id"):
        unpack(other, tmp_path / "releases")
    assert unpack(other, tmp_path / "releases", path.stem).name == path.stem
    with pytest.raises(ReleaseError, match="can't be read"):
        unpack(tmp_path / f"{'0' * 64}.zip", tmp_path / "releases")


def test_a_host_needs_nothing_but_the_standard_library() -> None:
    program = "import sys, bentoship.release.unpack; print({'pydantic', 'bentoml', 'httpx', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
