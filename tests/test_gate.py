from __future__ import annotations

import math
import threading

import pytest

from bentoship import gate
from bentoship.deployment import Answered, Example
from bentoship.errors import GateFailed, InvalidConfiguration
from fake_project import unused_url
from fake_service import FakeService, as_json

SALARY = Example(path="/predict", body={"years": 2}, answer={"salary": 52062.76112208})


def test_a_release_that_is_ready_passes_at_once():
    with FakeService() as service:
        assert gate.wait_until_ready(service.url, 5) >= 0
        assert service.probes == 1


def test_a_release_that_still_loads_is_asked_again_until_it_is_ready():
    with FakeService(ready=(503, 503, 200)) as service:
        gate.wait_until_ready(service.url, 5)
        assert service.probes == 3


def test_a_release_that_never_gets_ready_is_told_with_what_it_answered():
    with FakeService(ready=(503,)) as service, pytest.raises(GateFailed) as failure:
        gate.wait_until_ready(service.url, 1)
    (problem,) = failure.value.problems
    assert problem.where == service.url
    assert "/readyz answered 503" in problem.fault
    assert "ready_timeout" in problem.remedy


def test_a_release_is_ready_when_it_is_the_one_that_answers():
    with FakeService(releases=("b" * 12, "b" * 12, "a" * 12)) as service:
        gate.wait_until_ready(service.url, 5, release="a" * 64)
        assert service.probes == 3
    with FakeService(releases=("b" * 12,)) as service, pytest.raises(GateFailed) as failure:
        gate.wait_until_ready(service.url, 0.5, release="a" * 64)
    assert "/readyz answered 200 by release bbbbbbbbbbbb, and not by aaaaaaaaaaaa" in str(failure.value)


def test_right_answers_of_another_release_pass_no_gate():
    with FakeService(reply=lambda _path, _body: as_json(SALARY.answer), releases=("b" * 12,)) as service:
        with pytest.raises(GateFailed, match="answered 200 by release bbbbbbbbbbbb"):
            gate.replay(service.url, [SALARY], release="a" * 64)
        assert gate.replay(service.url, [SALARY])[0].met


def test_a_front_that_does_not_lead_there_yet_is_asked_again_for_a_while():
    replies = [as_json("no such backend", 502), as_json(SALARY.answer), as_json(SALARY.answer)]
    releases = ("", "b" * 12, "a" * 12)
    with FakeService(reply=lambda _path, _body: replies.pop(0), releases=releases) as service:
        (answered,) = gate.replay(service.url, [SALARY], release="a" * 64, settle=20)
        assert answered.met
        assert len(service.asked) == 3


def test_a_release_that_breaks_off_its_answer_is_asked_once_and_who_stops_waits_no_longer():
    def breaks_off(_path, _body):
        raise ConnectionError

    with FakeService(reply=breaks_off, releases=("a" * 12,)) as service:
        with pytest.raises(GateFailed, match="no answer to a golden example"):
            gate.replay(service.url, [SALARY], release="a" * 64, settle=20)
        assert len(service.asked) == 1
    words = iter([None, None, "the gate was cancelled"])
    with FakeService(reply=lambda _path, _body: as_json("none", 404)) as service, pytest.raises(GateFailed) as failure:
        gate.replay(service.url, [SALARY], stopped=lambda: next(words), release="a" * 64, settle=20)
    assert "the gate was cancelled" in str(failure.value)


def test_a_failure_of_the_release_itself_is_asked_for_once():
    with FakeService(reply=lambda _path, _body: as_json("broken", 503), releases=("a" * 12,)) as service:
        with pytest.raises(GateFailed, match="answered 503"):
            gate.replay(service.url, [SALARY], release="a" * 64, settle=20)
        assert len(service.asked) == 1


def test_nobody_there_is_told_as_such():
    with pytest.raises(GateFailed, match="ConnectError"):
        gate.wait_until_ready(unused_url(), 1)


def test_a_process_that_has_ended_ends_the_wait():
    with pytest.raises(GateFailed, match="it ended with exit code 3"):
        gate.wait_until_ready(unused_url(), 60, stopped=lambda: "it ended with exit code 3")


def test_examples_that_are_answered_as_recorded_are_counted():
    with FakeService(reply=lambda _path, _body: as_json(SALARY.answer)) as service:
        assert [(each.path, each.met) for each in gate.replay(service.url, [SALARY, SALARY])] == [
            ("/predict", True)
        ] * 2
        assert service.asked == [("/predict", {"years": 2})] * 2


def test_every_wrong_answer_is_named_with_what_was_expected():
    def reply(path, body):
        return as_json({"salary": 99}) if body != {"years": 5} else as_json({"salary": 5})

    examples = [SALARY, Example(body={"years": 5}, answer={"salary": 5}), Example(path="/other", body={}, answer=1)]
    told: list[str] = []
    with FakeService(reply=reply) as service, pytest.raises(GateFailed) as failure:
        gate.replay(service.url, examples, told.append)
    (sentence,) = told
    heard = gate.heard(sentence, examples)
    assert [(each.path, each.met) for each in heard] == [("/predict", False), ("/predict", True), ("/other", False)]
    first, second = failure.value.problems
    assert first.where == "golden example 1, POST /predict"
    assert first.fault == "salary: expected 52062.76112208, got 99, tolerance 1e-06"
    assert second.where == "golden example 3, POST /other"
    assert len(service.asked) == 3


def test_an_error_of_the_service_fails_the_gate_with_its_words():
    with (
        FakeService(reply=lambda _path, _body: (500, b"no such column")) as service,
        pytest.raises(GateFailed) as failure,
    ):
        gate.replay(service.url, [SALARY])
    (problem,) = failure.value.problems
    assert problem.where == f"{service.url}/predict"
    assert problem.fault == "answered 500 to {'years': 2}: no such column"


def test_an_answer_that_is_not_json_fails_the_gate():
    with FakeService(reply=lambda _path, _body: (200, b"<html>")) as service, pytest.raises(GateFailed) as failure:
        gate.replay(service.url, [SALARY])
    assert "isn't JSON" in str(failure.value)


@pytest.mark.parametrize(
    "answer", [b"NaN", b"[1, Infinity]", b"1e999", b"[" * 50_000, b"9" * 5000, b'"\\udc00"', b"\xff"]
)
def test_an_answer_that_python_reads_and_json_does_not_have_fails_the_gate(answer):
    with FakeService(reply=lambda _path, _body: (200, answer)) as service, pytest.raises(GateFailed) as failure:
        gate.replay(service.url, [SALARY])
    assert "something that isn't JSON: " in str(failure.value)


def test_an_answer_that_comes_too_late_fails_the_gate():
    may_answer = threading.Event()

    def reply(_path, _body):
        may_answer.wait(10)
        return as_json(SALARY.answer)

    with FakeService(reply=reply) as service:
        with pytest.raises(GateFailed, match="ReadTimeout"):
            gate.answer(service.url, SALARY, timeout=0.2)
        may_answer.set()


def test_an_answer_that_comes_in_pieces_for_ever_fails_the_gate():
    enough = threading.Event()

    def pieces():
        while not enough.wait(0.02):
            yield b" "

    with FakeService(reply=lambda _path, _body: (200, pieces())) as service:
        with pytest.raises(GateFailed, match="ReadTimeout"):
            gate.answer(service.url, SALARY, timeout=0.2)
        enough.set()


def test_who_is_told_to_stop_asks_no_further_example():
    with (
        FakeService(reply=lambda _path, _body: as_json(SALARY.answer)) as service,
        pytest.raises(GateFailed, match="the gate was cancelled"),
    ):
        gate.replay(service.url, [SALARY] * 3, stopped=lambda: "the gate was cancelled" if service.asked else None)
    assert len(service.asked) == 1


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("BENTOSHIP_TOKEN", " the-token-0123456789\n")
    return "the-token-0123456789"


def test_a_service_that_asks_for_a_token_gets_that_of_the_variable(token):
    with FakeService(reply=lambda _path, _body: as_json(SALARY.answer), token=token) as service:
        assert len(gate.replay(service.url, [SALARY])) == 1


def test_without_the_token_it_is_told_once_what_to_set(monkeypatch):
    monkeypatch.delenv("BENTOSHIP_TOKEN", raising=False)
    with FakeService(token="another-token-0123") as service, pytest.raises(GateFailed) as failure:
        gate.replay(service.url, [SALARY, SALARY])
    (problem,) = failure.value.problems
    assert problem.fault == "answered 401: it asks for a token"
    assert problem.remedy == "set BENTOSHIP_TOKEN to one of the deployment's SERVING_TOKENS"


def test_a_token_that_is_none_of_its_own_is_told_as_such(token):
    with FakeService(token="another-token-0123") as service, pytest.raises(GateFailed, match="is none of its tokens"):
        gate.replay(service.url, [SALARY])


def test_a_token_that_can_not_be_sent_is_told_before_anybody_is_asked(monkeypatch):
    monkeypatch.setenv("BENTOSHIP_TOKEN", "two words")
    with pytest.raises(InvalidConfiguration, match="BENTOSHIP_TOKEN: has a blank"):
        gate.answer(unused_url(), SALARY)


def test_nobody_there_fails_the_gate():
    with pytest.raises(GateFailed, match=r"no answer to a golden example \(ConnectError\)"):
        gate.replay(unused_url(), [SALARY])


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (52062.76112208, 52062.76112209),
        (1000, 1000.0005),
        (0, 0.0000005),
        (1, 1.0),
        (-1000.0, -1000.0009),
        ({"a": [1.0, {"b": 2}]}, {"a": [1.0000001, {"b": 2}]}),
        ([], []),
        (None, None),
        (True, True),
        ("yes", "yes"),
        (math.inf, math.inf),
        pytest.param(10**400, 10**400, id="beyond floats"),
    ],
)
def test_these_agree(expected, got):
    assert gate.disagreement(expected, got, 1e-6) is None


@pytest.mark.parametrize(
    ("expected", "got", "where"),
    [
        (52062.76112208, 52063.0, "expected"),
        (0, 0.000002, "expected"),
        (1000, 1000.0011, "expected"),
        (1, True, "expected"),
        (True, 1, "expected"),
        (1, "1", "expected"),
        (None, 0, "expected"),
        ("yes", "no", "expected"),
        (math.nan, math.nan, "expected"),
        (1.0, math.nan, "expected"),
        (math.inf, 1.0, "expected"),
        pytest.param(10**400, 10**400 + 1, "expected", id="beyond floats"),
        ([1, 2], [1, 2, 3], "expected"),
        ({"a": 1}, {"a": 1, "b": 2}, "expected"),
        ({"a": [0, {"b": 2}]}, {"a": [0, {"b": 3}]}, "a[1].b: expected 2, got 3"),
        ([[1, 2], [3, 4]], [[1, 2], [3, 5]], "[1][1]: expected 4, got 5"),
    ],
)
def test_these_disagree_and_the_place_is_named(expected, got, where):
    assert str(gate.disagreement(expected, got, 1e-6)).startswith(where)


def test_a_tolerance_of_an_example_is_its_own():
    loose = SALARY.model_copy(update={"tolerance": 0.01})
    with FakeService(reply=lambda _path, _body: as_json({"salary": 52500})) as service:
        assert len(gate.replay(service.url, [loose])) == 1
        with pytest.raises(GateFailed):
            gate.replay(service.url, [SALARY])


def test_no_tolerance_means_equal():
    assert gate.disagreement(0.1 + 0.2, 0.3, 0) is not None
    assert gate.disagreement(0.3, 0.3, 0) is None


def test_how_examples_were_answered_is_read_from_the_sentence_that_tells_it():
    answered = (Answered(path="/predict", met=True, seconds=0.0041), Answered(path="/other", met=False, seconds=12.5))
    sentence = gate.told(answered)
    assert sentence == "golden examples: 1 met in 0.0041 s, 2 not met in 12.5000 s"
    assert gate.heard(sentence, [SALARY, Example(path="/other", body={})]) == answered
    assert gate.heard("the slot staging gets release 1234", [SALARY]) is None
