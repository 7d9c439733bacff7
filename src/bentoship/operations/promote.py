"""promote: the release that is live in one environment goes to another one, unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from .. import environments, release
from ..deployment import Deployment, ReleaseRef
from ..engine import install
from ..errors import BentoshipError, InvalidConfiguration, Problem
from ..ledger import Entry
from ..project import Project
from . import hooks
from .attempt import Attempt, Deployed, Watch, deploy, new_entry
from .stacks import Tell, alone, chosen, each, stack_of
from .status import Known, asked, known


def promote(
    project: Project,
    source: str,
    destination: str,
    *,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Mapping[str, Deployed | BentoshipError]:
    """Make the release that is live in `source` live in `destination`, or in its deployment `only`.

    Nothing is built. Raises BentoshipError with every reason against it: `source` is not up, has two releases live, is
    trying one, or doesn't answer; it has not been live for as long as `destination` asks for (`soak`); its sealed file
    is missing here, or has other bytes than its id says (ReleaseTampered); a target of `destination` can't run it.
    """
    if source == destination:
        raise InvalidConfiguration(source, "can't be promoted to itself", "name another environment")
    environment = environments.load(project, destination)
    deployments = chosen(environment, only)
    soak = 0.0 if project.rehearses else environment.soak  # a rehearsal has no days to wait
    found, like = _live(project, source, soak, tell)
    sealed = release.verify(project.archive(found.id), found.id)
    _must_fit(sealed, deployments)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Deployed:
        stack = stack_of(project, environment, deployment, engine)
        attempt = Attempt(project, stack, deployment, tell, lambda event: watch(deployment.name, event))

        def go_live() -> Deployed:
            with alone(project, stack.name):
                entry = new_entry(found.id, engine.version, deployment.target_name, like)
                return deploy(attempt, found, entry.model_copy(update={"source": f"promotion from {source}"}))

        return hooks.around(attempt, found, go_live)

    return each(deployments, act, tell)


def _live(project: Project, source: str, soak: float, tell: Tell) -> tuple[ReleaseRef, Entry | None]:
    """The one release that is live in every deployment of `source`, and has been for `soak` seconds; and its entry."""
    remembered = known(project, source, tell=tell)
    problems = [problem for value in remembered.values() for problem in _against(value, soak)]
    releases = {value.ledger.live.id: value.ledger.live for value in _up(remembered) if value.ledger.live}
    if len(releases) > 1:
        named = ", ".join(each.short for each in releases.values())
        problems.append(Problem(source, f"has more than one release live: {named}", f"`bentoship up {source}`"))
    if problems:
        raise BentoshipError.of(problems)
    live = next(iter(releases.values()))
    return live, next(value.ledger.latest(live.id) for value in _up(remembered))


def _up(remembered: Mapping[str, Known | BentoshipError]) -> list[Known]:
    return [value for value in remembered.values() if not isinstance(value, BentoshipError)]


def _against(found: Known | BentoshipError, soak: float) -> list[Problem]:
    """What speaks against promoting what is live in a deployment of the source."""
    if isinstance(found, BentoshipError):
        return list(found.problems)
    stack, ledger = found.deployment.stack, found.ledger
    if ledger.live is None or found.url is None:
        return [Problem(stack, "is not up", f"`bentoship up {found.deployment.environment}`")]
    if ledger.canary:
        remedy = f"wait for it, or `bentoship traffic {found.deployment.environment} --go-on`, or `--back`"
        return [Problem(stack, f"a canary of release {ledger.canary.release.short} is under way", remedy)]
    ready, answered_by = asked(found.url)
    if not ready or answered_by != ledger.live.short:
        answer = f"is answered by {answered_by or 'nobody'}"
        remedy = f"`bentoship drift {found.deployment.environment}` says what has changed"
        return [Problem(stack, f"{found.url} {answer}, and not by release {ledger.live.short}", remedy)]
    latest = ledger.latest(ledger.live.id)
    return _against_record(stack, latest, soak) if latest else []


def _against_record(stack: str, entry: Entry, soak: float) -> list[Problem]:
    """What the history says against it: no gate that it passed, or not long enough ago."""
    if fault := _ungated(entry):
        return [Problem(stack, f"release {entry.release[:12]} {fault}", "deploy it there through a gate first")]
    since = entry.live_since
    left = soak - (datetime.now(UTC) - since).total_seconds()
    if left > 0:
        fault = f"release {entry.release[:12]} has had all the traffic since {since.isoformat(timespec='seconds')} only"
        return [Problem(stack, fault, f"`soak` asks for {soak:.0f} s: wait for {left:.0f} s more")]
    return []


def _ungated(entry: Entry) -> str | None:
    """A clause that says that the record of a live release shows no gate that it passed; None when it does.

    An entry that nothing was measured for is of an earlier version, in which a release was live only after its gate.
    """
    if entry.gate is None:
        return "went live there without a gate" if "live" in entry.seconds else None
    return None if entry.gate.passed else f"met {entry.gate.met} of {entry.gate.asked} golden examples there"


def _must_fit(sealed: release.Release, deployments: Sequence[Deployment]) -> None:
    problems = [
        Problem(each.stack, f"{each.target_name} can't run release {sealed.id[:12]}: {reason}", "choose another target")
        for each in deployments
        if (reason := sealed.fits.get(each.target_name, True)) is not True
    ]
    if problems:
        raise BentoshipError.of(problems)
