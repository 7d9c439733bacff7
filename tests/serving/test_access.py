"""Who may ask a release, and scripts of which sites; seen from outside."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from launched import PATIENCE, RELEASE, Served, packages, serving, with_service

from bentoship.serving import access
from bentoship.serving.settings import Settings, WrongSettings, read

pytestmark = pytest.mark.xdist_group("access")  # which starts its releases once

SERVICE = """
import asyncio
from pathlib import Path

import bentoml
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

own = Starlette(routes=[Route("/", lambda request: PlainTextResponse("their own page"))])


async def sockets(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})


@bentoml.asgi_app(own, path="/")
@bentoml.asgi_app(sockets, path="/sockets")
@bentoml.service(name="tiny")
class Tiny:
    @bentoml.api
    async def double(self, number: float) -> float:
        return number * 2

    @bentoml.api
    def with_context(self, ctx: bentoml.Context) -> str:
        return "through BentoML"

    @bentoml.api
    async def wait(self, folder: str) -> str:
        await asyncio.to_thread((Path(folder) / "begun").write_text, "begun")
        return await asyncio.to_thread((Path(folder) / "answer").read_text)
"""
OLD, NEW = "the-token-that-was-0123", "the-token-that-comes-0123456789"
SITE = "https://app.example.com"
HANDSHAKE = (
    b"GET /sockets/x HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n%s\r\n"
)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def guarded(unpacked, tmp_path_factory) -> Iterator[Served]:
    """A release that takes the old token and the new one, of which it knows the digest alone."""
    folder = with_service(unpacked, tmp_path_factory.mktemp("guarded") / "release", SERVICE)
    state = tmp_path_factory.mktemp("guarded-host") / "state"
    tokens = state.with_name("tokens")
    tokens.write_text(f"{OLD}\nsha256:{hashlib.sha256(NEW.encode()).hexdigest()}\n")
    variables = {
        "SERVING_TOKENS_FILE": str(tokens),
        "SERVING_CORS_ORIGINS": f"{SITE}, https://other.example.com:8443",
        "SERVING_MAX_CONCURRENCY": "1",
    }
    with serving(folder, state, BENTOSHIP_SITE_PACKAGES=packages(unpacked), **variables) as served:
        yield served


@pytest.mark.parametrize(
    "headers", [{}, bearer("somebody-else-s-token"), {"authorization": f"Basic {OLD}"}, {"authorization": "Bearer"}]
)
@pytest.mark.parametrize("path", ["/double", "/with_context", "/nowhere"])
def test_whoever_knows_no_token_is_answered_401_whatever_is_asked(guarded, path, headers) -> None:
    answer = guarded.post(path, {"number": 1}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="bentoship"'
    assert answer.headers["x-bentoship-release"] == RELEASE[:12]
    assert answer.json() == {"error": "a token is asked for here: authorization: Bearer <token>"}
    assert guarded.get("/docs.json", headers=headers).status_code == 401


@pytest.mark.parametrize("token", [OLD, NEW])
def test_each_of_the_tokens_opens(guarded, token) -> None:
    assert guarded.post("/double", {"number": 1}, headers=bearer(token)).json() == 2
    assert guarded.post("/double", {"number": 1}, headers={"authorization": f"bearer {token}"}).json() == 2
    assert guarded.post("/with_context", {}, headers=bearer(token)).text == "through BentoML"


def test_probes_are_for_everybody_and_metrics_have_a_token_of_their_own(guarded) -> None:
    assert [guarded.get(path).status_code for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]
    assert guarded.get("/livez/").status_code == 401


def test_a_web_socket_is_refused_as_well(guarded) -> None:
    assert first_line(guarded, HANDSHAKE % b"").startswith(b"HTTP/1.1 403 ")
    with_token = HANDSHAKE % b"authorization: Bearer %s\r\n" % OLD.encode()
    assert first_line(guarded, with_token).startswith(b"HTTP/1.1 101 ")


def first_line(served: Served, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        return connection.makefile("rb").readline()


def test_a_page_of_the_service_s_own_wins_and_asks_for_a_token_like_everything(guarded) -> None:
    assert guarded.get("/").status_code == 401
    assert guarded.get("/", headers=bearer(NEW)).text == "their own page"


def test_a_browser_that_asks_whether_it_may_is_told_so_without_a_token(guarded) -> None:
    asking = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    told = preflight(guarded, {**asking, "origin": SITE})
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["access-control-allow-origin"] == SITE
    assert told.headers["access-control-allow-headers"] == "authorization,content-type"
    assert "POST" in told.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in told.headers
    other = preflight(guarded, {**asking, "origin": "https://app.example.com.evil.example"})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


def preflight(served: Served, headers) -> httpx.Response:
    return httpx.options(f"{served.url}/double", headers=headers, trust_env=False)


@pytest.mark.parametrize("path", ["/double", "/with_context"])
@pytest.mark.parametrize("token", [{}, bearer(NEW)], ids=["without", "with"])
def test_scripts_of_the_allowed_sites_alone_may_read_answers(guarded, path, token) -> None:
    allowed = guarded.post(path, {"number": 1}, headers={**token, "origin": SITE})
    assert allowed.headers.get_list("access-control-allow-origin") == [SITE]
    assert "x-bentoship-release" in allowed.headers["access-control-expose-headers"]
    other = guarded.post(path, {"number": 1}, headers={**token, "origin": "http://app.example.com"})
    assert "access-control-allow-origin" not in other.headers
    assert allowed.headers["vary"] == other.headers["vary"] == "origin"
    assert allowed.status_code == other.status_code


def test_a_script_reads_as_well_that_there_are_too_many(guarded, tmp_path) -> None:
    pipes = [tmp_path / "begun", tmp_path / "answer"]
    for pipe in pipes:
        os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(guarded.post, "/wait", {"folder": str(tmp_path)}, headers=bearer(OLD))
        assert pipes[0].read_text() == "begun"
        refused = guarded.post("/double", {"number": 1}, headers={"origin": SITE})
        pipes[1].write_text("after all")
        assert waiting.result().text == "after all"
    assert refused.status_code == 429
    assert refused.headers["access-control-allow-origin"] == SITE
    assert refused.json() == {"error": "Too many requests"}


def test_nobody_is_asked_and_no_site_is_told_anything_unless_it_is_said() -> None:
    assert read({}) == Settings()
    assert (Settings().tokens, Settings().cors_origins) == ((), frozenset())


def test_everybody_may_ask_from_everywhere_when_that_is_said() -> None:
    cors = access.Cors(read({"SERVING_CORS_ORIGINS": "*"}).cors_origins)
    assert (b"access-control-allow-origin", b"*") in cors.headers(b"https://anywhere.example")
    assert not [value for name, value in cors.headers(b"https://anywhere.example") if name == b"vary"]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SERVING_TOKENS": ""}, "SERVING_TOKENS has no token in it"),
        ({"SERVING_TOKENS": " ,\n"}, "SERVING_TOKENS has no token in it"),
        ({"SERVING_TOKENS": f"{OLD},short"}, "SERVING_TOKENS has a token as number 2 with fewer than 16 characters"),
        (
            {"SERVING_TOKENS": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/tokens/)"},
            "SERVING_TOKENS has something as number 1 that is no bearer token: letters, digits and -._~+/ only",
        ),
        (
            {"SERVING_CORS_ORIGINS": "example.com"},
            "SERVING_CORS_ORIGINS has 'example.com' in it, and an origin is like https://example.com, or * for all",
        ),
    ],
)
def test_what_can_not_be_meant_ends_the_start_and_quotes_no_token(variables, sentence) -> None:
    with pytest.raises(WrongSettings) as caught:
        read(variables)
    assert str(caught.value) == sentence
