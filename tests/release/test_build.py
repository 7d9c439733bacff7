from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from bentoship.errors import (
    BentoshipError,
    ExampleMismatch,
    InvalidConfiguration,
    LockError,
    ReleaseError,
    ServiceBroken,
)
from bentoship.release import build, open_release, sidecar, store, verify
from bentoship.release.wheels import python_minor
from projects import EXAMPLES, ROOT, SERVICE, bentofile, lines, sample, tiny

EXPECTED = 52062.76112208
BUILD = "import sys; from pathlib import Path; from bentoship.release import build; print(build(Path(sys.argv[1])).id)"


def told_by(project: Path, kind=BentoshipError) -> list[str]:
    """What building `project` says when it refuses; nothing may have been sealed then."""
    with pytest.raises(kind) as caught:
        build(project)
    assert not list(store(project).glob("*"))
    return [str(problem) for problem in caught.value.problems]


def test_the_sample_becomes_a_release_that_goes_everywhere(sample_release) -> None:
    assert sample_release.path == store(sample_release.path.parents[2]) / f"{sample_release.id}.zip"
    assert sample_release.bytes == sample_release.path.stat().st_size
    assert sample_release.bento == "salary"
    assert sample_release.python == python_minor()
    assert set(sample_release.fits.values()) == {True}
    assert len(sample_release.fits) == 7
    assert verify(sample_release.path) == sample_release == open_release(sample_release.path)
    ref = sample_release.ref()
    assert (ref.id, ref.bento, ref.python) == (sample_release.id, "salary", python_minor())
    assert ref.examples == sample_release.examples


def test_every_golden_example_of_the_sample_has_its_answer(sample_release) -> None:
    given, *recorded = sample_release.examples
    assert given.answer["salary"] == pytest.approx(EXPECTED, abs=1e-6)
    assert len(recorded) == 2
    assert all(isinstance(example.answer["salary"], float) for example in recorded)


def test_what_was_measured_lies_beside_the_release_and_not_in_it(sample_release, tmp_path) -> None:
    measured = sidecar(sample_release.path)
    assert measured["memory_mb"] > 50
    assert measured["seconds"] > 0
    assert sidecar(tmp_path / "nothing.zip") == {}


def test_platforms_find_what_they_look_for_and_nothing_that_makes_them_install(sample_release) -> None:
    with zipfile.ZipFile(sample_release.path) as archive:
        names = set(archive.namelist())
        assert archive.read("PYTHON").decode() == f"{python_minor()}\n"
        assert f'runtime_version: "{python_minor()}"' in archive.read("app.flex.yaml").decode()
        assert "20m" in archive.read(".platform/nginx/conf.d/bentoship.conf").decode()
        assert archive.read("bentofile.lock") == (ROOT / "bentofile.lock").read_bytes()
    assert {"run.sh", "Procfile", "app/bento.yaml", "app/src/service.py", "app/src/models/salary.joblib"} <= names
    installers = {"requirements.txt", "pyproject.toml", "Pipfile", ".python-version", "Dockerfile", "Buildfile"}
    assert not installers & names
    assert "launcher/bentoship/__init__.py" not in names


def test_no_path_of_this_machine_is_in_our_part_of_the_release(sample_release) -> None:
    with zipfile.ZipFile(sample_release.path) as archive:
        own = [name for name in archive.namelist() if not name.startswith("site-packages/")]
        for name in own:
            content = archive.read(name)
            for place in (str(ROOT), sys.prefix, str(sample_release.path.parents[2]), "/bentoship-"):
                assert place.encode() not in content, name


@pytest.mark.slow
def test_another_folder_umask_clock_language_and_cache_give_the_same_bytes(sample_release, tmp_path) -> None:
    project = sample(tmp_path / ".hidden" / "other place")
    shutil.copy(sample_release.path.parents[2] / "models/salary.joblib", project / "models/salary.joblib")
    for path in project.rglob("*"):
        os.utime(path, (981173106, 981173106))
        path.chmod(path.stat().st_mode & 0o700 | stat.S_IRUSR)
    around = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TZ": "Pacific/Kiritimati",
        "LANG": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "77",
        **{name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "HTTP"))},
    }
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(project)], env=around, umask=0o077, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == sample_release.id
    other = store(project) / f"{sample_release.id}.zip"
    assert other.read_bytes() == sample_release.path.read_bytes()


def test_an_unchanged_project_is_not_built_again(tmp_path) -> None:
    project = tiny(tmp_path)
    first = build(project)
    at = first.path.stat().st_mtime_ns
    told = []
    assert build(project, tell=told.append) == first
    assert told == []
    assert first.path.stat().st_mtime_ns == at


@pytest.mark.long
def test_a_removed_a_lengthened_and_a_changed_one_are_built_again(tmp_path) -> None:
    project = tiny(tmp_path)
    first = build(project)
    first.path.unlink()
    assert build(project) == first
    with first.path.open("ab") as file:
        file.write(b"x")
    assert build(project) == first
    (project / "factor.txt").write_text("2")
    second = build(project)
    assert second.id != first.id
    assert {path.stem for path in store(project).glob("*.zip")} == {first.id, second.id}


@pytest.mark.slow
@pytest.mark.long
def test_one_with_a_flipped_byte_is_built_again(tmp_path) -> None:
    project = tiny(tmp_path)
    first = build(project)
    content = bytearray(first.path.read_bytes())
    content[len(content) // 2] ^= 1
    first.path.write_bytes(content)
    assert verify(build(project).path) == first


def test_a_build_removes_what_killed_ones_left(tmp_path, monkeypatch) -> None:
    project = tiny(tmp_path)
    for name, value in {"BENTOSHIP_CACHE_DIR": "cache", "UV_CACHE_DIR": "uv"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("UV_OFFLINE", "1")
    left = (store(project) / ".unfinished-a", tmp_path / "cache" / "wheels" / "unfinished-b")
    for path in left:
        path.mkdir(parents=True)
        os.utime(path, (0, 0))
    with pytest.raises(LockError):
        build(project)
    assert not any(path.exists() for path in left)


def test_progress_is_told_and_nothing_is_left_behind(tmp_path) -> None:
    told = []
    project = tiny(tmp_path, {"bentofile.yaml": bentofile(docker={"system_packages": ["git"]})})
    release = build(project, tell=told.append)
    assert told == [
        "bentofile.yaml: docker is for container images, and a release is none: it is ignored",
        "building the Bento",
        "asking the service the golden examples",
        "sealing the release",
    ]
    assert {path.name for path in store(project).iterdir()} == {f"{release.id}.zip", f"{release.id}.json"}
    assert not list(project.rglob("__pycache__"))


def test_all_mistakes_of_a_project_are_told_at_once(tmp_path) -> None:
    changes = {
        "bentofile.yaml": bentofile(service="servise:Tiny", include=["service.py", "nothing.bin"]),
        "models/examples.jsonl": "{\n" + lines([{"boddy": 1}]),
    }
    told = told_by(tiny(tmp_path, changes), InvalidConfiguration)
    assert [line.split(": ")[0] for line in told] == [
        "bentofile.yaml", "bentofile.yaml", "models/examples.jsonl:1", "models/examples.jsonl:2",
        "models/examples.jsonl:2",
    ]  # fmt: skip


def test_a_project_without_anything(tmp_path) -> None:
    told = told_by(tmp_path, InvalidConfiguration)
    assert told[0].startswith(f"{tmp_path}/bentofile.yaml: is not here; ")
    assert told[1].startswith("models/examples.jsonl: is not here")
    assert '{"path": "/predict"' in told[1]
    told_by(tmp_path / "nowhere", InvalidConfiguration)


@pytest.mark.parametrize(
    ("service", "where", "fault"),
    [
        ("import bentoml\nimport nothing_like_it\n", "service.py:2", "No module named 'nothing_like_it'"),
        ("import bentoml\n\n1 / 0\n", "service.py:3", "ZeroDivisionError: division by zero"),
        ("import bentoml\nx = (\n", "service.py:2", "SyntaxError"),
        ("import helper\n", "helper.py:1", "ValueError: deep down"),
        ("raise SystemExit(3)\n", "service.py:1", "SystemExit: 3"),
        ("import bentoml\n", "bentoml build", "module 'service' has no attribute 'Tiny'"),
        ("import os\nos._exit(9)\n", "service.py", "exit code 9"),
    ],
)
def test_a_service_that_can_not_be_imported_is_told_with_file_and_line(tmp_path, service, where, fault) -> None:
    include = bentofile(include=["*.py", "factor.txt"])
    changes = {"service.py": service, "helper.py": "raise ValueError('deep down')\n", "bentofile.yaml": include}
    (told,) = told_by(tiny(tmp_path, changes), ServiceBroken)
    assert told.startswith(f"{where}: ")
    assert fault in told


def test_a_file_that_include_leaves_out_is_missed_when_building(tmp_path) -> None:
    (told,) = told_by(tiny(tmp_path, {"bentofile.yaml": bentofile(include=["service.py"])}), ServiceBroken)
    line = next(number for number, text in enumerate(SERVICE.splitlines(), start=1) if "read_text" in text)
    assert told.startswith(f"service.py:{line}: FileNotFoundError")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("    def __init__(self): raise RuntimeError('no weights')", "does not start: the service can't be loaded: "),
        ("    def __init__(self): import os; os._exit(5)", "does not start: "),
    ],
)
def test_a_service_that_does_not_start_is_told(tmp_path, body, fault) -> None:
    (told,) = told_by(tiny(tmp_path, {"service.py": f"{SERVICE}\n{body}\n"}), ServiceBroken)
    assert told.startswith(f"service: {fault}")


def test_an_answer_that_is_not_the_written_one_is_not_sealed(tmp_path) -> None:
    changed = lines([EXAMPLES[1], {**EXAMPLES[0], "answer": {"number": 5.0, "process": 0}}])
    (told,) = told_by(tiny(tmp_path, {"models/examples.jsonl": changed}), ExampleMismatch)
    assert told.startswith("models/examples.jsonl:2: number: expected 5.0, got 4.0, tolerance 1e-06")


def test_a_written_answer_within_its_tolerance_is_met(tmp_path) -> None:
    loose = {**EXAMPLES[0], "answer": {"number": 4.3, "process": 0}, "tolerance": 0.1}
    release = build(tiny(tmp_path, {"models/examples.jsonl": lines([loose])}))
    assert release.examples[0].answer == {"number": 4.3, "process": 0}


def test_a_service_that_answers_in_two_ways_has_no_golden_examples(tmp_path) -> None:
    random = SERVICE.replace("number * FACTOR", "__import__('random').random()")
    changed = lines([{"path": "/double", "body": {"number": 1}}])
    (told,) = told_by(tiny(tmp_path, {"service.py": random, "models/examples.jsonl": changed}), ServiceBroken)
    assert told.startswith("models/examples.jsonl:1: is answered in two ways: number: expected ")


def test_a_request_that_the_service_refuses_is_told_with_its_line(tmp_path) -> None:
    changed = "\n" + lines([{"path": "/double", "body": {"wrong": 1}}])
    (told,) = told_by(tiny(tmp_path, {"models/examples.jsonl": changed}), ServiceBroken)
    assert told.startswith("models/examples.jsonl:2: answered 400 to {'wrong': 1}")


def test_models_of_bentoml_s_own_store_come_along(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    save = "import bentoml\nwith bentoml.models.create('factor:one') as model:\n"
    save += "    open(model.path_of('factor.txt'), 'w').write('3')\n"
    around = {**os.environ, "BENTOML_DO_NOT_TRACK": "True"}
    subprocess.run([sys.executable, "-c", save], env=around, check=True)
    reading = SERVICE.replace('(Path(__file__).parent / "factor.txt").read_text()', "2")
    reading = reading.replace("class Tiny:", 'class Tiny:\n    model = bentoml.models.BentoModel("factor:latest")\n')
    reading = reading.replace("number * FACTOR", 'number * int(open(self.model.path_of("factor.txt")).read())')
    changed = lines([{"path": "/double", "body": {"number": 2}, "answer": {"number": 6, "process": 0}}])
    release = build(tiny(tmp_path / "project", {"service.py": reading, "models/examples.jsonl": changed}))
    with zipfile.ZipFile(release.path) as archive:
        assert archive.read("app/models/factor/one/factor.txt") == b"3"


def test_bentoml_s_own_locking_is_not_used(tmp_path) -> None:
    packages = ["bentoml==1.4.39", "scikit-learn==1.9.1"]
    project = tiny(tmp_path, {"bentofile.yaml": bentofile(python={"packages": packages, "lock_packages": True})})
    told = []
    release = build(project, tell=told.append)
    assert told[0] == "building the Bento"
    with zipfile.ZipFile(release.path) as archive:
        manifest = json.loads(archive.read("MANIFEST.json"))
        assert "==" not in archive.read("app/env/python/requirements.txt").decode().replace("bentoml==1.4.39", "")
    assert (manifest["bentoml"], manifest["service"]) == ("1.4.39", "service:Tiny")
    assert manifest["lock"] == hashlib.sha256((project / "bentofile.lock").read_bytes()).hexdigest()


KILLED_WHILE_RECORDING = """
import os, signal, sys
from pathlib import Path
from bentoship.release import build

def tell(sentence):
    if "golden" in sentence:
        signal.setitimer(signal.ITIMER_REAL, 0.05)

signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL) if serving() else again())
again = lambda: signal.setitimer(signal.ITIMER_REAL, 0.05)

def serving():
    import psutil
    children = psutil.Process().children()
    if children:
        print(children[0].pid, flush=True)
    return children

build(Path(sys.argv[1]), tell=tell)
"""


def test_a_killed_build_leaves_nothing_running_and_can_be_run_again(tmp_path) -> None:
    project = tiny(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_RECORDING, str(project)], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    serving = int(killed.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(serving).wait(30)
    assert not list(store(project).glob("*.zip"))
    assert build(project).path.is_file()


def test_a_store_that_can_not_be_made_is_told(tmp_path) -> None:
    project = tiny(tmp_path)
    (project / ".bentoship").write_text("in the way")
    with pytest.raises(ReleaseError, match="can't be written"):
        build(project)
