"""What hosts look for beside the Bento: how to start, which Python, what the proxy allows; and the launcher itself.

What must not be in the root of a release, since a platform would then install packages by itself or build an image:
requirements.txt, pyproject.toml, Pipfile, .python-version, Dockerfile, docker-compose.yml, Buildfile.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from .lock import NAME as LOCK

RUN = "run.sh"
_COPIED = {RUN: RUN, "Procfile": "Procfile", "nginx.conf": ".platform/nginx/conf.d/bentoship.conf"}
_FLEXIBLE = "app.flex.yaml"
_LAUNCHER = "launcher/bentoship/serving"


def write(folder: Path, python: str, lock: Path) -> None:
    """Write all of it into `folder`, for a release that runs on the minor `python`."""
    ours = files(__package__) / "files"
    for source, target in _COPIED.items():
        _write(folder / target, (ours / source).read_text(encoding="utf-8"))
    _write(folder / _FLEXIBLE, (ours / _FLEXIBLE).read_text(encoding="utf-8").format(python=python))
    _write(folder / "PYTHON", f"{python}\n")
    for module in launcher():
        _write(folder / _LAUNCHER / module.name, module.read_text(encoding="utf-8"))
    shutil.copyfile(lock, folder / LOCK)
    (folder / RUN).chmod(0o755)


def launcher() -> list[Traversable]:
    """The files of the launcher, sorted."""
    serving = files(__package__.rpartition(".")[0]) / "serving"
    kinds = (".py", ".html", ".css", ".js")
    return sorted((path for path in serving.iterdir() if path.name.endswith(kinds)), key=lambda path: path.name)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
