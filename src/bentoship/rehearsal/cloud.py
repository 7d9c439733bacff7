"""What makes a double of one cloud: its schema, its rules, its look-ups, and what some of its resources do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .rules import Rules, Service
from .schema import Schema
from .world import Resource, World

Properties = Mapping[str, Any]
Lookup = Callable[[World, str, Properties], Properties]
"""World, region and arguments -> the answer; raises Refused when there is nothing to be found."""


@dataclass(frozen=True)
class Behaviour:
    """What a resource does, beyond being remembered. What it answers is added to the outputs."""

    created: Callable[[World, Resource], Properties] = lambda _world, _resource: {}
    updated: Callable[[World, Resource, Resource], Properties] = lambda _world, _old, _new: {}
    """The resource as it was, and as it is to be."""
    read: Callable[[World, Resource], Properties] = lambda _world, _resource: {}
    deleted: Callable[[World, Resource], None] = lambda _world, _resource: None


@dataclass(frozen=True)
class Labels:
    """How a cloud's resources are labelled, as Pulumi's provider calls it."""

    own: str = "tags"
    """The property with a resource's own."""
    whole: str = "tagsAll"
    """The property with those of the provider as well."""
    default: tuple[str, ...] = ("defaultTags", "tags")
    """Where the provider's configuration has its own."""


@dataclass(frozen=True)
class Cloud:
    """One cloud."""

    package: str
    """The name of Pulumi's package."""
    schema: Schema
    rules: Mapping[str, Rules]
    services: Mapping[str, Service]
    """Which service answers the look-ups of a module of the SDK."""
    lookups: Mapping[str, Lookup]
    behaviours: Mapping[str, Behaviour]
    prepare: Callable[[World, str], Mapping[str, str]]
    """Makes what a region has before any stack; answers what templates may say about it."""
    regions: Sequence[str]
    region_variables: Sequence[str]
    """Environment variables that name the region, where the provider's configuration doesn't."""
    region_setting: str = "region"
    """What the provider's configuration calls the region."""
    loose: Sequence[str] = ()
    """Types that somebody may delete by hand without harm to what is served: alarms."""
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What else the provider must be told, such as a project, and the environment variables that may tell it."""
    labels: Labels = Labels()
    answered: Callable[[str, Properties], Properties] = lambda _type, properties: properties
    """A resource's properties as the provider answers with them, where that is another form than it takes."""

    def behaviour(self, token: str) -> Behaviour:
        """What a resource of this type does."""
        return self.behaviours.get(token, Behaviour())
