"""The bytecode of what runs: beside its files, not among them, and compiled once where several have the same ones.

Python keeps it below PYTHONPYCACHEPREFIX, by the path of the source, and believes it while date and size of the source
are as they were (docs.python.org, "Cached bytecode invalidation"). So folders may share what has been compiled of them
when their files have the same bytes and the same dates.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

FOLDER = "bytecode"
"""Folder of a supervisor that its releases get as PYTHONPYCACHEPREFIX."""


def of(prefix: Path, directory: Path) -> Path:
    """Where the bytecode of `directory` lies, with `prefix` as PYTHONPYCACHEPREFIX."""
    return prefix / directory.relative_to("/")


def share(prefix: Path, directory: Path, common: Path) -> None:
    """Keep what is compiled of `directory` in the folder `common`, where others find it."""
    common.mkdir(parents=True, exist_ok=True)
    link = of(prefix, directory)
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(common)


def forget(prefix: Path, directory: Path) -> None:
    """Remove what was compiled of `directory` alone."""
    shutil.rmtree(of(prefix, directory), ignore_errors=True)
