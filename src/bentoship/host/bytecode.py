"""The bytecode of what runs: beside its files, not among them, and compiled once where several have the same ones.

Python keeps it below PYTHONPYCACHEPREFIX, by the path of the source, and believes it while date and size of the source
are as they were (docs.python.org, "Cached bytecode invalidation"). So folders may share what has been compiled of them
when their files have the same bytes and the same dates.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

FOLDER = "bytecode"
"""Folder of a supervisor that its releases get as PYTHONPYCACHEPREFIX."""
_SHARED = "shared"


def of(prefix: Path, directory: Path) -> Path:
    """Where the bytecode of `directory` lies, with `prefix` as PYTHONPYCACHEPREFIX."""
    return prefix / directory.relative_to("/")


def share(prefix: Path, directory: Path, name: str) -> None:
    """Let all directories that are shared by one `name` find what was compiled of any of them."""
    shared, link = prefix / _SHARED / name, of(prefix, directory)
    shared.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(shared)


def forget(prefix: Path, release: Path) -> None:
    """Remove what was compiled of the folder `release`, and what no release beside it shares any more."""
    gone = of(prefix, release)
    shutil.rmtree(gone, ignore_errors=True)
    used = {os.path.realpath(link) for link in gone.parent.glob("*/*") if link.is_symlink()}
    for shared in (prefix / _SHARED).glob("*"):
        if os.path.realpath(shared) not in used:
            shutil.rmtree(shared, ignore_errors=True)
