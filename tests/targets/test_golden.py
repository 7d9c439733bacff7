from __future__ import annotations

import pytest

from bentoship import targets
from golden import CASES, GOLDEN, as_text

RENEW = "if that is what you want: `.venv/bin/python tests/targets/golden.py`, and review the difference"


@pytest.mark.parametrize("name", CASES)
def test_a_target_declares_what_was_reviewed(name):
    assert as_text(CASES[name].declared()) == (GOLDEN / f"{name}.json").read_text(encoding="utf-8"), RENEW


def test_every_target_is_reviewed_for_one_replica_and_for_three():
    for target in targets.names():
        if target != "local":  # what it declares runs for real in every other test
            assert {case.replicas for case in CASES.values() if case.target == target} >= {1, 3}, target


def test_nothing_is_kept_that_no_target_declares():
    assert {file.relative_to(GOLDEN).with_suffix("").as_posix() for file in GOLDEN.glob("**/*.json")} == set(CASES)
