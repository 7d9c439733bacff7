"""Against the real engine: a small Pulumi project with a state and a home of its own."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from bentoship.engine.stack import Stack, interrupt_all
from bentoship.errors import EngineError, StackLocked, UpdateFailed
from bentoship.operations.stacks import with_lock

PROJECT = 'name: small\nruntime: python\nbackend: {url: "file://../state"}\n'
THINGS = """\
import pulumi

class Thing(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("small:index:Thing", name)
        self.register_outputs({})

config = pulumi.Config("bentoship")
for name in (config.get("things") or "one").split(","):
    Thing(name)
pulumi.export("things", config.get("things") or "one")
"""
WAITS = """\
open("started", "w").close()
open("go").close()
"""
"""Says through one named pipe that it has started, and waits at the other."""


@pytest.fixture
def stack(tmp_path, command_line):
    """A stack that doesn't exist yet, of a project whose program makes things."""
    folder = tmp_path / "infra"
    for directory in (folder, tmp_path / "state"):
        directory.mkdir()
    for pipe in ("started", "go"):
        os.mkfifo(folder / pipe)
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(THINGS)
    around = {"PULUMI_HOME": str(tmp_path / "home"), "PULUMI_CONFIG_PASSPHRASE": "for this test"}
    return Stack("dev-local", folder, command_line, around)


def program(stack: Stack, text: str) -> None:
    (stack.folder / "__main__.py").write_text(text)


def await_start(stack: Stack) -> None:
    (stack.folder / "started").read_text()


def let_go(stack: Stack) -> None:
    (stack.folder / "go").write_text("")


def names(outcome, operation):
    return sorted(step.name for step in outcome.steps if step.operation == operation)


def test_a_stack_from_its_first_day_to_its_last(stack):
    assert stack.outputs() is None
    stack.create()
    assert stack.outputs() == {}

    seen = []
    outcome = stack.up(seen.append)
    assert outcome.changed
    assert names(outcome, "create") == ["one"]
    assert outcome.changes == {"create": 2}
    assert outcome.outputs == stack.outputs() == {"things": "one"}
    assert any(event.step and event.step.name == "one" and not event.step.done for event in seen)
    assert any(event.step and event.step.name == "one" and event.step.done for event in seen)

    again = stack.up()
    assert not again.changed
    assert again.outputs == {"things": "one"}

    outcome = stack.destroy()
    assert names(outcome, "delete") == ["one"]
    assert stack.outputs() == {}
    stack.remove()
    assert stack.outputs() is None
    assert list(stack.folder.glob("Pulumi.*.yaml")) == []


def test_a_preview_tells_what_would_change_and_changes_nothing(stack):
    stack.create()
    stack.up()
    settings = stack.folder / "Pulumi.dev-local.yaml"
    before = settings.read_text()
    outcome = stack.preview({"things": "one,two"})
    assert outcome.changed
    assert names(outcome, "create") == ["two"]
    assert stack.outputs() == {"things": "one"}
    assert settings.read_text() == before
    assert not stack.preview({"things": "one"}).changed


def test_configuration_reaches_the_program_and_stays(stack):
    stack.create()
    stack.configure({"things": "one,two"})
    stack.configure({"other": "3"})
    assert names(stack.up(), "create") == ["one", "two"]
    stack.configure({"things": "two"})
    assert names(stack.up(), "delete") == ["one"]


def test_creating_a_stack_that_is_there_changes_nothing(stack):
    stack.create()
    stack.up()
    stack.create()
    assert stack.outputs() == {"things": "one"}


def test_removing_a_stack_that_is_not_there_is_no_error(stack):
    stack.remove()
    assert stack.outputs() is None


def test_a_program_that_complains_fails_the_update_with_its_sentence_alone(stack):
    stack.create()
    stack.up()
    program(stack, 'import pulumi\nraise pulumi.RunError("stack dev-local has no release yet")\n')
    with pytest.raises(UpdateFailed) as failure:
        stack.up()
    assert str(failure.value) == "dev-local: stack dev-local has no release yet"
    assert stack.outputs() == {"things": "one"}


def test_a_program_that_breaks_fails_the_update_once_and_names_the_line(stack):
    stack.create()
    program(stack, 'raise ValueError("no such thing")\n')
    with pytest.raises(UpdateFailed) as failure:
        stack.up()
    assert str(failure.value).count("ValueError: no such thing") == 1
    assert '__main__.py", line 1' in str(failure.value)


def test_a_stack_that_does_not_exist_is_an_error_of_one_sentence(stack):
    with pytest.raises(EngineError) as failure:
        stack.up()
    assert "no stack named 'dev-local' found" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_wrong_passphrase_is_an_error_of_one_sentence(stack):
    stack.create()
    stack.up()
    stranger = Stack(
        stack.name, stack.folder, stack.command_line, {**stack.environment, "PULUMI_CONFIG_PASSPHRASE": "x"}
    )
    with pytest.raises(EngineError, match="passphrase"):
        stranger.up()


def test_whoever_comes_second_is_told_who_is_at_work(stack):
    stack.create()
    program(stack, WAITS)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stack.up)
        await_start(stack)
        with pytest.raises(StackLocked) as failure:
            with_lock(stack, stack.up, lambda _: None)
        let_go(stack)
        assert first.result().outputs == {}
    (problem,) = failure.value.problems
    assert failure.value.holder.who in problem.fault
    assert "pulumi -C infra cancel -s dev-local" in problem.remedy


@pytest.mark.slow
def test_the_lock_of_an_engine_that_was_killed_is_taken_over(stack):
    stack.create()
    program(stack, WAITS)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stack.up)
        await_start(stack)
        with pytest.raises(StackLocked) as failure:
            stack.up()
        engine = psutil.Process(failure.value.holder.pid)
        helpers = engine.children(recursive=True)
        engine.kill()
        with pytest.raises(EngineError):
            first.result()
    assert psutil.wait_procs(helpers, timeout=20)[1] == []
    program(stack, THINGS)
    told = []
    assert names(with_lock(stack, stack.up, told.append), "create") == ["one"]
    assert len(told) == 1
    assert failure.value.holder.who in told[0]


def test_an_interrupt_ends_the_engine_and_leaves_no_lock(stack):
    stack.create()
    program(stack, WAITS)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stack.up)
        await_start(stack)
        interrupt_all()
        with pytest.raises(EngineError):
            first.result()
    program(stack, THINGS)
    assert names(stack.up(), "create") == ["one"]


def test_the_engine_has_an_environment_of_its_own(stack):
    stack.create()
    program(stack, 'import os, pulumi\npulumi.export("parent", os.environ["BENTOSHIP_PID"])\n')
    assert stack.up().outputs == {"parent": str(os.getpid())}
    assert Path(stack.environment["PULUMI_HOME"]).is_dir()


def test_a_fresh_clone_encrypts_secrets_as_the_state_says_and_not_in_its_own_way(stack):
    stack.create()
    program(stack, 'import pulumi\npulumi.export("word", pulumi.Output.secret("kept"))\n')
    stack.up()
    before = encrypted_by(stack)
    (stack.folder / "Pulumi.dev-local.yaml").unlink()
    program(stack, 'import pulumi\npulumi.export("word", pulumi.Output.secret("changed"))\n')
    stack.up()
    assert stack.outputs() == {"word": "changed"}
    assert encrypted_by(stack) == before


def encrypted_by(stack: Stack) -> object:
    (state,) = (stack.folder.parent / "state").rglob("dev-local.json")
    return json.loads(state.read_text())["checkpoint"]["latest"]["secrets_providers"]


def test_what_a_killed_engine_has_left_half_written_beside_its_state_is_mended(stack):
    stack.create()
    stack.up()
    (state,) = (stack.folder.parent / "state").rglob("dev-local.json")
    attributes = state.with_name(f"{state.name}.attrs")
    attributes.write_bytes(b"")
    assert stack.outputs() == {"things": "one"}
    assert not attributes.exists()
