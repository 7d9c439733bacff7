"""Go, which can build the engine on a machine that can't download it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

from ..engine import install
from ..project import Project
from .finding import Finding

_TIMEOUT = 10


def check(project: Project | None) -> Iterator[Finding]:  # noqa: ARG001 - the same everywhere
    """Nothing where there is an engine; else whether Go could build one."""
    if install.find():
        return
    go = shutil.which("go")
    if go is None:
        yield Finding("go", "warning", "is not on PATH, so the engine can't be built here", "install Go 1.26 or later")
        return
    try:
        done = subprocess.run([go, "version"], capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("go", "warning", f"does not run ({error})", "install Go 1.26 or later")
        return
    yield Finding("go", "ok", f"{done.stdout.strip().removeprefix('go version ')} can build the engine (3 minutes)")
