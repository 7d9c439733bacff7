"""What is written down of a command that was interrupted stays until it is finished, or another one is begun."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bentoship import environments
from bentoship.errors import BentoshipError, StackLocked, UpdateFailed
from bentoship.ledger import Intent, Ledger
from bentoship.operations.attempt import Attempt, new_entry, refuse_another
from bentoship.project import Project, write_private
from fake_project import write_project
from small_release import small_release


@dataclass
class RefusingStack:
    """A stack whose every update ends with `error`."""

    error: BentoshipError
    name: str = "dev-here"

    def up(self, *_):
        raise self.error

    def outputs(self):
        return {}


@pytest.mark.parametrize(
    ("error", "begun", "stays"),
    [
        (StackLocked("dev-here", "is being changed by somebody"), 1.0, True),
        (UpdateFailed("dev-here", "a delete failed again"), None, True),
        (UpdateFailed("dev-here", "the gate failed"), 1.0, False),
    ],
)
def test_what_was_interrupted_is_remembered_when_the_next_attempt_finishes_nothing(tmp_path, error, begun, stays):
    project = Project(write_project(tmp_path, {"environments/dev.yaml": "deployments: {here: {target: local}}"}).root)
    (deployment,) = environments.load(project, "dev").deployments
    release = small_release(tmp_path / "sealed").ref()
    interrupted = Intent(ledger=Ledger().deploy(release, new_entry(release.id, "3.259.0")), begun=None)
    project.home.mkdir(exist_ok=True)
    write_private(project.offered("dev-here"), interrupted.model_dump_json(), replace=True)
    attempt = Attempt(project, RefusingStack(error), deployment, lambda _: None, lambda _: None)
    assert attempt.unfinished == interrupted
    with pytest.raises(type(error)):
        attempt.run(interrupted.model_copy(update={"begun": begun}))
    assert attempt.unfinished == (interrupted if stays else None)


def test_a_stack_of_another_service_is_not_taken(tmp_path):
    mine = small_release(tmp_path, "mine").ref()
    theirs = mine.model_copy(update={"bento": "of_others"})
    live = Ledger().deploy(theirs, new_entry(theirs.id, "3.0.0"))
    with pytest.raises(BentoshipError, match=r"has the service of_others live, .* say another `name:`"):
        refuse_another("dev-local", live, mine, "dev")
    refuse_another("dev-local", live, theirs, "dev")
    refuse_another("dev-local", Ledger(), mine, "dev")
