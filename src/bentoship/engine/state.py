"""What a stack's state says that the stack is made of.

The format is pulumi/pulumi sdk/go/common/apitype/core.go, DeploymentV3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Resource:
    """One resource of a stack."""

    name: str
    """Its logical name."""
    type: str
    """Pulumi's token, such as aws:ec2/vpc:Vpc."""
    is_custom: bool
    """Whether a provider made it; components and the stack itself only hold others."""

    @property
    def exists(self) -> bool:
        """Whether it is something that exists beyond the state."""
        return self.is_custom and not self.type.startswith("pulumi:")

    @property
    def kind(self) -> str:
        """Its type as the SDK for Python calls it: ec2.Vpc."""
        return short_type(self.type)


@dataclass(frozen=True)
class State:
    """A stack's state."""

    resources: tuple[Resource, ...]
    written: datetime
    """When the engine wrote it last."""


def short_type(token: str) -> str:
    """`aws:s3/bucket:Bucket` as the SDK for Python calls it: `s3.Bucket`."""
    _, module, name = token.split(":")
    return f"{module.partition('/')[0]}.{name}"


def read_state(text: str) -> State:
    """The state that `pulumi stack export` has printed."""
    deployment = json.loads(text)["deployment"]
    return State(
        tuple(
            Resource(raw["urn"].rpartition("::")[2], raw["type"], bool(raw.get("custom")))
            for raw in deployment.get("resources") or ()
        ),
        datetime.fromisoformat(deployment["manifest"]["time"]),
    )
