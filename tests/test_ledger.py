from __future__ import annotations

import pytest

from bentoship.deployment import Answered, Canary, Example, Gated, ReleaseRef
from bentoship.errors import EngineError
from bentoship.ledger import KEPT_DETAILS, KEPT_ENTRIES, KEPT_RELEASES, Entry, Ledger, UnderWay


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


def test_a_release_is_live_since_all_the_traffic_went_there():
    began = entry(1).model_copy(update={"at": "2026-11-26T10:00:00+00:00"})
    tried = began.model_copy(update={"seconds": {"build": 50.0, "canary": 3600.0, "live": 90.0}})
    assert began.live_since.isoformat() == "2026-11-26T10:00:00+00:00"
    assert tried.live_since.isoformat() == "2026-11-26T11:01:30+00:00"


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


def gated(count: int) -> Gated:
    """A gate in which so many golden examples were met."""
    examples = count * (Answered(path="/predict", met=True, seconds=0.25),)
    at = "2026-11-21T10:00:05+00:00"
    return Gated(at=at, passed=True, ready_seconds=1.5, asked=count, met=count, examples=examples)


def test_what_an_attempt_has_shown_stands_in_its_entry_and_is_read_again():
    before = deployed(1).deploy(release(2), entry(2).model_copy(update={"seconds": {"build": 3.0}}))
    after = before.measured(gated(2), {"live": 8.0})
    newest, oldest = Ledger.read(after.write()).entries
    assert newest.gate == gated(2)
    assert newest.gate.seconds == {"ready": 1.5, "gate": 0.5}
    assert newest.seconds == {"build": 3.0, "live": 8.0}
    assert oldest == entry(1)
    assert before.is_attempt_of(newest)
    assert not before.is_attempt_of(oldest)


def test_what_a_canary_has_shown_is_kept_until_it_is_over():
    canary = UnderWay(release=release(2), canary=Canary(percent=10, seconds=60), entry=entry(2))
    trying = deployed(1).try_out(canary).measured(gated(1), {"live": 8.0})
    assert trying.entries == (entry(1),)
    ended = trying.deploy(release(2), trying.canary.entry).measured(None, {"live": 2.0})
    assert (ended.entries[0].gate, ended.entries[0].seconds) == (gated(1), {"live": 2.0})


def test_older_entries_keep_the_numbers_of_their_gate_only():
    ledger = Ledger()
    for number in range(KEPT_DETAILS + 2):
        ledger = ledger.deploy(release(number), entry(number)).measured(gated(2), {})
    examples = [len(each.gate.examples) for each in ledger.entries]
    assert examples == [2] * KEPT_DETAILS + [0] * 2
    assert {(each.gate.asked, each.gate.met) for each in ledger.entries} == {(2, 2)}


WRITTEN_BY_0_1 = """
{"entries": [{"release": "%s", "at": "2026-11-21T10:01:00+00:00", "by": "anna@here", "source": "build",
              "result": "live", "reason": "", "versions": {"bentoship": "0.1.0", "pulumi": "3.259.0"}}],
 "releases": [], "canary": null}
"""


def test_an_entry_from_before_there_was_a_record_is_read_and_says_nothing_of_it():
    (old,) = Ledger.read(WRITTEN_BY_0_1 % release(1).id).entries
    assert (old.gate, old.seconds, old.commit, old.run) == (None, {}, "", "")
    assert old.versions == {"bentoship": "0.1.0", "pulumi": "3.259.0"}


def test_pruning_keeps_the_newest_and_always_the_live_one_and_the_one_to_go_back_to():
    ledger = deployed(1, 2, 3, 4)
    assert ledger.prune(3).releases == (release(4), release(3), release(2))
    assert ledger.prune(1).releases == (release(4), release(3))
    assert ledger.prune(9) == ledger
    back = ledger.deploy(release(2), entry(2).model_copy(update={"source": "rollback"}))
    assert back.previous == release(1)
    assert back.prune(1).releases == (release(2), release(1))
    assert back.prune(1).entries == back.entries
    assert Ledger().prune(1) == Ledger()
