"""Doubles of the clouds, which the real engine starts as its providers: a deployment is rehearsed on one machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..project import Project

if TYPE_CHECKING:
    from .faults import Fault


def environment(project: Project) -> dict[str, str]:
    """The variables with which the engine deploys `project` onto the doubles; what they need is made.

    To be merged over `Project.engine_environment()` as the environment of an `engine.stack.Stack` whose folder is
    `Project.engine_folder`.
    """
    from . import home  # noqa: PLC0415 - `python -m bentoship.rehearsal.world` must come first to its own modules

    return home.environment(project)


def arm(project: Project, words: Sequence[str]) -> None:
    """Let go wrong what `words` say, in the worlds of all clouds, and nothing else.

    A word that ends with .yaml names a file of faults. InvalidConfiguration tells every word that is no fault.
    """
    from . import faults, home  # noqa: PLC0415 - see above

    wanted = faults_of(words)
    for world in home.worlds(project):
        faults.arm(world, wanted)


def faults_of(words: Sequence[str]) -> tuple[Fault, ...]:
    """What `words` let go wrong; see `arm`."""
    from . import faults  # noqa: PLC0415 - see above

    files = [word for word in words if word.endswith(".yaml")]
    read = (fault for file in files for fault in faults.read(Path(file)))
    return (*faults.parse([word for word in words if word not in files]), *read)


def disturb(project: Project, workload: str) -> str | None:
    """Delete, behind the engine's back, something of `workload` that it can do without; what it was, if anything."""
    from . import home  # noqa: PLC0415 - see above

    for name, world in zip(home.CLOUDS, home.worlds(project), strict=True):
        loose = home.load(name).loose
        for item in world.every():
            if item.type in loose and workload in item.tags.values():
                world.remove(item.type, item.key, item.region)
                return f"{item.short_type} {item.id}"
    return None


def left(project: Project, workload: str) -> list[str]:
    """What carries the tag of `workload` in any of the worlds: `s3.Bucket salary-dev-1a2b3c4`."""
    from . import home  # noqa: PLC0415 - see above

    return [
        f"{item.short_type} {item.id}"
        for world in home.worlds(project)
        for item in world.every()
        if workload in item.tags.values()
    ]
