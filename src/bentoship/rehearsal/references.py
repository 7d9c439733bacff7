"""What must exist, what may exist only once, and what must stay as long as something else needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .made import Made
from .refusal import Refused, refused
from .rules import Properties, Reference, Rules, known
from .world import Resource, World


def refuse_what_names_nothing(world: World, rules: Rules, inputs: Properties, region: str, verb: str) -> None:
    """Raise Refused when something that `inputs` name does not exist."""
    for reference in rules.references:
        for path, value in _names(reference, inputs):
            others = [other for kind in reference.kinds for other in world.every(kind, region or None)]
            if not any(_is_named(reference, inputs, value, other) for other in others):
                sentence = reference.missing.format(value=value)
                raise refused(rules.calls.service, rules.calls.of(verb), sentence, path, reference.status)


def refuse_a_second(world: World, rules: Rules, new: Resource) -> None:
    """Raise Refused when the name, or whatever else must be unique, is taken and the call does not overwrite."""
    if not rules.exists:
        return
    taken = world.get(new.type, new.key, new.region) is not None
    if not taken and rules.unique:
        told = [new.properties.get(name) for name in rules.unique]
        others = world.every(new.type, new.region) if any(value is not None for value in told) else []
        taken = any([other.properties.get(name) for name in rules.unique] == told for other in others)
    if taken:
        where = rules.name.property if rules.name else ""
        raise refused(rules.calls.service, rules.calls.create, _filled(rules.exists, new), where, 409)


def refuse_what_is_needed(world: World, every_rules: Mapping[str, Rules], resource: Resource) -> None:
    """Raise Refused when `resource` is protected, or something else needs it."""
    rules = every_rules[resource.type]
    if rules.protected and resource.properties.get(rules.protected[0]) is True:
        raise refused(
            rules.calls.service, rules.calls.delete, _filled(rules.protected[1], resource), rules.protected[0]
        )
    for holder, reference in _holders(world, every_rules, resource):
        sentence = _filled(reference.holds, resource)
        error = refused(rules.calls.service, rules.calls.delete, sentence, status=409)
        raise Refused(resource.id, error.problems[0].fault, f"{holder.short_type} {holder.id} needs it")


def _holders(
    world: World, every_rules: Mapping[str, Rules], resource: Resource
) -> Iterator[tuple[Resource, Reference]]:
    for token, rules in every_rules.items():
        for reference in rules.references:
            may_go = not reference.holds or resource.properties.get(reference.unless) is True
            if resource.type in reference.kinds and not may_go:
                yield from ((other, reference) for other in world.every(token) if _needs(reference, other, resource))


def _needs(reference: Reference, other: Resource, resource: Resource) -> bool:
    names = _names(reference, other.properties)
    return any(_is_named(reference, other.properties, value, resource) for _, value in names)


def _names(reference: Reference, properties: Properties) -> Iterator[tuple[str, str]]:
    """What the property names, and the path at which it does."""
    for path, value in known(properties, reference.path):
        parts = str(value).split(reference.separator) if reference.separator else [str(value)]
        for part in map(str.strip, parts):
            if part and part not in reference.besides:
                yield path, part


def _is_named(reference: Reference, properties: Properties, value: str, other: Resource) -> bool:
    named = any(value == (other.id if name == "id" else other.properties.get(name)) for name in reference.by)
    return named and all(properties.get(ours) == other.properties.get(theirs) for ours, theirs in reference.within)


def _filled(sentence: str, resource: Resource) -> str:
    return sentence.format_map(Made({**resource.properties, "id": resource.id}))
