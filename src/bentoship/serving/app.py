"""The ASGI application: the BentoML service, with a log line and a release header around every answer."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bentoml
from bentoml._internal.context import server_context
from bentoml._internal.log import configure_server_logging

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_SHORT = 12
_PROBES = frozenset({"/livez", "/readyz", "/healthz"})
_OK = 200


def load(bento: Path, release: str) -> App:
    """The service of the Bento in the folder `bento`, as an application that answers in the name of `release`.

    Changes into the Bento's folder for good, so that the service may read its files by relative names. Raises
    whatever the service's own module raises. The model itself is loaded later, when the application starts up.
    """
    configure_server_logging()  # type: ignore[no-untyped-call]
    service: Any = bentoml.load(str(bento), standalone_load=True)
    server_context.service_type = "entry_service"
    server_context.service_name = service.name
    server_context.bento_name = service.bento.tag.name if service.bento else service.name
    server_context.bento_version = release[:_SHORT] or "sealed"
    server_context.worker_index = 1
    # Both are replaced here, and cost more than a small model's answer: the log line below, and tracing to nowhere.
    service.config["logging"] = {"access": {"enabled": False}}
    service.config.setdefault("tracing", {"excluded_urls": [".*"]})
    app: App = service.to_asgi(is_main=True)
    return app


class Served:
    """`app` with a line of JSON on stdout for every request, and the release's name on every answer."""

    def __init__(self, app: App, release: str) -> None:
        self.app = app
        self.release = release[:_SHORT]
        self.headers = [(b"x-bentoship-release", self.release.encode())] if self.release else []
        self.failure: str | None = None
        """The traceback of a start-up that failed."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or watch the start of the application."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._watching(send))
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _watching(self, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                self.failure = message.get("message", "")
            elif message["type"] == "lifespan.startup.complete":
                # What is loaded now stays for good; looking through it again and again costs the slowest answers most.
                gc.collect()
                gc.freeze()
            await send(message)

        return watch

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()
        status = 0

        async def name(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *self.headers]
            await send(message)

        try:
            await self.app(scope, receive, name)
        finally:
            self._log(scope, status, time.perf_counter() - begin)

    def _log(self, scope: Message, status: int, seconds: float) -> None:
        if scope["path"] in _PROBES and status == _OK:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "milliseconds": round(seconds * 1000, 3),
            "release": self.release,
        }
        sys.stdout.write(f"{json.dumps(line)}\n")
