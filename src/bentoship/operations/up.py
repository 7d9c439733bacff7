"""up: seal the service, put the release beside the old one, gate it, move the pointer; or leave all as it was."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import _version, environments, release
from ..deployment import Configuration, Deployment, ReleaseRef
from ..engine import install
from ..engine.events import Event, Step
from ..engine.stack import Outcome, Stack
from ..errors import BentoshipError, EngineError, UpdateFailed
from ..ledger import Entry, Intent, Ledger
from ..project import Project, write_private
from .stacks import Tell, alone, chosen, each, now, stack_of, whoami, with_lock

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
        with alone(project, stack.name):
            attempt = Attempt(project, stack, deployment, tell, lambda event: watch(deployment.name, event))
            return deploy(attempt, sealed.ref(), new_entry(sealed.id, engine.version))

    return Up(name, sealed, each(deployments, act, tell))


@dataclass(frozen=True)
class Attempt:
    """One command at work on one stack."""

    project: Project
    stack: Stack
    deployment: Deployment
    tell: Tell
    watch: Callable[[Event], None]

    def run(self, intent: Intent) -> Outcome:
        """Make the stack what `intent` says; only then is it what a plain `pulumi up` would do again."""
        final = self.project.intent(self.stack.name)
        offered = final.with_suffix(".offered.json")
        write_private(offered, intent.model_dump_json(), replace=True)
        try:
            values = {"intent": str(offered)}
            outcome = with_lock(self.stack, lambda: self.stack.up(self.watch, values), self.tell)
            offered.replace(final)
        finally:
            offered.unlink(missing_ok=True)
        self.stack.configure({"intent": str(final)})
        return outcome


@dataclass(frozen=True)
class Remembered:
    """What the outputs of a stack remember."""

    url: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    configuration: Configuration | None = None

    @classmethod
    def read(cls, outputs: Mapping[str, Any]) -> Remembered:
        """What `outputs` say; nothing for those of a stack that was never finished."""
        configuration = outputs.get("configuration")
        return cls(
            outputs.get("url"),
            Ledger.read(outputs.get("ledger")),
            Configuration.model_validate_json(configuration) if configuration else None,
        )

    def with_live(self, new: ReleaseRef, deployment: Deployment, entry: Entry) -> Ledger:
        """The ledger with `new` live as the deployment is configured now; the same one when it is so already."""
        if self.ledger.live != new:
            return self.ledger.deploy(new, entry)
        if self.configuration == deployment.configuration:
            return self.ledger
        return self.ledger.deploy(new, entry.model_copy(update={"source": "configuration"}))


def deploy(attempt: Attempt, new: ReleaseRef, entry: Entry) -> Deployed:
    """Make `new` the live release of a deployment.

    When it can't be, the release that was live stays so, as it was configured; what was started for the new one is
    removed, the failure is written into the history, and UpdateFailed is raised. Where nothing was live before, what
    has been made stays for the next attempt.
    """
    outputs = attempt.stack.outputs()
    if outputs is None:
        attempt.stack.create()
    before = Remembered.read(outputs or {})
    wanted = before.with_live(new, attempt.deployment, entry)
    try:
        outcome = attempt.run(Intent(ledger=wanted))
    except UpdateFailed as failure:
        if wanted is not before.ledger and before.ledger.live is not None:
            attempt.tell(f"{attempt.stack.name}: going back to release {before.ledger.live.short}")
            failed = before.ledger.fail(wanted.entries[0], str(failure))
            _go_back(attempt, Intent(ledger=failed, configuration=before.configuration))
        raise
    return _deployed(attempt.deployment, outcome)


def _go_back(attempt: Attempt, intent: Intent) -> None:
    try:
        attempt.run(intent)
    except EngineError as error:
        # The pointer never moved, so the old release serves; what the new one left is removed by the next `up`.
        attempt.tell(f"{attempt.stack.name}: could not remove what the failed release left: {error}")


def _deployed(deployment: Deployment, outcome: Outcome) -> Deployed:
    live = str(outcome.outputs.get("release", ""))
    gates = [step.outputs for step in outcome.steps if step.type == GATE and step.outputs.get("release") == live]
    asked = int(gates[0].get("asked", 0)) if gates else 0
    return Deployed(
        deployment.name,
        deployment.target_name,
        deployment.stack,
        str(outcome.outputs.get("url", "")),
        live,
        {"passed": bool(gates), "examples": asked},
        tuple(step for step in outcome.steps if step.operation != "same"),
        outcome.seconds,
    )


def new_entry(release_id: str, pulumi_version: str) -> Entry:
    """The entry of the history that says: this release, now, by whoever runs us."""
    return Entry(
        release=release_id,
        at=now(),
        by=whoami(),
        versions={
            "bentoship": _version.__version__,
            "pulumi": pulumi_version,
            "python": platform.python_version(),
        },
    )
