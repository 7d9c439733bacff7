"""The launcher answers as `bentoml serve` does: kinds of endpoints, times answers, status codes and errors."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from launched import PATIENCE, Served, free_port, running

pytestmark = pytest.mark.xdist_group("as_bentoml")  # which starts its releases once

BIN = Path(sys.executable).parent
POINT = {"x": 1.5, "label": "ü"}
JSON = {"content-type": "application/json"}
CHARSET = {"content-type": "application/json; charset=utf-8"}

CASES = {
    "model": ("/model", {"json": POINT}),
    "model: default for null": ("/model", {"json": {"x": 1, "label": None}}),
    "model: number as text": ("/model", {"json": {"x": "1.5"}}),
    "model: unknown field": ("/model", {"json": {"x": 1, "z": 1}}),
    "model: missing field": ("/model", {"json": {}}),
    "model: out of range": ("/model", {"json": {"x": -1}}),
    "model: two faults": ("/model", {"json": {"x": "many", "y": []}}),
    "model: no body": ("/model", {"content": b"", "headers": JSON}),
    "model: no media type": ("/model", {"content": b'{"x": 1}'}),
    "model: media type with charset": ("/model", {"content": b'{"x": 1}', "headers": CHARSET}),
    "model: other media type": ("/model", {"content": b'{"x": 1}', "headers": {"content-type": "text/csv"}}),
    "model: not JSON": ("/model", {"content": b"{", "headers": JSON}),
    "model: NaN": ("/model", {"content": b'{"x": NaN}', "headers": JSON}),
    "model: infinite": ("/model", {"content": b'{"x": 1e999}', "headers": JSON}),
    "model: not UTF-8": ("/model", {"content": b'{"x": 1, "label": "\xff"}', "headers": JSON}),
    "model: an array": ("/model", {"json": [1]}),
    "model: a form": ("/model", {"data": {"x": "2"}}),
    "model: pickled": ("/model", {"content": b"x", "headers": {"content-type": "application/vnd.bentoml+pickle"}}),
    "model in a thread": ("/model_in_thread", {"json": POINT}),
    "model in a thread: missing field": ("/model_in_thread", {"json": {}}),
    "keywords": ("/keywords", {"json": {"x": 1, "tags": ["a", "b"]}}),
    "keywords: out of range": ("/keywords", {"json": {"x": 1, "y": -1}}),
    "keywords: missing": ("/keywords", {"json": {}}),
    "keywords: an array": ("/keywords", {"json": [1]}),
    "nested": ("/nested", {"json": {"points": [POINT, {"x": 2}]}}),
    "nested: fault inside": ("/nested", {"json": {"points": [POINT, {"x": -2}]}}),
    "text": ("/text", {"content": "grün".encode()}),
    "text: as JSON": ("/text", {"json": "a"}),
    "number": ("/number", {"json": {"value": 3}}),
    "number: default": ("/number", {"json": {}}),
    "number: no body": ("/number", {}),
    "route of its own": ("/a/route/of/its/own", {"json": {"value": 3}}),
    "nothing": ("/nothing", {"json": {}}),
    "anything": ("/anything", {"json": {"value": {"deep": [1, None, "é"]}}}),
    "numpy": ("/rows", {"json": {"rows": [[1, 2], [3, 4]]}}),
    "numpy: ragged": ("/rows", {"json": {"rows": [[1, 2], [3]]}}),
    "numpy: shape": ("/shaped", {"json": [[1, 2], [3, 4]]}),
    "numpy: wrong shape": ("/shaped", {"json": [[1, 2]]}),
    "numpy: wrong type": ("/shaped", {"json": "no"}),
    "pandas": ("/frame", {"json": {"frame": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}}),
    "pandas: columns": ("/columns", {"json": [{"a": 1}, {"a": 3}]}),
    "pandas: a number": ("/columns", {"json": 3}),
    "file in": ("/file_size", {"files": {"file": ("a.txt", b"12345")}}),
    "file in: missing": ("/file_size", {"files": {"other": ("a.txt", b"12345")}}),
    "file out": ("/file", {"json": {"content": "hello"}}),
    "image out": ("/image", {"json": {}}),
    "stream": ("/stream", {"json": {"count": 3}}),
    "stream: wrong type": ("/stream", {"json": {"count": "x"}}),
    "context": ("/with_context", {"json": {"value": 3}, "headers": {"x-given": "yes"}}),
    "context without asking": ("/context_without_asking", {"json": {}, "headers": {"x-given": "yes"}}),
    "response of its own": ("/own_response", {"json": {"value": 3}}),
    "batchable": ("/batch", {"json": {"rows": [[1, 2]]}}),
    "batchable: wrong type": ("/batch", {"json": {"rows": "many"}}),
    "batchable: missing": ("/batch", {"json": {}}),
    "batchable: no rows": ("/batch", {"json": {"rows": []}}),
    "batchable: async, texts": ("/batch_of_texts", {"json": ["a", "ü", "long"]}),
    "batchable: texts, a number": ("/batch_of_texts", {"json": ["a", 1]}),
    "batchable: models": ("/batch_of_two", {"json": {"rows": [POINT, {"x": 2}]}}),
    "batchable: more than a batch": ("/batch_of_two", {"json": {"rows": [POINT] * 5}}),
    "batchable: fault inside": ("/batch_of_two", {"json": {"rows": [POINT, {"x": -2}]}}),
    "batchable: columns": ("/batch_of_columns", {"json": {"rows": [[1, 2, 3], [4, 5, 6]]}}),
    "batchable: one dimension too few": ("/batch_of_columns", {"json": {"rows": [1, 2]}}),
    "batchable: fails": ("/failing_batch", {"json": {"hows": ["breaks"]}}),
    "batchable: refuses": ("/failing_batch", {"json": {"hows": ["refuses"]}}),
    "batchable: answers nothing": ("/failing_batch", {"json": {"hows": ["answers nothing"]}}),
    "task, awaited": ("/task", {"json": {"value": 3}}),
    "fails": ("/fails", {"json": {"how": "breaks"}}),
    "fails: refuses": ("/fails", {"json": {"how": "refuses"}}),
    "fails: forbids": ("/fails", {"json": {"how": "forbids"}}),
    "fails: is busy": ("/fails", {"json": {"how": "is busy"}}),
    "unknown path": ("/nowhere", {"json": {}}),
}  # fmt: skip
UNREADABLE = {
    "text read as an array": ("/shaped", {"content": b"[[1", "headers": JSON}),
    "nested too deeply": ("/shaped", {"content": b"[" * 100_000, "headers": JSON}),
    "a broken form": ("/file_size", {"content": b"--x", "headers": {"content-type": "multipart/form-data"}}),
}
"""Requests that BentoML answers with 500, though it is the client who is wrong."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("stock")
    (folder / "service.py").write_text((Path(__file__).parent / "kinds.py").read_text())
    port = free_port()
    words = [str(BIN / "bentoml"), "serve", "service:Tiny", "--host", "127.0.0.1", "--port", str(port)]
    around = {**os.environ, "BENTOML_HOME": str(folder / "home"), "BENTOML_DO_NOT_TRACK": "True"}
    with running(words, around, folder, port, folder / "log") as served:
        yield served


def asked(served: Served, path: str, options: dict) -> tuple:
    answer = httpx.post(f"{served.url}{path}", trust_env=False, timeout=PATIENCE, **options)
    shown = {name: answer.headers.get(name) for name in ("content-type", "x-own", "content-disposition")}
    return answer.status_code, shown, answer.content


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_the_one_of_bentoml_serve(kinds_served, stock, case) -> None:
    assert asked(kinds_served, *CASES[case]) == asked(stock, *CASES[case])


def test_a_batch_of_frames_is_answered(kinds_served) -> None:
    # `bentoml serve` takes such a request, and answers 504 when its time is over.
    answer = kinds_served.post("/batch_of_frames", {"frame": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]})
    assert answer.json() == [{"a": 2, "b": 4}, {"a": 6, "b": 8}]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/schema.json", "/model", "/nowhere"])
def test_so_it_is_for_what_is_got(kinds_served, stock, path) -> None:
    ours, theirs = kinds_served.get(path), stock.get(path)
    assert (ours.status_code, ours.headers["content-type"], ours.text) == (
        theirs.status_code,
        theirs.headers["content-type"],
        theirs.text,
    )


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_can_not_be_read_is_the_client_s_fault(kinds_served, stock, case) -> None:
    assert asked(stock, *UNREADABLE[case])[0] == 500
    status, _, body = asked(kinds_served, *UNREADABLE[case])
    assert status == 400
    assert b"the request can't be read" in body


def test_the_page_loads_nothing_from_elsewhere(kinds_served, stock) -> None:
    assert "googletagmanager" in stock.get("/").text
    page = kinds_served.get("/")
    assert "swagger-ui-bundle.js" in page.text
    assert not re.search(r"googletagmanager|src=.https?:", page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'self'; ")


def test_a_task_is_submitted_and_asked_for(kinds_served) -> None:
    task = kinds_served.post("/task/submit", {"value": 3}).json()["task_id"]
    while (status := kinds_served.get(f"/task/status?task_id={task}").json()["status"]) == "in_progress":
        pass
    assert status == "completed"
    assert kinds_served.get(f"/task/get?task_id={task}").json() == 4
