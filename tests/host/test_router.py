"""What passes through the router, and how it divides requests."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import os
import signal
import socket
import time
from contextlib import closing
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
from fake_release import unpacked
from load import PATIENCE, get, post

from bentoship.host.control import Supervisor
from bentoship.host.ports import free_port
from bentoship.host.router import Backend, Router, Split
from conftest import IMPATIENT

A = "a" * 64
MEGABYTES = 10
PATIENT = aiohttp.ClientTimeout(total=PATIENCE)


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory):
    """One supervisor for all tests of this file: they leave it as they found it."""
    folder = tmp_path_factory.mktemp("router")
    handle = Supervisor(folder / "deployment", IMPATIENT)
    handle.ensure(0)
    handle.start(A, unpacked(folder / "release"), {"ANSWER": "a"}, 60)
    handle.route({A: 100})
    yield handle
    handle.shut_down()


@pytest.fixture
def routed(supervisor):
    return supervisor.status().url


def connect(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def test_split_spreads_a_canary_evenly():
    split = Split()
    names = [split.next({"old": 75, "new": 25}) for _ in range(8)]
    assert names == ["old", "old", "new", "old"] * 2


def test_split_of_nothing_is_nobody():
    assert Split().next({}) is None


def test_ten_megabytes_go_up_and_down_unchanged(routed):
    body = os.urandom(MEGABYTES * 1024 * 1024)
    answer = post(f"{routed}/echo", content=body)
    assert answer.content == body
    assert answer.headers["X-Echo-Length"] == str(len(body))


def test_a_web_socket_is_told_that_it_is_not_forwarded(routed):
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x", "sec-websocket-version": "13"}
    answer = httpx.get(f"{routed}/chat", headers=headers)
    assert (answer.status_code, "web sockets" in answer.text) == (501, True)


def test_a_chunked_body_stays_chunked(routed):
    answer = post(f"{routed}/echo", content=iter([b"one ", b"two ", b"three"]))
    assert answer.text == "one two three"
    assert answer.headers["X-Echo-Length"] == "chunked"
    assert answer.headers["Transfer-Encoding"] == "chunked"


def test_a_body_streams_through_before_it_is_whole(routed):
    with connect(routed) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        seen = b""
        while b"first" not in seen:
            seen += client.recv(4096)
        client.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        while b"second" not in seen:
            seen += client.recv(4096)
    assert seen.startswith(b"HTTP/1.1 200 OK")


def test_compressed_bodies_pass_as_they_are(routed):
    packed = gzip.compress(b"plain" * 1000)
    sent = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    with httpx.stream("POST", f"{routed}/zipped", content=packed, headers=sent, timeout=PATIENCE) as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(raw) == b"plain" * 1000


@pytest.mark.parametrize("size", [1000, MEGABYTES * 1024 * 1024])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_arrives_whole_at_a_second_release_when_the_first_can_not_be_connected_to(supervisor, method, size):
    body = os.urandom(size)
    gone = Backend(f"http://127.0.0.1:{free_port()}")
    alive = Backend(supervisor.status().releases[0].url)

    async def ask():
        async with Router() as router, aiohttp.ClientSession(timeout=PATIENT) as session:
            port = await router.listen("127.0.0.1", 0)
            router.route({"gone": gone, "alive": alive}, {"gone": 50, "alive": 50})
            async with session.request(method, f"http://127.0.0.1:{port}/echo", data=BytesIO(body)) as answer:
                return await answer.read()

    assert asyncio.run(ask()) == body
    assert (gone.requests, alive.requests) == (1, 1)


def test_answers_are_counted_for_each_release_until_the_traffic_is_divided_otherwise(supervisor):
    gone, alive = Backend(f"http://127.0.0.1:{free_port()}"), Backend(supervisor.status().releases[0].url)
    backends = {"gone": gone, "alive": alive}

    async def ask():
        async with Router() as router, aiohttp.ClientSession(timeout=PATIENT) as session:
            port = await router.listen("127.0.0.1", 0)
            router.route(backends, {"gone": 50, "alive": 50})
            for path in ("/", "/missing", "/slow?seconds=0"):
                async with session.get(f"http://127.0.0.1:{port}{path}"):
                    pass
            router.route(backends, {"gone": 50, "alive": 50})
            counted = alive.tally.answers(), gone.tally.answers()
            router.route(backends, {"alive": 100})
            return *counted, alive.tally.answers()

    of_alive, of_gone, afterwards = asyncio.run(ask())
    assert (of_alive.count, of_alive.failed, of_gone.count, afterwards.count) == (3, 0, 0, 0)
    assert of_alive.percentile(95) > 0


def test_head_tells_the_length_and_sends_nothing(routed):
    with closing(http.client.HTTPConnection(urlsplit(routed).netloc)) as connection:
        connection.request("HEAD", "/zeros?bytes=100000")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "100000", b"")
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"a"


def test_an_error_of_the_release_is_passed_on(routed):
    answer = get(f"{routed}/missing")
    assert (answer.status_code, answer.text) == (404, "no such route\n")


@pytest.mark.parametrize(
    "target",
    [
        "/odd/a%2Fb%20c?x=%2F&y=a+b&empty=",
        "/odd//double//slash/",
        "/odd/./../odd?%C3%A9",
        "/odd/%e4%bd%a0;v=1,2",
        "/odd?a=1&a=2&b[]=~!*'()",
    ],
)
def test_odd_targets_arrive_as_they_were_sent(routed, target):
    with connect(routed) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert f'"target": "{target}"' in answer.read().decode()


def test_headers_arrive_but_for_those_of_the_hop(routed):
    sent = {"X-Own": "1", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "Host": "salary.example"}
    arrived = dict(get(f"{routed}/headers", headers=sent).json()["headers"])
    assert arrived["X-Own"] == "1"
    assert arrived["Host"] == "salary.example"
    assert not {"X-Hop", "TE", "Connection"} & set(arrived)
    assert arrived["X-Forwarded-For"] == "127.0.0.1"
    assert arrived["X-Forwarded-Proto"] == "http"
    assert arrived["X-Forwarded-Host"] == "salary.example"


def test_who_asked_before_us_stays_in_the_line(routed):
    sent = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    arrived = dict(get(f"{routed}/headers", headers=sent).json()["headers"])
    assert arrived["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1"
    assert arrived["X-Forwarded-Proto"] == "https"


def test_a_client_that_waits_to_be_invited_sends_its_body(routed):
    with connect(routed) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer += client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"body" in answer


def test_a_client_that_goes_away_leaves_nothing_in_flight(routed, supervisor):
    with connect(routed) as client:
        client.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for_in_flight(supervisor, 1)
    wait_for_in_flight(supervisor, 0)
    assert get(routed).text == "a"


def test_an_answer_that_breaks_off_is_seen_to_be_broken(routed):
    with pytest.raises(httpx.RemoteProtocolError):
        post(f"{routed}/half")


def test_a_request_whose_release_dies_is_answered_502(routed, supervisor):
    with connect(routed) as client:
        client.sendall(b"POST /slow?seconds=60 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        wait_for_in_flight(supervisor, 1)
        os.kill(supervisor.status().releases[0].pid, signal.SIGKILL)
        assert client.recv(100).startswith(b"HTTP/1.1 502 Bad Gateway")


def test_what_is_no_http_is_answered_400_and_harms_nobody(routed):
    with connect(routed) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert b"400" in client.recv(100)
    assert get(routed).text == "a"


def test_an_old_client_gets_an_answer(routed):
    with connect(routed) as client:
        client.sendall(b"GET /zeros?bytes=100000 HTTP/1.0\r\n\r\n")
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert received.startswith((b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK"))
    assert received.endswith(bytes(100000))


def wait_for_in_flight(supervisor, count):
    deadline = time.monotonic() + 60
    while supervisor.status().releases[0].in_flight != count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
