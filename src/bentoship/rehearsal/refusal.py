"""How a cloud says no, in the words that its own provider passes on."""

from __future__ import annotations

from uuid import uuid4

from ..errors import BentoshipError
from .rules import Service


class Refused(BentoshipError):
    """The double refuses what the real cloud would refuse."""


def refused(service: Service, call: str, sentence: str, where: str = "", status: int = 400) -> Refused:
    """The error for `call`; `sentence` is the cloud's code and message, `where` the property that is at fault."""
    told = {"service": service.name, "call": call, "status": status, "request": uuid4(), "sentence": sentence}
    return Refused(where, service.form.format_map(told))
