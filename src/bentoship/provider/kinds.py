"""A provider made of kinds: one class a resource type, its inputs a pydantic model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import ValidationError

from ..deployment import Frozen
from ..errors import BentoshipError, Problem
from .properties import UNKNOWN
from .server import Difference, Properties, Proposal

Inputs = TypeVar("Inputs", bound=Frozen)


class Kind(ABC, Generic[Inputs]):
    """A resource type: what it takes, what it gives, and what each step does to the world."""

    inputs: ClassVar[type[Frozen]]
    outputs: ClassVar[tuple[str, ...]] = ()
    """Names of the outputs that are known only once the resource exists."""
    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Inputs whose change makes a new resource."""
    ignore: ClassVar[frozenset[str]] = frozenset()
    """Inputs whose change alone changes nothing."""
    delete_first: ClassVar[bool] = False

    @abstractmethod
    def create(self, inputs: Inputs) -> tuple[str, Properties]:
        """Make it; the id and the outputs beyond the inputs. Making it again is no error: it is adopted."""

    def read(self, inputs: Inputs, outputs: Properties) -> Properties | None:  # noqa: ARG002 - for those that look
        """The outputs, and drifted inputs, as they are now; None when it is gone."""
        return outputs

    def update(self, old: Properties, new: Inputs) -> Properties:  # noqa: ARG002
        """Change it in place; the outputs beyond the inputs."""
        return self.create(new)[1]

    def delete(self, inputs: Inputs) -> None:
        """Remove it; being gone already is no error."""

    def cancel(self) -> None:
        """Stop waiting: the operation is being cancelled."""


class KindProvider:
    """A provider that knows a fixed set of kinds by their tokens."""

    def __init__(self, package: str, version: str, kinds: Mapping[str, Kind[Any]]) -> None:
        self.package, self.version, self._kinds = package, version, kinds

    def configure(self, variables: Properties) -> None:
        """There is nothing to configure."""

    def complete(self, token: str, name: str, inputs: Properties, old: Properties, proposal: Proposal) -> Properties:  # noqa: ARG002
        """Our resources have no names of their own to make up."""
        return inputs

    def check(self, token: str, name: str, inputs: Properties) -> tuple[Properties, list[Problem]]:  # noqa: ARG002
        """Complain about unknown, missing and mistyped inputs; the engine fills in what isn't known yet later."""
        kind = self._kinds.get(token)
        if kind is None:
            return inputs, [Problem("", f"there is no resource type {token}", f"there are: {', '.join(self._kinds)}")]
        known = {key: value for key, value in inputs.items() if not key.startswith("__")}
        try:
            kind.inputs.model_validate({key: value for key, value in known.items() if value is not UNKNOWN})
        except ValidationError as error:
            return known, [_problem(kind, fault) for fault in error.errors() if not _is_awaited(fault, known)]
        return known, []

    def diff(self, token: str, old: Properties, new: Properties) -> Difference:
        """Compare the inputs one by one."""
        kind = self._kinds[token]
        keys = (old.keys() | new.keys()) - kind.ignore
        changed = tuple(sorted(key for key in keys if old.get(key) != new.get(key)))
        return Difference(changed, tuple(key for key in changed if key in kind.replace_on), kind.delete_first)

    def preview(self, token: str, inputs: Properties, old: Properties | None = None) -> Properties:  # noqa: ARG002
        """The inputs, and a placeholder for each output."""
        return {**inputs, **dict.fromkeys(self._kinds[token].outputs, UNKNOWN)}

    def create(self, token: str, name: str, inputs: Properties) -> tuple[str, Properties]:  # noqa: ARG002
        """Make the resource."""
        kind = self._kinds[token]
        identity, outputs = kind.create(kind.inputs.model_validate(inputs))
        return identity, {**inputs, **outputs}

    def read(self, token: str, identity: str, inputs: Properties, outputs: Properties) -> Properties | None:  # noqa: ARG002
        """Look at the resource; one that another version of us has written is made anew."""
        kind = self._kinds[token]
        try:
            understood = kind.inputs.model_validate(inputs)
        except ValidationError:
            return None
        now = kind.read(understood, outputs)
        return None if now is None else {**outputs, **now}

    def update(self, token: str, identity: str, old: Properties, new: Properties) -> Properties:  # noqa: ARG002
        """Change the resource in place."""
        kind = self._kinds[token]
        return {**new, **kind.update(old, kind.inputs.model_validate(new))}

    def delete(self, token: str, identity: str, outputs: Properties) -> None:  # noqa: ARG002
        """Remove the resource."""
        kind = self._kinds[token]
        fields = kind.inputs.model_fields
        kind.delete(kind.inputs.model_validate({key: value for key, value in outputs.items() if key in fields}))

    def invoke(self, token: str, arguments: Properties) -> Properties:  # noqa: ARG002
        """There is nothing to look up."""
        raise BentoshipError(token, f"{self.package} has no such function")

    def cancel(self) -> None:
        """Tell every kind."""
        for kind in self._kinds.values():
            kind.cancel()


def _is_awaited(fault: Any, inputs: Properties) -> bool:
    if fault["type"] == "missing":
        return inputs.get(str(fault["loc"][0])) is UNKNOWN
    return fault["input"] is UNKNOWN


def _problem(kind: Kind[Any], fault: Any) -> Problem:
    path = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        close = get_close_matches(path, kind.inputs.model_fields, n=1)
        return Problem(path, "unknown property", f"did you mean {close[0]!r}?" if close else "")
    if fault["type"] == "missing":
        return Problem(path, "missing required property")
    return Problem(path, f"{fault['msg']} (got {fault['input']!r})")
