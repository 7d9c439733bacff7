"""A systemctl for tests: `daemon-reload`, `enable`, `start` and `restart` of one service, without systemd.

Beside the unit file it keeps what it was told (`told`) and the process of the service (`process`).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

UNITS = Path(os.environ["BENTOSHIP_ROOT"], "etc/systemd/system")


def main() -> int:
    verb, *_ = sys.argv[1:]
    with (UNITS / "told").open("a") as told:
        told.write(" ".join(sys.argv[1:]) + "\n")
    if verb in {"start", "restart"}:
        if (process := running()) and verb == "start":
            return 0
        if process:
            stop(process)
        (UNITS / "process").write_text(str(start()))
    return 1 if verb in os.environ.get("SYSTEMCTL_FAILS", "").split() else 0


def running() -> int | None:
    try:
        process = int((UNITS / "process").read_text())
        os.kill(process, 0)
    except (OSError, ValueError):
        return None
    return process


def stop(process: int) -> None:
    ended = os.pidfd_open(process)
    os.kill(process, signal.SIGTERM)
    select.select([ended], [], [])


def start() -> int:
    lines = (UNITS / "bentoship.service").read_text().splitlines()
    unit = dict(line.split("=", 1) for line in lines if "=" in line)
    # What stands in double quotes means the same to a shell and to EnvironmentFile=.
    script = f"set -a; . '{unit['EnvironmentFile']}'; exec {unit['ExecStart']}"
    return subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid


if __name__ == "__main__":
    sys.exit(main())
