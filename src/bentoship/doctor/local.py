"""The deployments to this machine, for the checks that look at them."""

from __future__ import annotations

from collections.abc import Iterator

from .. import environments
from ..deployment import Deployment
from ..errors import BentoshipError
from ..project import Project
from ..targets.local import Local


def deployments(project: Project | None) -> Iterator[tuple[Deployment, Local]]:
    """Every local deployment, and its target; environments that can't be read are another check's matter."""
    for name in environments.names(project) if project else ():
        try:
            found = environments.load(project, name).deployments if project else ()
        except BentoshipError:
            continue
        yield from ((each, each.target) for each in found if isinstance(each.target, Local))
