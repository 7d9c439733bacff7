"""The double of a cloud: a provider that refuses what the real one would, and remembers the rest.

One generic double serves every type from its schema and its rules. What the calls cost in time, what goes wrong on
purpose, and what a resource does beyond existing are asked for at the same places for all of them.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..engine.state import short_type
from ..errors import BentoshipError, InvalidConfiguration, Problem
from ..provider.properties import UNKNOWN
from ..provider.server import INPUTS, Difference, HalfDone, Properties, Proposal
from . import faults, made, references
from .clock import Clock
from .cloud import Cloud
from .refusal import Refused, refused
from .rules import Rules, Service, changes
from .schema import ASSET_SIGNATURE, Shape
from .world import Resource, World

_STATUS = {"permission": 403, "internal": 500, "throttling": 503}


class Double:
    """A provider under a real cloud's name, over a made-up world."""

    def __init__(self, cloud: Cloud, world: World, clock: Clock) -> None:
        self.package, self.version = cloud.package, cloud.schema.version
        self._cloud, self._world, self._clock = cloud, world, clock
        self._region, self._default_labels = "", dict[str, str]()
        self._settings = dict[str, str]()

    def configure(self, variables: Properties) -> None:
        """Take what the provider is told; InvalidConfiguration for a region that no cloud has, and what is missing."""
        told = {name: _decoded(value) for name, value in variables.items()}
        self._region = _setting(told, self._cloud.region_setting, self._cloud.region_variables)
        if self._region not in self._cloud.regions:
            fault = f"{self._region!r} is no region of {self.package}" if self._region else "is missing"
            raise InvalidConfiguration(
                f"{self.package}:{self._cloud.region_setting}", fault, f"such as {self._cloud.regions[0]}"
            )
        self._settings = {name: _setting(told, name, others) for name, others in self._cloud.settings.items()}
        for name in [name for name, value in self._settings.items() if not value]:
            raise InvalidConfiguration(f"{self.package}:{name}", "is missing")
        labels: Any = told
        for step in self._cloud.labels.default:
            labels = (labels or {}).get(step)
        self._default_labels = dict(labels or {})

    def complete(self, token: str, name: str, inputs: Properties, old: Properties, proposal: Proposal) -> Properties:
        """The inputs with a name, where they have none, and with the provider's own tags."""
        rules, shape = self._cloud.rules.get(token), self._cloud.schema.resources.get(token)
        if rules is None or shape is None:
            return inputs
        found = {key: value for key, value in inputs.items() if value is not None}
        if rules.name is not None:
            found = dict(made.named(rules.name, name, found, old, proposal))
        labels = self._cloud.labels
        if labels.whole in (shape.outputs or {}):
            own = found.get(labels.own, {})
            found[labels.whole] = {**self._default_labels, **own} if isinstance(own, dict) else own
        return found

    def check(self, token: str, name: str, inputs: Properties) -> tuple[Properties, list[Problem]]:  # noqa: ARG002
        """Complain about everything that the SDK's types or the platform's own rules don't allow."""
        rules, shape = self._cloud.rules.get(token), self._cloud.schema.resources.get(token)
        if rules is None or shape is None:
            known_types = ", ".join(sorted(map(short_type, self._cloud.rules)))
            return inputs, [Problem("", f"a rehearsal does not know {token}", f"it knows {known_types}")]
        told = {key: value for key, value in inputs.items() if key != self._cloud.labels.whole}
        problems = self._cloud.schema.check(shape, told)
        # The rules are written for values of the right type.
        return inputs, problems or list(rules.check(told))

    def diff(self, token: str, old: Properties, new: Properties) -> Difference:
        """Compare the inputs one by one."""
        rules = self._rules(token)
        before = _comparable(old)
        after = _comparable(made.filled_in(rules, new, old, None))
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        forced = {*rules.replace, *(["region"] if rules.regional else [])}
        for flag, names in rules.replace_if.items():
            forced |= set(names) if new.get(flag) is True else set()
        replaced = sorted(path for path in forced if changes(before, after, path))
        return Difference(tuple(changed), tuple(replaced), _is_delete_first(rules, old, new) and bool(replaced))

    def preview(self, token: str, inputs: Properties, old: Properties | None = None) -> Properties:
        """The inputs, what the cloud takes for those that aren't told, and what stays as it is."""
        rules, shape = self._rules(token), self._shape(token)
        made_up = {name for name in shape.made_up if name not in inputs}
        kept = {name: value for name, value in (old or {}).items() if name in made_up - rules.renewed}
        whole = {**dict.fromkeys(made_up, UNKNOWN), **kept, **_plain_defaults(rules), **inputs}
        return self._cloud.answered(token, made.filled_in(rules, whole, old or {}, lambda _: UNKNOWN))

    def create(self, token: str, name: str, inputs: Properties) -> tuple[str, Properties]:  # noqa: ARG002
        """Make the resource, or refuse to."""
        self._meet(token, "create", "before")
        if self._is_one_call(token, inputs):
            self._meet(token, "create", "half-way")
        whole = self._begin(token, inputs)
        begun = _as_begun(self._rules(token), self._shape(token), whole.properties)
        half = replace(whole, properties=_without(begun, self._cloud.labels.whole))
        with self._breaking_off(half):
            self._take_time(token, "create")
            more = self._cloud.behaviour(token).created(self._world, whole)
        made_now = replace(whole, properties={**whole.properties, **more}, finished=True)
        self._world.put(made_now)
        self._meet(token, "create", "after")
        return made_now.id, self._cloud.answered(token, made_now.properties)

    def read(self, token: str, identity: str, inputs: Properties, outputs: Properties) -> Properties | None:
        """The resource as it is in the world."""
        self._meet(token, "read", "before")
        found = self._find(token, identity, outputs or inputs)
        if found is None:
            return None
        seen = self._cloud.behaviour(token).read(self._world, found)
        now = {**{name: None for name in inputs if not name.startswith("__")}, **found.properties, **seen}
        answer = self._cloud.answered(token, now)
        return answer if answer == now else {**answer, INPUTS: now}

    def update(self, token: str, identity: str, old: Properties, new: Properties) -> Properties:
        """Change the resource in place, or refuse to."""
        rules = self._rules(token)
        self._meet(token, "update", "before")
        with self._world.locked():
            before = self._find(token, identity, old)
            if before is None:
                raise refused(rules.calls.service, rules.calls.update, f"NotFound: there is no {identity}", status=404)
            references.refuse_what_names_nothing(self._world, rules, new, before.region, "update")
        for path, sentence in rules.fixed.items():
            if before.finished and changes(dict(before.properties), dict(new), path):
                raise refused(rules.calls.service, rules.calls.update, sentence, path, status=400)
        after = replace(before, properties=_changed(self._shape(token), rules, before.properties, new), finished=True)
        with self._breaking_off(_half(before, after)):
            self._take_time(token, "update")
            behaviour = self._cloud.behaviour(token)
            if before.finished:
                more = behaviour.updated(self._world, before, after)
            else:  # its creation broke off half-way, and this is the rest of it
                more = behaviour.created(self._world, after)
        changed = replace(after, properties={**after.properties, **more})
        self._world.put(changed)
        self._meet(token, "update", "after")
        return self._cloud.answered(token, changed.properties)

    def delete(self, token: str, identity: str, outputs: Properties) -> None:
        """Remove the resource, unless something else still needs it."""
        self._meet(token, "delete", "before")
        with self._world.locked():
            found = self._find(token, identity, outputs)
            if found is None:
                return
            references.refuse_what_is_needed(self._world, self._cloud.rules, found)
        self._take_time(token, "delete")
        self._cloud.behaviour(token).deleted(self._world, found)
        self._world.remove(token, found.key, found.region)
        self._meet(token, "delete", "after")

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a look-up."""
        shape, look_up = self._cloud.schema.functions.get(token), self._cloud.lookups.get(token)
        if shape is None or look_up is None:
            raise Refused(token, "a rehearsal does not know this look-up", f"it knows {', '.join(self._cloud.lookups)}")
        if problems := self._cloud.schema.check(shape, arguments):
            raise Refused.of(problems)
        self._meet_lookup(token)
        region = str(arguments.get("region") or self._region)
        self._cloud.prepare(self._world, region)
        told = {**self._settings, **arguments}
        return {**arguments, "region": region, **look_up(self._world, region, told)}

    def cancel(self) -> None:
        """Stop waiting."""
        self._clock.cancel()

    def _rules(self, token: str) -> Rules:
        if token not in self._cloud.rules:
            raise Refused(token, "a rehearsal does not know this type")
        return self._cloud.rules[token]

    def _shape(self, token: str) -> Shape:
        return self._cloud.schema.resources[token]

    def _region_of(self, token: str, properties: Properties) -> str:
        return str(properties.get("region") or self._region) if self._rules(token).regional else ""

    def _is_one_call(self, token: str, inputs: Properties) -> bool:
        """Whether it is there or it isn't: nothing is left to be said once it is made."""
        rules, told = self._rules(token), {name: value for name, value in inputs.items() if not name.startswith("__")}
        return rules.one_call or _as_begun(rules, self._shape(token), told) == told

    def _find(self, token: str, identity: str, properties: Properties) -> Resource | None:
        key = made.Made({**properties, "id": identity}).fill(self._rules(token).key)
        return self._world.get(token, key, self._region_of(token, properties))

    def _begin(self, token: str, inputs: Properties) -> Resource:
        """The resource as it is to be, once nothing speaks against it."""
        rules, region = self._rules(token), self._region_of(token, inputs)
        with self._world.locked():
            around = {**self._settings, **self._cloud.prepare(self._world, region or self._region)}
            references.refuse_what_names_nothing(self._world, rules, inputs, region, "create")
            identity, properties = made.outputs(self._shape(token), rules, inputs, around)
            key = made.Made({**properties, "id": identity}).fill(rules.key)
            new = Resource(token, identity, key, region, properties, finished=False)
            references.refuse_a_second(self._world, rules, new)
            self._world.put(new)  # so that nobody else takes the name meanwhile
        return new

    @contextmanager
    def _breaking_off(self, half: Resource) -> Iterator[None]:
        """Half of it is there while it lasts; when it fails, that is what stays, and the engine is told so."""
        self._world.put(half)
        try:
            yield
        except BentoshipError as error:
            raise HalfDone(half.id, self._cloud.answered(half.type, half.properties), error) from error

    def _take_time(self, token: str, verb: str) -> None:
        """Take as long as the cloud does; half of that time before what goes wrong half-way."""
        rules = self._rules(token)
        half = getattr(rules.seconds, verb) / 2
        self._wait(token, verb, half)
        self._meet(token, verb, "half-way")
        self._wait(token, verb, half)

    def _wait(self, token: str, verb: str, seconds: float) -> None:
        calls = self._rules(token).calls
        if not self._clock.wait(seconds):
            raise refused(calls.service, calls.of(verb), "RequestCanceled: the operation was cancelled")

    def _meet(self, token: str, verb: str, moment: faults.Moment) -> None:
        """Let go wrong what is to go wrong at this call."""
        calls = self._rules(token).calls
        names = (f"{short_type(token)}.{verb}", calls.of(verb), f"{calls.service.prefix}:{calls.of(verb)}")
        if fault := faults.take(self._world, names, moment):
            self._go_wrong(fault, calls.service, calls.of(verb), self._rules(token).quota)

    def _meet_lookup(self, token: str) -> None:
        service = self._cloud.services.get(token.split(":")[1].split("/", maxsplit=1)[0])
        name = token.rpartition(":")[2]
        fault = faults.take(self._world, (name, short_type(token)), "before")
        if fault and service:
            self._go_wrong(fault, service, name)

    def _go_wrong(self, fault: faults.Fault, service: Service, call: str, quota: str = "") -> None:
        if fault.kind == "slow":
            self._clock.wait(fault.seconds)
            return
        if fault.kind == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        sentence = quota if fault.kind == "quota" and quota else str(getattr(service, fault.kind))
        told = {**self._settings, **self._cloud.prepare(self._world, self._region)}
        filled = sentence.format_map(made.Made({**told, "prefix": service.prefix, "call": call}))
        raise refused(service, call, filled, status=_STATUS.get(fault.kind, 400))


def _decoded(value: Any) -> Any:
    """The SDK sends a provider's own lists and objects as JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def _setting(told: Properties, name: str, variables: Sequence[str]) -> str:
    """What the provider's configuration says, or else the first environment variable that says something."""
    named = [os.environ.get(variable) for variable in variables]
    return str(told.get(name) or next(filter(None, named), ""))


def _without(properties: Properties, name: str) -> Properties:
    return {key: value for key, value in properties.items() if key != name}


def _comparable(inputs: Properties) -> dict[str, Any]:
    told = {name: value for name, value in inputs.items() if not name.startswith("__") and value is not None}
    return {name: _asset_hash(value) for name, value in told.items()}


def _asset_hash(value: Any) -> Any:
    """An asset is what is in it: the same bytes from another path are the same."""
    if isinstance(value, dict) and ASSET_SIGNATURE in value:
        return value.get("hash") or value
    return value


def _is_delete_first(rules: Rules, old: Properties, new: Properties) -> bool:
    """Whether both can't exist at once: the name was told, and stays (pulumi-terraform-bridge does the same)."""
    if rules.delete_first:
        return True
    if rules.name is None or rules.name.property in (new.get(made.AUTOMATIC) or ()):
        return False
    return rules.name.property in new and old.get(rules.name.property) == new[rules.name.property]


def _plain_defaults(rules: Rules) -> dict[str, Any]:
    return {name: value for name, value in rules.defaults.items() if not isinstance(value, str) or "{" not in value}


def _as_begun(rules: Rules, shape: Shape, properties: Properties) -> Properties:
    """What the first of several calls makes: without what later ones would have said."""
    first = {*rules.replace, *shape.required, *(shape.outputs or ()), *rules.defaults, *rules.outputs, "region"}
    first |= {path.partition("[")[0].partition(".")[0] for path in (item.path for item in rules.references)}
    first |= rules.begun_with
    return {name: value for name, value in properties.items() if name in first}


def _changed(shape: Shape, rules: Rules, old: Mapping[str, Any], new: Properties) -> Properties:
    stays = {name: value for name, value in old.items() if name not in shape.inputs or name in shape.computed}
    changed = {**stays, **_plain_defaults(rules), **{name: value for name, value in new.items() if name[:2] != "__"}}
    return made.filled_in(rules, changed, old, made.Made(changed).fill)


def _half(old: Resource, new: Resource) -> Resource:
    """The first half of the properties that change."""
    names = sorted({*old.properties, *new.properties})
    changed = [name for name in names if old.properties.get(name) != new.properties.get(name)]
    half = {name: new.properties.get(name) for name in changed[: len(changed) // 2]}
    return replace(old, properties={**old.properties, **half})
