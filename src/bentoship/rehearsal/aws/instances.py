"""Instances of EC2 that run: the user data on a machine of its own, with the role of its profile."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..hosts.machine import Machine
from ..hosts.plane import Plane
from ..metadata import Credentials, Ec2Machine
from ..world import Resource
from .compute import PROFILE
from .identity import ROLE
from .network import INSTANCE

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
Properties = Mapping[str, Any]


class Instances:
    """Every machine of the rehearsed account, and who may read what with which keys."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._secret = secrets.token_bytes(32)
        self.world = plane.world("aws")

    def begin(self, resource: Resource) -> Machine:
        """Start the machine of an instance; it runs its user data by itself."""
        machine = self.bare(resource)
        more = {"BENTOSHIP_OBJECT_STORE": f"{self._plane.url}/s3", "BENTOSHIP_HOST": "127.0.0.1"}
        if script := user_data(resource.properties):
            self._plane.start(self._plane.boot(machine, script, more, "user data"))
        return machine

    def bare(self, resource: Resource) -> Machine:
        """The machine of an instance, which does nothing yet."""
        role = self._role_of(str(resource.properties.get("iamInstanceProfile") or ""))
        tells = Ec2Machine(
            resource.id,
            resource.region,
            str(resource.properties.get("availabilityZone") or f"{resource.region}a"),
            role,
            self.credentials(resource.id) if role else None,
            user_data(resource.properties),
        )
        return self._plane.machine("aws", resource.id, tells)

    async def end(self, identity: str, region: str) -> None:
        """Terminate an instance, whether it is one of the stack or of a group."""
        await self._plane.stop(identity)
        self.world.remove(INSTANCE, identity, region)

    def credentials(self, instance: str) -> Credentials:
        """The temporary credentials that the metadata service of `instance` hands out."""
        key = f"ASIA{hashlib.sha256(instance.encode()).hexdigest()[:16].upper()}"
        secret = hmac.new(self._secret, instance.encode(), hashlib.sha256).hexdigest()
        return Credentials(key, secret, f"token-of-{instance}")

    def whose(self, access_key: str) -> tuple[Resource, Credentials] | None:
        """The instance that these keys were handed to."""
        for resource in self.world.every(INSTANCE):
            if (found := self.credentials(resource.id)).access_key_id == access_key:
                return resource, found
        return None

    def may(self, resource: Resource, action: str, arn: str) -> bool:
        """Whether the role of an instance allows `action` on what is called `arn`; conditions are not evaluated."""
        role = self._role_of(str(resource.properties.get("iamInstanceProfile") or ""))
        return any(
            statement.get("Effect") == "Allow"
            and any(fnmatchcase(action, allowed) for allowed in _listed(statement.get("Action")))
            and any(fnmatchcase(arn, named) for named in _listed(statement.get("Resource")))
            for statement in self._statements(role)
        )

    def open_ports(self, properties: Properties) -> list[int]:
        """The TCP ports that the security groups of an instance open to whoever asks."""
        groups = set(properties.get("vpcSecurityGroupIds") or ())
        rules = [rule.properties for rule in self.world.every(INGRESS)]
        return sorted(
            {
                int(rule["fromPort"])
                for rule in rules
                if rule.get("securityGroupId") in groups and rule.get("fromPort") and rule.get("cidrIpv4")
            }
        )

    def _role_of(self, profile: str) -> str | None:
        for resource in self.world.every(PROFILE):
            if profile and profile in (resource.id, resource.properties.get("arn"), resource.properties.get("name")):
                role = str(resource.properties.get("role") or "")
                return role if any(role == each.id for each in self.world.every(ROLE)) else None
        return None

    def _statements(self, role: str | None) -> Iterator[Mapping[str, Any]]:
        for resource in self.world.every(ROLE_POLICY):
            if role and resource.properties.get("role") == role:
                yield from json.loads(resource.properties["policy"])["Statement"]


def user_data(properties: Properties) -> str:
    """The user data of an instance, decoded."""
    if encoded := properties.get("userDataBase64"):
        return base64.b64decode(str(encoded)).decode()
    return str(properties.get("userData") or "")


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
