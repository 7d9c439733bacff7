"""What AWS does beyond remembering: bytes of objects, versions of launch templates, the network of a balancer."""

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
from ..world import Resource, World
from .balancing import BALANCER
from .compute import TEMPLATE
from .network import SUBNET
from .storage import BUCKET, OBJECT


def stored(world: World, bucket: str, key: str) -> Path:
    """Where the bytes of an object lie in the rehearsal's object store."""
    return world.store / quote(bucket, safe="") / quote(key, safe="")


def put_object(world: World, resource: Resource) -> Properties:
    """Keep the bytes; their checksums."""
    data = _bytes(resource.properties)
    path = stored(world, resource.properties["bucket"], resource.properties["key"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    wants_checksum = resource.properties.get("checksumAlgorithm") == "SHA256"
    return {
        "etag": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "checksumSha256": checksum if wants_checksum else "",
    }


def delete_object(world: World, resource: Resource) -> None:
    """Forget the bytes."""
    stored(world, resource.properties["bucket"], resource.properties["key"]).unlink(missing_ok=True)


def delete_bucket(world: World, resource: Resource) -> None:
    """Forget what is still in a bucket that may be deleted with what is in it."""
    for item in world.every(OBJECT):
        if item.properties.get("bucket") == resource.id:
            world.remove(item.type, item.key, item.region)
    shutil.rmtree(world.store / quote(resource.id, safe=""), ignore_errors=True)


def new_version(_: World, old: Resource, new: Resource) -> Properties:
    """An update of a launch template is a new version of it (EC2 API reference, CreateLaunchTemplateVersion)."""
    latest = int(old.properties["latestVersion"]) + 1
    default = latest if new.properties.get("updateDefaultVersion") else old.properties["defaultVersion"]
    return {"latestVersion": latest, "defaultVersion": default}


def network_of_balancer(world: World, resource: Resource) -> Properties:
    """The VPC of its subnets."""
    subnets = resource.properties.get("subnets") or []
    found = [world.get(SUBNET, name, resource.region) for name in subnets]
    return {"vpcId": next((str(item.properties["vpcId"]) for item in found if item), "")}


_RUN = (
    *("ec2/instance:Instance", "ec2/eip:Eip", "ec2/eipAssociation:EipAssociation", "lb/targetGroup:TargetGroup"),
    *("lb/listener:Listener", "autoscaling/group:Group", "elasticbeanstalk/environment:Environment"),
)
BEHAVIOURS: Mapping[str, Behaviour] = {
    **{f"aws:{kind}": hosted("aws") for kind in _RUN},
    OBJECT: Behaviour(created=put_object, updated=lambda world, _, new: put_object(world, new), deleted=delete_object),
    BUCKET: Behaviour(deleted=delete_bucket),
    TEMPLATE: Behaviour(updated=new_version),
    BALANCER: both(Behaviour(created=network_of_balancer), hosted("aws")),
}
"""What `hosted` does is in hosting.py, in the process that runs the machines."""


def _bytes(properties: Properties) -> bytes:
    source: Any = properties.get("source")
    if isinstance(source, dict):
        if source.get("path"):
            return _read(Path(source["path"]))
        return str(source.get("text", "")).encode()
    if properties.get("contentBase64"):
        return base64.b64decode(str(properties["contentBase64"]))
    return str(properties.get("content") or "").encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidConfiguration("source", f"{path} can't be read ({error.strerror})") from error
