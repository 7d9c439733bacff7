"""destroy: show what goes and what stays, remove it, forget the stack, and prove that nothing is left."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .. import environments
from ..deployment import Deployment, Environment
from ..engine import install
from ..engine.events import Event, Step
from ..engine.stack import Stack
from ..engine.state import State
from ..errors import BentoshipError, InvalidConfiguration, Problem
from ..host.control import Supervisor
from ..project import Project
from . import remains
from .attempt import Remembered, Watch
from .stacks import Tell, alone, each, stack_of, with_lock
from .strays import meant, strays


@dataclass(frozen=True)
class Going:
    """What `destroy` would do to one deployment."""

    name: str
    target: str
    stack: str
    kinds: Mapping[str, int]
    """How many resources would go, by kind: ec2.Vpc."""
    stays: Sequence[str]
    """What would be left on purpose, each as a clause."""
    spared: str = ""
    """Why it would not be touched, if it would not."""


@dataclass(frozen=True)
class Destroyed:
    """What `destroy` came to for one deployment."""

    name: str
    target: str
    stack: str
    removed: tuple[Step, ...] = ()
    spared: str = ""
    """Why it was not touched, if it was not."""
    left: tuple[str, ...] = ()
    """What is there still, each as a clause."""
    listed: bool = True
    """Whether its place could list what is left; a target of the project's own may not say how."""

    @property
    def complaint(self) -> BentoshipError | None:
        """What is left, as an error; None when nothing is."""
        if not self.left:
            return None
        remedy = "remove it by hand, then run the same command again, which looks once more"
        return BentoshipError.of(Problem(self.stack, f"is removed, but {item} is left", remedy) for item in self.left)


def survey(
    project: Project, name: str, *, only: str | None = None, expired: bool = False, tell: Tell = lambda _: None
) -> Mapping[str, Going | BentoshipError]:
    """What `destroy` would do; changes nothing."""
    environment, engine = environments.load(project, name), install.ensure(tell)
    going = _unprotected(project, environment, meant(project, environment, only, engine), expired=expired)

    def act(deployment: Deployment) -> Going:
        stack = stack_of(project, environment, deployment, engine)
        state = stack.state()
        kinds = Counter(resource.kind for resource in state.resources if resource.exists) if state else {}
        spared = _spared(project, deployment, stack, state) if expired else ""
        return Going(deployment.name, deployment.target_name, stack.name, dict(kinds), deployment.target.stays, spared)

    return each(going, act, tell)


def destroy(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    expired: bool = False,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Mapping[str, Destroyed | BentoshipError]:
    """Remove the deployments of an environment, or those whose `ttl` is over; one that isn't there is no error.

    What its place lists afterwards is `left`; a removal that left something is looked at again by the next `destroy`.

    Raises InvalidConfiguration, before anything is touched, when one of them is protected. With `expired`, what is
    protected is left alone, like what has no ttl or has time left.
    """
    environment, engine = environments.load(project, name), install.ensure(tell)
    going = _unprotected(project, environment, meant(project, environment, only, engine), expired=expired)

    def act(deployment: Deployment) -> Destroyed:
        stack = stack_of(project, environment, deployment, engine)
        with alone(project, stack.name):
            if expired and (reason := _spared(project, deployment, stack, stack.state())):
                return Destroyed(deployment.name, deployment.target_name, stack.name, spared=reason)
            removal = remains.begin(project, deployment, stack, stack.state())
            removed = _remove(stack, lambda event: watch(deployment.name, event), tell)
            # A supervisor that was found dead has left the engine's state, and perhaps processes of its own.
            Supervisor(project.local(stack.name)).shut_down()
            shutil.rmtree(project.local(stack.name), ignore_errors=True)
            project.intent(stack.name).unlink(missing_ok=True)
            project.offered(stack.name).unlink(missing_ok=True)
            left = remains.look(project, stack, removal, tell) if removal else ()
            listed = removal is None or remains.can_list(project, removal)
        return Destroyed(deployment.name, deployment.target_name, stack.name, removed, left=left, listed=listed)

    gone = each(going, act, tell)
    return gone if only or project.rehearses else {**gone, **strays(project, environment, engine)}


def proved(found: Mapping[str, Destroyed | BentoshipError]) -> Mapping[str, Destroyed | BentoshipError]:
    """The same, with an error in place of what has left something."""
    return {name: gone if isinstance(gone, BentoshipError) else gone.complaint or gone for name, gone in found.items()}


def _unprotected(
    project: Project, environment: Environment, deployments: Sequence[Deployment], *, expired: bool
) -> Sequence[Deployment]:
    """The same deployments; InvalidConfiguration that names those which are protected.

    What is rehearsed is worth no protection.
    """
    protected = [] if expired or project.rehearses else [each for each in deployments if each.protect]
    if protected:
        raise InvalidConfiguration.of(
            Problem(
                f"environments/{environment.name}.yaml: deployments.{deployment.name}",
                "is protected (`protect: true`), and nothing was removed",
                "say `protect: false` first, or name another deployment with --only",
            )
            for deployment in protected
        )
    return deployments


def _spared(project: Project, deployment: Deployment, stack: Stack, state: State | None) -> str:
    """Why a deployment is not removed as expired; empty when it is."""
    if state is None:
        return "" if remains.is_unfinished(project, stack.name) else "is not up"
    if deployment.ttl is None:
        return "has no ttl"
    end = _last_up(stack, state) + timedelta(seconds=deployment.ttl)
    if end > datetime.now(UTC):
        return f"stays until {end.astimezone(UTC).isoformat(timespec='seconds')}"
    return "has expired, and is protected" if deployment.protect else ""


def _last_up(stack: Stack, state: State) -> datetime:
    """When a release last went live; where none ever did, when the engine was last at work."""
    entries = Remembered.read(stack.outputs() or {}).ledger.entries
    return next((entry.live_since for entry in entries if entry.result == "live"), state.written)


def _remove(stack: Stack, watch: Callable[[Event], None], tell: Tell) -> tuple[Step, ...]:
    if stack.outputs() is None:
        return ()
    outcome = with_lock(stack, lambda: stack.destroy(watch), tell)
    stack.remove()
    return tuple(step for step in outcome.steps if step.operation == "delete")
