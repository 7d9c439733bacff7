from __future__ import annotations

import io
import json
import re
from typing import get_args

import pytest

from bentoship.cli.stream import Kind, Stream
from bentoship.deployment import Answered, Gated
from bentoship.engine.events import Event, Step
from bentoship.errors import BentoshipError
from bentoship.operations.attempt import Deployed
from bentoship.operations.destroy import Destroyed
from projects import ROOT

RELEASE = "b0f290fea04a" + 52 * "0"
URN = "urn:pulumi:dev-eu::bentoship::bentoship:index:Gate::gate"
CREATE = Step(URN, "bentoship:index:Gate", "create", done=False)


class File(io.StringIO):
    name = "events.jsonl"


def lines(file):
    found = [json.loads(line) for line in file.getvalue().splitlines()]
    for line in found:
        assert {"time", "kind", "environment", "message"} <= set(line)
    return found


def test_what_an_engine_says_is_written_with_deployment_release_and_resource():
    file = File()
    with Stream(file, "up", "dev") as stream:
        stream.tell("building the \x1b[1mBento\x1b[0m")
        stream.watch("eu", Event(release=RELEASE))
        for event in (Event(step=CREATE), Event(failed=CREATE), Event(step=Step(URN, "x", "same", done=True))):
            stream.watch("eu", event)
        answered = (Answered(path="/predict", met=False, seconds=0.1),)
        stream.watch("eu", Event(gate=Gated(at="now", passed=False, asked=1, met=0, examples=answered)))
        stream.end(1, {"eu": BentoshipError("dev-eu", "the gate failed", "look at it")})
    begin, message, attempt, step, failed_step, gate, failed, end = lines(file)
    assert (begin["kind"], begin["verb"], begin["environment"]) == ("begin", "up", "dev")
    assert message["message"] == "building the Bento"
    assert (attempt["kind"], attempt["deployment"], attempt["release"]) == ("attempt", "eu", RELEASE)
    resource = {"operation": "create", "type": "bentoship:index:Gate", "name": "gate", "urn": URN}
    assert (step["kind"], step["resource"]) == ("step_begin", resource)
    assert (failed_step["kind"], failed_step["resource"], failed_step["release"]) == ("step_failed", resource, RELEASE)
    assert (gate["gate"]["passed"], gate["gate"]["examples"][0]["met"]) == (False, False)
    assert failed["problems"] == [{"where": "dev-eu", "fault": "the gate failed", "remedy": "look at it"}]
    assert (end["kind"], end["code"]) == ("end", 1)


def test_what_became_of_each_deployment_is_written_at_the_end():
    deployed = Deployed("eu", "local", "dev-eu", "http://here", RELEASE, {"passed": True}, (CREATE,), 1.25)
    gone, left = Destroyed("eu", "local", "dev-eu", (CREATE,)), Destroyed("us", "local", "dev-us", spared="has no ttl")
    file = File()
    with Stream(file, "up", "dev") as stream:
        assert stream.end(0, {"eu": deployed}) == 0
    up = lines(file)[1]
    assert (up["kind"], up["release"], up["url"], up["changed"]) == ("deployed", RELEASE, "http://here", True)
    file = File()
    with Stream(file, "destroy", "dev") as stream:
        stream.end(0, {"eu": gone, "us": left})
    assert [(line["kind"], line["removed"], line["spared"]) for line in lines(file)[1:3]] == [
        ("destroyed", 1, False),
        ("destroyed", 0, True),
    ]


@pytest.mark.parametrize(
    ("error", "kinds", "code"),
    [
        (BentoshipError("environments", "there is no environment 'dve'"), ["begin", "failed", "end"], 1),
        (KeyboardInterrupt(), ["begin", "end"], 130),
    ],
)
def test_the_last_line_is_the_end_whatever_happens(error, kinds, code):
    file = File()
    with pytest.raises(type(error)), Stream(file, "up", "dve"):
        raise error
    found = lines(file)
    assert [line["kind"] for line in found] == kinds
    assert found[-1]["code"] == code


def test_without_a_file_nothing_is_written():
    with Stream(None, "up", "dev") as stream:
        assert not stream.takes_stdout
        assert stream.end(0) == 0


def test_every_kind_is_documented():
    (table,) = re.findall(r"\| kind \|.*?\n\n", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(get_args(Kind))
