"""Which machine type, instance class or flexible instance has how much, as data; the choices are pure functions."""

from __future__ import annotations

import math
from typing import NamedTuple

from ...deployment import Scale
from ...errors import InvalidConfiguration
from .. import _sizes
from .._sizes import Size

SHARED = (
    Size("e2-micro", 2, 1),
    Size("e2-small", 2, 2),
    Size("e2-medium", 2, 4),
)
"""For at most one CPU's worth of work: in the long run they give a share of their two. Cheapest first."""
STEADY = (
    Size("e2-highcpu-2", 2, 2),
    Size("e2-standard-2", 2, 8),
    Size("e2-highmem-2", 2, 16),
    Size("e2-highcpu-4", 4, 4),
    Size("e2-standard-4", 4, 16),
    Size("e2-highmem-4", 4, 32),
    Size("e2-highcpu-8", 8, 8),
    Size("e2-standard-8", 8, 32),
    Size("e2-highmem-8", 8, 64),
    Size("e2-highcpu-16", 16, 16),
    Size("e2-standard-16", 16, 64),
    Size("e2-highmem-16", 16, 128),
    Size("e2-highcpu-32", 32, 32),
    Size("e2-standard-32", 32, 128),
)
"""All of their CPUs, all of the time. Cheapest first: the price grows with the CPUs, then with the memory.

What each has: "General-purpose machine family", Compute Engine documentation.
"""
CLASSES = {"F1": 384, "F2": 768, "F4": 1536, "F4_1G": 3072}
"""Memory in MB of App Engine standard's classes that scale automatically ("Instance classes", App Engine reference)."""
_MOST_CPU, _RESERVED_GB = 80, 0.4
_GB_A_CPU = (0.9, 6.5)


class FlexibleSize(NamedTuple):
    """One instance of App Engine flexible."""

    cpu: int
    memory_gb: float


def cheapest(scale: Scale) -> str:
    """The cheapest machine type with the CPU and memory of one replica; InvalidConfiguration when none has them."""
    return _sizes.cheapest(scale, SHARED, STEADY, "machine type", "machine_type")


def smallest_class(scale: Scale) -> str:
    """The smallest instance class with the memory of one replica; InvalidConfiguration when none has it."""
    for name, memory in CLASSES.items():
        if memory >= scale.memory_gb * 1000:
            return name
    most = max(CLASSES.values())
    raise InvalidConfiguration(
        "scale.memory_gb",
        f"App Engine standard has at most {most:,} MB, and {scale.memory_gb:g} GB are asked for",
        "use `flavour: flexible`, or gcp/compute_engine",
    )


def flexible_size(scale: Scale) -> FlexibleSize:
    """The least CPUs that App Engine flexible gives this memory to; InvalidConfiguration when none do.

    CPUs are 1, or even; memory is 0.9 to 6.5 GB for each, and 0.4 GB of it are the platform's ("Resource settings",
    app.yaml reference of App Engine flexible).
    """
    least, most = _GB_A_CPU
    by_memory = (scale.memory_gb + _RESERVED_GB) / most
    cpu = math.ceil(max(scale.cpu, by_memory))
    cpu += cpu % 2 if cpu > 1 else 0
    if cpu > _MOST_CPU:
        raise _too_much(scale, "App Engine flexible has no instance with", "use gcp/compute_engine")
    return FlexibleSize(cpu, max(scale.memory_gb, round(cpu * least - _RESERVED_GB, 1)))


def _too_much(scale: Scale, fault: str, remedy: str) -> InvalidConfiguration:
    return InvalidConfiguration("scale", f"{fault} {scale.cpu:g} CPUs and {scale.memory_gb:g} GB", remedy)
