"""What the resources of Compute Engine have in common: their ids, addresses, names and refusals.

"Naming resources" and "Handling API errors", Compute Engine documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rules import Calls, Name, Reference, Rules
from .services import COMPUTE

LINK = "https://www.googleapis.com/compute/v1/{id}"
NAME = Name(
    63,
    "lowercase letters, digits and hyphens, begins with a letter and does not end with a hyphen",
    r"[a-z]([a-z0-9-]*[a-z0-9])?",
    "Naming resources, Compute Engine documentation",
    automatic=63,
    lower=True,
)
NOT_FOUND = "The resource '{value}' was not found, notFound"
SCOPES = {
    "global": "projects/{project}/global",
    "regional": "projects/{project}/regions/{region}",
    "zonal": "projects/{project}/zones/{zone}",
}


def token(kind: str) -> str:
    """Pulumi's token of a type of Compute Engine."""
    return f"gcp:compute/{kind[0].lower()}{kind[1:]}:{kind}"


def held(kind: str) -> str:
    """What Compute Engine says when something else still needs what is to be deleted."""
    return f"The {kind} resource '{{id}}' is already being used, resourceInUseByAnotherResource"


def to(path: str, kind: str, holds: str = "") -> Reference:
    """A property that names another resource, by id, address or name; `holds` is what its cloud calls the other."""
    return Reference(path, token(kind), NOT_FOUND, ("id", "selfLink", "name"), held(holds) if holds else "", status=404)


def rules(
    collection: str,
    scope: str,
    *,
    update: str = "patch",
    outputs: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    replace: frozenset[str] = frozenset(),
    exists: str = "The resource '{id}' already exists, alreadyExists",
    **more: Any,
) -> Rules:
    """The rules of a type whose objects are in `collection`: globally, in a region, or in a zone."""
    place = {"global": (), "regional": ("region",), "zonal": ("zone",)}[scope]
    return Rules(
        Calls(COMPUTE, f"{collection}.insert", f"{collection}.get", f"{collection}.{update}", f"{collection}.delete"),
        identity=f"{SCOPES[scope]}/{collection}/{{name}}",
        outputs={"selfLink": LINK, "creationTimestamp": "{now}", **(outputs or {})},
        defaults={
            "project": "{project}",
            **{name: f"{{{name}}}" for name in place},
            "deletionPolicy": "DELETE",
            **(defaults or {}),
        },
        name=NAME,
        replace=frozenset({"name", "project", *place}) | replace,
        exists=exists,
        regional=False,
        **more,
    )
