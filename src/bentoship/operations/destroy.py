"""destroy: remove what a deployment is made of, then forget its stack."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import environments
from ..deployment import Deployment
from ..engine import install
from ..engine.events import Event, Step
from ..engine.stack import Stack
from ..errors import BentoshipError
from ..host.control import Supervisor
from ..project import Project
from .attempt import Watch
from .stacks import Tell, alone, chosen, each, stack_of, with_lock


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
        with alone(project, stack.name):
            removed = _remove(stack, lambda event: watch(deployment.name, event), tell)
            # A supervisor that was found dead has left the engine's state, and perhaps processes of its own.
            Supervisor(project.local(stack.name)).shut_down()
            shutil.rmtree(project.local(stack.name), ignore_errors=True)
            project.intent(stack.name).unlink(missing_ok=True)
            project.offered(stack.name).unlink(missing_ok=True)
        return Destroyed(deployment.name, deployment.target_name, deployment.stack, removed)

    return each(chosen(environment, only), act, tell)


def _remove(stack: Stack, watch: Callable[[Event], None], tell: Tell) -> tuple[Step, ...]:
    if stack.outputs() is None:
        return ()
    outcome = with_lock(stack, lambda: stack.destroy(watch), tell)
    stack.remove()
    return tuple(step for step in outcome.steps if step.operation == "delete")
