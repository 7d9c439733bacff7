"""plan: what `up` would change, without changing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import environments, release
from ..deployment import Deployment
from ..engine import install
from ..engine.events import Step
from ..engine.stack import Stack
from ..errors import BentoshipError
from ..project import Project
from .attempt import Remembered, Watch, new_entry, preview
from .stacks import Tell, alone, chosen, each, need_sdk, stack_of


@dataclass(frozen=True)
class Planned:
    """What `up` would do to one deployment."""

    name: str
    target: str
    stack: str
    live: str | None
    """Id of the release that is live now."""
    release: str
    """Id of the release that would be."""
    changes: tuple[Step, ...]
    """The resources that would change; none when the deployment is as it should be."""


@dataclass(frozen=True)
class Plan:
    """What `up` would do to an environment."""

    environment: str
    deployments: Mapping[str, Planned | BentoshipError]

    @property
    def changed(self) -> bool:
        """Whether `up` would change anything."""
        return any(isinstance(each, Planned) and bool(each.changes) for each in self.deployments.values())


def plan(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Plan:
    """Compare the project as it is now with the environment called `name`."""
    environment = environments.load(project, name)
    deployments = chosen(environment, only)
    sealed = release.build(project.root, tell=tell)
    engine = install.ensure(tell)
    entry = new_entry(sealed.id, engine.version)

    def act(deployment: Deployment) -> Planned:
        need_sdk(deployment)
        stack = stack_of(project, environment, deployment, engine)
        with alone(project, stack.name), _existing(stack) as outputs:
            before = Remembered.read(outputs)
            intent = before.intent(before.with_live(sealed.ref(), deployment, entry))
            outcome = preview(stack, intent, lambda event: watch(deployment.name, event), tell)
        changes = tuple(step for step in outcome.steps if step.operation not in ("same", "read"))
        live = before.ledger.live.id if before.ledger.live else None
        return Planned(deployment.name, deployment.target_name, deployment.stack, live, sealed.id, changes)

    return Plan(name, each(deployments, act, tell))


@contextmanager
def _existing(stack: Stack) -> Iterator[Mapping[str, Any]]:
    """The outputs of `stack`; one that doesn't exist is there while it is looked at, since a preview needs it."""
    outputs = stack.outputs()
    if outputs is not None:
        yield outputs
        return
    stack.create()
    try:
        yield {}
    finally:
        stack.remove()
