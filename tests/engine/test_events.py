"""The lines are those of a real engine, 3.259, shortened where they repeat themselves."""

from __future__ import annotations

import json

import pytest

from bentoship.engine.events import read_event

ROUTER = "urn:pulumi:dev-local::bentoship::bentoship:local:Router::router"
PRE = (
    '{"sequence":14,"timestamp":1795256183,"resourcePreEvent":{"metadata":{"op":"update",'
    f'"urn":"{ROUTER}","type":"bentoship:local:Router","old":{{"outputs":{{"port":3000}}}},"new":{{"outputs":{{}}}},'
    '"detailedDiff":{"port":{"diffKind":"update","inputDiff":true}},"diffs":["port"],"provider":""}}}'
)
OUTPUTS = (
    '{"sequence":23,"timestamp":1795256183,"resOutputsEvent":{"metadata":{"op":"create",'
    '"urn":"urn:pulumi:dev-local::small::pulumi:pulumi:Stack::small-dev-local","type":"pulumi:pulumi:Stack",'
    '"old":null,"new":{"type":"pulumi:pulumi:Stack","inputs":{},"outputs":{"answer":"none"},"provider":""},'
    '"detailedDiff":null,"logical":true,"provider":""}}}'
)
DELETED = (
    '{"sequence":9,"timestamp":1795256183,"resOutputsEvent":{"metadata":{"op":"delete",'
    f'"urn":"{ROUTER}","type":"bentoship:local:Router","old":{{"outputs":{{"port":3000}}}},"new":null,'
    '"detailedDiff":null,"provider":""}}}'
)
SUMMARY = (
    '{"sequence":26,"timestamp":1795256183,"summaryEvent":{"maybeCorrupt":false,"durationSeconds":1,'
    '"resourceChanges":{"create":2},"PolicyPacks":{},"isPreview":false,"result":"succeeded"}}'
)


def diagnostic(message, severity="error"):
    event = {"prefix": f"{severity}: ", "message": message, "color": "never", "severity": severity}
    return json.dumps({"sequence": 19, "timestamp": 1795256200, "diagnosticEvent": event})


def test_a_step_begins_with_what_differs():
    step = read_event(PRE).step
    assert (step.name, step.type, step.operation, step.done) == ("router", "bentoship:local:Router", "update", False)
    assert step.diffs == ("port",)
    assert step.outputs == {}
    assert not step.is_stack


def test_the_stack_ends_with_the_outputs_of_the_deployment():
    step = read_event(OUTPUTS).step
    assert step.done
    assert step.is_stack
    assert step.outputs == {"answer": "none"}
    assert step.diffs == ()


def test_what_is_deleted_has_no_new_outputs():
    step = read_event(DELETED).step
    assert (step.operation, step.done, step.outputs) == ("delete", True, {})


def test_the_summary_counts_the_changes():
    assert read_event(SUMMARY).changes == {"create": 2}
    assert read_event('{"sequence":1,"summaryEvent":{"resourceChanges":null}}').changes == {}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("stack dev-local has no release yet\n", "stack dev-local has no release yet"),
        ("error: rpc error: code = FailedPrecondition desc = expected 1, got 2\n", "expected 1, got 2"),
        ("rpc error: code = Unknown desc = it broke", "it broke"),
        ("first line\nsecond line\n", "first line\nsecond line"),
    ],
)
def test_an_error_is_told_without_what_the_engine_wraps_around_it(message, text):
    assert read_event(diagnostic(message)).error == text


@pytest.mark.parametrize(
    "line",
    [
        diagnostic("registering resource: ty=pulumi:pulumi:Stack\n", "debug"),
        diagnostic("look at this\n", "info#err"),
        diagnostic("  \n"),
        '{"sequence":0,"timestamp":1795256183,"preludeEvent":{"config":{}}}',
        '{"sequence":27,"timestamp":1795256183,"cancelEvent":{}}',
        '{"sequence":28,"eventOfTheFuture":{}}',
        "Updating (dev-local):",
        "",
        "{",
        "[]",
        "3",
    ],
)
def test_all_else_is_left_out(line):
    assert read_event(line) is None
