"""What most types of Azure have in common: an id that says where a resource is, a name, a place that it can't leave.

"Naming rules and restrictions for Azure resources" has lengths and letters. How names are made up, and that a change
of the path makes a new resource: pulumi-azure-native, provider/pkg/resources and provider/pkg/provider.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..rules import Calls, Name, Reference, Rules, Service
from . import checks

GROUP = "azure-native:resources:ResourceGroup"
RULES_PAGE = "Naming rules and restrictions for Azure resources"
NO_GROUP = "ResourceGroupNotFound: Resource group '{value}' could not be found."
IN_GROUP = Reference("resourceGroupName", GROUP, NO_GROUP, ("name",), status=404)
LETTERS = ("letters, digits and _.-, and begins and ends with a letter or a digit", r"[A-Za-z0-9]([\w.-]*\w)?")
HYPHENS = (
    "letters, digits and hyphens, and begins and ends with a letter or a digit",
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
)
RESERVED = "^login|microsoft|windows"
"""No name of what has a public endpoint has these words in it ("Resolve errors for reserved resource names")."""
EXISTS = "cannot create already existing resource '{id}'"
"""The provider looks before it creates, since Azure's own call would overwrite (pulumi-azure-native, Create)."""
_AUTOMATIC, _DIGITS = 10_000, 8


def named(
    longest: int,
    property: str,  # noqa: A002
    letters: tuple[str, str] = LETTERS,
    shortest: int = 1,
    reserved: str = "",
) -> Name:
    """A name to which the provider appends eight digits when it makes it up, however long it gets."""
    return Name(
        longest,
        *letters,
        RULES_PAGE,
        shortest=shortest,
        property=property,
        automatic=_AUTOMATIC,
        joint="",
        digits=_DIGITS,
        reserved=reserved,
    )


def copied(longest: int, property: str, letters: tuple[str, str] = LETTERS) -> Name:  # noqa: A002
    """The name of what is inside another resource, which is the logical name as it stands."""
    return Name(longest, *letters, RULES_PAGE, property=property, automatic=_AUTOMATIC, suffix=False)


def calls(service: Service, operations: str) -> Calls:
    """The operations of a resource type, as Azure's own descriptions of its API call them."""
    put = f"{operations}_CreateOrUpdate"
    return Calls(service, put, f"{operations}_Get", put, f"{operations}_Delete")


def path(kind: str, name: str) -> str:
    """The id of a resource of this type in its group."""
    return f"/subscriptions/{{subscriptionId}}/resourceGroups/{{resourceGroupName}}/providers/{kind}/{{{name}}}"


def in_group(service: Service, operations: str, kind: str, name: Name, **more: Any) -> Rules:
    """A resource of a group, with a place and tags."""
    found = Rules(
        calls(service, operations),
        identity=path(kind, name.property),
        outputs={"name": f"{{{name.property}}}", "type": kind},
        defaults={"location": "{region}"},
        name=name,
        replace=frozenset({"resourceGroupName", name.property, "location"}),
        checks=(checks.tags, *more.pop("checks", ())),
        references=(IN_GROUP, *more.pop("references", ())),
        exists=EXISTS,
        regional=False,
    )
    outputs = {**found.outputs, **more.pop("outputs", {})}
    fixed = found.replace | more.pop("replace", frozenset())
    return replace(
        found, outputs=outputs, replace=fixed, defaults={**found.defaults, **more.pop("defaults", {})}, **more
    )
