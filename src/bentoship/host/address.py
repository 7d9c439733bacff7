"""Where a supervisor is spoken to: a unix socket that only this user can open."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from bentoship.errors import HostError

_DIGITS = 32


def socket_path(directory: Path) -> Path:
    """The control socket of the supervisor of `directory`; its folder is made, and checked to be this user's alone.

    It can't lie in `directory`: a path to a socket has at most 104 characters on macOS and 108 on Linux. Nor may it
    depend on TMPDIR or XDG_RUNTIME_DIR, which differ between a login, a cron job and a build. Raises HostError.
    """
    folder = Path(f"/tmp/bentoship-{os.getuid()}")  # noqa: S108  its owner and mode are checked
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise HostError(str(folder), "is not a folder of this user alone", "remove it, or make it so (mode 0700)")
    return folder / f"{hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:_DIGITS]}.sock"
