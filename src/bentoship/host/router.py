"""Routes the requests of one stable address to the releases behind it, by percent, and changes between two requests.

A router knows nothing of processes: what it routes to are backends, each with a URL and a flag that says whether
it is ready.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from bentoship.errors import HostError

from . import ports
from .tally import Tally

IDLE_TIMEOUT = 15.0
"""Seconds after which an idle connection to a release is closed: well before the release would do it, after 75."""
CONNECT_TIMEOUT = 5.0
RETRY_AFTER = 5
"""Seconds after which a client that was answered 503 should try again."""
_BACKLOG = 1024
_SMALL = 64 * 1024
_LONGEST_HEADER = 64 * 1024
_RETRY_PAUSE = 0.02
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_Body = bytes | aiohttp.StreamReader | None
_REMEDIES = {
    errno.EACCES: "choose a port above 1023",
    errno.EADDRNOTAVAIL: "choose a host that is an address of this machine",
}


@dataclass(eq=False)
class Backend:
    """One place that requests can go to, and what goes on there."""

    url: str | None = None
    """Where it answers; it counts as ready while this is known."""
    requests: int = 0
    in_flight: int = 0
    tally: Tally = field(default_factory=Tally)
    """Its answers since the traffic was last divided otherwise."""
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def busy(self) -> Iterator[str]:
        """Count one request while it is answered; gives the URL that it goes to."""
        self.requests += 1
        self.in_flight += 1
        try:
            yield self.url or ""
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    async def idle(self, within: float) -> bool:
        """Wait until no request is in flight; False when that takes longer than `within` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.in_flight:
                    self._idle.clear()
                    await self._idle.wait()
        return not self.in_flight


class Split:
    """Divides requests over weights as evenly as whole requests allow, by smooth weighted round-robin."""

    def __init__(self) -> None:
        self._credit: dict[str, int] = {}

    def next(self, weights: Mapping[str, int]) -> str | None:
        """The name that the next request goes to; None when nothing has weight."""
        total = sum(weights.values())
        if total <= 0:
            return None
        for name, weight in weights.items():
            self._credit[name] = self._credit.get(name, 0) + weight
        chosen = max(weights, key=lambda name: self._credit[name])
        self._credit[chosen] -= total
        return chosen

    def reset(self) -> None:
        """Forget what was given to whom."""
        self._credit.clear()


class Router:
    """An HTTP/1.1 server on one address that forwards each request to one of its backends.

    Requests that find no ready backend wait for one, `patience` seconds at most and `waiting_requests` of them,
    then are answered 503. A request is sent twice only when nothing of it had arrived, or when its method makes
    that harmless; else the end of its backend is answered 502. Without `second_try`, as with the clouds' own load
    balancers, a backend that can't be connected to is answered 502 as well.
    """

    def __init__(
        self, patience: float = 30, waiting_requests: int = 1000, drain: float = 30, *, second_try: bool = True
    ) -> None:
        self.patience = patience
        self.waiting_requests = waiting_requests
        self._second_try = second_try
        self._drain = drain
        self._backends: dict[str, Backend] = {}
        self._traffic: dict[str, int] = {}
        self._ready: dict[str, int] = {}
        self._split = Split()
        self._changed = asyncio.Event()
        self._waiting = 0
        self._closing = False
        self._site: web.SockSite | None = None

    @property
    def listens(self) -> bool:
        """Whether it has an address by now."""
        return self._site is not None

    async def __aenter__(self) -> Self:
        self._session = _session()
        server = web.Server(
            self._answer,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=self._drain)
        await self._runner.setup()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self.refresh()
        await self._runner.cleanup()
        await self._session.close()

    async def listen(self, host: str, port: int) -> int:
        """Answer at `host`:`port` from now on, and no more where it did until now; 0 chooses a port, which is returned.

        Raises HostError when the port is taken, and names who holds it; the old address then stays.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise _not_listening(host, port, error) from error
        before, self._site = self._site, web.SockSite(self._runner, listener, backlog=_BACKLOG)
        await self._site.start()
        if before:
            await before.stop()
        bound: int = listener.getsockname()[1]
        return bound

    def route(self, backends: Mapping[str, Backend], traffic: Mapping[str, int]) -> None:
        """Give each request from now on to one of `backends`, as many in a hundred as `traffic` says."""
        self._backends = dict(backends)
        before = self._traffic
        self._traffic = {name: percent for name, percent in traffic.items() if percent > 0 and name in backends}
        if self._traffic != before:
            for backend in backends.values():
                backend.tally = Tally()
        self._split.reset()
        self.refresh()

    def refresh(self) -> None:
        """Look again at which backends are ready; to be called after one became so, or ceased to be."""
        self._ready = {name: percent for name, percent in self._traffic.items() if self._backends[name].url}
        self._changed.set()
        self._changed = asyncio.Event()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            return _refusal(501, "this router forwards no web sockets; the clouds' own do")
        body = await _body(request)
        deadline = asyncio.get_running_loop().time() + self.patience
        while backend := await self._backend(deadline):
            with backend.busy() as url:
                try:
                    return await self._forward(request, url, body, backend.tally)
                except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                    # Nothing was sent: the process has just died, or stopped listening. Its keeper will see it too.
                    if not self._second_try:
                        return _refusal(502, "the release can't be connected to")
                    await asyncio.sleep(_RETRY_PAUSE)
                except aiohttp.ClientError as error:
                    backend.tally.ended()
                    return _refusal(502, f"the release ended before it had answered ({type(error).__name__})")
        return _refusal(503, "no release is ready to answer", {hdrs.RETRY_AFTER: str(RETRY_AFTER)})

    async def _backend(self, deadline: float) -> Backend | None:
        name = self._split.next(self._ready)
        if name is None and self._waiting < self.waiting_requests:
            self._waiting += 1
            try:
                name = await self._wait_for_backend(deadline)
            finally:
                self._waiting -= 1
        return self._backends[name] if name else None

    async def _wait_for_backend(self, deadline: float) -> str | None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while not self._closing:
                    if name := self._split.next(self._ready):
                        return name
                    await self._changed.wait()
        return None

    async def _forward(self, request: web.BaseRequest, url: str, body: _Body, tally: Tally) -> web.StreamResponse:
        begin = asyncio.get_running_loop().time()
        async with self._session.request(
            request.method,
            URL(f"{url}{_target(request)}", encoded=True),
            headers=_forwarded_headers(request),
            data=body,
            allow_redirects=False,
        ) as response:
            tally.answered(response.status, asyncio.get_running_loop().time() - begin)
            return await _pass_back(request, response)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_TIMEOUT),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
        skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
        auto_decompress=False,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )


async def _invite_body(request: web.BaseRequest) -> None:
    # curl waits a second for this before it sends a body of more than a megabyte.
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _target(request: web.BaseRequest) -> str:
    raw = request.raw_path
    return raw if raw.startswith("/") else request.rel_url.raw_path_qs


def _forwarded_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    before = headers.get("X-Forwarded-For")
    peer = request.remote or "unknown"
    headers["X-Forwarded-For"] = f"{before}, {peer}" if before else peer
    headers.setdefault("X-Forwarded-Proto", "http")
    headers.setdefault("X-Forwarded-Host", request.headers.get(hdrs.HOST, ""))
    return headers


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    dropped = _HOP_BY_HOP
    if named := headers.get(hdrs.CONNECTION):
        dropped = dropped | {name.strip().lower() for name in named.split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


async def _body(request: web.BaseRequest) -> _Body:
    # A small body travels in one piece with its headers; a large one, or one of unknown length, as it comes. Both can
    # go to a second release when the first can't be connected to: of a stream, nothing is read before there is one.
    if not request.body_exists:
        return None
    await _invite_body(request)
    if request.content_length is not None and request.content_length <= _SMALL:
        return await request.content.read()
    return request.content


async def _pass_back(request: web.BaseRequest, response: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = _end_to_end(response.headers)
    length = response.content_length
    if length is not None and length <= _SMALL and request.method != hdrs.METH_HEAD:
        return web.Response(status=response.status, reason=response.reason, headers=headers, body=await response.read())
    answer = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
    await answer.prepare(request)
    try:
        async for chunk in response.content.iter_any():
            await answer.write(chunk)
    except aiohttp.ClientError:
        # The client must see that the answer is not whole, so it gets no proper end.
        if request.transport:
            request.transport.abort()
    return answer


def _refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{sentence}\n", headers=headers)


def _not_listening(host: str, port: int, error: OSError) -> HostError:
    if error.errno == errno.EADDRINUSE:
        holder = ports.holder(port) or "another process"
        return HostError(f"port {port}", f"is taken by {holder}", "end that process, or choose another port")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return HostError(f"{host}:{port}", f"can't be listened on ({reason})", _REMEDIES.get(error.errno or 0, ""))
