"""Where the engine keeps the state, the history of releases included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ..engine import backend
from ..project import Project
from .finding import Finding
from .infra import settings


def check(project: Project | None) -> Iterator[Finding]:
    """The backend that wins, and whether it can be written to."""
    if project is None or not (project.infra / "Pulumi.yaml").is_file():
        return
    settings(project)
    url, source = backend.named(project.infra)
    if url and source != backend.LOGIN:
        yield _backend(project, url, source)
    else:
        where = f" ({_without_secrets(url)})" if url else ""
        message = f"infra/Pulumi.yaml names none, so the state goes where this machine last logged in{where}"
        yield Finding("backend", "warning", message, "say `backend: {url: …}` there, and every machine agrees")


def _backend(project: Project, url: str, source: str) -> Finding:
    if not url.startswith("file://"):
        return Finding("backend", "ok", f"the state goes to {_without_secrets(url)}, says {source}")
    place = url.removeprefix("file://")
    # A relative path is relative to Pulumi.yaml, and ~ is the user's home folder (pulumi.com, "State and backends").
    folder = Path(os.path.normpath(project.infra / Path(place).expanduser()))
    if not os.access(_nearest(folder), os.W_OK):
        return Finding("backend", "missing", f"the state goes to {folder}, which can't be written to", f"see {source}")
    return Finding("backend", "ok", f"the state goes to {folder}, says {source}; back it up, it is the only copy")


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="").geturl()


def _nearest(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
