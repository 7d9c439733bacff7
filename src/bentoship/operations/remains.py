"""What is left of a deployment that has been removed: here, and by its cloud's own list."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from .. import targets
from ..deployment import READY_TIMEOUT, Configuration, Deployment, Frozen, Scale, Target, workload_name
from ..engine.install import PYTHON
from ..engine.stack import Stack
from ..engine.state import State
from ..errors import BentoshipError, Problem
from ..host.child import OWNER
from ..project import Project, write_private
from .attempt import Remembered
from .stacks import Tell, pause

_LOOK = 15.0
"""Seconds between two looks at a list that lags behind."""
_SHOWN = 3


class Removal(Frozen):
    """What is being removed; written down until nothing is left of it, since the stack forgets it before that."""

    target: str
    fields: dict[str, Any]
    """The target's own."""
    workloads: tuple[str, ...]
    """Every name that what is removed carries as a tag."""


def begin(project: Project, deployment: Deployment, stack: Stack, state: State | None) -> Removal | None:
    """Write down what is going to be removed; None when there is nothing, and nothing was left the last time."""
    before = _read(project.going(stack.name))
    if state is None:
        return before
    remembered = Remembered.read(stack.outputs() or {})
    now = remembered.configuration or deployment.configuration
    components = {each.name for each in state.resources if not each.is_custom and each.type.startswith("bentoship:")}
    named = {workload_name(release.bento, stack.name) for release in remembered.ledger.kept}
    known = set(before.workloads) if before else set()
    removal = Removal(target=now.target, fields=now.fields, workloads=tuple(sorted(components | named | known)))
    write_private(project.going(stack.name), removal.model_dump_json(), replace=True)
    return removal


def is_unfinished(project: Project, stack: str) -> bool:
    """Whether something was left, or may have been, when this stack was removed the last time."""
    return project.going(stack).exists()


def configuration(project: Project, stack: str) -> Configuration | None:
    """What was removed there and has left something, as far as that is remembered; None when there is nothing."""
    removal = _read(project.going(stack))
    if removal is None:
        return None
    return Configuration(
        target=removal.target, fields=removal.fields, scale=Scale(), variables={}, ready_timeout=READY_TIMEOUT
    )


def can_list(project: Project, removal: Removal) -> bool:
    """Whether the place can list what is left there, or there is no other place than this machine."""
    kind = targets.find(removal.target, project.own_targets)
    return removal.target == "local" or kind.left is not Target.left


def look(project: Project, stack: Stack, removal: Removal, tell: Tell) -> tuple[str, ...]:
    """What is left, each as a clause; when nothing is, the removal is forgotten.

    Raises BentoshipError when the place refuses to tell. A list that lags behind is looked at again for as long as
    its cloud may need.
    """
    kind = targets.find(removal.target, project.own_targets)
    end = time.monotonic() + (0 if project.rehearses else kind.forgets_within)
    while True:
        left = (*_here(project.local(stack.name)), *_there(project, stack, removal, kind))
        if not left:
            project.going(stack.name).unlink(missing_ok=True)
        if not left or time.monotonic() > end:
            return left
        tell(f"{stack.name}: still listed: {', '.join(left[:_SHOWN])}; a list lags behind, it is looked at again")
        pause(_LOOK, stack.name)


def _read(path: Path) -> Removal | None:
    try:
        return Removal.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _here(folder: Path) -> Iterator[str]:
    """The folder of a deployment, and processes that belong to it."""
    if folder.exists():
        yield f"the folder {folder}"
    names = {str(folder), str(folder.resolve())}
    for process in psutil.process_iter(["name", "cmdline", "environ"]):
        words, around = process.info["cmdline"] or (), process.info["environ"] or {}
        if not names.isdisjoint((*words, around.get(OWNER))):
            yield f"process {process.pid} ({process.info['name']})"


def _there(project: Project, stack: Stack, removal: Removal, kind: type[Target]) -> Sequence[str]:
    """What the place lists."""
    if kind.left is Target.left:
        return ()
    asked = {**removal.model_dump(mode="json"), "own": str(project.own_targets)}
    command = [PYTHON, "-P", "-m", "bentoship.targets"]
    around = {**os.environ, **stack.environment}
    done = subprocess.run(command, input=json.dumps(asked), env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BentoshipError(stack.name, f"what is left of it can't be listed: {last}", "the same command looks again")
    answer = json.loads(done.stdout)
    if problems := answer.get("problems"):
        raise BentoshipError.of(Problem(**problem) for problem in problems)
    found: list[str] = answer["left"]
    return found
