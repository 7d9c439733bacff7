from __future__ import annotations

import base64
import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from bentoship.errors import LockError, ReleaseError
from bentoship.release.bentofile import read
from bentoship.release.wheels import check_records, native_site_packages, python_minor, trim, vendored
from projects import bentofile, tiny


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("BENTOSHIP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A wheel of the package `name` 1.0 in `folder`."""
    information = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = "".join(f"{path},{recorded(text)},{len(text)}\n" for path, text in content.items())
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**content, f"{information}/RECORD": f"{rows}{information}/RECORD,,\n"}.items():
            archive.writestr(file, text)
    return path


def recorded(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def lock(folder: Path, *archives: Path) -> Path:
    text = "".join(
        f"{path.name.split('-')[0]}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in archives
    )
    (folder / "bentofile.lock").write_text(text)
    return folder / "bentofile.lock"


def project_with(tmp_path: Path, *archives: Path):
    changed = bentofile(python={"packages": ["greeting==1.0"], "find_links": [str(tmp_path / "links")]})
    project = read(tiny(tmp_path / "project", {"bentofile.yaml": changed}), [])
    return project, lock(project.folder, *archives)


def test_packages_are_fetched_once_trimmed_and_described(tmp_path, cache) -> None:
    files = {"greeting/__init__.py": "", "greeting/tests/test_it.py": "", "greeting/core.pyi": "", "greeting/c.h": ""}
    project, locked = project_with(tmp_path, wheel(tmp_path / "links", "greeting", files))
    told = []
    wheels = vendored(project, locked, told.append)
    assert told == ["fetching the packages for the hosts (once for every lock)"]
    code = {name for name in wheels.files if "dist-info" not in name}
    assert code == {"site-packages/greeting/__init__.py"}
    record = next(wheels.site_packages.glob("*.dist-info/RECORD")).read_text()
    assert "tests" not in record
    assert "greeting/__init__.py" in record
    assert vendored(project, locked, told.append) == wheels
    assert len(told) == 1
    assert wheels.entry.parent == cache / "wheels"


def test_what_a_package_reads_when_it_is_imported_stays(tmp_path) -> None:
    """A stub that lazy_loader reads, as in scikit-image, and a module among tests, as in astropy."""
    stays = ("sky/__init__.py", "sky/__init__.pyi", "sky/tests/__init__.py", "sky/tests/runner.py")
    goes = ("sky/core.pyi", "sky/tests/test_sky.py", "sky/tests/sky_test.py", "sky/tests/conftest.py")
    goes += ("sky/tests/data/star.fits", "sky/stars/tests/__init__.py", "sky/stars/tests/test_stars.py", "bin/sky")
    for name in (*stays, *goes):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    trim(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(stays)
    assert not (tmp_path / "sky" / "stars").exists()


@pytest.mark.parametrize("damage", ["remove", "grow"])
def test_a_damaged_entry_of_the_cache_is_made_again(tmp_path, cache, damage) -> None:
    project, locked = project_with(tmp_path, wheel(tmp_path / "links", "greeting", {"greeting.py": "hello = 1\n"}))
    wheels = vendored(project, locked, [].append)
    file = wheels.site_packages / "greeting.py"
    file.unlink() if damage == "remove" else file.write_text("something longer\n")
    told = []
    assert vendored(project, locked, told.append) == wheels
    assert told
    assert file.read_text() == "hello = 1\n"


def test_a_zip_that_was_changed_in_the_cache_is_not_sealed(tmp_path, cache) -> None:
    project, locked = project_with(tmp_path, wheel(tmp_path / "links", "greeting", {"greeting.py": ""}))
    wheels = vendored(project, locked, [].append)
    zipped = wheels.entry / "packages.zip"
    zipped.write_bytes(zipped.read_bytes() + b"x")
    with pytest.raises(ReleaseError, match="was changed after it was made"):
        wheels.begin(tmp_path / "archive")
    vendored(project, locked, [].append).begin(tmp_path / "archive")


def test_a_package_without_a_wheel_is_named(tmp_path, cache) -> None:
    source = tmp_path / "onlysource-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: onlysource\nVersion: 1.0\n")
    (tmp_path / "links").mkdir()
    archive = tmp_path / "links" / "onlysource-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(source, source.name)
    with pytest.raises(LockError, match=r"onlysource==1\.0 has no usable wheels.*hosts compile nothing"):
        vendored(*project_with(tmp_path, archive), [].append)
    assert not list(cache.rglob("packages.zip"))


def test_a_package_that_is_not_the_locked_one_is_refused(tmp_path, cache) -> None:
    archive = wheel(tmp_path / "links", "greeting", {"greeting.py": ""})
    project, locked = project_with(tmp_path, archive)
    wheel(tmp_path / "links", "greeting", {"greeting.py": "evil = 1\n"})
    with pytest.raises(LockError, match=r"greeting"):
        vendored(project, locked, [].append)


def test_a_file_that_differs_from_its_record_is_named(tmp_path) -> None:
    with zipfile.ZipFile(wheel(tmp_path, "greeting", {"greeting.py": "a\n", "other.py": ""})) as archive:
        archive.extractall(tmp_path / "site")  # noqa: S202 -- it was made two lines above
    trim(tmp_path / "site")
    check_records(tmp_path / "site")
    (tmp_path / "site" / "greeting.py").write_text("b\n")
    with pytest.raises(LockError, match=r"^greeting\.py: 1 files differ"):
        check_records(tmp_path / "site")


def test_native_packages_are_the_same_versions(tmp_path) -> None:
    locked = lock(tmp_path, wheel(tmp_path / "links", "greeting", {"greeting.py": ""}))
    found = native_site_packages(locked, tmp_path / "native", ["--find-links", str(tmp_path / "links"), "--no-index"])
    assert (found / "greeting.py").is_file()
    (tmp_path / "links" / "greeting-1.0-py3-none-any.whl").unlink()
    assert native_site_packages(locked, tmp_path / "native") == found


def test_the_sample_s_packages_are_for_linux_and_this_python(sample_release) -> None:
    with zipfile.ZipFile(sample_release.path) as archive:
        names = archive.namelist()
        suffix = f"cpython-{python_minor().replace('.', '')}-x86_64-linux-gnu.so"
        assert f"site-packages/numpy/_core/_multiarray_umath.{suffix}" in names
        wheel_files = [name for name in names if name.endswith(".dist-info/WHEEL")]
        tags = "".join(archive.read(name).decode() for name in wheel_files)
        assert not any(f"manylinux_2_{newer}" in tags and "manylinux_2_28" not in tags for newer in range(29, 50))
        assert not [name for name in names if name.endswith((".pyc", ".h")) or "/tests/test_" in name]
        assert not [name for name in names if name.endswith(".pyi") and not name.endswith("/__init__.pyi")]
        assert any(name.startswith("site-packages/numpy/f2py/") for name in names)
        assert not [name for name in names if name.startswith("site-packages/bin/")]
