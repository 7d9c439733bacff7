"""plan: what `up` would change, without changing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import environments, release
from ..deployment import Deployment
from ..engine import install
from ..engine.events import Step
from ..errors import BentoshipError
from ..project import Project
from .stacks import Tell, chosen, each, stack_of, with_lock
from .up import Watch, new_entry, next_ledger, read_ledger


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
        stack = stack_of(project, environment, deployment, engine)
        ledger = read_ledger(stack)
        wanted = {"ledger": next_ledger(ledger, sealed.ref(), entry).write()}
        outcome = with_lock(stack, lambda: stack.preview(wanted, lambda event: watch(deployment.name, event)), tell)
        changes = tuple(step for step in outcome.steps if step.operation not in ("same", "read"))
        live = ledger.live.id if ledger.live else None
        return Planned(deployment.name, deployment.target_name, deployment.stack, live, sealed.id, changes)

    return Plan(name, each(deployments, act, tell))
