"""prune: keep the newest releases of a deployment, and remove the older ones where they are kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import environments
from ..deployment import Deployment
from ..engine import install
from ..errors import BentoshipError
from ..host.control import UNPACKED, Supervisor
from ..ledger import Ledger
from ..project import Project
from .attempt import Attempt, Remembered, Watch
from .stacks import Tell, alone, chosen, each, stack_of
from .status import known


@dataclass(frozen=True)
class Pruned:
    """What `prune` came to for one deployment; releases by their ids."""

    name: str
    target: str
    stack: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    """Those that can't be gone back to any more."""
    once: frozenset[str] = frozenset()
    """Every release that its history names."""


@dataclass(frozen=True)
class Prune:
    """What `prune` came to for an environment."""

    deployments: Mapping[str, Pruned | BentoshipError]
    files: tuple[Path, ...]
    """Sealed releases that were removed from this machine."""


def prune(
    project: Project,
    name: str,
    keep: int,
    *,
    only: str | None = None,
    tell: Tell = lambda _: None,
    watch: Watch = lambda _name, _event: None,
) -> Prune:
    """Keep the newest `keep` releases of each deployment, the live one and the one that a rollback would go to always.

    What the older ones are kept as goes with them: objects, versions, unpacked folders; and the sealed file on this
    machine, when no deployment of any environment keeps that release. The history stays.
    """
    environment = environments.load(project, name)
    engine = install.ensure(tell)

    def act(deployment: Deployment) -> Pruned:
        stack = stack_of(project, environment, deployment, engine)
        with alone(project, stack.name):
            attempt = Attempt(project, stack, deployment, tell, lambda event: watch(deployment.name, event))
            before = Remembered.read(stack.outputs() or {})
            after = before.ledger.prune(keep)
            removed = _ids(before.ledger) - _ids(after)
            if removed:
                _remove(attempt, before, after, removed)
            _tidy(project.local(stack.name))
        once = frozenset(entry.release for entry in before.ledger.entries)
        gone = tuple(release.id for release in before.ledger.releases if release.id in removed)
        kept = tuple(release.id for release in after.kept)
        return Pruned(deployment.name, deployment.target_name, stack.name, kept, gone, once)

    found = each(chosen(environment, only), act, tell)
    once = {release for each in found.values() if isinstance(each, Pruned) for release in each.once}
    return Prune(found, tuple(_remove_files(project, once, tell)))


def _ids(ledger: Ledger) -> frozenset[str]:
    return frozenset(release.id for release in ledger.kept)


def _remove(attempt: Attempt, before: Remembered, after: Ledger, removed: frozenset[str]) -> None:
    """Have the engine forget the older releases.

    What is stored of a release outlives its resource, unless the stack's state says otherwise by then: so it is told
    first, by an update that changes nothing else. Both leave the configuration of the live release as it is.
    """
    for ledger in (before.ledger, after):
        intent = before.intent(ledger, before.configuration)
        attempt.run(intent.model_copy(update={"pruned": tuple(sorted(removed))}))


def _tidy(folder: Path) -> None:
    """Remove unpacked releases that do not run, such as those that a killed command has left."""
    unpacked = [path for path in (folder / UNPACKED).glob("*") if path.is_dir()]
    status = Supervisor(folder).status() if unpacked else None
    if status is None:
        return
    for path in unpacked:
        if not any(path.name.startswith(release.id[:12]) for release in status.releases):
            shutil.rmtree(path, ignore_errors=True)


def _remove_files(project: Project, once: set[str], tell: Tell) -> Iterator[Path]:
    """Remove the sealed files of releases that were live `once`, and that no deployment keeps.

    A rehearsal removes none: they are those of the real deployments. Where an environment can't be asked, none is
    removed either.
    """
    here = {release: project.archive(release) for release in sorted(once) if project.archive(release).is_file()}
    if project.rehearses or not here:
        return
    try:
        kept = {release for name in environments.names(project) for release in _kept(project, name)}
    except BentoshipError as error:
        tell(f"the sealed releases on this machine stay: {error}")
        return
    for release, path in here.items():
        if release not in kept:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink()
            yield path


def _kept(project: Project, name: str) -> Sequence[str]:
    """The ids of the releases that the deployments of an environment keep; the first error, if there is one."""
    found = known(project, name)
    for value in found.values():
        if isinstance(value, BentoshipError):
            raise value
    return [
        release.id for value in found.values() if not isinstance(value, BentoshipError) for release in value.ledger.kept
    ]
