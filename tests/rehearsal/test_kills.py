"""The tool, the engine and the providers are killed at every step of a command; the same command again ends it.

One test takes one deployment, one way to a new release and one victim. It goes through the steps one after another,
each time with another release, and after each `up` through the same step of a rollback. This is for `make test-matrix`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from killed import VICTIMS
from stage import ENVIRONMENT, SOURCE, Stage, who

from bentoship.deployment import ReleaseRef
from bentoship.errors import UpdateFailed
from bentoship.operations.status import known

pytestmark = pytest.mark.slow
TARGETS = ("beanstalk", "engine", "app")
"""One a cloud."""
SCRIPT = Path(__file__).parent / "killed.py"
PATHS = os.pathsep.join([str(SCRIPT.parent), str(SCRIPT.parent.parent)])


class Killing:
    """Commands on one deployment, in which one victim is killed."""

    def __init__(self, stage: Stage, name: str, victim: str) -> None:
        self.points = Counter()
        """How often each verb was killed at a step, and how often it ended well nevertheless."""
        self._stage, self._name, self._victim = stage, name, victim
        self._url = stage.deploy(name, stage.release("r0")).url

    def kill(self, verb: str, word: str, step: int) -> bool:
        """Whether `verb` has such a step; it was killed there then, and done again."""
        new, before = self._stage.release(word), self._live_entries()
        first = self._run(verb, word, step)
        if first.returncode == 0 and int(first.stdout) < step:
            return False
        again = self._run(verb, word, 0)
        assert again.returncode == 0, (verb, step, first.stdout, first.stderr, again.stdout, again.stderr)
        self.points[verb, "unharmed" if first.returncode == 0 else "ended by the same command"] += 1
        self._must_be_alone(new, before)
        return True

    def _must_be_alone(self, new: ReleaseRef, before: list[str]) -> None:
        assert who(self._url) == new.short
        assert self._live_entries() == [new.id, *before]
        assert self._stage.orphans(self._name) == []

    def _live_entries(self) -> list[str]:
        """Releases that went live, newest first."""
        entries = known(self._stage.project, ENVIRONMENT, only=self._name)[self._name].ledger.entries
        return [entry.release for entry in entries if entry.result == "live"]

    def _run(self, verb: str, word: str, step: int) -> subprocess.CompletedProcess:
        words = (self._stage.project.root, verb, self._name, word, self._victim, step)
        environment = os.environ | {"PYTHONPATH": PATHS}
        command = [sys.executable, str(SCRIPT), *map(str, words)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.long
def test_what_a_lost_provider_has_made_under_a_name_of_the_stack_is_taken_over(stage: Stage):
    stage.deploy("beanstalk", stage.release("r0"))
    stage.arm("elasticbeanstalk.ApplicationVersion.create@after = dies")
    with pytest.raises(UpdateFailed):
        stage.deploy("beanstalk", stage.release("r1"))
    (orphan,) = stage.orphans("beanstalk")

    done = stage.deploy("beanstalk", stage.release("r1"))
    assert who(done.url) == stage.release("r1").short
    assert orphan.split() in [[item.short_type, item.id] for item in stage.world("aws").every()]
    assert stage.orphans("beanstalk") == []
    stage.destroy("beanstalk")
    assert stage.made() == []


@pytest.mark.timeout(7200)
@pytest.mark.long
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("verb", ["up", "promote"])
@pytest.mark.parametrize("name", TARGETS)
def test_killed_at_any_step_the_same_command_ends_it(stage: Stage, name, verb, victim):
    killing, goes_back = Killing(stage, name, victim), verb == "up"
    for step in count(1):
        if verb == "promote":
            stage.deploy("local", stage.release(f"r{step}"), environment=SOURCE)
        if not killing.kill(verb, f"r{step}", step):
            break
        goes_back = goes_back and killing.kill("rollback", f"r{step - 1}", step)
    print(f"{name}, {victim} killed: {dict(killing.points)}")  # noqa: T201
    assert killing.points[verb, "ended by the same command"]
    stage.destroy(name)
    if verb == "promote":
        stage.destroy("local", environment=SOURCE)
    assert stage.made() == []
    assert stage.machines() == {}
