"""Whether a release fits App Engine, before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence

from ...deployment import ReleaseRef, Workload
from ...errors import InvalidConfiguration, Problem
from ...release import open_release, sidecar
from ...release.limits import PLATFORMS
from ...release.manifest import id_in_name
from .app_engine import AppEngine

NAME = "gcp/app_engine"


def refuse_what_does_not_fit(target: AppEngine, workload: Workload, deployed: Sequence[ReleaseRef]) -> None:
    """Raise InvalidConfiguration for each release that breaks a limit, with the number, the limit and the remedy.

    The limits of files are those of the standard environment. A release whose archive isn't on this machine any more
    has been deployed from here before, or from where it was.
    """
    pythons = PLATFORMS[NAME].pythons
    problems = [
        Problem(f"release {release.short}", f"Python {release.python} is not offered, only {', '.join(pythons)}")
        for release in deployed
        if release.python not in pythons
    ]
    if target.flavour == "standard":
        told = {release.short: _limits(workload, release) for release in deployed}
        problems += [
            Problem(f"release {name}", f"does not fit {NAME}: {sentence}")
            for name, sentence in told.items()
            if sentence
        ]
    if problems:
        raise InvalidConfiguration.of(problems)


def too_large(workload: Workload, memory_mb: int) -> str:
    """A sentence when the newest release was measured to need more than `memory_mb` when it was sealed here.

    What it needs there is for the gate to say: memory is counted in another way on every host.
    """
    archive = workload.archives.get(workload.serving[0].id)
    measured = sidecar(archive).get("memory_mb", 0) if archive else 0
    if measured <= memory_mb:
        return ""
    return (
        f"the service had {measured:,.0f} MB when it was sealed, and an instance has {memory_mb:,} MB; "
        "raise `scale.memory_gb`, or name a larger `instance_class`"
    )


def _limits(workload: Workload, release: ReleaseRef) -> str:
    archive = workload.archives.get(release.id)
    if archive is None or not archive.is_file() or id_in_name(archive) != release.id:
        return ""
    fits = open_release(archive).fits.get(NAME, True)
    return "" if fits is True else str(fits)
