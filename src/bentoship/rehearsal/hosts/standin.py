"""systemctl and journalctl on a rehearsed machine, which has no systemd: asks the process that keeps its service.

A program of its own, for the machine's PATH; it imports the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path


def main() -> int:
    """Pass the words on; print what is answered."""
    tool, words = Path(sys.argv[1]).name, sys.argv[2:]
    request = urllib.request.Request(  # noqa: S310 - the address is ours
        f"{os.environ['BENTOSHIP_MACHINE']}/{tool}",
        data=json.dumps(words).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=300) as response:
        answer = json.load(response)
    sys.stdout.write(answer["output"])
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main())
