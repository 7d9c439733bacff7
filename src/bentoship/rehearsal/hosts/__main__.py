"""`python -m bentoship.rehearsal.hosts FOLDER`: runs the machines of the rehearsal in FOLDER until told to end."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from ...errors import HostError
from ...host.background import detach
from ...host.lock import sole
from .plane import serve


def main() -> None:
    """Take the lock of the folder, then serve."""
    parser = argparse.ArgumentParser(prog="python -m bentoship.rehearsal.hosts", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--report", type=int, help="write the address to this descriptor once it answers")
    arguments = parser.parse_args()
    root: Path = arguments.root.absolute()

    def report(url: str) -> None:
        if arguments.report is not None:
            os.write(arguments.report, f"{url}\n".encode())
            os.close(arguments.report)

    if arguments.report is not None:
        detach()
        os.set_inheritable(arguments.report, False)  # noqa: FBT003 - what it starts must not keep it open
    try:
        with sole(root):
            asyncio.run(serve(root, report))
    except HostError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
