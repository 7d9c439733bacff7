"""What Azure does beyond remembering: bytes of blobs, what goes with an account or a site, what can't be changed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ...errors import InvalidConfiguration
from ..cloud import Behaviour, Properties
from ..hosts.control import both, hosted
from ..refusal import refused
from ..rules import changes
from ..world import Resource, World
from .compute import MACHINE, SCALE_SET
from .naming import GROUP
from .network import ADDRESS, BALANCER
from .services import COMPUTE
from .storage import ACCOUNT, BLOB
from .web import SITE, SLOT


def stored(world: World, account: str, container: str, blob: str) -> Path:
    """Where the bytes of a blob lie in the rehearsal's object store."""
    return world.store / quote(account, safe="") / quote(f"{container}/{blob}", safe="")


def put_blob(world: World, resource: Resource) -> Properties:
    """Keep the bytes."""
    path = _place(world, resource)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_bytes(resource.properties))
    return {}


def delete_blob(world: World, resource: Resource) -> None:
    """Forget the bytes."""
    _place(world, resource).unlink(missing_ok=True)


def delete_account(world: World, resource: Resource) -> None:
    """An account goes with all that is in it."""
    _delete_below(world, resource)
    shutil.rmtree(world.store / quote(str(resource.properties["name"]), safe=""), ignore_errors=True)


def delete_with_all(world: World, resource: Resource) -> None:
    """A site goes with its slots and its settings, a group with every resource that is in it."""
    _delete_below(world, resource)


def refuse_another_script(_: World, old: Resource, new: Resource) -> Properties:
    """A machine keeps what it was told at its first start (azure-rest-api-specs, OSProfile.customData)."""
    if changes(old.properties, new.properties, "osProfile.customData"):
        sentence = "PropertyChangeNotAllowed: Changing property 'osProfile.customData' is not allowed."
        raise refused(COMPUTE, "VirtualMachines_CreateOrUpdate", sentence, "osProfile.customData", 409)
    return {}


def answered(_: str, properties: Properties) -> Properties:
    """Azure takes identities as a list, and answers with a table of them."""
    identity = properties.get("identity")
    if not isinstance(identity, dict) or not isinstance(given := identity.get("userAssignedIdentities"), list):
        return properties
    return {**properties, "identity": {**identity, "userAssignedIdentities": {str(each): {} for each in given}}}


_RUN = (ADDRESS, BALANCER, SCALE_SET, SLOT)
BEHAVIOURS: Mapping[str, Behaviour] = {
    **{kind: hosted("azure-native") for kind in _RUN},
    BLOB: Behaviour(created=put_blob, updated=lambda world, _, new: put_blob(world, new), deleted=delete_blob),
    ACCOUNT: Behaviour(deleted=delete_account),
    SITE: both(Behaviour(deleted=delete_with_all), hosted("azure-native")),
    GROUP: Behaviour(deleted=delete_with_all),
    MACHINE: both(Behaviour(updated=refuse_another_script), hosted("azure-native")),
}
"""What `hosted` does is in hosting.py, in the process that runs the machines."""


def _delete_below(world: World, resource: Resource) -> None:
    for item in world.every():
        if item.id.startswith(f"{resource.id}/"):
            world.remove(item.type, item.key, item.region)


def _place(world: World, resource: Resource) -> Path:
    told = resource.properties
    return stored(world, told["accountName"], told["containerName"], told["blobName"])


def _bytes(properties: Properties) -> bytes:
    source = properties.get("source")
    if not isinstance(source, dict):
        return b""
    if not source.get("path"):
        return str(source.get("text", "")).encode()
    try:
        return Path(source["path"]).read_bytes()
    except OSError as error:
        raise InvalidConfiguration("source", f"{source['path']} can't be read ({error.strerror})") from error
