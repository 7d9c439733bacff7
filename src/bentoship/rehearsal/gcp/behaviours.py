"""What Google Cloud does beyond remembering: bytes of objects, and what App Engine refuses by what it has already."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...errors import InvalidConfiguration
from ..cloud import Behaviour, Properties
from ..hosts.control import both, hosted
from ..refusal import refused
from ..world import Resource, World
from .appengine import FLEXIBLE, SPLIT, STANDARD
from .resource import token
from .services import APP_ENGINE
from .storage import BUCKET, OBJECT


def stored(world: World, bucket: str, name: str) -> Path:
    """Where the bytes of an object lie in the rehearsal's object store."""
    return world.store / quote(bucket, safe="") / quote(name, safe="")


def put_object(world: World, resource: Resource) -> Properties:
    """Keep the bytes; their checksums, and a generation."""
    data = _bytes(resource.properties)
    path = stored(world, resource.properties["bucket"], resource.properties["name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    digest = hashlib.md5(data, usedforsecurity=False)
    return {
        "md5hash": base64.b64encode(digest.digest()).decode(),
        "md5hexhash": digest.hexdigest(),
        "generation": path.stat().st_mtime_ns // 1000,
    }


def delete_object(world: World, resource: Resource) -> None:
    """Forget the bytes."""
    stored(world, resource.properties["bucket"], resource.properties["name"]).unlink(missing_ok=True)


def delete_bucket(world: World, resource: Resource) -> None:
    """Forget what is still in a bucket that may be deleted with what is in it."""
    for item in world.every(OBJECT):
        if item.properties.get("bucket") == resource.id:
            world.remove(item.type, item.key, item.region)
    shutil.rmtree(world.store / quote(resource.id, safe=""), ignore_errors=True)


def split(world: World, resource: Resource) -> Properties:
    """Refuse to send traffic to a version that isn't there (Admin API, apps.services.patch)."""
    there = versions(world, resource.properties)
    for name in resource.properties["split"]["allocations"]:
        if name not in there:
            sentence = f"Version '{name}' does not exist., notFound"
            raise refused(APP_ENGINE, "apps.services.patch", sentence, f"split.allocations.{name}", 404)
    return {}


def refuse_with_traffic(world: World, resource: Resource) -> None:
    """Refuse to delete a version that has traffic (Admin API, apps.services.versions.delete)."""
    service = world.get(SPLIT, "apps/{project}/services/{service}".format_map(dict(resource.properties)), "")
    shares = service.properties["split"]["allocations"] if service else {}
    if float(shares.get(resource.properties["versionId"], 0)) > 0:
        sentence = f"Cannot delete version '{resource.properties['versionId']}': it has traffic., failedPrecondition"
        raise refused(APP_ENGINE, "apps.services.versions.delete", sentence)


def versions(world: World, of: Properties) -> dict[str, Resource]:
    """The versions of the service that `of` names, by their ids."""
    return {
        str(item.properties["versionId"]): item
        for kind in (STANDARD, FLEXIBLE)
        for item in world.every(kind)
        if all(item.properties.get(name) == of.get(name) for name in ("project", "service"))
    }


_RUN = ("Address", "BackendService", "ForwardingRule", "GlobalAddress", "GlobalForwardingRule", "Instance")
_VERSION = both(Behaviour(deleted=refuse_with_traffic), hosted("gcp"))
BEHAVIOURS: Mapping[str, Behaviour] = {
    **{token(kind): hosted("gcp") for kind in (*_RUN, "RegionInstanceGroupManager")},
    OBJECT: Behaviour(created=put_object, updated=lambda world, _, new: put_object(world, new), deleted=delete_object),
    BUCKET: Behaviour(deleted=delete_bucket),
    SPLIT: both(Behaviour(created=split, updated=lambda world, _, new: split(world, new)), hosted("gcp")),
    STANDARD: _VERSION,
    FLEXIBLE: _VERSION,
}
"""What `hosted` does is in hosting.py, in the process that runs the machines."""


def _bytes(properties: Properties) -> bytes:
    source: Any = properties.get("source")
    if not isinstance(source, dict):
        return str(properties.get("content") or "").encode()
    if not source.get("path"):
        return str(source.get("text", "")).encode()
    try:
        return Path(source["path"]).read_bytes()
    except OSError as error:
        raise InvalidConfiguration("source", f"{source['path']} can't be read ({error.strerror})") from error
