"""Which image of an operating system has which Python as its own. A machine installs nothing."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import InvalidConfiguration


class Image(NamedTuple):
    """An image as its publisher names it in AWS's own parameter store."""

    system: str
    parameter: str
    """Public parameter of Systems Manager with the id of the newest image."""
    root_device: str
    """What the image calls its root disk."""


IMAGES = {
    "3.11": Image("Debian 12", "/aws/service/debian/release/12/latest/amd64", "/dev/xvda"),
    "3.12": Image(
        "Ubuntu 24.04",
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        "/dev/sda1",
    ),
    "3.13": Image("Debian 13", "/aws/service/debian/release/13/latest/amd64", "/dev/xvda"),
}
"""By Python minor (wiki.debian.org/Cloud/AmazonEC2Image; documentation.ubuntu.com/aws, "Find Ubuntu images on AWS")."""


def image_for(python: str) -> Image:
    """The image whose own Python is `python`, a minor; InvalidConfiguration when there is none."""
    if python not in IMAGES:
        remedy = f"seal the release with one of {', '.join(IMAGES)}"
        raise InvalidConfiguration("python", f"no image that we know has Python {python} as its own", remedy)
    return IMAGES[python]
