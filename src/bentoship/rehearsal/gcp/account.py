"""The project that a rehearsal has: its regions, and what is in it before any stack.

Names of regions and zones: "Regions and zones", Compute Engine documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from ..world import Resource, World
from .storage import BUCKET

NUMBER = "123456789012"
"""The number of whatever project a program names: a rehearsal looks none up."""
REGIONS = (
    *("europe-west3", "africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2"),
    *("asia-northeast3", "asia-south1", "asia-south2", "asia-southeast1", "asia-southeast2", "australia-southeast1"),
    *("australia-southeast2", "europe-central2", "europe-north1", "europe-southwest1", "europe-west1", "europe-west2"),
    *("europe-west4", "europe-west6", "europe-west8", "europe-west9", "europe-west10", "europe-west12", "me-central1"),
    *("me-central2", "me-west1", "northamerica-northeast1", "northamerica-northeast2", "southamerica-east1"),
    *("southamerica-west1", "us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2"),
    *("us-west3", "us-west4"),
)
_OTHER_ZONES = {"us-central1": "abcf", "us-east1": "bcd", "europe-west1": "bcd"}


def zones(region: str) -> list[str]:
    """The zones of `region`."""
    return [f"{region}-{letter}" for letter in _OTHER_ZONES.get(region, "abc")]


def number(*parts: str) -> str:
    """A number in Google's length that is the same every time."""
    return str(int(sha256("/".join(parts).encode()).hexdigest()[:15], 16))


def staging(project: str) -> str:
    """The bucket through which App Engine deploys ("Using the default Cloud Storage buckets", App Engine)."""
    return f"staging.{project}.appspot.com"


def prepare(_: World, region: str) -> Mapping[str, str]:
    """What templates may say about a region."""
    return {"region": region, "zone": zones(region)[0] if region else "", "number": NUMBER}


def open_project(world: World, project: str) -> None:
    """Make what App Engine makes with an application, unless it is there."""
    name = staging(project)
    with world.locked():
        if world.get(BUCKET, name, "") is None:
            properties = {"id": name, "name": name, "location": "EU", "forceDestroy": True}
            world.put(Resource(BUCKET, name, name, "", properties, given=True))
