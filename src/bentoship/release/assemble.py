"""From a project to a release: read, lock, vendor, build, record, seal. Each step is a file beside this one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..deployment import Example, now
from ..errors import InvalidConfiguration, Problem, ReleaseError
from ..project import cache
from . import bento, bentofile, examples, memo, wrappers
from .bento import Bento
from .bentofile import Project
from .examples import Written
from .limits import fits
from .lock import locked
from .manifest import FORMAT, FileFacts, Manifest, Release, open_release, store
from .seal import facts, seal
from .wheels import PLATFORM, Wheels, native_cache, native_site_packages, python_minor, runs_here, vendored
from .writing import nameless, scratch, sha256, sweep, write_whole, writing

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What a release is made of, when all of it has been read and fetched."""

    project: Project
    written: tuple[Written, ...]
    lock: Path
    wheels: Wheels
    tell: Tell


@dataclass(frozen=True)
class Recorded:
    """What building the Bento and running it have shown."""

    bento: Bento
    examples: tuple[Example, ...]
    memory_mb: float


def build(project: Path, *, relock: bool = False, tell: Tell = lambda _sentence: None) -> Release:
    """Seal the service in the folder `project` into a release, and put it into the project's store.

    The same files give the same bytes, anywhere and on any day; when nothing has changed, the release that is there
    is returned at once. `relock` renews bentofile.lock first. `tell` hears what is going on, a sentence at a time.

    Raises InvalidConfiguration for what the project's files say wrong, all at once; LockError, ServiceBroken and
    ExampleMismatch for packages, service and answers that aren't as they must be; ReleaseError for a full disk.
    """
    begin = time.monotonic()
    folder = project.resolve()
    ready, written = _read(folder)
    with writing(folder):
        store(folder).mkdir(parents=True, exist_ok=True)
    lock = locked(ready, relock=relock, tell=tell)
    key = memo.key(ready, lock)
    if found := memo.recall(folder, key):
        return found
    for place in (cache(), store(folder).parent, store(folder).parent / "local"):
        sweep(place)
    task = Task(ready, written, lock, vendored(ready, lock, tell), tell)
    with scratch() as work, writing(work):
        recorded = _record(task, work)
        release = _seal(task, recorded, work / "release")
    _note(release, recorded.memory_mb, time.monotonic() - begin)
    if memo.key(_read(folder)[0], lock) != key:
        fault = "its files were changed while they were sealed, so that nobody knows which are in the release"
        raise ReleaseError(str(folder), fault, "run the same command again")
    memo.remember(folder, key, release)
    return release


def _read(folder: Path) -> tuple[Project, tuple[Written, ...]]:
    problems: list[Problem] = []
    project = bentofile.read(folder, problems)
    written = examples.read(folder, problems) if folder.is_dir() else ()
    if project is None or problems:
        raise InvalidConfiguration.of(problems)
    return project, written


def _record(task: Task, work: Path) -> Recorded:
    """Put all but the packages of the release into `work`/release, and run it."""
    for key, why in bento.ignored_keys(task.project).items():
        task.tell(f"{bentofile.NAME}: {key} {why}: it is ignored")
    packages, bytecode, directory = _packages(task), task.wheels.bytecode, work / "release"
    directory.mkdir()
    try:
        task.tell("building the Bento")
        built = bento.build(task.project, packages, bytecode, work, directory / "app")
        wrappers.write(directory, python_minor(), task.lock)
        task.tell("asking the service the golden examples")
        variables = {"BENTOSHIP_SITE_PACKAGES": str(packages), "PYTHONPYCACHEPREFIX": str(bytecode)}
        answered, memory_mb = examples.record(task.written, directory, variables, work)
    finally:
        # Bytecode of the packages is worth keeping; that of a folder which will never be again is not.
        shutil.rmtree(bytecode / work.resolve().relative_to("/"), ignore_errors=True)
    return Recorded(built, answered, memory_mb)


def _packages(task: Task) -> Path:
    if runs_here():
        return task.wheels.site_packages
    task.tell("this machine can't run the hosts' wheels: the same versions are installed for it as well")
    return native_site_packages(task.lock, native_cache(task.lock), task.project.index_arguments)


def _seal(task: Task, recorded: Recorded, directory: Path) -> Release:
    task.tell("sealing the release")
    own, place = facts(directory), store(task.project.folder)
    files = {**task.wheels.files, **own}
    with writing(place), nameless(place) as unfinished:
        task.wheels.begin(unfinished)
        identity = seal(unfinished, directory, own, lambda body, size: _describe(task, recorded, files, body, size))
        release = open_release(unfinished.replace(place / f"{identity}.zip"))
    for target, reason in release.fits.items():
        if reason is not True:
            task.tell(f"this release can't go to {target}: {reason}")
    return release


def _describe(task: Task, recorded: Recorded, files: dict[str, FileFacts], body: str, size: int) -> Manifest:
    python = python_minor()
    return Manifest(
        format=FORMAT,
        bento=recorded.bento.name,
        service=recorded.bento.service,
        bentoml=recorded.bento.bentoml,
        python=python,
        platform=PLATFORM,
        lock=sha256(task.lock),
        examples=recorded.examples,
        fits=fits({name: file.size for name, file in files.items()}, size, python),
        body=body,
        files=files,
    )


def _note(release: Release, memory_mb: float, seconds: float) -> None:
    """Write beside the release what was measured: it differs from day to day, so it can't be inside."""
    content = {"memory_mb": memory_mb, "sealed_at": now(), "seconds": round(seconds, 1)}
    write_whole(release.path.with_suffix(".json"), json.dumps(content, indent=1) + "\n")
