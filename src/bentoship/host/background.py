"""How a process that must outlive the command which started it leaves that command."""

from __future__ import annotations

import os


def detach() -> None:
    """Go on in a child of our own: nobody waits for us, and no terminal signals us. The parent ends with 0."""
    if os.fork():
        os._exit(0)
    os.setsid()
