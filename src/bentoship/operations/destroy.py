"""destroy: remove what a deployment is made of, then forget its stack."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from .. import environments
from ..deployment import Deployment
from ..engine import install
from ..engine.events import Step
from ..errors import BentoshipError
from ..project import Project
from .stacks import Tell, chosen, each, stack_of, with_lock
from .up import Watch


@dataclass(frozen=True)
class Destroyed:
    """What `destroy` came to for one deployment."""

    name: str
    target: str
    stack: str
    removed: tuple[Step, ...]


def destroy(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Mapping[str, Destroyed | BentoshipError]:
    """Remove the deployments of an environment; one that isn't there is no error."""
    environment = environments.load(project, name)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Destroyed:
        stack = stack_of(project, environment, deployment, engine)
        removed: tuple[Step, ...] = ()
        if stack.outputs() is not None:
            outcome = with_lock(stack, lambda: stack.destroy(lambda event: watch(deployment.name, event)), tell)
            removed = tuple(step for step in outcome.steps if step.operation == "delete")
            stack.remove()
        shutil.rmtree(project.local(deployment.stack), ignore_errors=True)
        return Destroyed(deployment.name, deployment.target_name, deployment.stack, removed)

    return each(chosen(environment, only), act, tell)
