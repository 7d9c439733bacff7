"""How a host starts a release: the command, and the environment variables around it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from . import ports

METRICS_PORT = "SERVING_METRICS_PORT"
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH")
"""What a release sees of the environment of the tool: enough to run, nothing that makes a laptop unlike a cloud."""


def command(directory: Path) -> list[str]:
    """The command that starts the release unpacked in `directory`: the same one that every platform runs."""
    return ["sh", str(directory / "run.sh")]


def environment(port: int, state: Path, variables: Mapping[str, str], *, host: str = "127.0.0.1") -> dict[str, str]:
    """The whole environment of a release that listens on `host`:`port` and keeps what it writes below `state`.

    The serving process reads PORT, BENTOSHIP_HOST and BENTOSHIP_STATE_DIR; `variables` are the user's own and win, but
    for a port of the metrics, in whose place comes a free one.
    """
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    ours = {"PORT": str(port), "BENTOSHIP_HOST": host, "BENTOSHIP_STATE_DIR": str(state)}
    # Releases run side by side on this machine, and each must have its own.
    metrics = {METRICS_PORT: str(ports.free_port(host))} if variables.get(METRICS_PORT, "0") != "0" else {}
    return {**passed_on, **ours, **variables, **metrics}
