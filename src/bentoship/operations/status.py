"""status and history: what is deployed, whether it answers, and how it came to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from .. import environments
from ..deployment import Deployment, Environment
from ..engine import install
from ..engine.install import CommandLine
from ..errors import BentoshipError, InvalidConfiguration
from ..gate import READY_PATH, RELEASE_HEADER
from ..ledger import Entry, Ledger
from ..project import Project
from .attempt import Remembered
from .stacks import Tell, chosen, each, stack_of
from .strays import strays

SHORTEST = 6
"""Digits of an id that a release must at least be named with."""


@dataclass(frozen=True)
class Status:
    """One deployment as it is now."""

    name: str
    target: str
    stack: str
    url: str | None
    """None when the deployment is not up."""
    release: str | None
    """Id of the release that the ledger calls live."""
    ready: bool
    """Whether the URL answers 200 on `/readyz`."""
    answered_by: str | None
    """First twelve digits of the release that answered, as it says itself."""
    deployed_at: str | None
    deployed_by: str | None


@dataclass(frozen=True)
class Known:
    """What the stack of a deployment remembers."""

    deployment: Deployment
    url: str | None
    ledger: Ledger


def known(
    project: Project, name: str, *, only: str | None = None, tell: Tell = lambda _: None
) -> Mapping[str, Known | BentoshipError]:
    """What the stacks of an environment remember, by deployment; changes nothing and creates nothing."""
    return _remembered(project, environments.load(project, name), install.ensure(tell), only, tell)


def _remembered(
    project: Project, environment: Environment, engine: CommandLine, only: str | None, tell: Tell
) -> Mapping[str, Known | BentoshipError]:
    def act(deployment: Deployment) -> Known:
        remembered = Remembered.read(stack_of(project, environment, deployment, engine).outputs() or {})
        return Known(deployment, remembered.url, remembered.ledger)

    return each(chosen(environment, only), act, tell)


def status(
    project: Project, name: str, *, only: str | None = None, tell: Tell = lambda _: None
) -> Mapping[str, Status | BentoshipError]:
    """The deployments of an environment as they are now."""
    environment, engine = environments.load(project, name), install.ensure(tell)
    found = _remembered(project, environment, engine, only, tell)
    there = {key: value if isinstance(value, BentoshipError) else _status(value) for key, value in found.items()}
    return there if only else {**there, **strays(project, environment, engine)}


def history(
    project: Project, name: str, release: str | None = None, *, only: str | None = None, tell: Tell = lambda _: None
) -> Mapping[str, tuple[Entry, ...] | BentoshipError]:
    """Every attempt to deploy to an environment, newest first; or those of the releases whose ids begin with `release`.

    A deployment whose history has no such release is a BentoshipError that says which it has.
    """
    beginning = None if release is None else beginning_of_id(release)
    found = known(project, name, only=only, tell=tell)
    return {key: value if isinstance(value, BentoshipError) else _of(value, beginning) for key, value in found.items()}


def beginning_of_id(text: str) -> str:
    """`text`, when it can be the beginning of a release's id; InvalidConfiguration when it can't."""
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", text):
        return text
    fault = f"{text!r} is not the beginning of a release's id"
    raise InvalidConfiguration("the release", fault, f"give its first {SHORTEST} digits or more")


def _of(found: Known, beginning: str | None) -> tuple[Entry, ...] | BentoshipError:
    entries = found.ledger.entries
    if beginning is None:
        return entries
    if asked := tuple(entry for entry in entries if entry.release.startswith(beginning)):
        return asked
    there = ", ".join(dict.fromkeys(entry.release[:12] for entry in entries))
    fault = f"no release of its history begins with {beginning}"
    return BentoshipError(found.deployment.stack, fault, f"there are: {there}" if there else "it was never up")


def _status(found: Known) -> Status:
    live = found.ledger.live
    latest = found.ledger.latest(live.id) if live else None
    ready, answered_by = asked(found.url) if found.url else (False, None)
    return Status(
        found.deployment.name,
        found.deployment.target_name,
        found.deployment.stack,
        found.url,
        live.id if live else None,
        ready,
        answered_by,
        latest.at if latest else None,
        latest.by if latest else None,
    )


def asked(url: str) -> tuple[bool, str | None]:
    """Whether `url` is ready, and the first twelve digits of the release that said so."""
    try:
        answer = httpx.get(f"{url}{READY_PATH}", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False, None
    return answer.status_code == httpx.codes.OK, answer.headers.get(RELEASE_HEADER)
