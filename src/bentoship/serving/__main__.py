"""Serve the Bento of this release: `python -m bentoship.serving <folder of the Bento>`. run.sh does so.

PORT and BENTOSHIP_HOST say where, BENTOSHIP_RELEASE in whose name, BENTOSHIP_DRAIN_SECONDS how long requests may
take to finish after SIGTERM. Exit code 0 after SIGTERM, 70 when the service can't be loaded.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import uvicorn

from .app import Served, load

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than the 60 seconds of the clouds' load balancers, which would
otherwise send a request into a connection that is just being closed."""
DRAIN_SECONDS = "30"
CANT_LOAD = 70
"""EX_SOFTWARE of sysexits.h."""


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    release = os.environ.get("BENTOSHIP_RELEASE", "")
    try:
        served = Served(load(Path(sys.argv[1]).resolve(), release), release)
    except Exception:  # noqa: BLE001 -- whatever the user's service raises is told in one line, then in full
        return _cant_load(traceback.format_exc())
    try:
        uvicorn.Server(_config(served)).run()
    except SystemExit:
        if served.failure is None:
            raise
    return 0 if served.failure is None else _cant_load(served.failure)


def _config(served: Served) -> uvicorn.Config:
    """Let uvicorn start the application, and with it the model, before it binds the port."""
    return uvicorn.Config(
        served,
        host=os.environ.get("BENTOSHIP_HOST", "0.0.0.0"),  # noqa: S104 -- load balancers come from outside
        port=int(os.environ.get("PORT", "8000")),
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(os.environ.get("BENTOSHIP_DRAIN_SECONDS", DRAIN_SECONDS)),
    )


def _stop(*_: object) -> NoReturn:
    """End at once when SIGTERM comes while loading. While serving, uvicorn drains first, and then comes here."""
    sys.exit(0)


def _cant_load(trace: str) -> int:
    lines = trace.strip().splitlines()
    sys.stderr.write(
        f"bentoship: the service can't be loaded: {lines[-1] if lines else 'it does not say why'}\n{trace}"
    )
    return CANT_LOAD


if __name__ == "__main__":
    sys.exit(main())
