"""A sealed release that starts in a fraction of a second: a server of the standard library instead of a service.

It answers POST /predict with {"salary": 1.0}, names its release as real ones do, and drains on SIGTERM.
"""

from __future__ import annotations

import platform
from pathlib import Path

from bentoship.deployment import Example
from bentoship.release.manifest import FORMAT, Manifest, Release
from bentoship.release.variant import of_files

SERVER = (Path(__file__).parent / "small_server.py").read_bytes()
RUN = b"""#!/bin/sh
exec "${BENTOSHIP_PYTHON:-python3}" -S -E "$(dirname "$0")/server.py"
"""
EXAMPLES = (Example(path="/predict", body={"experience": 2}, answer={"salary": 1.0}),)
PYTHON = ".".join(platform.python_version_tuple()[:2])


def small_release(folder: Path, word: str = "one") -> Release:
    """A release in `folder`; another one for another word."""
    files = {"run.sh": RUN, "server.py": SERVER, "Procfile": b"web: sh ./run.sh\n", "word.txt": word.encode()}
    like = Manifest(
        format=FORMAT,
        bento="small",
        service="server:Server",
        bentoml="none",
        python=PYTHON,
        platform="any",
        lock="",
        examples=EXAMPLES,
        fits={},
        body="",
        files={},
    )
    return of_files(files, like, folder)
