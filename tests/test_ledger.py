from __future__ import annotations

import pytest

from bentoship.deployment import Example, ReleaseRef
from bentoship.errors import EngineError
from bentoship.ledger import KEPT_ENTRIES, KEPT_RELEASES, Entry, Ledger


def release(number: int) -> ReleaseRef:
    examples = (Example(body={"years": number}, answer={"salary": 52062.76112208}),)
    return ReleaseRef(id=f"{number:064x}", bento="salary", python="3.12", examples=examples)


def entry(number: int) -> Entry:
    return Entry(release=f"{number:064x}", at=f"2026-11-21T10:{number % 60:02}:00+00:00", by="anna@here")


def deployed(*numbers: int) -> Ledger:
    ledger = Ledger()
    for number in numbers:
        ledger = ledger.deploy(release(number), entry(number))
    return ledger


def test_where_nothing_was_deployed_nothing_is_live():
    for text in (None, ""):
        ledger = Ledger.read(text)
        assert ledger.live is None
        assert ledger.entries == ()


def test_what_was_deployed_last_is_live_and_the_others_are_kept_newest_first():
    ledger = deployed(1, 2, 3)
    assert ledger.live == release(3)
    assert ledger.releases == (release(3), release(2), release(1))
    assert ledger.entries == (entry(3), entry(2), entry(1))


def test_deploying_an_old_release_again_moves_it_and_doubles_nothing():
    ledger = deployed(1, 2, 3, 1)
    assert [each.id for each in ledger.releases] == [release(number).id for number in (1, 3, 2)]
    assert [each.release for each in ledger.entries] == [release(number).id for number in (1, 3, 2, 1)]


def test_a_failure_is_written_down_and_changes_nothing_else():
    before = deployed(1)
    after = before.fail(entry(2), "golden example 1: expected 1, got 2")
    assert after.releases == before.releases
    newest, *others = after.entries
    assert (newest.release, newest.result, newest.reason) == (
        release(2).id,
        "failed",
        "golden example 1: expected 1, got 2",
    )
    assert tuple(others) == before.entries
    assert before == deployed(1)


def test_what_is_written_is_read_again_and_the_same_ledger_gives_the_same_text():
    ledger = deployed(1, 2).fail(entry(3), "was not ready\nüber")
    assert Ledger.read(ledger.write()) == ledger
    assert Ledger.read(ledger.write()).write() == ledger.write()


def test_numbers_of_golden_examples_come_back_exactly():
    awkward = 0.1 + 0.2
    kept = release(1).model_copy(update={"examples": (Example(body=awkward, answer=1e-320),)})
    read = Ledger.read(Ledger().deploy(kept, entry(1)).write())
    assert read.live == kept


def test_no_more_is_kept_than_has_room():
    ledger = deployed(*range(KEPT_ENTRIES + 5))
    assert len(ledger.releases) == KEPT_RELEASES
    assert len(ledger.entries) == KEPT_ENTRIES
    assert ledger.live == release(KEPT_ENTRIES + 4)


@pytest.mark.parametrize(
    ("steps", "previous"),
    [
        ((), None),
        ((1,), None),
        ((1, 1), None),
        ((1, 2), 1),
        ((1, 2, 2), 1),
        ((1, 2, 3, "back to 2"), 1),
        ((1, 2, 3, "back to 2", "back to 1"), None),
        ((1, 2, 3, "back to 1", 4), 1),
        ((1, 2, "back to 1", 2), 1),
        ((1, 2, "failed 3"), 1),
    ],
)
def test_going_back_goes_to_what_was_live_before_and_never_forward(steps, previous):
    ledger = Ledger()
    for step in steps:
        word, _, number = str(step).rpartition(" ")
        attempt = entry(int(number)).model_copy(update={"source": "rollback" if word == "back to" else "build"})
        if word == "failed":
            ledger = ledger.fail(attempt, "wrong answers")
        else:
            ledger = ledger.deploy(release(int(number)), attempt)
    assert ledger.previous == (previous and release(previous))


def test_what_is_no_longer_kept_is_nothing_to_go_back_to():
    ledger = deployed(*range(KEPT_RELEASES + 1))
    assert ledger.find(release(0).id) == ()
    assert ledger.find(release(KEPT_RELEASES).id) == (ledger.live,)
    assert len(ledger.find("000000")) == KEPT_RELEASES


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"entries": [{"release": 1}]}', '{"from_the_future": 1}'])
def test_a_ledger_that_this_version_does_not_understand_is_never_overwritten(text):
    with pytest.raises(EngineError) as failure:
        Ledger.read(text)
    (problem,) = failure.value.problems
    assert "can't be read by this version" in problem.fault
    assert "later" in problem.remedy
