"""Where the engine keeps the state, the history of releases included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ..project import Project
from .finding import Finding
from .infra import settings

VARIABLE = "PULUMI_BACKEND_URL"


def check(project: Project | None) -> Iterator[Finding]:
    """The backend that wins: the variable, then Pulumi.yaml, then the last login (pulumi/pulumi pkg/workspace)."""
    if project is None or not (project.infra / "Pulumi.yaml").is_file():
        return
    described = settings(project).get("backend")
    said = str(described.get("url") or "") if isinstance(described, dict) else ""
    if url := os.environ.get(VARIABLE, ""):
        yield _backend(project, url, VARIABLE)
    elif said:
        yield _backend(project, said, "infra/Pulumi.yaml")
    else:
        message = "infra/Pulumi.yaml names none, so the state goes where this machine last logged in"
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
