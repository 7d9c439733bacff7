"""A service on this machine that answers what it is told to: what a gate, a router or a target can be tried on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Reply = tuple[int, bytes | Iterable[bytes]]
"""A status, and a body: whole, or in the pieces in which it comes."""


def as_json(value: Any, status: int = 200) -> Reply:
    """A reply whose body is `value` as JSON."""
    return status, json.dumps(value).encode()


@dataclass
class FakeService:
    """Answers `/readyz` with the statuses of `ready`, one after the other, and then with the last of them for ever.

    A POST is answered with what `reply` makes of its path and its JSON body. Listens from `with` on.
    """

    reply: Callable[[str, Any], Reply] = lambda _path, _body: as_json({})
    ready: Sequence[int] = (200,)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Path and body of every POST so far."""
    token: str = ""
    """What a POST must bring, or it is answered 401; nothing for everybody."""
    releases: Sequence[str] = ("",)
    """Whose the answers say that they are, one after the other, and then the last for ever; nothing for nobody's."""
    answered: int = 0
    """How often it has answered."""
    probes: int = 0
    """How often `/readyz` was asked."""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def probe(self) -> int:
        """The next status of `/readyz`."""
        self.probes += 1
        return self.ready[min(self.probes, len(self.ready)) - 1]

    def _handler(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                self._send((service.probe(), b""))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if service.token and self.headers["Authorization"] != f"Bearer {service.token}":
                    self._send((401, b""))
                    return
                service.asked.append((self.path, body))
                self._send(service.reply(self.path, body))

            def _send(self, reply: Reply) -> None:
                status, body = reply
                self.send_response(status)
                by = service.releases[min(service.answered, len(service.releases) - 1)]
                service.answered += 1
                if by:
                    self.send_header("X-Bentoship-Release", by)
                if isinstance(body, bytes):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for piece in [body] if isinstance(body, bytes) else body:
                    self.wfile.write(piece)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
