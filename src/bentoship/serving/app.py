"""The ASGI application of a release: limits, log, metrics and the fast endpoints; the rest is BentoML's own."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import re
import secrets
import time
from http import HTTPStatus
from typing import Any

from bentoml._internal.context import ServiceContext, _request_var, _response_var, request_tempdir_pool
from starlette.requests import Request
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from . import access, metrics
from .access import Cors
from .asgi import AT_ONCE, GONE, JSON, METRICS, PROBES, Headers, Message, Receive, Send, error
from .bento import Bento
from .deadlines import Deadlines
from .endpoints import Answer, Endpoint, bound
from .logs import AccessLog
from .page import is_for_people
from .settings import Settings

_ID = re.compile(rb"[\w.:/+=-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""W3C Trace Context, level 1, section 3.2 (www.w3.org/TR/trace-context)."""
_BENTOML_READS = frozenset(
    {b"application/vnd.bentoml+pickle", b"multipart/form-data", b"application/x-www-form-urlencoded"}
)
"""Media types that BentoML reads in another way than as JSON. It refuses the first one."""
_CLOSE = (b"connection", b"close")
_OK = 200
_NOT_FOUND = Answer(404, JSON, error("Not Found"))
_NO_TOKEN = Answer(401, JSON, error("a token is asked for here: authorization: Bearer <token>"))
_PREFLIGHT = Answer(200, b"text/plain", b"")
_OTHER_SITE = Answer(403, JSON, error("scripts of this origin may not ask this service"))
_POLICY_VIOLATION = 1008
"""RFC 6455, section 7.4.1."""
_DRAINING = Answer(503, JSON, error("this process is shutting down"))
_log = logging.getLogger("bentoml.serve")


class TooBig(Exception):
    """A body over the limit."""


class Gone(Exception):
    """The client went away before its request was complete."""


class Exchange:
    """One request and its answer, as far as log and metrics are concerned."""

    __slots__ = ("begin", "headers", "request_id", "scope", "status", "task", "trace_id")

    def __init__(self, scope: Message, request_id: bytes) -> None:
        self.begin = time.perf_counter()
        self.task = asyncio.current_task()
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status = 0
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given if given and _ID.fullmatch(given) else request_id
        self.trace_id = ""
        if (parent := self.headers.get(b"traceparent")) and (match := _TRACEPARENT.fullmatch(parent)):
            self.trace_id = match[1].decode()


class Application:
    """Answers for one loaded service."""

    def __init__(self, bento: Bento, settings: Settings) -> None:
        self.bento = bento
        self.settings = settings
        self.log = AccessLog(settings.release)
        self.metrics = metrics.Metrics() if metrics.is_enabled() else None
        self.deadlines = Deadlines(bento.timeout)
        self.failure: str | None = None
        """The traceback of a start-up that failed."""
        self.is_draining = False
        self.cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._metrics_tokens = (access.digest(settings.metrics_token.encode()),) if settings.metrics_token else ()
        self._page_path = bento.page_path
        self._prefixed = {bento.prefix + path: path for path in (*PROBES, METRICS)} if bento.prefix else {}
        """Below the service's own prefix, where BentoML has what every platform asks for at the root."""
        self._is_guarded = bool(settings.tokens or settings.metrics_token)
        self._stock: Any = ProxyHeadersMiddleware(bento.app)  # type: ignore[arg-type]  # another spelling of ASGI's types
        self._endpoints: dict[str, Endpoint] = {}
        self._routes = _routes(bento.app)
        self._release: Headers = [(b"x-bentoship-release", settings.release.encode())] if settings.release else []
        self._heads: dict[tuple[int, bytes], bytes] = {}
        self._prefix = secrets.token_hex(8).encode()
        self._number = itertools.count(1)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or watch the start of the service."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.bento.app(scope, receive, self._watching(send))
        elif self._may_ask(dict(scope["headers"])):
            await self._stock(scope, receive, send)
        else:  # a web socket
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def tick(self, in_progress: int) -> None:
        """Write log and metrics; called once a second."""
        self.log.flush()
        if self.metrics:
            self.metrics.set_in_progress(in_progress)
            self.metrics.publish()

    def note(self, exchange: Exchange) -> None:
        """Have log and metrics know of a request that has been answered."""
        scope, seconds = exchange.scope, time.perf_counter() - exchange.begin
        path, status = scope["path"], exchange.status
        if path in PROBES and status == _OK:
            return
        if self.metrics:
            self.metrics.observe(self._route(path), status, seconds)
        request_id = exchange.request_id.decode("latin-1")
        self.log.add(scope["method"], path, status, seconds, request_id, exchange.trace_id)

    def exchange(self, scope: Message) -> Exchange:
        """Begin to count for the request of `scope`."""
        return Exchange(scope, b"%s-%x" % (self._prefix, next(self._number)))

    def for_browsers(self, exchange: Exchange) -> Headers:
        """What an answer carries so that scripts of the allowed sites may read it."""
        return self.cors.headers(exchange.headers.get(b"origin", b"")) if self.cors else []

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        exchange = self.exchange(scope)
        task = exchange.task
        assert task is not None  # noqa: S101 -- a server calls an application in a task
        self.deadlines.enter(task, asyncio.get_running_loop())
        try:
            if at_the_door := self._at_the_door(exchange):
                answer, headers = at_the_door
                await self._send(exchange, answer, send, *headers)
            elif (endpoint := self._endpoints.get(scope["path"])) and _is_json(exchange):
                await self._quickly(endpoint, exchange, receive, send)
            else:
                await self._through_bentoml(exchange, receive, send)
        except TooBig:
            await self._send(exchange, self._too_big(), send, _CLOSE)
        except Gone:
            exchange.status = GONE
        except asyncio.CancelledError:
            if not self.deadlines.has_expired(task):
                raise
            await self._send(exchange, self._too_late(), send)
        finally:
            self.deadlines.leave(task)
            self.note(exchange)

    def _at_the_door(self, exchange: Exchange) -> tuple[Answer, Headers] | None:
        """What is answered before anybody reads the request's body, and the headers that only this answer has."""
        scope, headers = exchange.scope, exchange.headers
        path: str = self._prefixed.get(scope["path"]) or scope["path"]
        own_port = self.settings.metrics_port
        if path == METRICS and self.metrics:
            self.metrics.publish()
        if own_port and (path == METRICS) is not (scope["server"][1] == own_port):
            return _NOT_FOUND, []
        if self.cors and access.is_preflight(scope["method"], headers):
            is_allowed = self.cors.allows(headers[b"origin"])
            return (_PREFLIGHT, self.cors.preflight(headers)) if is_allowed else (_OTHER_SITE, [])
        if self._is_guarded and not self._is_for_everybody(path, scope, headers) and not self._may_ask(headers, path):
            return _NO_TOKEN, [access.CHALLENGE]
        if self.is_draining and path == "/readyz":
            return _DRAINING, []
        length = headers.get(b"content-length")
        return (self._too_big(), []) if length and int(length) > self.settings.max_body_bytes else None

    def _is_for_everybody(self, path: str, scope: Message, headers: dict[bytes, bytes]) -> bool:
        """Whether it is a probe, or the page in which people say their token."""
        if path != self._page_path or scope["method"] not in {"GET", "HEAD"}:
            return path in PROBES
        return is_for_people(headers.get(b"accept", b""))

    def _may_ask(self, headers: dict[bytes, bytes], path: str = "") -> bool:
        tokens = self._metrics_tokens if path == METRICS else self.settings.tokens
        return not tokens or access.admits(tokens, headers.get(b"authorization", b""))

    async def _quickly(self, endpoint: Endpoint, exchange: Exchange, receive: Receive, send: Send) -> None:
        body = await self._body(receive)
        scope = exchange.scope
        # The service may look at `context.request` without having asked for it as a parameter.
        _request_var.set(Request(scope))
        _response_var.set(ServiceContext.ResponseContext())
        try:
            answer = await endpoint.answer(body)
        finally:
            if folder := scope["state"].get("temp_dir"):
                request_tempdir_pool.release(folder)
        if answer.response is None:
            await self._send(exchange, answer, send)
        else:
            await answer.response(scope, receive, self._noting(exchange, send))

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            return bytes(self._bounded(message.get("body", b"")))
        body = bytearray()
        while message["type"] == "http.request":
            body += message.get("body", b"")
            self._bounded(body)
            if not message.get("more_body"):
                return bytes(body)
            message = await receive()
        raise Gone

    def _bounded(self, body: bytes | bytearray) -> bytes | bytearray:
        if len(body) > self.settings.max_body_bytes:
            raise TooBig
        return body

    async def _through_bentoml(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        read = 0
        limit = self.settings.max_body_bytes
        problem: Exception | None = None

        async def counted() -> Message:
            nonlocal read, problem
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                problem = TooBig()
                raise problem
            if message["type"] == "http.disconnect" and not exchange.status:
                problem = Gone()
            return message

        noting = self._noting(exchange, send)

        async def unless_in_trouble(message: Message) -> None:
            # BentoML makes a 500 of whatever goes wrong while it reads, and that is not what is to be said.
            if not problem or exchange.status:
                await noting(message)

        scheme = exchange.headers.get(b"x-forwarded-proto", b"")
        if scheme in (b"http", b"https"):
            # Whoever is in front, or says so: it changes nothing but where a client is sent for a missing slash.
            exchange.scope["scheme"] = scheme.decode()
        try:
            await self._stock(exchange.scope, counted, unless_in_trouble)
        except Exception:
            if problem is None:
                raise
        if problem and not exchange.status:
            raise problem

    def _noting(self, exchange: Exchange, send: Send) -> Send:
        """`send` for answers of BentoML: they get our headers, and a stream may last as long as it likes."""

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *self._own_headers(exchange)]
                if exchange.task:
                    self.deadlines.leave(exchange.task)
            await send(message)

        return note

    async def _send(self, exchange: Exchange, answer: Answer, send: Send, *more: tuple[bytes, bytes]) -> None:
        if exchange.status:
            return  # an answer is under way, and can't be taken back
        exchange.status = answer.status
        if not more and not self.is_draining and (at_once := exchange.scope.get("extensions", {}).get(AT_ONCE)):
            head = b"%scontent-length: %d\r\nx-request-id: %s\r\n" % (
                self._head(answer.status, answer.content_type),
                len(answer.body),
                exchange.request_id,
            )
            if self.cors:
                head += b"".join(b"%s: %s\r\n" % line for line in self.for_browsers(exchange))
            if at_once(head, answer.body):
                return
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            *self._own_headers(exchange),
            *more,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _head(self, status: int, content_type: bytes) -> bytes:
        """Status line and headers of an answer, as far as they are the same every time."""
        head = self._heads.get((status, content_type))
        if head is None:
            lines = [(b"content-type", content_type), *self._release]
            phrase = HTTPStatus(status).phrase.encode()
            head = b"HTTP/1.1 %d %s\r\n" % (status, phrase) + b"".join(b"%s: %s\r\n" % line for line in lines)
            self._heads[status, content_type] = head
        return head

    def _own_headers(self, exchange: Exchange) -> Headers:
        own = [*self._release, (b"x-request-id", exchange.request_id), *self.for_browsers(exchange)]
        return [*own, _CLOSE] if self.is_draining else own

    def _too_big(self) -> Answer:
        limit = self.settings.max_body_bytes
        return Answer(413, JSON, error(f"the body of a request may have at most {limit:,} bytes"))

    def _too_late(self) -> Answer:
        # In BentoML's words.
        return Answer(504, JSON, error(f"Not able to process the request in {self.deadlines.seconds:g} seconds"))

    def _route(self, path: str) -> str:
        if path in self._routes:
            return path
        mounted = (route for route in self._routes if route.endswith("/*") and path.startswith(route[:-1]))
        return next(mounted, metrics.OTHER)

    def _watching(self, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                self.failure = message.get("message", "")
            elif message["type"] == "lifespan.startup.complete":
                self._endpoints = bound(self.bento)
                # What is loaded now stays for good; looking through it again and again costs the slowest answers most.
                gc.collect()
                gc.freeze()
            await send(message)

        return watch


def _is_json(exchange: Exchange) -> bool:
    if exchange.scope["method"] != "POST":
        return False
    media_type = exchange.headers.get(b"content-type", JSON)
    return media_type == JSON or media_type.split(b";")[0].strip() not in _BENTOML_READS


def _routes(app: Any) -> frozenset[str]:
    """The paths of an application of Starlette; mounted ones end with `/*`."""
    plain = {route.path for route in app.routes if isinstance(route, Route)}
    mounts = {f"{getattr(route, 'path', '')}/*" for route in app.routes if not isinstance(route, Route)}
    return frozenset(plain | mounts)
