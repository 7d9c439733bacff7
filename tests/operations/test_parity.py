"""parity: services that answer as they are told to, and sealed releases that run on this machine meanwhile.

Deployments are compared in test_promote.py, where two of them are up.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bentoship.cli import comparison
from bentoship.deployment import Example
from bentoship.errors import BentoshipError, InvalidConfiguration
from bentoship.operations.parity import GIVEN_UP, Place, compare, largest_difference, percentile
from bentoship.release import store
from bentoship.release.examples import requests
from bentoship.release.manifest import read
from bentoship.release.variant import of_files
from fake_project import unused_url, write_project
from fake_service import FakeService, as_json
from small_release import RUN, SERVER, small_release

REQUESTS = (Example(body={"years": 2}), Example(path="/other", body=[1, 2], tolerance=0.1))


def place(name, url):
    return Place(name, "local", url, 64 * "a")


def compared(*replies, times=2):
    """What a comparison of services that reply so comes to."""
    services = [FakeService(reply=reply) for reply in replies]
    try:
        places = {f"s{number}": place(f"s{number}", each.__enter__().url) for number, each in enumerate(services)}
        return compare(places, REQUESTS, times, lambda _: None), services
    finally:
        for each in services:
            each.__exit__(None, None, None)


def salary(value):
    return lambda _path, _body: as_json({"salary": [{"amount": value}], "currency": "EUR"})


def test_places_that_answer_alike_agree_and_each_is_asked_everything():
    found, services = compared(salary(10.0), salary(10.0 + 1e-6), times=3)
    assert found.agree
    assert found.differences == ()
    asked = [("/predict", {"years": 2}), ("/other", [1, 2])] * 3
    assert [each.asked for each in services] == [asked, asked]
    for answers in found.places.values():
        assert (answers.sent, answers.unanswered, answers.statuses) == (6, 0, {"200": 6})
        assert 0 < answers.p50_milliseconds <= answers.p95_milliseconds <= answers.p99_milliseconds
        assert answers.releases == (12 * "a",)


def test_an_answer_beyond_the_tolerance_of_its_request_is_told_with_its_place_in_the_json():
    found, _ = compared(salary(10.0), salary(10.5))
    assert not found.agree
    (difference,) = found.differences  # the other request tolerates a tenth
    assert (difference.place, difference.request, difference.path) == ("s1", 1, "/predict")
    assert difference.where == "salary[0].amount: expected 10.0, got 10.5, tolerance 1e-06"
    assert (difference.reference["salary"], difference.answer["salary"]) == ([{"amount": 10.0}], [{"amount": 10.5}])
    assert found.places["s1"].differing == 1
    assert found.places["s1"].largest_difference == pytest.approx(0.5)
    printed = "\n".join(comparison.lines(found))
    assert "1 of 2 differ" in printed
    assert "1 of 2 requests were answered differently; largest difference: 0.5" in printed


def test_a_place_that_answers_in_two_ways_differs_from_itself():
    answers = iter([1, 1, 2, 2])
    found, _ = compared(lambda _path, _body: as_json(next(answers)))
    assert [(each.place, each.request) for each in found.differences] == [("s0", 1), ("s0", 2)]


def test_statuses_are_compared_and_what_an_error_says_is_not():
    same, _ = compared(lambda *_: as_json({"id": 1}, 422), lambda *_: as_json({"id": 2}, 422))
    assert same.agree
    other, _ = compared(salary(1), lambda *_: as_json({"id": 2}, 422))
    assert {each.where for each in other.differences} == {"expected status 200, got 422"}
    broken, _ = compared(lambda *_: as_json({}, 500), lambda *_: as_json({}, 500))
    assert (broken.agree, broken.places["s0"].unanswered) == (False, 4)


def test_those_that_ask_for_another_token_do_not_agree():
    locked, _ = compared(lambda *_: as_json({}, 401), lambda *_: as_json({}, 401))
    assert (locked.agree, locked.places["s0"].unanswered) == (False, 4)


def test_nobody_there_is_told_and_not_asked_for_ever():
    with FakeService(reply=salary(1)) as service:
        places = {"up": place("up", service.url), "gone": place("gone", unused_url())}
        found = compare(places, REQUESTS, 10, lambda _: None)
    assert not found.agree
    assert found.places["up"].unanswered == 0
    assert found.places["gone"].statuses == {"ConnectError": GIVEN_UP}
    assert found.places["gone"].p50_milliseconds is None
    assert f"{GIVEN_UP} of {GIVEN_UP} failed" in "\n".join(comparison.lines(found))


def test_a_deployment_that_is_not_up_is_no_agreement():
    with FakeService(reply=salary(1)) as service:
        places = {"up": place("up", service.url), "down": BentoshipError("dev-eu", "is not up")}
        assert not compare(places, REQUESTS, 1, lambda _: None).agree


@pytest.mark.parametrize(
    ("one", "other", "largest"),
    [
        (1, 1.5, 0.5),
        ({"a": [1, 2], "b": 7}, {"a": [1, 5], "b": 8}, 3),
        ({"a": 1}, {"b": 1}, None),
        ("1", 2, None),
        (True, 2, None),
        (10**400, 1.0, None),
    ],
)
def test_the_largest_difference_is_between_numbers_at_the_same_place(one, other, largest):
    assert largest_difference(one, other) == largest


def test_percentiles_are_of_the_nearest_rank():
    values = list(range(1, 101))
    assert [percentile(values, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert (percentile([7.0], 99), percentile([], 50)) == (7.0, None)


def test_a_file_of_requests_is_read_and_every_line_that_is_wrong_is_named(tmp_path):
    file = tmp_path / "requests.jsonl"
    file.write_text('{"path": "/double", "body": {"number": 2}}\n\n{"body": 1, "tolerance": 0.5}\n')
    assert [(each.path, each.tolerance) for each in requests(file)] == [("/double", 1e-6), ("/predict", 0.5)]
    file.write_text('{"body": 1}\n{"bdy": 1}\nnonsense\n')
    with pytest.raises(InvalidConfiguration) as failure:
        requests(file)
    assert [problem.where.rpartition("requests.jsonl:")[2].partition(":")[0] for problem in failure.value.problems] == [
        "2",
        "2",
        "3",
    ]
    file.write_text("\n")
    with pytest.raises(InvalidConfiguration, match="has no request"):
        requests(file)
    with pytest.raises(InvalidConfiguration, match="can't be read"):
        requests(tmp_path / "missing.jsonl")


@pytest.fixture
def project(tmp_path):
    """A project with two sealed releases, of which the second one pays a tenth more; and their ids."""
    root = write_project(tmp_path / "project", {}).root
    first = small_release(store(root))
    manifest, _ = read(first.path)
    files = {
        "run.sh": RUN,
        "server.py": SERVER.replace(b'"salary": 1.0', b'"salary": 1.1'),
        "Procfile": b"web: sh ./run.sh\n",
    }
    return root, first.id, of_files(files, manifest, store(root)).id


def bentoship(root, *words, code=0):
    command = [sys.executable, "-m", "bentoship", "parity", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.slow
def test_two_sealed_releases_run_here_and_are_compared(project, tmp_path):
    root, first, second = project
    file = tmp_path / "requests.jsonl"
    file.write_text("".join(f'{{"body": {{"experience": {years}}}}}\n' for years in range(7)))
    words = ("--release", first[:8], "--release", second[:8], "--requests", str(file))
    told = json.loads(bentoship(root, *words, "--json", code=1).stdout)
    assert [each["releases"] for each in told["places"]] == [[first[:12]], [second[:12]]]
    assert [each["request"] for each in told["differences"]] == list(range(1, 8))
    assert told["differences"][0]["where"] == "salary: expected 1.0, got 1.1, tolerance 1e-06"
    assert told["places"][1]["largest_difference"] == pytest.approx(0.1)
    assert not told["agree"]
    printed = bentoship(root, *words, code=1).stdout
    assert "7 of 7 requests were answered differently; largest difference: 0.1" in printed
    assert "... and 2 more" in printed
    file.write_text('{"body": {}, "tolerance": 0.2}\n')
    assert "all answers agree" in bentoship(root, *words).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "name one environment or more, or give --release twice"),
        (("--release", "123456"), 2, "give --release twice"),
        (("dev", "--release", "123456", "--release", "123457"), 2, "name one environment or more"),
        (("--release", "000000", "--release", "000001"), 1, "no release on this machine begins so"),
        (("--release", "xyz", "--release", "000001"), 1, "is not the beginning of a release's id"),
        (("dev", "--requests", "missing.jsonl"), 1, "missing.jsonl: can't be read: No such file"),
    ],
)
def test_what_can_not_be_compared_is_one_sentence(project, words, code, sentence):
    assert sentence in bentoship(project[0], *words, code=code).stderr
