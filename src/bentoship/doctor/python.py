"""The Python that runs bentoship: a release is made for its minor, and tested with it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from ..project import Project
from ..release.wheels import python_minor, runs_here
from .finding import Finding

OLDEST, NEWEST = (3, 11), (3, 13)
GLIBC = Version("2.28")
"""The C library that a release's wheels need: they are manylinux_2_28 (PEP 600)."""
_64_BITS = 2**63 - 1


def check(project: Project | None) -> Iterator[Finding]:  # noqa: ARG001 - the same everywhere
    """The minor version, the word size, and whether a release's own wheels run here."""
    here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if OLDEST <= sys.version_info[:2] <= NEWEST and sys.maxsize == _64_BITS:
        yield Finding("python", "ok", f"{here}; releases are made for {python_minor()}")
    else:
        yield Finding("python", "missing", f"{here} does not serve", "use a 64 bit Python 3.11, 3.12 or 3.13")
    if reason := _why_not_native(*platform.libc_ver()):
        yield Finding(
            "python",
            "warning",
            f"the wheels in a release don't run here ({reason}); the same versions are installed for this machine",
            "what is deployed to a cloud is tested there by the gate, before it gets traffic",
        )


def _why_not_native(library: str, version: str) -> str | None:
    if not runs_here():
        return f"they are for Linux x86-64, and this is {platform.system()} {platform.machine()}"
    try:
        is_new_enough = library == "glibc" and Version(version) >= GLIBC
    except InvalidVersion:
        is_new_enough = False
    return None if is_new_enough else f"they need glibc {GLIBC}, and this is {library or 'another library'} {version}"
