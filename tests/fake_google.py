"""As much of Google's APIs as our provider asks: applications, services and versions of App Engine, groups, the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

VARIABLES = ("GOOGLE_APP_ENGINE_CUSTOM_ENDPOINT", "GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "GOOGLE_LOGGING_CUSTOM_ENDPOINT")
Answer = Mapping[str, Any] | int | tuple[int, str]
"""A body, or the status of a refusal, with what it says."""


@dataclass
class FakeGoogle:
    """Answers by method and path: each time the next of a list, and the last for ever. Listens from `with` on."""

    answers: dict[str, Sequence[Answer]] = field(default_factory=dict)
    refusals: list[int | tuple[int, str]] = field(default_factory=list)
    """With which statuses the next requests are refused, whatever they ask."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """What was asked, in order: `GET path`, and the body."""
    tokens: set[str] = field(default_factory=set)
    _looks: dict[str, int] = field(default_factory=dict)
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def wait_for(self, path: str) -> None:
        with self._heard:
            self._heard.wait_for(lambda: path in self.paths(), timeout=20)

    def answer(self, path: str, body: Any, token: str) -> Answer:
        with self._heard:
            self.asked.append((path, body))
            self.tokens.add(token)
            self._heard.notify_all()
            if self.refusals:
                return self.refusals.pop(0)
            steps = self.answers.get(path, (404,))
            look = self._looks[path] = self._looks.get(path, -1) + 1
            return steps[min(look, len(steps) - 1)]


def _handler(fake: FakeGoogle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            path = f"{self.command} {self.path.lstrip('/')}"
            found = fake.answer(path, body, self.headers.get("Authorization", ""))
            if isinstance(found, int):
                found = (found, f"because of {found}")
            status, told = (found[0], {"error": {"message": found[1]}}) if isinstance(found, tuple) else (200, found)
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
