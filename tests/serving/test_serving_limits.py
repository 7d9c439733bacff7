"""What the launcher gives back beside answers: time-outs, limits, ids, log, metrics; seen from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from launched import PATIENCE, RELEASE, Served, free_port, packages, serving, with_service

from bentoship.serving.settings import WrongSettings, read

pytestmark = pytest.mark.xdist_group("serving_limits")  # which starts its releases once

SERVICE = """
import asyncio
from pathlib import Path

import bentoml


STARTED = []


@bentoml.service(name="tiny", traffic={"timeout": 3})
class Tiny:
    @bentoml.api
    def hold(self, folder: str) -> int:
        # Only one at a time may be in here; each is answered once somebody writes into the pipe.
        STARTED.append(1)
        (Path(folder) / "answer").read_text()
        STARTED.pop()
        return len(STARTED)

    @bentoml.api
    async def held(self) -> int:
        return len(STARTED)

    @bentoml.api
    async def double(self, number: float) -> float:
        return number * 2

    @bentoml.api
    async def wait(self, folder: str) -> str:
        await asyncio.to_thread((Path(folder) / "begun").write_text, "begun")
        return await asyncio.to_thread((Path(folder) / "answer").read_text)

    @bentoml.api
    async def sleep(self) -> str:
        await asyncio.sleep(3600)

    @bentoml.api
    def sleep_with_context(self, ctx: bentoml.Context) -> str:
        import time
        time.sleep(5)

    @bentoml.api
    async def with_context(self, ctx: bentoml.Context) -> str:
        return "through BentoML"

    @bentoml.api
    async def long(self, length: int) -> str:
        return "x" * length

    @bentoml.api
    async def length(self, text: str, /) -> int:
        return len(text)

    @bentoml.api
    def file_size(self, file: Path) -> int:
        return len(file.read_bytes())
"""
LIMITS = {
    "SERVING_MAX_CONCURRENCY": "2",
    "SERVING_MAX_CONNECTIONS": "8",
    "SERVING_MAX_BODY_MB": "0.5",
    "SERVING_CLIENT_SECONDS": "1",
    "SERVING_METRICS_TOKEN": "let me see",
    "SERVING_PAGE": "off",
}
BIG = b"x" * (600 << 10)
HEAD = b"POST /length HTTP/1.1\r\nhost: a\r\n"
FORM = "multipart/form-data; boundary=a"
PART = b'--a\r\ncontent-disposition: form-data; name="file"; filename="b"\r\n\r\n'
TOKEN = {"authorization": "Bearer let me see"}


@pytest.fixture(scope="module")
def limited(unpacked, tmp_path_factory) -> Iterator[Served]:
    folder = with_service(unpacked, tmp_path_factory.mktemp("limited") / "release", SERVICE)
    state = tmp_path_factory.mktemp("limited-host") / "state"
    with serving(folder, state, BENTOSHIP_SITE_PACKAGES=packages(unpacked), **LIMITS) as served:
        yield served


@pytest.mark.parametrize("path", ["/sleep", "/sleep_with_context"])
def test_what_takes_too_long_is_answered_504_in_bentoml_s_words(limited, path) -> None:
    answer = limited.post(path, {})
    assert answer.status_code == 504
    assert answer.json() == {"error": "Not able to process the request in 3 seconds"}


def refused(served: Served, pool: ThreadPoolExecutor) -> tuple[httpx.Response, list[Future[httpx.Response]]]:
    """The answer to one request too many, and the two that are in progress for three seconds."""
    while True:  # on a busy machine those may be over before anybody has asked
        waiting = [pool.submit(served.post, "/sleep", {}) for _ in range(2)]
        while not all(each.done() for each in waiting):
            if (answer := served.post("/double", {"number": 1})).status_code == 429:
                return answer, waiting
            assert answer.status_code == 200


def test_a_request_too_many_is_answered_429_at_once_and_probes_are_not(limited) -> None:
    with ThreadPoolExecutor(2) as pool:
        answer, waiting = refused(limited, pool)
        assert answer.json() == {"error": "Too many requests"}
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["x-bentoship-release"] == RELEASE[:12]
        assert limited.get("/readyz").status_code == 200
        assert [request.result().status_code for request in waiting] == [504, 504]
    assert limited.post("/double", {"number": 1}).json() == 2


@pytest.mark.parametrize("path", ["/double", "/with_context"])
def test_who_has_his_answer_is_in_nobody_s_way(limited, path) -> None:
    def ask_again_and_again(_) -> set[int]:
        with httpx.Client(base_url=limited.url, trust_env=False) as client:
            return {client.post(path, json={"number": 1}).status_code for _ in range(300)}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask_again_and_again, range(2))) == [{200}, {200}]


@pytest.mark.slow
def test_a_thread_whose_request_was_given_up_counts_as_long_as_it_computes(limited, tmp_path) -> None:
    os.mkfifo(tmp_path / "answer")
    body = {"folder": str(tmp_path)}
    with ThreadPoolExecutor(2) as pool:
        assert [each.status_code for each in pool.map(lambda _: limited.post("/hold", body), range(2))] == [504, 504]
    assert limited.post("/held", {}).json() == 1
    assert limited.post("/hold", body).status_code == 504
    assert limited.post("/held", {}).json() == 1
    (tmp_path / "answer").write_text("go on")
    while limited.post("/held", {}).json():
        pass
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(limited.post, "/hold", body)
        (tmp_path / "answer").write_text("go on")
        assert answered.result().json() == 0


def test_an_answer_to_head_has_no_body_whoever_gives_it(limited) -> None:
    ask = b"HEAD /nowhere HTTP/1.1\r\nhost: a\r\n%s\r\n"
    with ThreadPoolExecutor(2) as pool:
        _, waiting = refused(limited, pool)
        answers = limited.raw(ask % b"" + ask % b"connection: close\r\n")
        assert [request.result().status_code for request in waiting] == [504, 504]
    assert answers.count(b"HTTP/1.1 429 ") == 2
    assert b"Too many" not in answers
    assert answers.endswith(b"\r\n\r\n")


CHUNKED = (
    b"POST /double HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\nx-request-id: mine\r\n\r\n"
)
WHOLE = b"d\r\n" + b'{"number": 1}' + b"\r\n0\r\n"


def test_what_comes_after_the_body_overrides_nothing_and_has_an_end(limited) -> None:
    answer = limited.raw(CHUNKED + WHOLE + b"x-request-id: theirs\r\ncontent-type: text/plain\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"x-request-id: mine\r\n" in answer.lower()
    endless = CHUNKED + WHOLE + b"".join(b"x-%d: y\r\n" % number for number in range(20_000))
    assert limited.raw(endless).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("path", ["/length", "/nowhere"])
def test_a_body_over_the_limit_is_answered_413_unread(limited, path) -> None:
    answer = httpx.post(f"{limited.url}{path}", content=BIG, trust_env=False)
    assert answer.status_code == 413
    assert answer.json() == {"error": "the body of a request may have at most 524,288 bytes"}


@pytest.mark.parametrize(("path", "media_type"), [("/length", "text/plain"), ("/file_size", FORM)])
def test_so_it_is_when_the_length_is_not_said(limited, path, media_type) -> None:
    headers = {"content-type": media_type}
    assert httpx.post(f"{limited.url}{path}", content=iter([PART, BIG]), headers=headers).status_code == 413


def test_a_chunked_body_over_a_small_limit_is_refused_though_it_comes_at_once(unpacked, tmp_path) -> None:
    folder = with_service(unpacked, tmp_path / "release", SERVICE)
    small = {"BENTOSHIP_SITE_PACKAGES": packages(unpacked), "SERVING_MAX_BODY_MB": "0.01"}
    with serving(folder, tmp_path / "state", **small) as served:
        text = b'{"text": "%s"}' % (b"x" * 20_000)
        head = b"POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = served.raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text), shut=True)
        assert answer.startswith(b"HTTP/1.1 413 ")


def test_what_is_answered_while_it_ends_is_logged_at_once_and_slow_clients_are_turned_away(unpacked, tmp_path) -> None:
    folder = with_service(unpacked, tmp_path / "release", SERVICE)
    variables = {"SERVING_LINGER_SECONDS": "600", "SERVING_CLIENT_SECONDS": "1"}
    with serving(folder, tmp_path / "state", BENTOSHIP_SITE_PACKAGES=packages(unpacked), **variables) as served:
        served.process.send_signal(signal.SIGTERM)
        while served.get("/readyz").status_code != 503:
            pass
        assert served.post("/double", {"number": 1}).json() == 2
        assert served.raw(HEAD + b"content-length: 10\r\n\r\nabc").startswith(b"HTTP/1.1 408 ")
        assert '"path": "/double"' in served.log.read_text().replace('":"', '": "')
        served.process.kill()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /leng", 408),
        (HEAD + b"x-slow: ", 408),
        (HEAD + b"content-length: 10\r\n\r\nabc", 408),
        (HEAD + b"x: " + b"y" * 70_000 + b"\r\n", 431),
        (b"GET /" + b"y" * 70_000, 431),
    ],
    ids=["line", "head", "body", "long head", "long line"],
)
def test_a_client_that_is_slow_or_sends_a_long_head_is_turned_away(limited, sent, status) -> None:
    answer = limited.raw(sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\n" in answer


UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
ASK = b"POST /double HTTP/1.1\r\nhost: a\r\ncontent-length: 13\r\n%s\r\n"
NUMBER = b'{"number": 1}'
LAST = ASK % b"connection: close\r\n" + NUMBER


@pytest.mark.parametrize(
    "pieces",
    [
        [ASK % UPGRADE + NUMBER + LAST],
        [ASK % UPGRADE, NUMBER + LAST],
        [(ASK % UPGRADE)[:60], (ASK % UPGRADE)[60:] + NUMBER[:5], NUMBER[5:] + LAST],
        [b"GET /livez HTTP/1.1\r\nhost: a\r\n%s\r\n" % UPGRADE + LAST],
        [ASK % UPGRADE + NUMBER + LAST + b"more that nobody asked for"],
    ],
    ids=["whole", "head and body", "pieces", "without a body", "more"],
)
def test_a_client_that_would_rather_speak_another_protocol_is_answered_in_this_one(limited, pieces) -> None:
    with socket.create_connection(("127.0.0.1", limited.port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)  # so that they come one by one
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 ") == 2


def test_many_that_would_rather_speak_another_protocol_are_answered_one_by_one(limited) -> None:
    ask = b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    assert limited.raw(ask * 1500 + LAST).count(b"HTTP/1.1 200 ") == 1501


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://a HTTP/1.1\r\n",
        b"GET http://a:b/ HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n",
    ],
)
def test_what_can_not_be_read_again_is_told_so_and_is_no_fault_of_ours(limited, head) -> None:
    before = len(limited.log.read_text())
    answer = limited.raw(head + b"host: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
    assert b"HTTP/1.1 400 " in answer
    assert "Traceback" not in limited.log.read_text()[before:]


def test_a_tunnel_is_refused(limited) -> None:
    assert limited.raw(b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n").startswith(b"HTTP/1.1 405 ")


def test_a_client_that_reads_slowly_gets_its_whole_answer(limited) -> None:
    length, pace = 24 << 20, 1 << 20
    body = b'{"length": %d}' % length
    head = b"POST /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    read = 0
    with socket.create_connection(("127.0.0.1", limited.port), timeout=PATIENCE) as connection:
        connection.sendall(head + body)
        while piece := connection.recv(pace, socket.MSG_WAITALL):
            read += len(piece)
            time.sleep(0.15)
    assert read > length


def test_a_client_that_goes_away_is_no_failure(limited) -> None:
    assert limited.raw(HEAD + b"content-length: 10\r\n\r\nabc", shut=True)[:12] in {b"", b"HTTP/1.1 408"}
    assert limited.post("/double", {"number": 1}).json() == 2


def test_a_connection_too_many_is_told_so(limited) -> None:
    idle = [socket.create_connection(("127.0.0.1", limited.port), timeout=PATIENCE) for _ in range(12)]
    try:
        told = [connection for connection in idle[8:] if connection.recv(12) == b"HTTP/1.1 503"]
        assert told
    finally:
        for connection in idle:
            connection.close()
    while True:  # until it has noticed that they are gone
        try:
            assert limited.get("/readyz").status_code in {200, 503}
            if limited.post("/double", {"number": 1}).status_code == 200:
                break
        except httpx.TransportError:
            continue


def test_the_page_for_people_can_be_switched_off(limited) -> None:
    assert limited.get("/").status_code == 404


def test_a_request_id_is_kept_or_given(limited) -> None:
    kept = limited.post("/double", {"number": 1}, headers={"x-request-id": "a-b:c/1"})
    assert kept.headers["x-request-id"] == "a-b:c/1"
    wrong = {"x-request-id": "a b"}
    given = {limited.post("/double", {"number": 1}, headers=wrong).headers["x-request-id"] for _ in "ab"}
    assert len(given) == 2
    assert "a b" not in given
    assert limited.get("/nowhere").headers["x-request-id"]


def test_metrics_are_by_route_and_release_and_for_those_who_know_the_token(limited) -> None:
    for number in range(20):
        limited.get(f"/nowhere/{number}")
    limited.post("/double", {"number": 1})
    assert limited.get("/metrics").status_code == 401
    assert limited.get("/metrics", headers={"authorization": "Bearer let me"}).status_code == 401
    text = limited.get("/metrics", headers=TOKEN).text
    routes = set(re.findall(r'request_total\{endpoint="([^"]*)"', text))
    assert "other" in routes
    assert not [route for route in routes if "nowhere" in route]
    assert re.search(rf'endpoint="/double",http_response_code="200".*service_version="{RELEASE[:12]}"\}} [1-9]', text)


def test_an_empty_token_for_the_metrics_opens_nothing(tmp_path) -> None:
    (tmp_path / "token").write_text("\n")
    for wrong in ({"SERVING_METRICS_TOKEN": ""}, {"SERVING_METRICS_TOKEN_FILE": str(tmp_path / "token")}):
        with pytest.raises(WrongSettings, match="SERVING_METRICS_TOKEN has no token in it"):
            read(wrong)


def test_the_log_says_what_was_answered(unpacked, tmp_path) -> None:
    folder = with_service(unpacked, tmp_path / "release", SERVICE)
    variables = {"BENTOSHIP_SITE_PACKAGES": packages(unpacked), "SERVING_METRICS_PORT": str(free_port())}
    with serving(folder, tmp_path / "state", **variables) as served:
        trace = "0af7651916cd43dd8448eb211c80319c"
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-request-id": "mine"}
        served.post("/double", {"number": 1}, headers=headers)
        served.post("/double", {"number": "many"})
        assert served.get("/metrics").status_code == 404
        private = f"http://127.0.0.1:{variables['SERVING_METRICS_PORT']}"
        assert httpx.get(f"{private}/metrics", trust_env=False).status_code == 200
        assert httpx.post(f"{private}/double", json={"number": 1}, trust_env=False).status_code == 404
        entries = [entry for entry in served.ended() if "path" in entry]
    said = [(entry["path"], entry["status"]) for entry in entries]
    assert said == [("/double", 200), ("/double", 400), ("/metrics", 404), ("/metrics", 200), ("/double", 404)]
    assert (entries[0]["request_id"], entries[0]["trace_id"]) == ("mine", trace)


def test_wrong_settings_are_told_all_at_once() -> None:
    with pytest.raises(WrongSettings) as caught:
        read({"SERVING_WORKERS": "many", "SERVING_MAX_BODY_MB": "nan", "SERVING_WORKRES": "2"})
    assert str(caught.value).split("; ") == [
        "SERVING_WORKERS is 'many', and must be a whole number from 1 to 1024",
        "SERVING_MAX_BODY_MB is 'nan', and must be a number from 0.001 to 100000",
        "SERVING_WORKRES is no setting: did you mean SERVING_WORKERS?",
    ]
