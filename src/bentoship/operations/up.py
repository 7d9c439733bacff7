"""up: seal the service, put the release beside the old one, gate it, move the pointer; or leave all as it was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from .. import environments, release
from ..deployment import Canary, Deployment
from ..engine import install
from ..errors import BentoshipError
from ..project import Project
from . import hooks, provenance
from .attempt import Attempt, Deployed, Watch, built_entry, deploy
from .canary import try_out
from .stacks import Tell, alone, chosen, each, stack_of


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
    canary: Canary | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Up:
    """Deploy the project's service to the environment called `name`, or to its deployment `only`.

    With a `canary`, the new release first gets a share of the traffic, is compared with the live one for a while, and
    goes on or back by itself.
    """
    environment = environments.load(project, name)
    deployments = chosen(environment, only)
    begin = time.monotonic()
    sealed = release.build(project.root, relock=relock, tell=tell)
    built_in, commit = time.monotonic() - begin, provenance.commit(project.root)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Deployed:
        stack = stack_of(project, environment, deployment, engine)
        attempt = Attempt(project, stack, deployment, tell, lambda event: watch(deployment.name, event))

        def go_live() -> Deployed:
            entry = built_entry(sealed, engine.version, deployment.target_name, commit, built_in)
            if canary:
                return try_out(attempt, sealed.ref(), entry, canary)
            with alone(project, stack.name):
                return deploy(attempt, sealed.ref(), entry)

        return hooks.around(attempt, sealed.ref(), go_live)

    return Up(name, sealed, each(deployments, act, tell))
