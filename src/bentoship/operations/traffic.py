"""traffic: which releases get how much, how they answer; and the end of a canary by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import environments
from ..deployment import Deployment
from ..engine import install
from ..errors import BentoshipError, HostError
from ..host.control import Supervisor
from ..host.tally import Answers
from ..project import Project
from .attempt import Attempt, Deployed, Watch
from .canary import counted_by, end
from .stacks import Tell, alone, chosen, each, stack_of, whoami
from .status import Known, known


@dataclass(frozen=True)
class Share:
    """One release that gets traffic."""

    release: str
    role: str
    """`stable` or `canary`."""
    percent: int
    answers: Answers | None
    """Since the traffic was last divided otherwise; None where nobody counts."""


@dataclass(frozen=True)
class Traffic:
    """How the traffic of one deployment is divided."""

    name: str
    target: str
    stack: str
    url: str | None
    shares: tuple[Share, ...]


def traffic(
    project: Project, name: str, *, only: str | None = None, tell: Tell = lambda _: None
) -> Mapping[str, Traffic | BentoshipError]:
    """How the traffic of an environment's deployments is divided now."""
    found = known(project, name, only=only, tell=tell)
    return {
        key: value if isinstance(value, BentoshipError) else _traffic(project, value) for key, value in found.items()
    }


def _traffic(project: Project, there: Known) -> Traffic | BentoshipError:
    """How it is divided in one deployment; a BentoshipError when its router doesn't tell."""
    deployment, ledger = there.deployment, there.ledger
    try:
        counts = deployment.target.splitting.how == "counted"
        answers = counted_by(Supervisor(project.local(deployment.stack)).status()) if counts else {}
    except HostError as error:
        return error
    shares = tuple(
        Share(
            release,
            "stable" if ledger.live and release == ledger.live.id else "canary",
            percent,
            answers.get(release[:12]),
        )
        for release, percent in ledger.traffic.items()
    )
    return Traffic(deployment.name, deployment.target_name, deployment.stack, there.url, shares)


def end_canary(
    project: Project,
    name: str,
    *,
    go_on: bool,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Mapping[str, Deployed | BentoshipError]:
    """End the canaries that are under way now: make them live, or give the stable release all the traffic."""
    environment = environments.load(project, name)
    engine = install.ensure(tell)
    verdict = None if go_on else f"ended by {whoami()}"

    def act(deployment: Deployment) -> Deployed:
        stack = stack_of(project, environment, deployment, engine)
        with alone(project, stack.name):
            attempt = Attempt(project, stack, deployment, tell, lambda event: watch(deployment.name, event))
            return end(attempt, None, verdict)

    return each(chosen(environment, only), act, tell)
