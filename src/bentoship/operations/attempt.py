"""One command at work on one stack: what the stack remembers, what it shall become, and back when that fails."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .. import _version, gate, release
from ..deployment import Configuration, Deployment, Example, Gated, ReleaseRef, now
from ..engine.events import Event, Step
from ..engine.stack import Outcome, Stack
from ..errors import BentoshipError, EngineError, StackLocked, UpdateFailed
from ..ledger import Entry, Intent, Ledger, unreadable
from ..project import Project, write_private
from . import provenance
from .stacks import Tell, need_sdk, whoami, with_lock

GATE = "bentoship:index:Gate"
Watch = Callable[[str, Event], None]
"""Told the name of a deployment and what its engine says."""

_CONFIGURATIONS = TypeAdapter(dict[str, Configuration])


@dataclass(frozen=True)
class Deployed:
    """What a command that moves the pointer came to for one deployment."""

    name: str
    target: str
    stack: str
    url: str
    release: str
    gate: Mapping[str, object]
    """`passed`, and how many golden `examples` were replayed."""
    changes: tuple[Step, ...]
    seconds: float
    examples: Sequence[Example] = ()
    """The golden examples of the release."""


@dataclass(frozen=True)
class Attempt:
    """One command at work on one stack."""

    project: Project
    stack: Stack
    deployment: Deployment
    tell: Tell
    watch: Callable[[Event], None]

    def run(self, intent: Intent) -> Outcome:
        """Make the stack what `intent` says; only then is it what a plain `pulumi up` would do again.

        An intent whose work was interrupted stays, as `unfinished`, until it is finished or another one is begun.
        """
        need_sdk(self.deployment)
        final, offered, unfinished = self.project.intent(self.stack.name), self._offered, self.unfinished
        write_private(offered, intent.model_dump_json(), replace=True)
        try:
            values = {"intent": str(offered)}
            adoptable = self.deployment.target.adoptable
            outcome = with_lock(self.stack, lambda: self.stack.up(self.watch, values, adoptable), self.tell)
        except (UpdateFailed, StackLocked) as failure:
            error = failure if isinstance(failure, StackLocked) else self._overtaken(intent) or failure
            if unfinished and (isinstance(error, StackLocked) or intent.begun is None):
                write_private(offered, unfinished.model_dump_json(), replace=True)
            else:
                offered.unlink(missing_ok=True)
            raise error from None
        exported = outcome.outputs.get("ledger")  # with what the program has measured
        ledger = Ledger.read(exported) if exported else intent.ledger
        done = intent.model_copy(update={"ledger": ledger, "before": ledger.digest, "begun": None})
        write_private(offered, done.model_dump_json(), replace=True)
        offered.replace(final)
        self.stack.configure({"intent": str(final)})
        return outcome

    @property
    def unfinished(self) -> Intent | None:
        """What the last command of this machine on this stack was at when it was interrupted, if it was."""
        try:
            return Intent.model_validate_json(self._offered.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None

    def left_to_do(self, ledger: Ledger) -> Intent | None:
        """The rest of what this machine was at when it was interrupted, if the stack remembered it by then.

        A prune has moved no pointer: only prune goes on with one.
        """
        unfinished = self.unfinished
        if unfinished is None or unfinished.pruned or not ledger.entries:
            return None
        if not unfinished.ledger.is_attempt_of(ledger.entries[0]):
            return None
        return unfinished.model_copy(update={"ledger": ledger, "before": ledger.digest, "begun": None})

    def _overtaken(self, intent: Intent) -> StackLocked | None:
        """The error for a stack that somebody else has changed since this command read it."""
        now = self.ledger_now()
        if now is None or now.digest in (intent.before, intent.ledger.digest) or not now.entries:
            return None
        fault = f"was changed by {now.attempted.by} while this command was at work, which has changed nothing"
        return StackLocked(self.stack.name, fault, "run the same command again")

    def ledger_now(self) -> Ledger | None:
        """What the stack remembers by now; None when it can't be asked."""
        try:
            return Remembered.read(self.stack.outputs() or {}).ledger
        except BentoshipError:
            return None

    @property
    def _offered(self) -> Path:
        return self.project.offered(self.stack.name)


@dataclass(frozen=True)
class Remembered:
    """What the outputs of a stack remember."""

    url: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    configurations: Mapping[str, Configuration] = field(default_factory=dict)
    """How each kept release was configured when it was live last, by its id."""
    digest: str = Ledger().digest
    """That of the ledger as it was read."""

    @classmethod
    def read(cls, outputs: Mapping[str, Any]) -> Remembered:
        """What `outputs` say; nothing for those of a stack that was never finished."""
        configurations, ledger = outputs.get("configurations"), Ledger.read(outputs.get("ledger"))
        return cls(
            outputs.get("url"),
            ledger,
            _read_configurations(configurations) if configurations else {},
            ledger.digest,
        )

    @property
    def configuration(self) -> Configuration | None:
        """How the live release is configured."""
        return self.configurations.get(self.ledger.live.id) if self.ledger.live else None

    def with_live(self, new: ReleaseRef, deployment: Deployment, entry: Entry) -> Ledger:
        """The ledger with `new` live as the deployment is configured now; the same one when it is so already."""
        if self.ledger.live != new:
            return self.ledger.deploy(new, entry)
        if self.configuration == deployment.configuration:
            return self.ledger
        return self.ledger.deploy(new, entry.model_copy(update={"source": "configuration"}))

    def intent(self, ledger: Ledger, configuration: Configuration | None = None) -> Intent:
        """Make the stack what `ledger` says; `configuration` is as the environment's file says it, unless given."""
        return Intent(
            ledger=ledger,
            before=self.digest,
            configuration=configuration,
            configurations=dict(self.configurations),
        )


def _read_configurations(text: str) -> Mapping[str, Configuration]:
    try:
        return _CONFIGURATIONS.validate_json(text)
    except ValidationError as error:
        raise unreadable("configurations", error) from None


def deploy(attempt: Attempt, new: ReleaseRef, entry: Entry) -> Deployed:
    """Make `new` the live release of a deployment, as the environment's file configures it."""
    outputs = attempt.stack.outputs()
    if outputs is None:
        attempt.stack.create()
    before = Remembered.read(outputs or {})
    refuse_another(attempt.stack.name, before.ledger, new, attempt.deployment.environment)
    return move(attempt, before, before.intent(before.with_live(new, attempt.deployment, entry)))


def refuse_another(stack: str, ledger: Ledger, new: ReleaseRef, environment: str) -> None:
    """Raise BentoshipError when the stack is another service's, or a canary of another release than `new` is under way.

    Services that share a backend share its stacks, when their Pulumi projects have one name.
    """
    if ledger.live and ledger.live.bento != new.bento:
        fault = f"has the service {ledger.live.bento} live, and this release is of {new.bento}"
        remedy = f"say another `name:` in infra/Pulumi.yaml; if it was renamed: `bentoship destroy {environment}` first"
        raise BentoshipError(stack, fault, remedy)
    if ledger.canary and ledger.canary.release != new:
        short, by = ledger.canary.release.short, ledger.canary.entry.by
        remedy = f"`bentoship traffic {environment} --go-on`, or `--back`"
        raise BentoshipError(stack, f"a canary of release {short} is under way, begun by {by}", remedy)


def move(attempt: Attempt, before: Remembered, wanted: Intent) -> Deployed:
    """Make the stack what `wanted` says.

    When it can't be, the release that was live stays so, as it was configured; what was started for the new one is
    removed, the failure is written into the history, and UpdateFailed is raised. Where nothing was live before, what
    has been made stays for the next attempt.
    """
    is_new, begun, seen = wanted.ledger != before.ledger, time.time(), _GateWatch(attempt, wanted.ledger)
    if is_new:
        wanted = wanted.model_copy(update={"begun": begun})
    attempt.watch(Event(release=wanted.ledger.attempted.release))
    try:
        outcome = replace(attempt, watch=seen.watch).run(wanted)
    except UpdateFailed as failure:
        if is_new and before.ledger.live is not None:
            attempt.tell(f"{attempt.stack.name}: going back to release {before.ledger.live.short}")
            entry = seen.entry({"engine": round(time.time() - begun, 3)})
            failed = before.ledger.fail(entry, str(failure))
            # An update that fails once the pointer has moved, at a deletion, has written its ledger already.
            moved = (attempt.ledger_now() or before.ledger).digest == wanted.ledger.digest
            back = before.intent(failed, before.configuration)
            _go_back(attempt, back.model_copy(update={"before": wanted.ledger.digest}) if moved else back)
        raise
    return _deployed(attempt.deployment, wanted.ledger, outcome)


class _GateWatch:
    """Hears from the engine what a gate has seen; passes on all that it hears."""

    def __init__(self, attempt: Attempt, wanted: Ledger) -> None:
        self._attempt, self._wanted = attempt, wanted
        self._failed: Gated | None = None

    def watch(self, event: Event) -> None:
        """Take what the engine says."""
        answered = gate.heard(event.note, self._examples) if event.note else None
        if answered is not None:
            met = sum(each.met for each in answered)
            self._failed = Gated(at=now(), passed=False, asked=len(answered), met=met, examples=answered)
            self._attempt.watch(Event(gate=self._failed))
            return
        self._attempt.watch(event)
        if event.step and (results := _results(event.step)):
            self._attempt.watch(Event(gate=Gated.model_validate_json(results)))

    def entry(self, seconds: Mapping[str, float]) -> Entry:
        """The entry of the attempt, with what the gate saw and how long all took."""
        entry, gated = self._wanted.attempted, self._failed.seconds if self._failed else {}
        return entry.model_copy(update={"gate": self._failed, "seconds": {**entry.seconds, **gated, **seconds}})

    @property
    def _examples(self) -> Sequence[Example]:
        wanted = self._wanted.attempted.release
        return next((each.examples for each in self._wanted.kept if each.id == wanted), ())


def _results(step: Step) -> str | None:
    """What a gate that has just passed has seen; None of any other step."""
    if step.type != GATE or not step.done or step.operation in ("same", "refresh", "read", "delete"):
        return None
    return step.outputs.get("results")


def _go_back(attempt: Attempt, intent: Intent) -> None:
    try:
        attempt.run(intent)
    except EngineError as error:
        # Where the pointer has not moved the old release serves; what the new one left is removed by the next `up`.
        now = attempt.ledger_now()
        live = f"; release {now.live.short} is live, as far as the stack knows" if now and now.live else ""
        attempt.tell(f"{attempt.stack.name}: could not go back, or not wholly: {error}{live}")


def _deployed(deployment: Deployment, ledger: Ledger, outcome: Outcome) -> Deployed:
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
        ledger.live.examples if ledger.live else (),
    )


def preview(stack: Stack, intent: Intent, watch: Callable[[Event], None], tell: Tell) -> Outcome:
    """What would change if the stack were made what `intent` says."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(intent.model_dump_json())
        file.flush()
        return with_lock(stack, lambda: stack.preview({"intent": file.name}, watch), tell)


def new_entry(release_id: str, pulumi_version: str, target: str = "local", like: Entry | None = None) -> Entry:
    """The entry of the history that says: this release, now, by whoever runs us, at a target.

    What was known of its build comes from `like`, the entry of a place that it comes from.
    """
    versions = {
        "bentoship": _version.__version__,
        "pulumi": pulumi_version,
        **provenance.sdks(target),
        "python": platform.python_version(),
    }
    if like and "bentoml" in like.versions:
        versions["bentoml"] = like.versions["bentoml"]
    entry = Entry(release=release_id, at=now(), by=whoami(), versions=versions, run=provenance.run_page())
    return entry.model_copy(update={"commit": like.commit, "dirty": like.dirty}) if like else entry


def built_entry(
    sealed: release.Release, pulumi_version: str, target: str, commit: provenance.Commit, seconds: float | None
) -> Entry:
    """The entry that says: this release, which was built here from `commit` in so many `seconds`."""
    entry = new_entry(sealed.id, pulumi_version, target)
    known = {"commit": commit.id, "dirty": commit.dirty, "versions": {**entry.versions, "bentoml": sealed.bentoml}}
    return entry.model_copy(update={**known, "seconds": {} if seconds is None else {"build": round(seconds, 3)}})
