"""What Google Cloud answers when a program looks something up.

Images and zones are those listed here; zones of the DNS are taken to exist (docs/rehearsal.md).
"""

from __future__ import annotations

from ..cloud import Properties
from ..refusal import refused
from ..world import World
from . import account
from .services import COMPUTE

IMAGES = {
    ("debian-cloud", "debian-12"): "debian-12-bookworm-v20261110",
    ("debian-cloud", "debian-13"): "debian-13-trixie-v20261110",
    ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64"): "ubuntu-2404-noble-amd64-v20261112",
}
"""The newest by project and family ("Operating system details", Compute Engine documentation)."""


def image(_: World, __: str, arguments: Properties) -> Properties:
    """gcp.compute.get_image."""
    project, family = str(arguments.get("project") or ""), str(arguments.get("family") or "")
    name = str(arguments.get("name") or IMAGES.get((project, family), ""))
    if not name or (not family and name not in IMAGES.values()):
        sentence = f"The resource 'projects/{project}/global/images/family/{family}' was not found, notFound"
        raise refused(COMPUTE, "images.getFromFamily", sentence, "family", 404)
    found = f"projects/{project}/global/images/{name}"
    return {
        "id": found,
        "name": name,
        "family": family,
        "selfLink": f"https://www.googleapis.com/compute/v1/{found}",
        "imageId": account.number(found),
        "diskSizeGb": 10,
        "status": "READY",
    }


def zones(_: World, region: str, arguments: Properties) -> Properties:
    """gcp.compute.get_zones."""
    wanted = str(arguments.get("region") or region)
    if wanted not in account.REGIONS:
        raise refused(
            COMPUTE, "zones.list", f"Invalid value for field 'region': '{wanted}'. Unknown region., invalid", "region"
        )
    return {"id": f"projects/{arguments.get('project')}", "names": account.zones(wanted), "region": wanted}


def managed_zone(_: World, __: str, arguments: Properties) -> Properties:
    """gcp.dns.get_managed_zone."""
    name = str(arguments.get("name"))
    found = f"projects/{arguments.get('project')}/managedZones/{name}"
    return {"id": found, "name": name, "dnsName": f"{name.replace('-', '.')}.", "visibility": "public"}


LOOKUPS = {
    "gcp:compute/getImage:getImage": image,
    "gcp:compute/getZones:getZones": zones,
    "gcp:dns/getManagedZone:getManagedZone": managed_zone,
}
