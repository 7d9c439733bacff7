"""How long to wait for a cloud: as long as was asked for, or, in a rehearsal, as long as its fast clock makes of it."""

from __future__ import annotations

import os

CLOCK = "BENTOSHIP_REHEARSAL_CLOCK"
"""Seconds here for a second in the cloud; only set in a rehearsal."""
LEAST = "BENTOSHIP_REHEARSAL_PATIENCE"
"""Seconds that something which a release does may take in a rehearsal, whatever the clock says."""
DEFAULT_LEAST = 120.0
"""A release starts no faster here than it does."""


def pace(seconds: float) -> float:
    """How long here what takes `seconds` in the cloud by itself, whatever is asked meanwhile."""
    return seconds * float(os.environ.get(CLOCK) or 1)


def patience(seconds: float) -> float:
    """How long to wait here for what may take `seconds` in the cloud, a release's own start included."""
    scale = os.environ.get(CLOCK)
    if scale is None:
        return seconds
    least = float(os.environ.get(LEAST) or DEFAULT_LEAST)
    return max(seconds * float(scale), min(seconds, least))
