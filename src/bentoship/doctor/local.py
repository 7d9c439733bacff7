"""The deployments of a project, and those to this machine, for the checks that look at them."""

from __future__ import annotations

from collections.abc import Iterator

from .. import environments
from ..deployment import Deployment
from ..errors import BentoshipError
from ..project import Project
from ..targets.local import Local


def deployments(project: Project | None) -> Iterator[tuple[Deployment, Local]]:
    """Every local deployment, and its target."""
    yield from ((each, each.target) for each in everywhere(project) if isinstance(each.target, Local))


def everywhere(project: Project | None) -> Iterator[Deployment]:
    """Every deployment of every environment; environments that can't be read are another check's matter."""
    for name in environments.names(project) if project else ():
        try:
            yield from environments.load(project, name).deployments if project else ()
        except BentoshipError:
            continue
