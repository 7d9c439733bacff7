"""Which size of an App Service plan has how much, as data; the choice is a pure function."""

from __future__ import annotations

from typing import NamedTuple

from ...deployment import Scale
from ...errors import InvalidConfiguration

MOST_INSTANCES = {"Standard": 10, "Premium": 30}
"""Instances of a plan at most ("App Service limits", Azure subscription and service limits)."""


class Plan(NamedTuple):
    """What one instance has (azure.microsoft.com/pricing/details/app-service/linux)."""

    name: str
    cpu: int
    memory_gb: int


PLANS = (
    Plan("P0v3", 1, 4),
    Plan("P1v3", 2, 8),
    Plan("P1mv3", 2, 16),
    Plan("P2v3", 4, 16),
    Plan("P2mv3", 4, 32),
    Plan("P3v3", 8, 32),
    Plan("P3mv3", 8, 64),
    Plan("P4mv3", 16, 128),
    Plan("P5mv3", 32, 256),
)
"""Premium v3, cheapest first. Basic has no slots, and Standard costs more than P0v3 and has less."""


def cheapest(scale: Scale) -> str:
    """The cheapest size with the CPU of one replica and the memory of two, since the slot runs on the same instances.

    InvalidConfiguration when none has them.
    """
    for plan in PLANS:
        if plan.cpu >= scale.cpu and plan.memory_gb >= 2 * scale.memory_gb:
            return plan.name
    raise InvalidConfiguration(
        "scale",
        f"no size of an App Service plan has {scale.cpu:g} CPUs and twice {scale.memory_gb:g} GB",
        "ask for less, or use azure/virtual_machine",
    )


def tier(name: str) -> str:
    """The tier of a size, as the API calls it: Standard, Premium0V3, PremiumV3, PremiumMV3 and so on."""
    if name.startswith("S"):
        return "Standard"
    number, _, version = name[1:].partition("v")
    zero = "0" if number.startswith("0") else ""
    return f"Premium{zero}{'M' if number.endswith('m') else ''}V{version}"


def fitting(name: str, scale: Scale) -> str:
    """The size itself; InvalidConfiguration when its tier has fewer instances than the scale may need."""
    kind = "Standard" if name.startswith("S") else "Premium"
    if scale.max_replicas > MOST_INSTANCES[kind]:
        fault = f"{scale.max_replicas} replicas are more than the {MOST_INSTANCES[kind]} instances of a {kind} plan"
        raise InvalidConfiguration("scale.max_replicas", fault, "ask for fewer, larger replicas")
    return name
