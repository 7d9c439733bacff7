"""Durations as people write them: 90s, 5m, 2h, 1d."""

from __future__ import annotations

import re

from .errors import InvalidConfiguration

LONGEST = 3650 * 86_400
"""Ten years, in seconds."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(where: str, text: str) -> int:
    """The seconds that `text` says; InvalidConfiguration at `where` when it isn't a duration."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise InvalidConfiguration(where, f"{text!r} is not a duration", "write for example 90s, 5m, 2h or 1d")
    total = int(found[1]) * _SECONDS[found[2]]
    if total > LONGEST:
        raise InvalidConfiguration(where, f"{text!r} is longer than ten years", "leave it out where it shall never end")
    return total
