"""Machines and containers that run with an identity, and Blob Storage as they ask it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .. import faults
from ..hosts.machine import Machine
from ..hosts.plane import Plane
from ..metadata import AzureMachine
from ..metadata import Machine as Metadata
from ..world import Resource
from .behaviours import stored
from .identity import ASSIGNMENT, USER_ASSIGNED
from .storage import BLOB

CLOUD = "azure-native"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
Properties = Mapping[str, Any]


class Machines:
    """What runs in the rehearsed subscription, and who may read what with which token."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.world = plane.world(CLOUD)
        self._secret = secrets.token_bytes(32)

    def bare(self, name: str, tells: Metadata) -> Machine:
        """A machine that does nothing yet."""
        return self.plane.machine(CLOUD, name, tells)

    def begin(self, name: str, identity: Properties, script: str) -> Machine:
        """A machine with these identities; it runs its custom data by itself."""
        machine = self.bare(name, AzureMachine(self.tokens(identity), name))
        self.plane.start(self._boot(machine, base64.b64decode(script).decode()))
        return machine

    @property
    def around(self) -> dict[str, str]:
        """What every boot script is told here: where Blob Storage is, and not to be seen from other machines."""
        return {"BENTOSHIP_OBJECT_STORE": f"{self.plane.url}/blobs", "BENTOSHIP_HOST": "127.0.0.1"}

    def tokens(self, identity: Properties) -> dict[str, str]:
        """The access token of each of a resource's identities, by client id."""
        names = set(identity.get("userAssignedIdentities") or ())
        found = [each for each in self.world.every(USER_ASSIGNED) if each.id in names]
        return {str(each.properties["clientId"]): self._token(each) for each in found}

    async def blob(self, request: web.Request) -> web.StreamResponse:
        """A blob, for whoever may read it ("Get Blob", Blob Storage REST reference)."""
        if (fault := faults.take(self.world, ("GetBlob", "Microsoft.Storage:GetBlob"), "before")) is not None:
            if fault.kind != "slow":
                return _refusal(503 if fault.kind == "throttling" else 403, f"a fault: {fault.kind}")
            await self.plane.sleep(fault.seconds)
        if request.headers.get("x-ms-version", "") < "2017-11-09":
            return _refusal(403, "AuthenticationFailed: tokens are taken since version 2017-11-09")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        who = next((each for each in self.world.every(USER_ASSIGNED) if self._token(each) == token), None)
        if who is None:
            return _refusal(401, "InvalidAuthenticationInfo: nobody has this token")
        container, name = request.match_info["container"], request.match_info["blob"]
        for each in self.world.every(BLOB):
            if (each.properties["containerName"], each.properties["blobName"]) == (container, name):
                if self._may_read(who, each):
                    return web.FileResponse(stored(self.world, each.properties["accountName"], container, name))
                return _refusal(403, "AuthorizationPermissionMismatch: this identity may not read here")
        return _refusal(404, "BlobNotFound: The specified blob does not exist.")

    async def _boot(self, machine: Machine, script: str) -> None:
        await self.plane.boot(machine, script, self.around, "custom data")

    def _token(self, identity: Resource) -> str:
        return hmac.new(self._secret, identity.id.encode(), hashlib.sha256).hexdigest()

    def _may_read(self, identity: Resource, blob: Resource) -> bool:
        given = [each.properties for each in self.world.every(ASSIGNMENT)]
        return any(
            each["principalId"] == identity.properties["principalId"]
            and each["roleDefinitionId"].endswith(BLOB_READER)
            and blob.id.startswith(f"{each['scope']}/")
            for each in given
        )


def _refusal(status: int, sentence: str) -> web.Response:
    code, _, message = sentence.partition(": ")
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=body, content_type="application/xml")
