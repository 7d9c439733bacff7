"""HTTP connections: uvicorn's, with bounds on what a client may take, and a 429 that costs next to nothing.

uvicorn has no time-out for a slow client and no limit for the head of a request, and starts a timer at the end of
every answer. Here one look at all connections a second does for every kind of time-out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .app import Application
from .asgi import AT_ONCE, METRICS, PROBES, Message, error

KEEP_ALIVE_SECONDS = 620.0
"""How long an idle connection stays open: longer than the 600 seconds of Google's load balancers ("Request
distribution", Cloud Load Balancing) and the 60 of AWS's, which would otherwise send a request into a connection that is
just being closed."""
LONGEST_HEAD = 64 * 1024
"""Bytes that the head of a request may have, more or less: what comes in one piece is taken in one piece."""
LAST_CALL_SECONDS = 0.5
"""How long a client that has nothing in progress may still send a request when the process ends."""
RETRY_SECONDS = 1
_ALWAYS = PROBES | {METRICS}
_OF_UPGRADE = frozenset({b"upgrade", b"connection", b"http2-settings"})
"""Headers that are about another protocol, or about this connection alone."""


@dataclass
class Limits:
    """What all connections of a process share."""

    application: Application
    is_direct: bool
    """Whether nothing is between the connections and the application, so that it may answer without ASGI's words."""
    concurrency: int
    connections: int
    client_seconds: float
    in_progress: set[asyncio.Task[None]] = field(default_factory=set)
    """Of the requests that are not answered yet, or whose client went away and that compute on."""
    busy: dict[bool, bytes] = field(init=False)
    """The answer to a request too many, by whether the connection is kept."""

    def __post_init__(self) -> None:
        release = self.application.settings.release
        more = [f"retry-after: {RETRY_SECONDS}", *([f"x-bentoship-release: {release}"] if release else [])]
        body = error("Too many requests")
        self.busy = {kept: _raw(HTTPStatus.TOO_MANY_REQUESTS, body, more, kept=kept) for kept in (True, False)}


class Connection(HttpToolsProtocol):
    """One connection of a client. Idle, it keeps nothing of the requests that it has brought."""

    # Attributes beyond thirty in one class would cost each connection a table of its own for all of them.
    __slots__ = (
        "answering",
        "head_bytes",
        "heard_at",
        "is_in_head",
        "is_refusing_upgrade",
        "limits",
        "reading_since",
        "stalled_since",
        "task",
        "unsent",
    )

    def __init__(self, limits: Limits, **others: Any) -> None:
        super().__init__(**others)
        self.limits = limits
        self.answering: RequestResponseCycle | None = None
        """The request that is being answered, if one is; later ones of a pipeline wait."""
        self.task: asyncio.Task[None] | None = None
        """What answers it."""
        self.heard_at = self.loop.time()
        """When the client last sent something, or was last answered."""
        self.reading_since = 0.0
        """When the request began that isn't complete yet; 0 when there is none."""
        self.stalled_since = 0.0
        """Since when the client reads nothing of its answer; 0 when it has read all."""
        self.unsent = 0
        """Bytes of the answer that the client had not taken at the last look."""
        self.is_refusing_upgrade = False
        """Whether the head of this request asks for another protocol that isn't spoken here."""
        self.is_in_head = False
        self.head_bytes = 0
        """Of a head, or of what comes after it and is no body: trailers, and what is said of chunks."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come; one too many is told so."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._turn_away(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")

    def data_received(self, data: bytes) -> None:
        """Something has come from the client."""
        if self.transport.is_closing():
            return
        self.heard_at = self.loop.time()
        is_new = not self.reading_since
        self.head_bytes += len(data)
        self._feed(data)
        if is_new and self.is_in_head:
            self.head_bytes = len(data)
        if self.reading_since and self.head_bytes > LONGEST_HEAD:
            self._turn_away(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too long")

    def _feed(self, data: bytes) -> None:
        try:
            self._read(memoryview(data))
        except httptools.HttpParserError:
            if not self.transport.is_closing():
                self.send_400_response("Invalid HTTP request received.")

    def _read(self, rest: memoryview) -> None:
        while not self.transport.is_closing():
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            if not self.is_refusing_upgrade:
                self.handle_websocket_upgrade()
                return
            self._read_without_upgrade()

    def _read_without_upgrade(self) -> None:
        """Read the head again as one that asks for no other protocol: a server may ignore that (RFC 9110, 7.8).

        The parser skips the body of a request that asks for one, and what comes next would be read as a request
        (github.com/MagicStack/httptools/issues/124). The clients of the JDK ask for HTTP/2 in each request.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._turn_away(HTTPStatus.METHOD_NOT_ALLOWED, "this is no proxy")
            return
        kept = [b"%s: %s" % header for header in self.headers if header[0] not in _OF_UPGRADE]
        closing = [] if self.parser.should_keep_alive() else [b"connection: close"]
        head = b"\r\n".join([b"%s %s HTTP/1.1" % (method, self.url), *kept, *closing, b"", b""])
        self.parser = _parser(self)
        self.parser.feed_data(head)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.is_refusing_upgrade = False
        self.reading_since = self.heard_at
        self.is_in_head = True
        self.head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head; one that comes after the body is dropped, since it may override none of the head."""
        if self.is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head of a request is complete."""
        if self.parser.should_upgrade() and not self._should_upgrade():
            self.is_refusing_upgrade = True
            return
        self.is_in_head = False
        self.head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self.is_refusing_upgrade:
            return
        self.reading_since = 0.0
        super().on_message_complete()
        self._forget()

    def on_response_complete(self) -> None:
        """An answer is complete: go on with the next request that is here already. Sets no timer."""
        self.heard_at = self.loop.time()
        self.server_state.total_requests += 1
        if self.task is not None:
            self.limits.in_progress.discard(self.task)
            self.task = None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._forget()

    def _forget(self) -> None:
        """Let go of a request that has come whole and is answered."""
        if self.cycle is not None and self.cycle.response_complete and not self.reading_since:
            self.answering = self.cycle = self.scope = None  # type: ignore[assignment]
            self.headers = []

    def shutdown(self) -> None:
        """The process is about to end: an idle client, which may just be sending, has a moment to do so."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LAST_CALL_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        self.stalled_since = self.loop.time()
        self.unsent = self.transport.get_write_buffer_size()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.stalled_since = 0.0
        super().resume_writing()

    def look(self, now: float) -> None:
        """Close the connection if its client takes too long."""
        patience = self.limits.client_seconds
        if self.stalled_since:
            unsent = self.transport.get_write_buffer_size()
            self.stalled_since = now if unsent < self.unsent else self.stalled_since
            self.unsent = unsent
        is_idle = self.cycle is None or self.cycle.response_complete
        if self.stalled_since and now - self.stalled_since > patience:
            self.transport.abort()
        elif self.reading_since and not self.flow.read_paused:
            since = self.reading_since if self.is_in_head else self.heard_at
            if now - since > patience:
                self._turn_away(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
        elif is_idle and not self.reading_since and now - self.heard_at > KEEP_ALIVE_SECONDS:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        in_progress, counts = self.limits.in_progress, cycle.scope["path"] not in _ALWAYS
        if counts and len(in_progress) >= self.limits.concurrency:
            self._refuse(cycle)
            return
        self.answering = cycle
        extensions: Any = {AT_ONCE: self._write_at_once} if self.limits.is_direct else {}
        cycle.scope["extensions"] = extensions
        self.task = task = self.loop.create_task(cycle.run_asgi(app))
        for tasks in (self.tasks, in_progress) if counts else (self.tasks,):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _write_at_once(self, head: bytes, body: bytes) -> bool:
        """Write a whole answer without looking at each of its headers again; False when that isn't possible now."""
        cycle = self.answering
        if cycle is None or cycle.disconnected or not cycle.keep_alive:
            return False
        if self.flow.write_paused or self.transport.is_closing():
            return False
        if cycle.scope["method"] == "HEAD":  # which is answered without a body
            return False
        date = [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join([head, *date, b"\r\n", body]))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        self.on_response_complete()
        return True

    def _refuse(self, cycle: RequestResponseCycle) -> None:
        """Answer 429 at once, without a task."""
        application = self.limits.application
        exchange = application.exchange(cast("Message", cycle.scope))
        exchange.status = HTTPStatus.TOO_MANY_REQUESTS
        cycle.response_started = cycle.response_complete = True
        answer = self.limits.busy[cycle.keep_alive]
        if for_browsers := application.for_browsers(exchange):
            head, end, body = answer.partition(b"\r\n\r\n")
            answer = b"".join([head, *(b"\r\n%s: %s" % line for line in for_browsers), end, body])
        if cycle.scope["method"] == "HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        self.transport.write(answer)
        if not cycle.keep_alive:
            self.transport.close()
        application.note(exchange)
        self.on_response_complete()

    def _turn_away(self, status: HTTPStatus, sentence: str) -> None:
        """End the connection, with an answer where none has begun."""
        cycle = None if self.is_in_head else self.cycle
        if cycle is None or not cycle.response_started:
            self.transport.write(_raw(status, error(sentence), [], kept=False))
        if cycle is not None:
            cycle.response_started = cycle.response_complete = True
            cycle.message_event.set()
        self.transport.close()


def _parser(connection: Connection) -> Any:
    """A parser as uvicorn makes one: what comes after a request that ends the connection is dropped, and no fault."""
    parser = httptools.HttpRequestParser(connection)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _raw(status: HTTPStatus, body: bytes, more: list[str], *, kept: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *more,
        *([] if kept else ["connection: close"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
