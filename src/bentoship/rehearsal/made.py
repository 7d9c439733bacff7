"""What a double makes up: names, ids, and outputs in the shape of the real ones."""

from __future__ import annotations

import random
import re
import secrets
import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from ..provider.server import Proposal
from .rules import Name, Properties, Rules
from .schema import Shape, zero

AUTOMATIC = "__defaults"
"""The engine's state says by this which inputs the provider made up (pulumi-terraform-bridge, pkg/tfbridge)."""
_RANDOM = re.compile(r"(hex|digits|letters)(\d+)")
_ALPHABETS = {"hex": "0123456789abcdef", "digits": string.digits, "letters": string.ascii_lowercase + string.digits}
_WHOLE = re.compile(r"\{(\w+)\}")


class Made(dict[str, Any]):
    """What a template may name: the resource's properties, what its region says, and what is made up on demand.

    `{hex17}` is seventeen hexadecimal digits, the same ones throughout one resource; `{digits10}` and `{letters8}`
    likewise; `{uuid}`, `{now}` and `{octet}`. Whatever else isn't there is empty.
    """

    def __missing__(self, name: str) -> Any:
        self[name] = self._new(name)
        return self[name]

    def fill(self, template: Any) -> Any:
        """`template` with everything that it names; one that is nothing but a name keeps that value's type."""
        if isinstance(template, str):
            whole = _WHOLE.fullmatch(template)
            return self[whole[1]] if whole else template.format_map(self)
        if isinstance(template, list):
            return [self.fill(item) for item in template]
        if isinstance(template, Mapping):
            return {key: self.fill(value) for key, value in template.items()}
        return template

    @staticmethod
    def _new(name: str) -> Any:
        if found := _RANDOM.fullmatch(name):
            return "".join(secrets.choice(_ALPHABETS[found[1]]) for _ in range(int(found[2])))
        made = {
            "uuid": lambda: str(uuid4()),
            "now": lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "octet": lambda: str(1 + secrets.randbelow(254)),
        }
        return made.get(name, lambda: "")()


def named(name: Name, logical: str, inputs: Properties, old: Properties, proposal: Proposal) -> Properties:
    """The inputs with a name: the one that is told, the one made up before, or a new one."""
    if inputs.get(name.property) or inputs.get(f"{name.property}Prefix") or not name.automatic or proposal.is_disabled:
        return inputs
    was_automatic = name.property in (old.get(AUTOMATIC) or ())
    found = old[name.property] if was_automatic else proposal.name or _new_name(name, logical, proposal.seed)
    return {**inputs, name.property: found, AUTOMATIC: [name.property]}


def outputs(shape: Shape, rules: Rules, inputs: Properties, around: Mapping[str, str]) -> tuple[str, Properties]:
    """The id of a new resource, and everything that it gives."""
    made = Made({**around, **inputs})
    for name, template in rules.defaults.items():
        if inputs.get(name) is None:
            made[name] = made.fill(template)
    if "{arn}" not in rules.identity:
        made["id"] = made.fill(rules.identity)
    given = [name for name in rules.outputs if inputs.get(name) is None]
    for name in given:
        made[name] = made.fill(rules.outputs[name])
    made["id"] = made["id"] or made.fill(rules.identity)
    rest = {name: zero(kind) for name, kind in (shape.outputs or {}).items()}
    names = [*rules.defaults, *given, *(["region"] if rules.regional else [])]
    told = {name: value for name, value in inputs.items() if not name.startswith("__")}
    properties = {**rest, **{name: made[name] for name in names}, **told}
    return str(made["id"]), filled_in(rules, properties, {}, made.fill)


def filled_in(rules: Rules, properties: Properties, old: Properties, make: Callable[[Any], Any] | None) -> Properties:
    """The properties with what the cloud fills in inside of them: as it was in `old`, or as `make` makes it."""
    for path, template in rules.inside.items():
        properties = _filled(properties, old, path.split("."), partial(make, template) if make else None)
    return properties


def _filled(value: Any, old: Any, steps: list[str], make: Callable[[], Any] | None) -> Any:
    step, *others = steps
    name = step.removesuffix("[]")
    before = old.get(name) if isinstance(old, Mapping) else None
    if not isinstance(value, Mapping) or (others and name not in value):
        return value
    if others and step.endswith("[]"):
        items, theirs = value[name], before if isinstance(before, list) else []
        if not isinstance(items, list):
            return value
        theirs = [*theirs, *[None] * len(items)]
        return {**value, name: [_filled(*pair, others, make) for pair in zip(items, theirs, strict=False)]}
    if others:
        return {**value, name: _filled(value[name], before, others, make)}
    if value.get(name) is None and (before is not None or make):
        return {**value, name: before if before is not None or make is None else make()}
    return value


def _new_name(name: Name, logical: str, seed: bytes) -> str:
    base = logical.lower() if name.lower else logical
    if not name.suffix:
        return base
    digits = random.Random(seed or None)  # noqa: S311 - the engine's own seed, so that a step can be repeated
    suffix = name.joint + "".join(digits.choice(_ALPHABETS["hex"]) for _ in range(name.digits))
    return base[: name.automatic - len(suffix)] + suffix
