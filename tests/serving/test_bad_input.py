"""Bad input of every kind: never a 500, never stuck, and no memory kept."""

from __future__ import annotations

import json
import os
import random

import httpx
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from launched import PATIENCE, Served

EXAMPLES = settings(
    max_examples=150, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
EXAMPLES_OF_AN_ENDPOINT = settings(
    EXAMPLES, max_examples=100 if os.environ.get("BENTOSHIP_MATRIX") == "whole" else 8, phases=[Phase.generate]
)
ENDPOINTS = (
    "/model", "/model_in_thread", "/keywords", "/nested", "/text", "/number", "/a/route/of/its/own", "/anything",
    "/shaped", "/columns", "/batch_of_two", "/file_size", "/file", "/stream", "/with_context", "/task", "/nowhere",
)  # fmt: skip
ENDLESS = {"/stream"}
"""What answers for as long as it is asked to."""
KEYS = some.sampled_from(["x", "y", "points", "value", "tags", "rows", "count", "label", "root", "args", "kwargs"])
NUMBERS = some.one_of(some.integers(), some.floats(), some.sampled_from([10**400, -0.0, 1e308]))
LEAVES = some.one_of(some.none(), some.booleans(), NUMBERS, some.text(max_size=20))
VALUES = some.recursive(
    LEAVES, lambda inner: some.one_of(some.lists(inner, max_size=4), some.dictionaries(KEYS, inner, max_size=4))
)
MEDIA_TYPES = some.sampled_from(
    [
        "application/json",
        "application/JSON; charset=utf-16",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/vnd.bentoml+pickle",
        "text/plain",
        "image/png",
        ";",
        "ü",
    ]
)
FINE = {200, 202, 400, 404, 405, 413, 415}
POST = b"POST /model HTTP/1.1\r\nhost: a\r\n"
GOOD = POST + b'content-type: application/json\r\ncontent-length: 10\r\n\r\n{"x": 1.5}'
SHAPES = {
    "two lengths": POST + b"content-length: 8\r\ncontent-length: 9\r\n\r\n" + b'{"x": 1}x',
    "length and chunks": POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": POST + b"content-length: -1\r\n\r\n",
    "length with a plus": POST + b"content-length: +8\r\n\r\n" + b'{"x": 1}',
    "huge length": POST + b"content-length: 99999999999999999999999\r\n\r\n",
    "space before the colon": POST + b"content-length : 8\r\n\r\n" + b'{"x": 1}',
    "folded header": POST + b"x: a\r\n b\r\ncontent-length: 8\r\n\r\n" + b'{"x": 1}',
    "wrong chunk": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
    "unknown coding": POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "bare line feeds": b"GET /livez HTTP/1.1\nhost: a\n\n",
    "no version": b"GET /livez\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "nothing": b"",
    "path without a slash": b"GET livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "percent": b"GET /%ff%00%2e%2e/%c0%ae HTTP/1.1\r\nhost: a\r\n\r\n",
    "truncated body": GOOD[:-3],
    "truncated head": GOOD[:40],
}  # fmt: skip


@pytest.fixture(scope="module")
def tried():
    """How many requests each test has tried; told at the end."""
    counts: dict[str, int] = {}
    yield counts
    print(f"\nbad requests tried: {sum(counts.values())} {counts}")  # noqa: T201 -- what a reader wants to know


@EXAMPLES
@given(path=some.sampled_from(ENDPOINTS), value=VALUES)
def test_json_of_any_kind(kinds_served, tried, path, value) -> None:
    answer = posted(kinds_served, path, json.dumps(value).encode(), "application/json")
    tried["JSON"] = tried.get("JSON", 0) + 1
    assert answer.status_code in FINE, answer.text


@EXAMPLES
@given(path=some.sampled_from(ENDPOINTS), body=some.binary(max_size=100), media_type=MEDIA_TYPES)
def test_bytes_of_any_media_type(kinds_served, tried, path, body, media_type) -> None:
    answer = posted(kinds_served, path, body, media_type)
    tried["bytes"] = tried.get("bytes", 0) + 1
    assert answer.status_code in FINE, answer.text


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", schemathesis.GenerationMode, ids=lambda mode: mode.value)
def test_what_schemathesis_makes_of_the_service_s_own_schema(kinds_served, tried, mode) -> None:
    """Requests that OpenAPI allows (positive), and such that it doesn't (negative)."""
    schema = schemathesis.openapi.from_url(f"{kinds_served.url}/docs.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    asked = [operation for operation in operations if operation.path in set(ENDPOINTS) - ENDLESS]
    assert len(asked) > 10
    for operation in asked:
        given(operation.as_strategy(generation_mode=mode))(EXAMPLES_OF_AN_ENDPOINT(is_fine(tried, mode.value)))()


def is_fine(tried, mode):
    def ask(case) -> None:
        answer = case.call()
        tried[f"schemathesis, {mode}"] = tried.get(f"schemathesis, {mode}", 0) + 1
        assert answer.status_code in FINE, case.as_curl_command()

    return ask


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"a":' * 100_000, b"9" * 100_000, b'"' + b"a" * 5_000_000, b"[1," * 10**6]
)
@pytest.mark.parametrize("path", ["/model", "/anything", "/shaped"])
def test_huge_and_deep(kinds_served, path, body) -> None:
    assert posted(kinds_served, path, body, "application/json").status_code == 400


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_no_http_or_two_requests_in_one(kinds_served, shape) -> None:
    answer = kinds_served.raw(SHAPES[shape], shut=True)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer[9:10] in {b"", b"4"} or shape in {"percent", "bare line feeds", "no version"}
    assert not answer.startswith(b"HTTP/1.1 5")
    assert kinds_served.post("/model", {"x": 1}).status_code == 200


def test_mutated_requests(kinds_served, tried) -> None:
    chance = random.Random(0)  # noqa: S311 -- the same ones every time
    for _ in range(200):
        request = bytearray(GOOD)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(request))
            request[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        answer = kinds_served.raw(bytes(request), shut=True)
        tried["mutated"] = tried.get("mutated", 0) + 1
        assert not answer.startswith(b"HTTP/1.1 5"), (request, answer)


def test_no_memory_is_kept_of_it(kinds_served) -> None:
    process = psutil.Process(kinds_served.process.pid)
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        rounds = [resident_after(process, client, kinds_served, number) for number in range(3)]
    assert rounds[2] - rounds[1] < 4 << 20, rounds


def resident_after(process: psutil.Process, client: httpx.Client, served: Served, number: int) -> int:
    """Resident bytes after a thousand bad requests, each to a path of its own or with a fault of its own."""
    for one in range(500):
        assert client.post(f"{served.url}/nowhere/{number}/{one}", json={}).status_code == 404
        assert client.post(f"{served.url}/model", json={f"a{number}-{one}": "x" * 1000}).status_code == 400
    return process.memory_info().rss


def posted(served: Served, path: str, body: bytes, media_type: str) -> httpx.Response:
    headers = {"content-type": media_type.encode()}
    return httpx.post(f"{served.url}{path}", content=body, headers=headers, trust_env=False, timeout=PATIENCE)
