"""Doubles of the clouds, which the real engine starts as its providers: a deployment is rehearsed on one machine."""

from __future__ import annotations

from ..project import Project


def environment(project: Project) -> dict[str, str]:
    """The variables with which the engine deploys `project` onto the doubles; what they need is made.

    To be merged over `Project.engine_environment()` as the environment of an `engine.stack.Stack`.
    """
    from . import home  # noqa: PLC0415 - `python -m bentoship.rehearsal.world` must come first to its own modules

    return home.environment(project)
