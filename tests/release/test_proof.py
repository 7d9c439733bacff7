from __future__ import annotations

import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from bentoship.deployment import Example
from bentoship.errors import ReleaseError, ReleaseTampered
from bentoship.release import open_release, verify
from bentoship.release.manifest import NAME, Manifest
from bentoship.release.seal import facts, pack, seal

FILES = {
    "run.sh": "#!/bin/sh\n",
    "app/src/service.py": "print('hello')\n" * 20,
    "app/src/größe.txt": "groß",
    "empty": "",
}


def small_release(folder: Path) -> Path:
    """A sealed release of a few small files."""
    (folder / "site-packages").mkdir(parents=True)
    (folder / "site-packages" / "package.py").write_text("x = 1\n" * 50)
    packages = facts(folder, "site-packages")
    archive = folder / "release.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        pack(zipped, folder, packages)
    own = folder / "own"
    for name, text in FILES.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    (own / "run.sh").chmod(0o755)
    files = facts(own)
    seal(archive, own, files, lambda body, _size: manifest(body, {**packages, **files}))
    return archive


def manifest(body, files) -> Manifest:
    examples = (Example(body={}, answer=1),)
    return Manifest(
        format=1, bento="b", service="s:S", bentoml="1", python="3.12", platform="p", lock="l",
        examples=examples, fits={"local": True}, body=body, files=files,
    )  # fmt: skip


def told(path: Path) -> str:
    with pytest.raises(ReleaseTampered) as caught:
        verify(path)
    return str(caught.value)


def regions(path: Path) -> dict[str, range]:
    """Where each file of the zip lies, header included."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        ends = [*(info.header_offset for info in infos[1:]), archive.start_dir]
        return {info.filename: range(info.header_offset, end) for info, end in zip(infos, ends, strict=True)}


def test_an_untouched_release_is_what_it_says(tmp_path) -> None:
    release = verify(small_release(tmp_path))
    assert release.files == len(FILES) + 2
    assert release.bento == "b"


def test_the_manifest_is_the_last_file_and_every_bit_of_it_counts(tmp_path) -> None:
    with zipfile.ZipFile(small_release(tmp_path)) as archive:
        last = archive.infolist()[-1]
        assert (last.filename, last.compress_type) == (NAME, zipfile.ZIP_STORED)


@pytest.mark.parametrize("flip", [0xFF, 0x01, 0x80])
def test_every_single_byte_counts_and_the_file_that_it_lies_in_is_named(tmp_path, flip) -> None:
    path = small_release(tmp_path)
    whole = path.read_bytes()
    where = regions(path)
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
        with pytest.raises(ReleaseTampered) as caught:
            verify(path)
        if name := next((name for name, region in where.items() if position in region), None):
            named = {problem.where for problem in caught.value.problems}
            assert name in named, f"byte {position} of {name}: {caught.value}"


def test_a_flipped_byte_of_a_real_release_is_named(tiny_release, tmp_path) -> None:
    path = tmp_path / "copy.zip"
    path.write_bytes(tiny_release.path.read_bytes())
    where = regions(path)
    chosen = random.Random(7)  # noqa: S311 -- the same places every time
    for name in chosen.sample(sorted(where), 3):
        position = chosen.choice(where[name])
        flip(path, position)
        assert name in told(path)
        flip(path, position)
    assert verify(path).id == tiny_release.id


def flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 0x10]))


def test_bytes_before_between_and_after_the_files_are_found(tmp_path) -> None:
    path = small_release(tmp_path)
    whole = path.read_bytes()
    directory = regions(path)[NAME].stop
    for changed in (b"x" + whole, whole + b"x", whole[:directory] + b"gap" + whole[directory:]):
        path.write_bytes(changed)
        assert told(path)


def test_a_renamed_id_is_found(tiny_release, tmp_path) -> None:
    other = tmp_path / f"{'0' * 64}.zip"
    other.write_bytes(tiny_release.path.read_bytes())
    assert "not 000000000000" in told(other)
    with pytest.raises(ReleaseTampered, match="not 111111111111"):
        verify(tiny_release.path, "1" * 64)


def rewritten(path: Path, change) -> Path:
    """The same release after `change` of its files, as somebody with a zip program would do it."""
    with zipfile.ZipFile(path) as archive:
        files = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in change(files):
            archive.writestr(info, content)
    return path


def test_added_missing_and_changed_files_are_named_all_at_once(tmp_path) -> None:
    def change(files):
        for info, content in files:
            if info.filename == "empty":
                continue
            yield info, b"evil" if info.filename == "run.sh" else content
        yield "site-packages/evil.py", b""

    message = told(rewritten(small_release(tmp_path), change))
    assert "empty: is missing" in message
    assert "site-packages/evil.py: was added" in message or "site-packages/evil.py: is no regular file" in message
    assert "run.sh: was touched" in message


@pytest.mark.parametrize("name", ["../evil", "/evil", "app\\..\\evil", "app/../../evil"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name) -> None:
    def change(files):
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        info.create_system = 3
        return [*files, (info, b"")]

    assert "leads out of its folder" in told(rewritten(small_release(tmp_path), change))


def test_a_symbolic_link_is_refused(tmp_path) -> None:
    def change(files):
        info = zipfile.ZipInfo("link", (1980, 1, 1, 0, 0, 0))
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        info.create_system = 3
        return [*files, (info, b"/etc/passwd")]

    assert "link: is no regular file" in told(rewritten(small_release(tmp_path), change))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path) -> None:
    message = told(rewritten(small_release(tmp_path), lambda files: [*files, files[0]]))
    assert "site-packages/package.py: is there 2 times" in message


def test_a_release_without_a_manifest_is_none(tmp_path) -> None:
    path = rewritten(small_release(tmp_path), lambda files: files[:-1])
    assert f"{NAME}: is missing" in told(path)
    with pytest.raises(ReleaseError, match=f"is a zip without {NAME}"):
        open_release(path)


def test_a_missing_a_truncated_and_a_foreign_file_are_told(tmp_path) -> None:
    path = small_release(tmp_path)
    with pytest.raises(ReleaseError, match="there is no such release"):
        open_release(tmp_path / "nothing.zip")
    with pytest.raises(ReleaseError, match="there is no such release"):
        verify(tmp_path / "nothing.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ReleaseError, match="is no whole zip file"):
        open_release(path)
    assert told(path)
    path.write_text("this is no zip")
    with pytest.raises(ReleaseError, match="is no whole zip file"):
        open_release(path)
    assert told(path)
    with pytest.raises(ReleaseError):
        open_release(tmp_path)


def test_a_newer_format_says_what_to_do(tmp_path) -> None:
    def change(files):
        return [(info, content.replace(b'"format": 1', b'"format": 9')) for info, content in files]

    with pytest.raises(ReleaseError, match=r"sealed by a newer Bentoship.*upgrade"):
        open_release(rewritten(small_release(tmp_path), change))


def test_a_manifest_of_nonsense_is_told(tmp_path) -> None:
    path = rewritten(small_release(tmp_path), lambda files: [*files[:-1], (files[-1][0], b"[]")])
    with pytest.raises(ReleaseError, match="can't be read"):
        open_release(path)


def test_open_release_computes_the_id_of_a_file_with_another_name(tiny_release, tmp_path) -> None:
    path = tmp_path / "salary.zip"
    path.write_bytes(tiny_release.path.read_bytes())
    assert open_release(path).id == tiny_release.id


def test_no_time_of_any_day_is_in_the_zip(tiny_release) -> None:
    with zipfile.ZipFile(tiny_release.path) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        modes = {info.external_attr >> 16 for info in archive.infolist()}
        assert modes <= {stat.S_IFREG | 0o644, stat.S_IFREG | 0o755}
        assert archive.getinfo("run.sh").external_attr >> 16 == stat.S_IFREG | 0o755
        assert not any(info.extra or info.comment for info in archive.infolist())
    assert struct.unpack("<I", tiny_release.path.read_bytes()[:4]) == (0x04034B50,)
