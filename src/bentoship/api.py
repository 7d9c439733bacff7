"""The verbs as functions: what the command line does, with values instead of words.

Every function takes the folder of the project (by default the current one, or the nearest above it that has a
bentofile.yaml), says nothing, and raises BentoshipError when anything fails, with the problems of every deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .deployment import DEFAULT_TOLERANCE, Canary
from .errors import BentoshipError, Problem
from .ledger import Entry
from .operations.attempt import Deployed
from .operations.batch import Batch
from .operations.batch import batch as _batch
from .operations.destroy import Destroyed, proved
from .operations.destroy import destroy as _destroy
from .operations.drift import Drift
from .operations.drift import drift as _drift
from .operations.invoke import invoke as _invoke
from .operations.onnx import convert as _convert
from .operations.parity import TIMES, Parity
from .operations.parity import parity as _parity
from .operations.parity import parity_of_releases as _parity_of_releases
from .operations.plan import Plan
from .operations.plan import plan as _plan
from .operations.promote import promote as _promote
from .operations.prune import Pruned
from .operations.prune import prune as _prune
from .operations.rollback import rollback as _rollback
from .operations.status import Status
from .operations.status import history as _history
from .operations.status import status as _status
from .operations.traffic import Traffic
from .operations.traffic import traffic as _traffic
from .operations.up import Up
from .operations.up import up as _up
from .project import Project
from .release import Release
from .release import build as _build
from .release import verify as _verify

if TYPE_CHECKING:
    from .models import Conversion

Value = TypeVar("Value")


def build(*, project: Path | None = None, relock: bool = False) -> Release:
    """Seal the service of the project into a release; the same inputs give the same bytes and so the same id."""
    return _build(Project.find(project).root, relock=relock)


def verify(file: Path) -> Release:
    """Recompute everything about a sealed release; ReleaseTampered names what was touched."""
    return _verify(file)


def up(
    environment: str,
    *,
    only: str | None = None,
    project: Path | None = None,
    relock: bool = False,
    canary: Canary | None = None,
) -> Up:
    """Seal the service and make it live in `environment`, or in its deployment `only`; with a `canary`, tried first."""
    done = _up(Project.find(project), environment, only=only, relock=relock, canary=canary)
    _all_or_raise(done.deployments)
    return done


def plan(environment: str, *, only: str | None = None, project: Path | None = None) -> Plan:
    """What `up` would change."""
    planned = _plan(Project.find(project), environment, only=only)
    _all_or_raise(planned.deployments)
    return planned


def drift(environment: str, *, only: str | None = None, project: Path | None = None) -> Mapping[str, Drift]:
    """What has changed behind our back, by deployment, and which release answers; changes nothing."""
    return _all_or_raise(_drift(Project.find(project), environment, only=only))


def promote(
    source: str, destination: str, *, only: str | None = None, project: Path | None = None
) -> Mapping[str, Deployed]:
    """Make the release that is live in `source` live in `destination`, unchanged."""
    return _all_or_raise(_promote(Project.find(project), source, destination, only=only))


def rollback(
    environment: str, release: str | None = None, *, only: str | None = None, project: Path | None = None
) -> Mapping[str, Deployed]:
    """Make an earlier release live again: the one whose id begins with `release`, or the one that was live before."""
    return _all_or_raise(_rollback(Project.find(project), environment, release, only=only))


def status(environment: str, *, only: str | None = None, project: Path | None = None) -> Mapping[str, Status]:
    """What is deployed, by deployment, and whether it answers."""
    return _all_or_raise(_status(Project.find(project), environment, only=only))


def history(
    environment: str, release: str | None = None, *, only: str | None = None, project: Path | None = None
) -> Mapping[str, tuple[Entry, ...]]:
    """Every attempt to deploy, by deployment, newest first; or those of the release whose id begins with `release`."""
    return _all_or_raise(_history(Project.find(project), environment, release, only=only))


def traffic(environment: str, *, only: str | None = None, project: Path | None = None) -> Mapping[str, Traffic]:
    """How the traffic is divided, by deployment, and how each release answers."""
    return _all_or_raise(_traffic(Project.find(project), environment, only=only))


def parity(
    *environments: str,
    releases: Sequence[str] = (),
    only: str | None = None,
    requests: Path | None = None,
    times: int = TIMES,
    project: Path | None = None,
) -> Parity:
    """How the deployments of environments answer the same requests; or `releases`, which run here meanwhile.

    The requests are the golden examples, unless a file names others. What differs is no error: see `agree`.
    """
    found = Project.find(project)
    if releases:
        return _parity_of_releases(found, releases, requests=requests, times=times)
    return _parity(found, environments, only=only, requests=requests, times=times)


def invoke(
    environment: str,
    body: str | None = None,
    *,
    path: str | None = None,
    only: str | None = None,
    project: Path | None = None,
) -> Any:
    """The JSON answer of a deployment to `body` (JSON text) at `path`; by default to its first golden example."""
    return _invoke(Project.find(project), environment, body=body, path=path, only=only)


def batch(
    file: Path,
    *,
    release: str | None = None,
    route: str | None = None,
    output: Path | None = None,
    project: Path | None = None,
) -> Batch:
    """The rows of `file` (CSV, JSON lines, Parquet) through a release on this machine; carries on what was interrupted.

    Rows that the service refuses raise nothing: they are counted, and stand in the output with their error.
    """
    return _batch(Project.find(project), file, release=release, route=route, output=output)


def onnx(
    model: Path,
    examples: Path,
    *,
    columns: Sequence[str] = (),
    output: Path | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
) -> Conversion:
    """Convert the scikit-learn model in `model` to ONNX, if it answers the rows of `examples` alike; see `agrees`."""
    return _convert(model, examples, output=output, columns=columns, tolerance=tolerance)


def destroy(
    environment: str, *, only: str | None = None, expired: bool = False, project: Path | None = None
) -> Mapping[str, Destroyed]:
    """Remove the deployments of an environment, and what they remember; or only those whose `ttl` is over.

    Raises BentoshipError too when something is left that its place lists.
    """
    return _all_or_raise(proved(_destroy(Project.find(project), environment, only=only, expired=expired)))


def prune(environment: str, keep: int, *, only: str | None = None, project: Path | None = None) -> Mapping[str, Pruned]:
    """Keep the newest `keep` releases of each deployment, and remove the older ones where they are kept."""
    return _all_or_raise(_prune(Project.find(project), environment, keep, only=only).deployments)


def _all_or_raise(found: Mapping[str, Value | BentoshipError]) -> dict[str, Value]:
    failed = {name: value for name, value in found.items() if isinstance(value, BentoshipError)}
    if failed:
        raise BentoshipError.of(
            Problem(f"{name}: {problem.where}", problem.fault, problem.remedy)
            for name, error in failed.items()
            for problem in error.problems
        )
    return {name: value for name, value in found.items() if not isinstance(value, BentoshipError)}
