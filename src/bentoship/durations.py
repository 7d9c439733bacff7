"""Durations as people write them: 90s, 5m, 2h, 1d."""

from __future__ import annotations

import re

from .errors import InvalidConfiguration

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(where: str, text: str) -> int:
    """The seconds that `text` says; InvalidConfiguration at `where` when it isn't a duration."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise InvalidConfiguration(where, f"{text!r} is not a duration", "write for example 90s, 5m, 2h or 1d")
    return int(found[1]) * _SECONDS[found[2]]
