from __future__ import annotations

import inspect
import re

import pytest

from bentoship import errors
from bentoship.errors import BentoshipError, GateFailed, InvalidConfiguration, Problem, StackLocked


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a.yaml: cpu", "is 0", "say 1"), "a.yaml: cpu: is 0; say 1"),
        (Problem("a.yaml: cpu", "is 0"), "a.yaml: cpu: is 0"),
        (Problem("", "is 0", "say 1"), "is 0; say 1"),
    ],
)
def test_a_problem_reads_as_place_fault_and_remedy(problem, text):
    assert str(problem) == text


def test_an_error_tells_all_its_problems_in_their_order():
    problems = [Problem("a", "is wrong", "mend it"), Problem("b", "is wrong too")]
    error = InvalidConfiguration.of(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "a: is wrong; mend it\nb: is wrong too"
    assert type(error) is InvalidConfiguration


def test_an_error_of_one_problem_is_that_problem():
    error = GateFailed("http://x", "answered 500", "look at the logs")
    assert error.problems == (Problem("http://x", "answered 500", "look at the logs"),)
    assert str(error) == str(error.problems[0])


def test_a_lock_names_its_holder_if_it_is_known():
    assert StackLocked("dev-local", "is locked").holder is None
    assert StackLocked("dev-local", "is locked", holder="anna").holder == "anna"


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = dict(_drawn(inspect.getdoc(errors)))
    classes = {
        name: each
        for name, each in vars(errors).items()
        if inspect.isclass(each) and issubclass(each, BentoshipError) and each is not BentoshipError
    }
    assert drawn == {name: each.__base__.__name__ for name, each in classes.items()}


def _drawn(text):
    """Every name of the drawing and the one that it hangs on; four characters are one step down."""
    above = {0: "BentoshipError"}
    for line in text.splitlines():
        if found := re.search(r"[├└]── (?P<name>\w+)", line):
            depth = found.start("name") // 4
            above[depth] = found["name"]
            yield found["name"], above[max(each for each in above if each < depth)]
