"""rollback: back to a release that was live before. Nothing is built, and nothing is uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .. import environments
from ..deployment import Configuration, Deployment, ReleaseRef
from ..engine import install
from ..errors import BentoshipError, ReleaseError
from ..ledger import Entry, Intent, Ledger
from ..project import Project
from .attempt import Attempt, Deployed, Remembered, Watch, move, new_entry, preview
from .stacks import Tell, alone, chosen, each, stack_of, whoami
from .status import beginning_of_id

_ENDED = "ended by a rollback"
"""How the reason begins for which a canary failed that a rollback has ended."""


def rollback(
    project: Project,
    name: str,
    release: str | None = None,
    *,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Mapping[str, Deployed | BentoshipError]:
    """Make an earlier release live again: the one whose id begins with `release`, or the one that was live before.

    It goes through the gate, with the variables that it was live with last; all else stays as it is now. It becomes
    a new entry of the history. When the gate fails, what is live stays so. What the environment's file says by now
    waits for the next `up`. While a canary is under way, going back without a `release` ends it.
    """
    environment = environments.load(project, name)
    if release is not None:
        beginning_of_id(release)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Deployed:
        stack = stack_of(project, environment, deployment, engine)
        with alone(project, stack.name):
            attempt = Attempt(project, stack, deployment, tell, lambda event: watch(deployment.name, event))
            before = Remembered.read(stack.outputs() or {})
            return move(attempt, before, _back(attempt, before, release, engine.version))

    return each(chosen(environment, only), act, tell)


def _back(attempt: Attempt, before: Remembered, release: str | None, pulumi_version: str) -> Intent:
    """What going back makes of a stack."""
    live = before.ledger.live
    if live is None:
        raise BentoshipError(attempt.stack.name, "is not up", f"`bentoship up {attempt.deployment.environment}`")
    if canary := before.ledger.canary:
        failed = before.ledger.fail(canary.entry, f"{_ENDED} of {whoami()}")
        if release is None or live.id.startswith(release):
            return before.intent(failed, before.configuration)
        before = replace(before, ledger=failed)
    if release is None and (unfinished := _half_way(attempt, before)):
        return unfinished
    wanted = _named(attempt, before.ledger, release) if release else _previous(attempt, before.ledger)
    if not attempt.deployment.target.keeps_releases:
        _must_be_here(attempt, wanted)
    if wanted == live:
        return before.intent(before.ledger, before.configuration)
    like = before.ledger.latest(wanted.id)
    entry: Entry = new_entry(wanted.id, pulumi_version, attempt.deployment.target_name, like)
    entry = entry.model_copy(update={"source": "rollback"})
    return before.intent(before.ledger.deploy(wanted, entry), _configuration(attempt.deployment, before, wanted))


def _half_way(attempt: Attempt, before: Remembered) -> Intent | None:
    """The rollback that was interrupted once its pointer had moved: what it left is finished, not gone back from."""
    newest = before.ledger.entries[0]
    is_back = newest.source == "rollback" and newest.result == "live"
    if not is_back and not newest.reason.startswith(_ENDED):
        return None
    if attempt.unfinished is None:  # it may have been another machine's, which remembers it
        as_it_is = before.intent(before.ledger, before.configuration)
        left = preview(attempt.stack, as_it_is, lambda _: None, attempt.tell).changing
        # What is left to do, once the pointer has moved, is to remove what it pointed to before.
        return as_it_is if left == {"delete"} else None
    return attempt.left_to_do(before.ledger)


def _previous(attempt: Attempt, ledger: Ledger) -> ReleaseRef:
    if found := ledger.previous:
        return found
    raise BentoshipError(
        attempt.stack.name,
        "no earlier release is kept to go back to",
        f"`bentoship history {attempt.deployment.environment}` lists what there was",
    )


def _named(attempt: Attempt, ledger: Ledger, release: str) -> ReleaseRef:
    found = ledger.find(release)
    if len(found) == 1:
        return found[0]
    kept = ", ".join(each.short for each in found or ledger.releases)
    fault = f"{len(found)} releases begin with {release}" if found else f"no kept release begins with {release}"
    raise BentoshipError(attempt.stack.name, fault, f"there are: {kept}")


def _must_be_here(attempt: Attempt, release: ReleaseRef) -> None:
    archive = attempt.project.archive(release.id)
    if not archive.is_file():
        raise ReleaseError(
            attempt.stack.name,
            f"release {release.short} is not on this machine any more ({archive} is missing)",
            "check out the commit that it was built from and `bentoship build`, or copy the file from where it is",
        )


def _configuration(deployment: Deployment, before: Remembered, release: ReleaseRef) -> Configuration:
    """What is there now, with the variables that the release was live with."""
    now = before.configuration or deployment.configuration
    then = before.configurations.get(release.id, now)
    return now.model_copy(update={"variables": then.variables, "ready_timeout": then.ready_timeout})
