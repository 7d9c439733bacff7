"""uv, which locks and fetches the packages of a release."""

from __future__ import annotations

import subprocess

import uv

from ..project import Project
from .finding import Finding

_REMEDY = "install bentoship again; uv is one of its packages"
_TIMEOUT = 10


def check(project: Project | None) -> Finding:  # noqa: ARG001 - the same everywhere
    """Whether uv is there and runs."""
    try:
        path = uv.find_uv_bin()
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("uv", "missing", f"does not run ({error})", _REMEDY)
    return Finding("uv", "ok", f"{done.stdout.strip()} at {path}")
