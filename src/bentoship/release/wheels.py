"""The vendored packages: wheels for the hosts' Linux, installed from the lock, trimmed, checked and zipped once.

They are the bulk of a release and change only with the lock, so they are kept per user, already zipped, under
(lock, Python minor, platform). An entry of that cache is whole or not there.
"""

from __future__ import annotations

import base64
import csv
import errno
import json
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import LockError, ReleaseError
from ..project import cache
from .bentofile import Project
from .lock import explain, run_uv
from .manifest import FileFacts
from .seal import facts, pack
from .writing import copy_hashed, sha256, writing

PLATFORM = "x86_64-manylinux_2_28"
"""The newest Linux that App Engine's and Azure's images still have: glibc 2.31 there at most asks for manylinux_2_28
(github.com/microsoft/Oryx, github.com/GoogleCloudPlatform/buildpacks)."""
FOLDER = "site-packages"
_ENTRY_FORMAT = "2"
_CONTENT = "content.json"
_ZIP = "packages.zip"
_USELESS_SUFFIXES = (".pyc", ".pyi", ".pyx", ".pxd", ".h", ".hpp")
_USELESS_NAMES = frozenset({".lock", "direct_url.json", "uv_cache.json"})
_LAZY = "__init__.pyi"
"""The one stub that is read when a package is imported: by lazy_loader.attach_stub, in scikit-image and librosa
(scientific-python.org/specs/spec-0001)."""
_TESTS = "tests"


@dataclass(frozen=True)
class Wheels:
    """An entry of the cache."""

    entry: Path
    files: Mapping[str, FileFacts]
    """What is in it, named as in the release: `site-packages/…`."""
    zip_sha256: str

    @property
    def site_packages(self) -> Path:
        """The packages as a folder."""
        return self.entry / FOLDER

    def begin(self, archive: Path) -> None:
        """Write the packages to `archive`, as the first part of a release."""
        if copy_hashed(self.entry / _ZIP, archive) != self.zip_sha256:
            shutil.rmtree(self.entry)
            raise ReleaseError(str(self.entry), "was changed after it was made, and is now gone", "build again")

    @property
    def bytecode(self) -> Path:
        """Where this machine keeps what it compiles of them, so that the second build starts faster."""
        return self.entry / "bytecode"


def python_minor() -> str:
    """The Python that is running, which is the one that the release is tested with and made for, such as 3.12."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def runs_here() -> bool:
    """Whether this machine can run the wheels of a release itself."""
    return platform.system() == "Linux" and platform.machine() in {"x86_64", "AMD64"}


def vendored(project: Project, lock: Path, tell: Callable[[str], None]) -> Wheels:
    """The packages of `lock` for the hosts, from the cache or installed now.

    Raises LockError that names a package without a wheel, or one that isn't what the lock says.
    """
    entry = _cache() / _key(lock, PLATFORM)
    if wheels := _cached(entry):
        return wheels
    tell("fetching the packages for the hosts (once for every lock)")
    shutil.rmtree(entry, ignore_errors=True)
    with writing(entry), _making(entry) as unfinished:
        _install(lock, unfinished / FOLDER, ["--python-platform", PLATFORM], project.index_arguments)
        trim(unfinished / FOLDER)
        check_records(unfinished / FOLDER)
        _describe(unfinished)
    wheels = _cached(entry)
    if wheels is None:
        raise ReleaseError(str(entry), "does not hold what was just written to it", "delete it and build again")
    return wheels


def native_site_packages(lock: Path, directory: Path, index_arguments: Sequence[str] = ()) -> Path:
    """Install the same locked versions into `directory`, with wheels for this machine; return `directory`.

    For machines that aren't Linux x86-64: they run the release's app, but not its wheels.
    Does nothing when `directory` is there already. Raises LockError as `vendored` does.
    """
    if not directory.is_dir():
        with writing(directory), _making(directory) as unfinished:
            _install(lock, unfinished, [], index_arguments)
    return directory


def native_cache(lock: Path) -> Path:
    """Where the native packages of `lock` are kept on this machine."""
    return _cache() / _key(lock, f"{platform.system()}-{platform.machine()}") / FOLDER


def trim(site_packages: Path) -> None:
    """Remove what no host ever needs: scripts, tests, headers, stubs, bytecode. dist-info stays, minus their names.

    What a folder of tests has besides tests stays: astropy, for one, imports a module of its own when it is imported.
    """
    shutil.rmtree(site_packages / "bin", ignore_errors=True)
    for root, _, files in os.walk(site_packages, topdown=False):
        folder = Path(root)
        within_tests = _TESTS in folder.relative_to(site_packages).parts
        for name in files:
            if _is_useless(name) or (within_tests and _is_of_tests(name)):
                (folder / name).unlink()
        left = {path.name for path in folder.iterdir()}
        if not left or (within_tests and left == {"__init__.py"}):
            shutil.rmtree(folder)
    for record in site_packages.glob("*.dist-info/RECORD"):
        _forget_removed(record)


def check_records(site_packages: Path) -> None:
    """Compare every file with the hash in its package's RECORD; raise LockError that names each that differs.

    What fills the cache of wheels can be changed behind our back: uv links files from a cache that others share.
    """
    wrong = sorted(name for name, digest in _recorded(site_packages) if _record_hash(site_packages / name) != digest)
    if wrong:
        remedy = "empty uv's cache (`uv cache clean`) and build again"
        raise LockError(", ".join(wrong[:5]), f"{len(wrong)} files differ from their packages' own records", remedy)


def _is_useless(name: str) -> bool:
    return name in _USELESS_NAMES or (name.endswith(_USELESS_SUFFIXES) and name != _LAZY)


def _is_of_tests(name: str) -> bool:
    """Whether a file in a folder of tests is a test, or data of one, and not a module that others may import."""
    return not name.endswith(".py") or name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")


def _cache() -> Path:
    return cache() / "wheels"


def _key(lock: Path, place: str) -> str:
    return f"{sha256(lock)[:32]}-{python_minor()}-{place}-{_ENTRY_FORMAT}"


def _cached(entry: Path) -> Wheels | None:
    """The entry when it is whole, judged by the sizes of its files; what they contain was checked when it was made."""
    try:
        content = json.loads((entry / _CONTENT).read_text(encoding="utf-8"))
        files = {name: FileFacts(**values) for name, values in content["files"].items()}
        wheels = Wheels(entry, files, content["zip"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = (entry / _ZIP).is_file() and all(_size(entry / name) == file.size for name, file in files.items())
    return wheels if whole else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to fill; it gets the name at the end, unless another process was faster."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=folder.parent, ignore_cleanup_errors=True) as place:
        unfinished = Path(place) / folder.name
        unfinished.mkdir()
        yield unfinished
        _rename_unless_there(unfinished, folder)


def _rename_unless_there(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise


def _install(lock: Path, target: Path, place: list[str], index_arguments: Sequence[str]) -> None:
    if place:
        place = [*place, "--python-version", python_minor()]
    what = ["install", "--quiet", "--target", str(target), "--requirements", str(lock), "--python", sys.executable]
    how = ["--only-binary", ":all:", "--require-hashes", "--no-deps", "--link-mode", "copy"]
    done = run_uv([*what, *how, *place, *index_arguments], target.parent)
    if done.returncode:
        raise LockError(lock.name, *explain(done.stderr))


def _describe(entry: Path) -> None:
    """Zip the packages of a new entry, and write beside it what is in them."""
    files = facts(entry, FOLDER)
    with zipfile.ZipFile(entry / _ZIP, "w") as archive:
        pack(archive, entry, files)
    content = {"zip": sha256(entry / _ZIP), "files": {name: asdict(file) for name, file in files.items()}}
    (entry / _CONTENT).write_text(json.dumps(content), encoding="utf-8")


def _forget_removed(record: Path) -> None:
    """Rewrite a RECORD without the files that are gone: hashes of scripts hold the path of this machine's Python."""
    site_packages = record.parent.parent
    with record.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and (site_packages / row[0]).is_file()]
    with record.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(rows))


def _recorded(site_packages: Path) -> Iterator[tuple[str, str]]:
    """Name and hash of every file that a package has recorded; a RECORD has none for itself."""
    for record in site_packages.glob("*.dist-info/RECORD"):
        with record.open(newline="", encoding="utf-8") as file:
            yield from ((row[0], row[1]) for row in csv.reader(file) if row[1])


def _record_hash(path: Path) -> str:
    """The hash of a file as RECORD spells it (packaging.python.org, "Recording installed projects")."""
    digest = bytes.fromhex(sha256(path))
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
