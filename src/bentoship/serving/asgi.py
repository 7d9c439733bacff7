"""The words of ASGI (asgi.readthedocs.io) as types, and small answers that we give ourselves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
PROBES = frozenset({"/livez", "/readyz", "/healthz"})
METRICS = "/metrics"
UNREADABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What is raised for a body that isn't JSON, or isn't what a numpy array or a data frame is made of."""
AT_ONCE = "bentoship.at_once"
"""Our extension of ASGI: a function that takes status line, headers and body in one piece, and says whether it did."""
GONE = 499
"""What the log says, as nginx does, when the client went away before it could be answered."""


def error(sentence: str) -> bytes:
    """The body of a refusal, in BentoML's form."""
    return json.dumps({"error": sentence}, ensure_ascii=False, separators=(",", ":")).encode()
