"""The Bento: `bentoml build`, on a copy of the files that go into it, with the locked packages and no others.

The copy makes the build forget where the project lies (BentoML refuses to work below a hidden folder), and shows at
once what the service needs and `include` leaves out. What BentoML writes about the time and place is then removed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv
import yaml

from ..errors import ServiceBroken
from . import inside
from .bentofile import NAME as BENTOFILE
from .bentofile import Project

VERSION = "sealed"
"""Version of every Bento in a release. The release's id says which one it is, and isn't known yet."""
_CREATED = re.compile(r"^creation_time: .*$", re.MULTILINE)
_ANY_DAY = "creation_time: '1980-01-01T00:00:00+00:00'"
_OF_IMAGES = "is for container images, and a release is none"
_NOT_USED = {
    "docker": _OF_IMAGES,
    "conda": _OF_IMAGES,
    "envs": "is not in a release, which is the same everywhere: `variables` of an environment's file are what differs",
}
"""Keys of bentofile.yaml that a release has no use for, and why."""
_LOG_LINES = 3


@dataclass(frozen=True)
class Bento:
    """What was built."""

    name: str
    service: str
    """Where the service is, such as service:Salary."""
    bentoml: str
    """Version of BentoML."""


def build(project: Project, site_packages: Path, bytecode: Path, work: Path, target: Path) -> Bento:
    """Build the Bento of `project` into `target`, using the folder `work` for all that happens on the way.

    Raises ServiceBroken with file, line and the last line of the traceback when the service can't be imported.
    """
    staged, home = work / "project", work / "home"
    _stage(project, staged)
    _share_models(home)
    order = {"site_packages": str(site_packages), "project": str(staged), "version": VERSION}
    answer = _run(order, _environment(home, bytecode), work)
    shutil.move(answer["path"], target)
    _forget_time_and_place(target)
    return Bento(answer["name"], answer["service"], answer["bentoml"])


def ignored_keys(project: Project) -> dict[str, str]:
    """The keys of bentofile.yaml that a release has no use for, and why."""
    return {key: why for key, why in _NOT_USED.items() if project.bentofile.content.get(key)}


def model_store() -> Path:
    """Where BentoML keeps the user's models (docs.bentoml.com, "Model store")."""
    return Path(os.environ.get("BENTOML_HOME", "~/bentoml")).expanduser() / "models"


def _stage(project: Project, staged: Path) -> None:
    for name in project.files:
        copy = staged / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project.folder / name, copy)
    content = {key: value for key, value in project.bentofile.content.items() if key not in _NOT_USED}
    # bentofile.lock is the lock, so BentoML must neither make one of its own nor look for the requirements.
    content["python"] = {"lock_packages": False, **_layout(content)}
    (staged / BENTOFILE).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _layout(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"is_src_layout": True} if (content.get("python") or {}).get("is_src_layout") else {}


def _share_models(home: Path) -> None:
    """Let the build see the user's models, and keep everything else that BentoML writes out of their home."""
    home.mkdir()
    if model_store().is_dir():
        (home / "models").symlink_to(model_store().resolve(), target_is_directory=True)


def _environment(home: Path, bytecode: Path) -> dict[str, str]:
    """The same for every user and machine, so that it can't show in the Bento. BentoML asks for uv on PATH."""
    path = os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ.get("PATH", os.defpath)])
    ours = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "HOME": str(home), "TMPDIR": str(home)}
    python = {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
    return {"PATH": path, "LANG": "C.UTF-8", "TZ": "UTC", **ours, **python}


def _run(order: dict[str, str], environment: Mapping[str, str], work: Path) -> dict[str, Any]:
    answer, written = work / "answer.json", work / "order.json"
    written.write_text(json.dumps({**order, "answer": str(answer)}), encoding="utf-8")
    # -S, and no -I, which would also ignore PYTHONPYCACHEPREFIX; there is no other PYTHON… in this environment.
    command = [sys.executable, "-S", "-P", "-s", str(Path(inside.__file__)), str(written)]
    done = subprocess.run(
        command, cwd=order["project"], env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if not answer.is_file():
        said = " ".join((done.stderr or done.stdout).strip().splitlines()[-_LOG_LINES:])
        raise ServiceBroken("service.py", f"ended the build with exit code {done.returncode}: {said}")
    content: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    if "fault" in content:
        raise _broken(content)
    return content


def _broken(answer: Mapping[str, Any]) -> ServiceBroken:
    fault = str(answer["fault"])
    where = f"{answer['file']}:{answer['line']}" if "file" in answer else "bentoml build"
    if fault.startswith("ModuleNotFoundError"):
        remedy = "add it to python.packages of bentofile.yaml, or to include when it is a file of this project"
        return ServiceBroken(where, fault, remedy)
    return ServiceBroken(where, fault, "correct it; `bentoml serve` shows the whole traceback")


def _forget_time_and_place(bento: Path) -> None:
    description = bento / "bento.yaml"
    text = description.read_text(encoding="utf-8")
    description.write_text(_CREATED.sub(_ANY_DAY, text, count=1), encoding="utf-8", newline="\n")
    for cache in bento.rglob("__pycache__"):
        shutil.rmtree(cache)
