"""Small projects, and addresses at which nobody is."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from bentoship.project import Project

BENTOFILE = "service: service:Echo\ninclude: [service.py]\n"


def write_project(folder: Path, files: Mapping[str, str]) -> Project:
    """A project in `folder` with `files`, texts by name, and a bentofile.yaml."""
    for name, text in {"bentofile.yaml": BENTOFILE, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Project(folder)


def unused_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def unused_url() -> str:
    """A URL of this machine at which nobody answers."""
    return f"http://127.0.0.1:{unused_port()}"
