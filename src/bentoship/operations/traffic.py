"""traffic: which releases get how much, how they answer; and the end of a canary by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import environments
from ..deployment import Deployment
from ..engine import install
from ..errors import BentoshipError
from ..host.control import Supervisor
from ..host.tally import Answers
from ..project import Project
from .attempt import Attempt, Deployed, Watch
from .canary import counted_by, end
from .stacks import Tell, alone, chosen, each, stack_of, whoami
from .status import known


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
    found: dict[str, Traffic | BentoshipError] = {}
    for key, value in known(project, name, only=only, tell=tell).items():
        if isinstance(value, BentoshipError):
            found[key] = value
            continue
        deployment, ledger = value.deployment, value.ledger
        counts = deployment.target.splitting.how == "counted"
        answers = counted_by(Supervisor(project.local(deployment.stack)).status()) if counts else {}
        shares = tuple(
            Share(
                release,
                "stable" if ledger.live and release == ledger.live.id else "canary",
                percent,
                answers.get(release[:12]),
            )
            for release, percent in ledger.traffic.items()
        )
        found[key] = Traffic(deployment.name, deployment.target_name, deployment.stack, value.url, shares)
    return found


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
