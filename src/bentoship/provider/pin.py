"""bentoship:index:Pin — a value that was looked up once and stays, whatever a later look-up finds."""

from __future__ import annotations

from typing import ClassVar

from ..deployment import Frozen
from .kinds import Kind
from .server import Properties


class PinInputs(Frozen):
    """What a pin is told."""

    subject: str
    """What the value is of; another subject takes the value that was looked up with it."""
    value: str


class Pin(Kind[PinInputs]):
    """Keeps the first value of a subject in the stack's state."""

    inputs = PinInputs
    outputs = ("pinned",)
    replace_on: ClassVar[frozenset[str]] = frozenset({"subject"})
    ignore: ClassVar[frozenset[str]] = frozenset({"value"})

    def create(self, inputs: PinInputs) -> tuple[str, Properties]:
        """Take the value."""
        return inputs.subject, {"pinned": inputs.value}
