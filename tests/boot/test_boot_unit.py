from __future__ import annotations

import shutil
import subprocess

import pytest

import bentoship.boot

if shutil.which("systemd-analyze") is None:
    pytest.skip("there is no systemd-analyze on this machine", allow_module_level=True)


@pytest.fixture
def unit(tmp_path):
    release = tmp_path / "release"
    release.mkdir()
    (release / "run.sh").write_text("exit 0\n")
    (tmp_path / "environment").write_text("")
    text = bentoship.boot._source("bentoship.service")
    text = text.replace("@RELEASE@", str(release)).replace("@ENVIRONMENT@", str(tmp_path / "environment"))
    text = text.replace("@STOP@", "45")
    file = tmp_path / "bentoship.service"
    file.write_text(text)
    return file


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def test_systemd_finds_no_fault_in_it(unit):
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_faults_at_all(unit):
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=sometimes"))
    assert "Failed to parse" in analyze("verify", str(unit)).stderr


def test_its_exposure_is_under_two(unit):
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=19", str(unit))
    assert done.returncode == 0, done.stdout[-500:]


def test_its_comments_stay_behind():
    text = bentoship.boot._source("bentoship.service")
    short = bentoship.boot._without_comments(text)
    assert "#" not in short
    assert [line for line in text.splitlines() if line and line[0] != "#"] == short.splitlines()
