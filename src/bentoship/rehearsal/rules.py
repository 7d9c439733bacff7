"""The words in which a cloud's own rules are written down: what its SDK does not say.

A cloud's table (aws/rules.py) is data; what a rule means is here. A path names properties inside properties:
`healthCheck.interval`, `subnets[]` for each item of a list, `settings[name=Subnets].value` for the items that say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Problem
from ..provider.properties import UNKNOWN
from .schema import not_one_of

Properties = Mapping[str, Any]
Check = Callable[[Properties], Iterable[Problem]]
_STEP = re.compile(r"(?P<name>\w+)(?P<list>\[((?P<key>\w+)=(?P<value>[^]]+))?])?")


@dataclass(frozen=True)
class Service:
    """A service of the cloud, and how it says no."""

    name: str
    """As error messages call it: IAM."""
    prefix: str
    """As permissions call it: iam."""
    throttling: str = "Throttling: Rate exceeded"
    permission: str = (
        "AccessDenied: User: {caller} is not authorized to perform: {prefix}:{call} because no identity-based policy "
        "allows the {prefix}:{call} action"
    )
    quota: str = "LimitExceeded: Cannot exceed the quota of this account."
    internal: str = "InternalFailure: The request processing has failed because of an unknown error."
    form: str = (
        "operation error {service}: {call}, https response error StatusCode: {status}, RequestID: {request}, {sentence}"
    )
    """How the provider passes on what the cloud says; here as AWS's SDK for Go does it (smithy-go, OperationError)."""


@dataclass(frozen=True)
class Calls:
    """The calls of a service that stand behind a resource type."""

    service: Service
    create: str
    read: str
    update: str
    delete: str

    def of(self, verb: str) -> str:
        """The call behind create, read, update or delete."""
        return str(getattr(self, verb))


@dataclass(frozen=True)
class Seconds:
    """How long a real cloud usually takes."""

    create: float = 1
    update: float = 1
    delete: float = 1


@dataclass(frozen=True)
class Name:
    """The property that names a resource."""

    longest: int
    allowed: str
    """What it may consist of, in words."""
    pattern: str
    """What it must match, as a regular expression."""
    page: str
    """Where the cloud says so."""
    shortest: int = 1
    property: str = "name"
    automatic: int = 255
    """How long the provider lets a name be that it makes up itself; 0 when it makes up none."""
    lower: bool = False
    suffix: bool = True
    """Whether a made-up name ends with random digits."""
    digits: int = 7
    """How many; seven, after a hyphen, is what pulumi-terraform-bridge does."""
    joint: str = "-"
    """What stands before them."""
    reserved: str = ""
    """A regular expression for the words that only the cloud itself may use, in whatever case."""

    def problems(self, path: str, value: str) -> Iterator[Problem]:
        """What is wrong with a name."""
        if not self.shortest <= len(value) <= self.longest:
            yield Problem(
                path, f"{value!r} has {len(value)} characters, allowed are {self.shortest} to {self.longest}", self.page
            )
        elif not re.fullmatch(self.pattern, value):
            yield Problem(path, f"{value!r} may only have {self.allowed}", self.page)
        elif self.reserved and (word := re.search(self.reserved, value, re.IGNORECASE)):
            yield Problem(path, f"{value!r} has a reserved word in it: {word[0]}", self.page)


@dataclass(frozen=True)
class Reference:
    """A property that names something else which must exist."""

    path: str
    to: str
    """The type of what it names."""
    missing: str
    """What the cloud says when there is none: `Code: sentence`, with {value}."""
    by: tuple[str, ...] = ("id",)
    """Which of the other's properties it may name."""
    holds: str = ""
    """What the cloud says when the other is deleted while this exists; empty when it may be."""
    within: tuple[tuple[str, str], ...] = ()
    """Properties that both must have in common, ours first: an application's version is one of the application."""
    unless: str = ""
    """A property of the other with which it may be deleted all the same."""
    besides: tuple[str, ...] = ()
    """What it may name that is no resource."""
    separator: str = ""
    """What stands between several names in one property."""
    status: int = 400
    or_to: tuple[str, ...] = ()
    """Other types that it may name as well."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every type that it may name."""
        return (self.to, *self.or_to)


@dataclass(frozen=True)
class Rules:
    """What a cloud demands of a resource type, and what it makes of it."""

    calls: Calls
    identity: str
    """The id, as a template of its properties and of what `double.Made` makes up."""
    key: str = "{id}"
    """What is unique in a region and a type, where the id alone isn't."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Templates of the outputs; one may use those before it."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What the cloud takes for an input that isn't told."""
    inside: Mapping[str, Any] = field(default_factory=dict)
    """Templates of what the cloud fills in inside of an input, by path: `networkInterfaces[].accessConfigs[].natIp`."""
    renewed: frozenset[str] = frozenset()
    """Outputs that an update in place changes as well."""
    name: Name | None = None
    replace: frozenset[str] = frozenset()
    """Paths of the properties that can't be changed in place."""
    replace_if: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same, for those that depend on another property being true."""
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    patterns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Path -> regular expression, and what it means in words."""
    conflicts: tuple[tuple[str, ...], ...] = ()
    """At most one of each."""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Exactly one of each."""
    any_of: tuple[tuple[str, ...], ...] = ()
    """At least one of each."""
    checks: tuple[Check, ...] = ()
    references: tuple[Reference, ...] = ()
    unique: tuple[str, ...] = ()
    """Properties that no two may have in common; beside the key, which is unique always."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Path -> what the cloud says when that is to change: the provider sends it, and does not replace the resource."""
    begun_with: frozenset[str] = frozenset()
    """Properties that what breaks off half-way has as well, beside those that can't be changed later."""
    exists: str = ""
    """What the cloud says when there is one already; empty when its call overwrites, as most that begin with Put."""
    protected: tuple[str, str] | None = None
    """A property with which the cloud refuses to delete, and what it says then."""
    quota: str = ""
    """What the cloud says when an account has too many, where its service doesn't say it."""
    seconds: Seconds = Seconds()
    delete_first: bool = False
    """Whether a new one can never exist beside the old one, so that the provider always deletes first."""
    regional: bool = True
    one_call: bool = False
    """Whether it is made by one call of the cloud: then it is there or not, and never there by half."""

    def check(self, inputs: Properties) -> Iterator[Problem]:
        """Everything in `inputs` that the cloud would refuse without looking at anything else."""
        yield from self._named(inputs)
        yield from self._said(inputs)
        yield from self._together(inputs)
        for check in self.checks:
            yield from check(inputs)

    def _named(self, inputs: Properties) -> Iterator[Problem]:
        if self.name and isinstance(value := inputs.get(self.name.property), str):
            yield from self.name.problems(self.name.property, value)

    def _said(self, inputs: Properties) -> Iterator[Problem]:
        for path, allowed in self.choices.items():
            yield from (not_one_of(at, value, allowed) for at, value in known(inputs, path) if value not in allowed)
        for path, (least, most) in self.ranges.items():
            for at, value in known(inputs, path):
                if _is_number(value) and not least <= float(value) <= most:
                    yield Problem(at, f"{value} is outside of {least:g} to {most:g}")
        for path, (pattern, words) in self.patterns.items():
            for at, value in known(inputs, path):
                if not re.fullmatch(pattern, str(value)):
                    yield Problem(at, f"{value!r} is not {words}")

    def _together(self, inputs: Properties) -> Iterator[Problem]:
        for names in (*self.conflicts, *self.one_of):
            told = [name for name in names if is_told(inputs, name)]
            for name in told[1:]:
                yield Problem(name, f"conflicts with {told[0]}", "only one of them can be told")
        for names in (*self.one_of, *self.any_of):
            if not any(is_told(inputs, name) for name in names):
                yield Problem(names[0], "missing required property", f"one of: {', '.join(names)}")


def known(inputs: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each value that `path` leads to, with its own path; without what is missing or not known yet."""
    for at, value in _follow(inputs, path.split("."), ""):
        if value is not None and value is not UNKNOWN:
            yield at, value


def is_told(inputs: Properties, path: str) -> bool:
    """Whether there is anything at `path`, known already or not."""
    return any(value not in (None, "", []) for _, value in _follow(inputs, path.split("."), ""))


def changes(old: Properties, new: Properties, path: str) -> bool:
    """Whether what `path` leads to differs."""
    steps = path.split(".")
    return list(_follow(old, steps, "")) != list(_follow(new, steps, ""))


def _follow(value: Any, steps: Sequence[str], at: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield at, value
        return
    step = _STEP.fullmatch(steps[0])
    if step is None or not isinstance(value, dict) or step["name"] not in value:
        return
    inside, at = value[step["name"]], f"{at}.{step['name']}" if at else step["name"]
    if not step["list"]:
        yield from _follow(inside, steps[1:], at)
    elif isinstance(inside, list):
        for index, item in enumerate(inside):
            if step["key"] is None or (isinstance(item, dict) and item.get(step["key"]) == step["value"]):
                yield from _follow(item, steps[1:], f"{at}[{index}]")


def _is_number(value: Any) -> bool:
    return (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.isdigit()
    )
