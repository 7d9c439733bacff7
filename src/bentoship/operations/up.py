"""up: seal the service, put the release beside the old one, gate it, move the pointer; or leave all as it was."""

from __future__ import annotations

import getpass
import platform
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .. import _version, environments, release
from ..deployment import Deployment, ReleaseRef
from ..engine import install
from ..engine.events import Event, Step
from ..engine.stack import Outcome, Stack
from ..errors import BentoshipError, EngineError, UpdateFailed
from ..ledger import Entry, Ledger
from ..project import Project
from .stacks import Tell, chosen, each, stack_of, with_lock

GATE = "bentoship:index:Gate"
Watch = Callable[[str, Event], None]
"""Told the name of a deployment and what its engine says."""


@dataclass(frozen=True)
class Deployed:
    """What `up` came to for one deployment."""

    name: str
    target: str
    stack: str
    url: str
    release: str
    gate: Mapping[str, object]
    """`passed`, and how many golden `examples` were replayed."""
    changes: tuple[Step, ...]
    seconds: float


@dataclass(frozen=True)
class Up:
    """What `up` came to for an environment."""

    environment: str
    release: release.Release
    deployments: Mapping[str, Deployed | BentoshipError]


def up(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    relock: bool = False,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Up:
    """Deploy the project's service to the environment called `name`, or to its deployment `only`."""
    environment = environments.load(project, name)
    deployments = chosen(environment, only)
    sealed = release.build(project.root, relock=relock, tell=tell)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Deployed:
        stack = stack_of(project, environment, deployment, engine)
        return deploy(stack, deployment, sealed.ref(), new_entry(sealed.id, engine.version), tell, watch)

    return Up(name, sealed, each(deployments, act, tell))


def deploy(stack: Stack, deployment: Deployment, new: ReleaseRef, entry: Entry, tell: Tell, watch: Watch) -> Deployed:
    """Make `new` the live release of a deployment.

    When it can't be, the release that was live stays so, what was started for the new one is removed, the failure
    is written into the history, and UpdateFailed is raised.
    """
    ledger = read_ledger(stack)
    wanted = next_ledger(ledger, new, entry)

    def say(event: Event) -> None:
        watch(deployment.name, event)

    def run(asked: Ledger) -> Outcome:
        stack.configure({"ledger": asked.write()})
        return with_lock(stack, lambda: stack.up(say), tell)

    try:
        outcome = run(wanted)
    except UpdateFailed as failure:
        if wanted is not ledger and ledger.live is not None:
            tell(f"{stack.name}: going back to release {ledger.live.short}")
            _go_back(run, ledger.fail(entry, str(failure)), stack.name, tell)
        raise
    return _deployed(deployment, new, outcome)


def _go_back(run: Callable[[Ledger], Outcome], ledger: Ledger, stack: str, tell: Tell) -> None:
    try:
        run(ledger)
    except EngineError as error:
        # The pointer never moved, so the old release serves; what the new one left is removed by the next `up`.
        tell(f"{stack}: could not remove what the failed release left: {error}")


def read_ledger(stack: Stack) -> Ledger:
    """The ledger of a stack, which is created when it isn't there."""
    outputs = stack.outputs()
    if outputs is None:
        stack.create()
        return Ledger()
    return Ledger.read(outputs.get("ledger"))


def next_ledger(ledger: Ledger, new: ReleaseRef, entry: Entry) -> Ledger:
    """The ledger with `new` live; the same one when it is live already, so that nothing changes."""
    return ledger if ledger.live == new else ledger.deploy(new, entry)


def _deployed(deployment: Deployment, new: ReleaseRef, outcome: Outcome) -> Deployed:
    gates = [step.outputs for step in outcome.steps if step.type == GATE and step.outputs.get("release") == new.id]
    asked = int(gates[0].get("asked", 0)) if gates else 0
    changes = tuple(step for step in outcome.steps if step.operation != "same")
    return Deployed(
        deployment.name,
        deployment.target_name,
        deployment.stack,
        str(outcome.outputs.get("url", "")),
        new.id,
        {"passed": bool(gates), "examples": asked},
        changes,
        outcome.seconds,
    )


def new_entry(release_id: str, pulumi_version: str) -> Entry:
    """The entry of the history that says: this release, now, by whoever runs us."""
    return Entry(
        release=release_id,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=f"{getpass.getuser()}@{socket.gethostname()}",
        versions={
            "bentoship": _version.__version__,
            "pulumi": pulumi_version,
            "python": platform.python_version(),
        },
    )
