"""Pulumi's command line: the engine that keeps state, plans, changes and destroys."""

from __future__ import annotations

import shutil

from ..engine import install
from ..project import Project
from .finding import Finding


def check(project: Project | None) -> Finding:  # noqa: ARG001 - the same everywhere
    """Which command line will be used; where there is none, how one would come here."""
    if found := install.find():
        return Finding("engine", "ok", f"pulumi {found.version} from {_place(found)}")
    wanted = f"Pulumi {install.OLDEST} or later, below {install.TOO_NEW}"
    seen = shutil.which("pulumi")
    message = f"{seen} is not {wanted}" if seen else "there is no Pulumi command line on PATH or in the cache"
    if shutil.which("go"):
        return Finding("engine", "warning", message, "the first command that needs it gets it, with Go if need be")
    return Finding(
        "engine",
        "missing",
        message,
        f"with internet, the first command that needs it downloads it; without, install {wanted}, or Go",
    )


def _place(found: install.CommandLine) -> str:
    return f"PATH ({found.path})" if found.source == "PATH" else f"the {found.source} ({found.path})"
