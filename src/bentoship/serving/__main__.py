"""Serve the Bento of this release: `python -m bentoship.serving <folder of the Bento>`. run.sh does so.

settings.py has the environment variables. Exit code 0 after SIGTERM, 70 when the service can't be loaded, 78 when
the settings can't be used, 1 when the address is taken.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from .listen import bind
from .settings import THREADS, Settings, WrongSettings, read

WRONG_SETTINGS = 78
"""EX_CONFIG of sysexits.h."""


_LAST_SECONDS = 1.0
"""How long an endpoint may compute on when all else has ended."""


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        settings = read(os.environ)
    except WrongSettings as error:
        return _say(str(error), WRONG_SETTINGS)
    return _serve(Path(sys.argv[1]).resolve(), settings)


def _serve(folder: Path, settings: Settings) -> int:
    try:
        sockets = bind(settings)
    except OSError as error:
        return _say(f"can't listen on {error.filename}: {error.strerror}", 1)
    from . import server, workers  # noqa: PLC0415 -- importing BentoML takes a while

    bento = server.loaded(folder, settings)
    if isinstance(bento, int):
        return bento
    if settings.workers == 1:
        return server.serve(bento, settings, sockets)
    return workers.Workers(lambda: server.serve(bento, settings, sockets), sockets, settings).run()


def _stop(*_: object) -> NoReturn:
    """End at once when SIGTERM comes while loading. While serving, uvicorn drains first, and then comes here."""
    sys.exit(0)


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(f"bentoship: {sentence}\n")
    return code


def _leave(code: int) -> NoReturn:
    """End, though an endpoint may compute on: Python would wait for its thread, which nobody waits for any more."""
    endpoints = [each for each in threading.enumerate() if each.name.startswith(THREADS)]
    for thread in endpoints:
        thread.join(_LAST_SECONDS / len(endpoints))
    if any(thread.is_alive() for thread in endpoints):
        sys.stdout.flush()
        os._exit(_say("an endpoint still computed when this process had to end", code))
    sys.exit(code)


if __name__ == "__main__":
    try:
        found = main()
    except SystemExit as leaving:
        found = leaving.code if isinstance(leaving.code, int) else 1
    _leave(found)
