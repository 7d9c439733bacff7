"""How a cloud says no, in the words that its own provider passes on."""

from __future__ import annotations

from uuid import uuid4

from ..errors import BentoshipError
from .rules import Service


class Refused(BentoshipError):
    """The double refuses what the real cloud would refuse."""


def refused(service: Service, call: str, sentence: str, where: str = "", status: int = 400) -> Refused:
    """The error for `call`; `sentence` is the cloud's code and message, `where` the property that is at fault.

    The form is that of AWS's SDK for Go, which the real provider prints as it comes (smithy-go, OperationError).
    """
    return Refused(
        where,
        f"operation error {service.name}: {call}, https response error StatusCode: {status}, "
        f"RequestID: {uuid4()}, {sentence}",
    )
