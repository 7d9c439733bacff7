"""Which size of a virtual machine has how much, and which image has which Python: as data."""

from __future__ import annotations

from typing import NamedTuple

from ...deployment import Scale
from ...errors import InvalidConfiguration
from .. import _sizes
from .._sizes import Size

BURSTABLE = (
    Size("Standard_B1ms", 1, 2),
    Size("Standard_B2s", 2, 4),
    Size("Standard_B2ms", 2, 8),
)
"""For at most one CPU's worth of work: in the long run they give a share of what they have. Cheapest first."""
STEADY = (
    Size("Standard_F2s_v2", 2, 4),
    Size("Standard_D2as_v5", 2, 8),
    Size("Standard_E2as_v5", 2, 16),
    Size("Standard_F4s_v2", 4, 8),
    Size("Standard_D4as_v5", 4, 16),
    Size("Standard_E4as_v5", 4, 32),
    Size("Standard_F8s_v2", 8, 16),
    Size("Standard_D8as_v5", 8, 32),
    Size("Standard_E8as_v5", 8, 64),
    Size("Standard_F16s_v2", 16, 32),
    Size("Standard_D16as_v5", 16, 64),
    Size("Standard_E16as_v5", 16, 128),
    Size("Standard_F32s_v2", 32, 64),
    Size("Standard_D32as_v5", 32, 128),
    Size("Standard_E32as_v5", 32, 256),
    Size("Standard_F64s_v2", 64, 128),
    Size("Standard_D64as_v5", 64, 256),
    Size("Standard_E64as_v5", 64, 512),
)
"""All of their CPUs, all of the time. Cheapest first: the price grows with the CPUs, then F, D, E.

What each has: "Sizes for virtual machines in Azure". All of them start with secure boot and a virtual TPM ("Trusted
launch for Azure virtual machines").
"""


def cheapest(scale: Scale) -> str:
    """The cheapest size with the CPU and memory of one replica; InvalidConfiguration when none has them."""
    return _sizes.cheapest(scale, BURSTABLE, STEADY, "size", "size")


class Image(NamedTuple):
    """An image of the second generation, which secure boot needs, as its publisher names it."""

    publisher: str
    offer: str
    sku: str


IMAGES = {
    "3.11": Image("Debian", "debian-12", "12-gen2"),
    "3.12": Image("Canonical", "ubuntu-24_04-lts", "server"),
    "3.13": Image("Debian", "debian-13", "13-gen2"),
}
"""By the Python minor of the system (wiki.debian.org/Cloud/MicrosoftAzure; documentation.ubuntu.com/azure)."""


def image_for(python: str) -> Image:
    """The image whose own Python is `python`, a minor; InvalidConfiguration when there is none."""
    if python not in IMAGES:
        remedy = f"seal the release with one of {', '.join(IMAGES)}"
        raise InvalidConfiguration("python", f"no image that we know has Python {python} as its own", remedy)
    return IMAGES[python]
