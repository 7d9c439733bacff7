"""`bentofile.lock`: every Python package of the service, with its exact version and the hashes of its files.

One lock serves Python 3.11 to 3.13 on every platform. It is a file of the project, committed to git, and it changes
only when it is asked to, or when it no longer agrees with bentofile.yaml.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import uv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import LockError
from .bentofile import Project
from .writing import scratch, write_whole

NAME = "bentofile.lock"
OLDEST_PYTHON = "3.11"
SERVING = (
    Requirement("uvicorn==0.54.0"),
    Requirement("httptools==0.9.0; sys_platform != 'win32'"),
    Requirement("uvloop==0.23.0; sys_platform != 'win32'"),
)
"""What the launcher needs beside BentoML; its connections are a subclass of uvicorn's.

A project that names one of them itself has the say on its version.
"""
_MARK = "# requirement: "
_OPENING = (
    "# Every package of the service, with the hashes of its files. Commit this file.\n"
    "# `bentoship build --relock` renews it; it was made from these requirements:\n"
)
_LONGEST_FAULT = 700


def locked(project: Project, *, relock: bool, tell: Callable[[str], None]) -> Path:
    """The lock of `project`, made or renewed where needed; `tell` hears which requirement changed.

    Raises LockError in uv's own words when the packages don't go together or can't be looked up.
    """
    path = project.folder / NAME
    wanted = wanted_requirements(project.requirements)
    text = _text(path)
    if not text:
        tell(f"locking the packages: {NAME} is not here yet")
    changes = changes_in(text, project)
    if text and not changes and not relock:
        return path
    for change in changes:
        tell(f"locking the packages again: {change}")
    if relock and not changes:
        tell("locking the packages again, at the newest versions that fit")
    write_whole(path, _compile(project, wanted, keep="" if relock else text))
    return path


def wanted_requirements(asked: Iterable[Requirement]) -> tuple[str, ...]:
    """What to lock for a service that asks for `asked`: those, BentoML itself, and what serving needs; sorted."""
    asked = tuple(asked)
    named = {canonicalize_name(requirement.name) for requirement in asked}
    ours = (Requirement("bentoml"), *SERVING)
    added = (requirement for requirement in ours if canonicalize_name(requirement.name) not in named)
    return tuple(sorted({_normal(requirement) for requirement in (*asked, *added)}))


def explain(output: str) -> tuple[str, str]:
    """What uv said, shortened to one sentence, and what to do about it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = " ".join(line.removeprefix("error: ").removeprefix("cause: ") for line in lines)
    return said[:_LONGEST_FAULT] or "uv failed and did not say why", _remedy(said)


def run_uv(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `uv pip` with `arguments` in `folder`; its words are never coloured."""
    command = [uv.find_uv_bin(), "pip", *arguments, "--color", "never"]
    # A lock or a target folder of ours has nothing to do with the environment that is active.
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "CONDA_PREFIX"}}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _compile(project: Project, wanted: tuple[str, ...], keep: str) -> str:
    """The text of a new lock; versions in `keep`, an older lock, stay where they still fit."""
    with scratch() as folder:
        (folder / "requirements.in").write_text("\n".join(wanted) + "\n", encoding="utf-8")
        output = folder / NAME
        if keep:
            output.write_text(keep, encoding="utf-8")
        asked = ["compile", "requirements.in", "--output-file", NAME, "--quiet", "--no-header", "--generate-hashes"]
        where = ["--universal", "--python-version", OLDEST_PYTHON, "--python", sys.executable, "--no-annotate"]
        done = run_uv([*asked, *where, *project.index_arguments], folder)
        if done.returncode:
            raise LockError(NAME, *explain(done.stderr))
        header = _OPENING + "".join(f"{_MARK}{requirement}\n" for requirement in wanted)
        return header + _without_comments(output.read_text(encoding="utf-8"))


def changes_in(text: str, project: Project) -> tuple[str, ...]:
    """How `project` differs from what the lock `text` was made from, a clause each; none of an empty text."""
    return tuple(_changes(_recorded(text), wanted_requirements(project.requirements))) if text else ()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise LockError(str(path), "is not text", "remove it, and the next `bentoship build` makes it anew") from error


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def _recorded(text: str) -> tuple[str, ...]:
    return tuple(line.removeprefix(_MARK) for line in text.splitlines() if line.startswith(_MARK))


def _changes(recorded: tuple[str, ...], wanted: tuple[str, ...]) -> Iterable[str]:
    yield from (f"{new} is new" for new in wanted if new not in recorded)
    yield from (f"{old} is not asked for any more" for old in recorded if old not in wanted)


def _normal(requirement: Requirement) -> str:
    """One spelling for one meaning: name in normal form, extras and versions sorted."""
    requirement = Requirement(str(requirement))
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def _remedy(said: str) -> str:
    if "network was disabled" in said or "error sending request" in said or "Failed to fetch" in said:
        return "there seems to be no network; check it, and the proxy and UV_* variables, then run the same again"
    if "No space left" in said:
        return "free some space on the disk and run the same again"
    if "no usable wheels" in said or "no wheels" in said:
        return "hosts compile nothing: choose a version of that package that has wheels for Linux x86-64"
    if "No solution found" in said:
        return "change the versions in bentofile.yaml so that they go together"
    return "correct bentofile.yaml, or run `bentoship build --relock`"
