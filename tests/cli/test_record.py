from __future__ import annotations

from bentoship.cli import record
from bentoship.deployment import Answered, Gated
from bentoship.ledger import Entry

RELEASE = "b0f290fea04a" + 52 * "0"
OLD = Entry(release=RELEASE, at="2026-11-20T10:00:00+00:00", by="anna@here")
EXAMPLES = (Answered(path="/predict", met=True, seconds=0.004), Answered(path="/predict", met=False, seconds=0.01))
FULL = Entry(
    release=RELEASE,
    at="2026-11-21T10:00:00+00:00",
    by="runner@ci",
    source="promotion from dev",
    result="failed",
    reason="golden example 2: expected 1\ngot 2",
    versions={"bentoship": "0.1.0", "pulumi": "3.259.0"},
    run="https://github.com/anna/salary/actions/runs/7",
    commit="0123456789abcdef",
    dirty=True,
    gate=Gated(at="2026-11-21T10:00:09+00:00", passed=False, ready_seconds=1.5, asked=2, met=1, examples=EXAMPLES),
    seconds={"engine": 12.0, "build": 3.25},
)


def test_a_row_says_what_is_known_of_an_attempt():
    full, old = record.rows({"eu": (FULL, OLD)})
    known = dict(zip(record.HEADINGS, full, strict=True))
    assert (known["release"], known["from"], known["gate"]) == ("b0f290fea04a", "promotion from dev", "1/2")
    assert known["reason"] == "golden example 2: expected 1"
    assert old[-3:] == ("-", "-", "")


def test_the_details_of_an_attempt_are_all_that_is_known_of_it():
    assert list(record.details("eu", FULL)) == [
        f"eu: release {RELEASE}",
        "  result    failed, begun at 2026-11-21T10:00:00+00:00",
        "  by        runner@ci",
        "            https://github.com/anna/salary/actions/runs/7",
        "  from      promotion from dev, built from commit 0123456789ab, with changes that were not committed",
        "  gate      failed at 2026-11-21T10:00:09+00:00: ready after 1.5 s, 1 of 2 golden examples met",
        "              1  POST /predict  met  0.004 s",
        "              2  POST /predict  not met  0.010 s",
        "  took      build 3.25 s, engine 12 s",
        "  versions  bentoship 0.1.0, pulumi 3.259.0",
        "  reason    golden example 2: expected 1",
        "            got 2",
    ]


def test_of_an_old_entry_nothing_is_made_up():
    lines = list(record.details("eu", OLD))
    assert [line.split()[0] for line in lines[1:]] == ["result", "by", "from"]
