"""The choice of a machine by its size: a pure function over each cloud's own table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..deployment import Scale
from ..errors import InvalidConfiguration


class Size(NamedTuple):
    """What one x86-64 machine has; the table that it stands in names the page."""

    name: str
    cpu: int
    """Virtual CPUs."""
    memory_gb: float


def refuse_arm(name: str | None, arm: re.Pattern[str]) -> str | None:
    """The name of a size, unless `arm` matches it: ValueError then, since what is in a release is for x86-64."""
    if name and arm.match(name):
        raise ValueError(f"{name} is a machine with an ARM processor, and a release is made for x86-64")
    return name


def cheapest(scale: Scale, shared: Sequence[Size], steady: Sequence[Size], what: str, key: str) -> str:
    """The first of the sizes with the CPU and memory of one replica, `shared` ones for at most one CPU's worth of work.

    Both are sorted, cheapest first. `what` is the cloud's word for a size, `key` the target's field that names one:
    InvalidConfiguration says them when none is large enough.
    """
    for offer in (*shared, *steady) if scale.cpu <= 1 else steady:
        if offer.cpu >= scale.cpu and offer.memory_gb >= scale.memory_gb:
            return offer.name
    fault = f"no {what} that we know has {scale.cpu:g} CPUs and {scale.memory_gb:g} GB"
    raise InvalidConfiguration("scale", fault, f"name one with the key `{key}`")
