"""rehearse: play the whole life of every deployment of an environment on the doubles, while requests flow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from .. import environments, rehearsal, release
from ..deployment import Canary, Deployment, Environment, ReleaseRef, workload_name
from ..engine import install
from ..engine.events import Event
from ..errors import BentoshipError, GateFailed, InvalidConfiguration, UpdateFailed, UpdateInterrupted
from ..project import Project
from .attempt import Attempt, Deployed, Watch, deploy, new_entry
from .canary import try_out
from .customers import Customers, Tally
from .destroy import destroy
from .drift import drift
from .promote import promote
from .rollback import rollback
from .stacks import Tell, alone, chosen, each, stack_of

Value = TypeVar("Value")
Verdict = Literal["passed", "failed", "skipped"]
CANARY = Canary(percent=20, seconds=5)
GOLDEN = "golden example"
"""What a gate's refusal speaks of."""
STORED = frozenset(
    {"aws:s3/bucketObjectv2:BucketObjectv2", "azure-native:storage:Blob", "gcp:storage/bucketObject:BucketObject"}
)
"""Types whose creation is an upload."""
PER_SECOND = 10.0
"""Requests that a rehearsal sends to each deployment."""


@dataclass(frozen=True)
class Step:
    """One step of the play."""

    name: str
    verdict: Verdict
    seconds: float
    """Of this machine; what the clouds take is on the rehearsal's fast clock."""
    detail: str = ""
    """What was seen, or why it failed or was skipped."""
    requests: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class Played:
    """What a rehearsal came to for one deployment."""

    name: str
    target: str
    stack: str
    release: str
    """Id of the release that went live first."""
    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether no step failed."""
        return all(step.verdict != "failed" for step in self.steps)


@dataclass(frozen=True)
class Cast:
    """The releases that take part."""

    good: ReleaseRef
    """The project's own."""
    next: ReleaseRef
    """The same in all but its id."""
    broken: ReleaseRef
    """One that does not start."""
    wrong: ReleaseRef
    """One that does not answer as its golden examples say."""

    @classmethod
    def around(cls, sealed: release.Release, folder: Path) -> Cast:
        """`sealed`, and the others made of it in `folder`; InvalidConfiguration when it has no golden example."""
        from ..release import variant  # noqa: PLC0415 - only a rehearsal needs it

        if not sealed.examples:
            fault, remedy = "has no golden example", "give one: a rehearsal asks the first of them"
            raise InvalidConfiguration("models/examples.jsonl", fault, remedy)
        other = variant.marked(sealed.path, folder, "a release that answers otherwise").ref()
        first, *rest = other.examples
        expected = first.model_copy(update={"answer": {"a rehearsal": "expects what no service answers"}})
        return cls(
            sealed.ref(),
            variant.marked(sealed.path, folder, "the next release").ref(),
            variant.broken(sealed.path, folder).ref(),
            other.model_copy(update={"examples": (expected, *rest)}),
        )


class _StepError(Exception):
    """What a step was to show was not seen."""


def rehearse(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    source: str | None = None,
    faults: Sequence[str] = (),
    parallel: int | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
    played: Callable[[str, Step], None] = lambda _name, _step: None,
) -> Mapping[str, Played | BentoshipError]:
    """Play the life of the project's own release; see `play`."""
    project = Project(project.root, rehearses=True)
    # What is wrong in what was asked is told before anything is built, or removed.
    chosen(environments.load(project, name), only)
    rehearsal.faults_of(faults)
    if source == name:
        raise InvalidConfiguration(name, "can't be promoted to itself", "name another environment with --from")
    if source:
        environments.load(project, source)
    sealed = release.build(project.root, tell=tell)
    tell("making the releases that take part beside it")
    cast = Cast.around(sealed, project.variants)
    return play(
        project,
        name,
        cast,
        only=only,
        source=source,
        faults=faults,
        parallel=parallel,
        tell=tell,
        watch=watch,
        played=played,
    )


def play(
    project: Project,
    name: str,
    cast: Cast,
    *,
    only: str | None = None,
    source: str | None = None,
    faults: Sequence[str] = (),
    parallel: int | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
    played: Callable[[str, Step], None] = lambda _name, _step: None,
) -> Mapping[str, Played | BentoshipError]:
    """Play first deployment, new release, canary, failing releases, rollback, drift and destroy.

    The new release is promoted from the environment `source`, where it is deployed first; without one it is deployed as
    `up` does. `played` is told each step as it ends. `faults` are armed in the worlds of all clouds first. `parallel`
    deployments are played at once, by default as many as there are cores: whatever runs of them runs on this machine,
    two releases beside each other in every one. What was rehearsed before is removed first, and what is rehearsed now
    at the end.
    """
    environment = environments.load(project, name)
    engine = install.ensure(tell)
    rehearsal.arm(project, ())  # what an earlier rehearsal has left is removed without its faults
    _clear(project, name, only)

    def act(deployment: Deployment) -> Played:
        seen = partial(watch, deployment.name)
        life = _Play(project, environment, deployment, engine, tell, seen, source)
        steps = []
        for step in life.steps(cast):
            played(deployment.name, step)
            steps.append(step)
        return Played(deployment.name, deployment.target_name, deployment.stack, cast.good.id, tuple(steps))

    with _live_in(project, source, cast.next, engine, tell) if source else nullcontext():
        rehearsal.arm(project, faults)
        try:
            return each(chosen(environment, only), act, tell, parallel=parallel or os.cpu_count() or 1)
        finally:
            rehearsal.arm(project, ())


@contextmanager
def _live_in(project: Project, name: str, ref: ReleaseRef, engine: install.CommandLine, tell: Tell) -> Iterator[None]:
    """A release is live in another environment while it lasts; BentoshipError when it can't be."""
    environment = environments.load(project, name)
    _clear(project, name, None)

    def act(deployment: Deployment) -> Deployed:
        stack = stack_of(project, environment, deployment, engine)
        return _deploy_alone(Attempt(project, stack, deployment, tell, lambda _: None), ref, engine)

    try:
        failed = [
            done for done in each(environment.deployments, act, tell).values() if isinstance(done, BentoshipError)
        ]
        if failed:
            raise BentoshipError.of([problem for error in failed for problem in error.problems])
        yield
    finally:
        _clear(project, name, None)


def _clear(project: Project, name: str, only: str | None) -> None:
    """Remove what was rehearsed before; BentoshipError, with what to do, when that can't be done."""
    for found in destroy(project, name, only=only).values():
        if isinstance(found, BentoshipError):
            fault = f"what was rehearsed before can't be removed: {_first_line(found)}"
            raise BentoshipError(f"rehearsal of {name}", fault, f"delete {project.home} to forget all rehearsals")


class _NothingToShow(Exception):
    """A step that makes no sense for this deployment."""


@dataclass
class _Play:
    """One deployment, from its first day to its last."""

    project: Project
    environment: Environment
    deployment: Deployment
    engine: install.CommandLine
    tell: Tell
    watch: Callable[[Event], None]
    source: str | None
    """Environment from which the new release is promoted."""
    url: str = ""
    bento: str = ""
    live: str = ""
    """Id of the release that must be answering."""
    customers: Customers | None = None
    _releases: tuple[ReleaseRef, ...] = ()

    def steps(self, cast: Cast) -> Iterator[Step]:
        """Play; each step as it ends.

        When the first deployment fails there is nothing to go on with.
        """
        self._releases = (cast.good, cast.next)
        first = self._step("first deployment", lambda: self._go_live(cast.good), {cast.good.id})
        yield first
        if first.verdict == "passed":
            with Customers(self.url, cast.good.examples[0], PER_SECOND) as self.customers:
                yield self._step("nothing to do", lambda: self._same(cast.good), {cast.good.id})
                both = {cast.good.id, cast.next.id}
                yield self._new_release(cast.next, both)
                yield self._step("canary", lambda: self._try_out(cast.good), both)
                yield self._step("release that does not start", lambda: self._refused(cast.broken), {self.live})
                wrong = {self.live, cast.wrong.id}
                yield self._step("release that answers wrongly", lambda: self._refused(cast.wrong, GOLDEN), wrong)
                other = cast.good if self.live == cast.next.id else cast.next
                yield self._step("rollback", lambda: self._back_to(other), both)
                yield self._step("drift", self._drift_and_mend, {self.live})
            self.customers = None
        yield self._step("destroy", self._gone, set())

    def _step(self, name: str, act: Callable[[], str], expected: set[str]) -> Step:
        begin = time.monotonic()
        verdict: Verdict = "passed"
        try:
            detail = act()
        except UpdateInterrupted:
            raise
        except _NothingToShow as reason:
            verdict, detail = "skipped", str(reason)
        except (BentoshipError, _StepError) as error:
            verdict, detail = "failed", str(error)
        tally = self.customers.tally(expected) if self.customers else Tally()
        if tally.wrong:
            verdict, detail = "failed", f"{detail}; {tally.wrong} requests were answered by another release"
        return Step(name, verdict, time.monotonic() - begin, detail, tally)

    def _go_live(self, ref: ReleaseRef) -> str:
        done = self._deploy(ref)
        self.url, self.live, self.bento = done.url, ref.id, ref.bento
        self._must_answer()
        return f"{ref.short} answers at {done.url}"

    def _new_release(self, ref: ReleaseRef, expected: set[str]) -> Step:
        if self.source is None:
            return self._step("new release", lambda: self._go_live(ref), expected)
        source = self.source
        return self._step("promotion", lambda: self._promoted(source, ref), expected)

    def _promoted(self, source: str, ref: ReleaseRef) -> str:
        name = self.deployment.name
        done = _one(promote(self.project, source, self.environment.name, only=name, watch=self._pass_on))
        self.live = ref.id
        self._must_answer()
        return f"{ref.short}, live in {source}, answers at {done.url}"

    def _same(self, ref: ReleaseRef) -> str:
        done = self._deploy(ref)
        if done.changes:
            raise _StepError(f"{len(done.changes)} resources changed: {', '.join(step.name for step in done.changes)}")
        return "nothing changed"

    def _try_out(self, ref: ReleaseRef) -> str:
        """A share of the traffic for the other release, which then goes on by itself."""
        splitting = self.deployment.target.splitting
        if splitting.how == "never":
            raise _NothingToShow(splitting.reason)
        if splitting.how == "platform" and self.deployment.scale.min_replicas == 1:
            raise _NothingToShow("the platform divides traffic behind a load balancer only, and one replica has none")
        done = try_out(self._attempt(), ref, new_entry(ref.id, self.engine.version), CANARY)
        self.live = ref.id
        self._must_answer()
        return f"{CANARY.percent} % went to {ref.short}, then all of it at {done.url}"

    def _refused(self, ref: ReleaseRef, why: str = "") -> str:
        try:
            self._deploy(ref)
        except UpdateInterrupted:
            raise
        except (UpdateFailed, GateFailed) as error:
            reason = _first_line(error)
            if why not in str(error):
                raise _StepError(f"refused, but not because of its {why}s: {reason}") from None
            self._must_answer(f" (it was refused: {reason})")
            return f"refused, and {self.live[:12]} answers on: {reason}"
        raise _StepError(f"release {ref.short} went live, and should have been refused")

    def _back_to(self, ref: ReleaseRef) -> str:
        done = _one(rollback(*self._which, ref.id, only=self.deployment.name, watch=self._pass_on))
        self.live = ref.id
        self._must_answer()
        if uploads := [step.name for step in done.changes if step.operation != "delete" and step.type in STORED]:
            raise _StepError(f"going back uploaded {', '.join(uploads)}, and should have found it there")
        return f"{ref.short} answers again, {done.seconds:.1f} s in the engine"

    def _drift_and_mend(self) -> str:
        """Somebody deletes something by hand: it is seen, and the next `up` puts it right."""
        changed = rehearsal.disturb(self.project, self._workload)
        if changed is None:
            raise _NothingToShow("nothing here can be deleted by hand without harm")
        seen = _one(drift(*self._which, only=self.deployment.name))
        if not seen.changes:
            raise _StepError(f"{changed} was deleted by hand, and nobody noticed")
        ref = next(kept for kept in self._releases if kept.id == self.live)
        self._deploy(ref)
        if (again := _one(drift(*self._which, only=self.deployment.name))).drifted:
            raise _StepError(f"still otherwise after `up`: {', '.join(step.name for step in again.changes)}")
        self._must_answer()
        return f"{changed} was deleted by hand, seen, and put right"

    def _gone(self) -> str:
        done = _one(destroy(*self._which, only=self.deployment.name, watch=self._pass_on))
        left = rehearsal.left(self.project, self._workload)
        if left:
            raise _StepError(f"{len(left)} resources are left: {', '.join(left[:5])}")
        return f"{len(done.removed)} resources removed, nothing left"

    def _deploy(self, ref: ReleaseRef) -> Deployed:
        return _deploy_alone(self._attempt(), ref, self.engine)

    def _attempt(self) -> Attempt:
        stack = stack_of(self.project, self.environment, self.deployment, self.engine)
        return Attempt(self.project, stack, self.deployment, self.tell, self.watch)

    def _must_answer(self, but: str = "") -> None:
        """The live release answers by now, and goes on to."""
        answered = self.customers.latest() if self.customers else Customers.ask_once(self.url)
        if answered != self.live[:12]:
            raise _StepError(f"release {answered or 'none'} answers, and {self.live[:12]} should{but}")

    @property
    def _which(self) -> tuple[Project, str]:
        return self.project, self.environment.name

    @property
    def _workload(self) -> str:
        return workload_name(self.bento, self.deployment.stack)

    def _pass_on(self, _: str, event: Event) -> None:
        self.watch(event)


def _deploy_alone(attempt: Attempt, ref: ReleaseRef, engine: install.CommandLine) -> Deployed:
    with alone(attempt.project, attempt.stack.name):
        return deploy(attempt, ref, new_entry(ref.id, engine.version))


def _one(found: Mapping[str, Value | BentoshipError]) -> Value:
    (value,) = found.values()
    if isinstance(value, BentoshipError):
        raise value
    return value


def _first_line(error: BentoshipError) -> str:
    lines = [line.strip(" *\t") for line in str(error).splitlines() if line.strip(" *\t")]
    useful = [line for line in lines if "error occurred" not in line]
    return (useful or lines)[0][:300]
