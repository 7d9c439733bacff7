"""Machines of Compute Engine that run: their startup script, with the identity of their service account."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .. import faults
from ..hosts.machine import Machine
from ..hosts.plane import Plane
from ..metadata import ComputeEngineMachine
from ..world import World
from .behaviours import stored
from .network import FIREWALL

MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
READERS = ("roles/storage.objectViewer", "roles/storage.objectAdmin", "roles/storage.admin")
_SCRIPTS = ("user-data", "startup-script")
_CALL = ("objects.get", "storage:objects.get")
Properties = Mapping[str, Any]


class Machines:
    """Every machine of the rehearsed project, and who may read what."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._accounts: dict[str, str] = {}
        """Address of the service account by access token."""

    @property
    def world(self) -> World:
        """What exists."""
        return self._plane.world("gcp")

    def begin(self, name: str, told: Properties) -> Machine:
        """Start a machine that an instance or a template describes; it runs its script by itself."""
        account = str((told.get("serviceAccount") or {}).get("email") or "")
        token = f"token-of-{hashlib.sha256(name.encode()).hexdigest()[:16]}" if account else None
        if token:
            self._accounts[token] = account
        metadata = {key: str(value) for key, value in (told.get("metadata") or {}).items()}
        zone = str(told.get("zone") or f"{told.get('region') or 'europe-west3'}-a")
        tells = ComputeEngineMachine(str(told.get("project")), zone, name, token, metadata)
        machine = self._plane.machine("gcp", name, tells)
        script = next((metadata[key] for key in _SCRIPTS if key in metadata), "")
        if script:
            self._plane.start(self._boot(machine, script))
        return machine

    async def end(self, name: str) -> None:
        """End a machine for good."""
        await self._plane.stop(name)

    def open_ports(self, told: Properties) -> list[int]:
        """The ports that firewall rules open to whoever asks, on machines of this service account."""
        account = (told.get("serviceAccount") or {}).get("email")
        rules = [rule.properties for rule in self.world.every(FIREWALL)]
        return sorted(
            {
                int(port)
                for rule in rules
                if "0.0.0.0/0" in (rule.get("sourceRanges") or ())
                and account in (rule.get("targetServiceAccounts") or ())
                for allowed in rule.get("allows") or ()
                for port in allowed.get("ports") or ()
            }
        )

    async def get_object(self, request: web.Request) -> web.StreamResponse:
        """An object of Cloud Storage, for a machine whose account may read it (JSON API, objects.get)."""
        bucket, name = request.match_info["bucket"], request.match_info["name"]
        if fault := faults.take(self.world, _CALL, "before"):
            if fault.kind != "slow":
                return refusal(503 if fault.kind == "throttling" else 403, f"a fault: {fault.kind}")
            await self._plane.sleep(fault.seconds)
        account = self._accounts.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if account is None:
            return refusal(401, "Anonymous caller does not have storage.objects.get access.")
        if not self._may_read(account, bucket):
            return refusal(
                403, f"{account} does not have storage.objects.get access to the Google Cloud Storage object."
            )
        path = stored(self.world, bucket, name)
        return web.FileResponse(path) if path.is_file() else refusal(404, f"No such object: {bucket}/{name}")

    def _may_read(self, account: str, bucket: str) -> bool:
        return any(
            grant.properties.get("bucket") == bucket
            and grant.properties.get("role") in READERS
            and grant.properties.get("member") == f"serviceAccount:{account}"
            for grant in self.world.every(MEMBER)
        )

    async def _boot(self, machine: Machine, script: str) -> None:
        around = {"BENTOSHIP_OBJECT_STORE": self._plane.url, "BENTOSHIP_HOST": "127.0.0.1"}
        await self._plane.boot(machine, script, around, "startup script")


def refusal(status: int, message: str) -> web.Response:
    """A refusal in the form of Google's APIs ("Errors", API design guide)."""
    return web.json_response({"error": {"code": status, "message": message}}, status=status)
