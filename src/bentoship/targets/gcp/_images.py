"""Which image of an operating system has which Python as its own. A machine installs nothing."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import InvalidConfiguration


class Image(NamedTuple):
    """A family of images, of which Google names the newest."""

    system: str
    project: str
    family: str
    script_key: str
    """Key of the metadata that holds the script which a machine runs when it starts."""


IMAGES = {
    "3.11": Image("Debian 12", "debian-cloud", "debian-12", "startup-script"),
    # Ubuntu's images have cloud-init, which runs a script once; Google's Debian images run theirs at every start.
    "3.12": Image("Ubuntu 24.04", "ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "user-data"),
    "3.13": Image("Debian 13", "debian-cloud", "debian-13", "startup-script"),
}
"""By Python minor ("Operating system details", Compute Engine documentation; wiki.debian.org/Python)."""


def image_for(python: str) -> Image:
    """The image whose own Python is `python`, a minor; InvalidConfiguration when there is none."""
    if python not in IMAGES:
        remedy = f"seal the release with one of {', '.join(IMAGES)}"
        raise InvalidConfiguration("python", f"no image that we know has Python {python} as its own", remedy)
    return IMAGES[python]
