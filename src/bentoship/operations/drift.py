"""drift: what has changed behind our back, and whether the release that answers is the one that the history says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import environments
from ..deployment import Deployment
from ..engine import install
from ..engine.events import Step
from ..errors import BentoshipError
from ..project import Project
from .attempt import Remembered, Watch
from .stacks import Tell, alone, chosen, each, stack_of, with_lock
from .status import asked


@dataclass(frozen=True)
class Drift:
    """How one deployment differs from what was deployed."""

    name: str
    target: str
    stack: str
    url: str | None
    live: str | None
    """Id of the release that the history calls live; None when the deployment is not up."""
    ready: bool
    """Whether the URL answers 200 on `/readyz`."""
    tried: str | None
    """Id of the release that is being tried as a canary."""
    answered_by: str | None
    """First twelve digits of the release that answered, as it says itself."""
    changes: tuple[Step, ...]
    """The resources that are otherwise than the engine left them: `update` with the properties, or `delete`."""

    @property
    def drifted(self) -> bool:
        """Whether anything is otherwise than it was deployed."""
        return bool(self.changes) or not self.answers

    @property
    def answers(self) -> bool:
        """Whether the live release answers; so it is, too, where nothing is up and so nothing should."""
        meant = {release[:12] for release in (self.live, self.tried) if release}
        return self.live is None or (self.ready and self.answered_by in meant)


def drift(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Mapping[str, Drift | BentoshipError]:
    """Compare what is there with what was deployed; changes nothing, and says nothing about the environment's file."""
    environment = environments.load(project, name)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Drift:
        stack = stack_of(project, environment, deployment, engine)
        with alone(project, stack.name):
            before = Remembered.read(stack.outputs() or {})
            live, canary, changes = before.ledger.live, before.ledger.canary, tuple[Step, ...]()
            if live is not None:
                seen = with_lock(stack, lambda: stack.drift(lambda event: watch(deployment.name, event)), tell)
                changes = tuple(step for step in seen.steps if step.operation != "same")
        ready, answered_by = asked(before.url) if before.url else (False, None)
        return Drift(
            deployment.name,
            deployment.target_name,
            deployment.stack,
            before.url,
            live.id if live else None,
            ready,
            canary.release.id if canary else None,
            answered_by,
            changes,
        )

    return each(chosen(environment, only), act, tell)
