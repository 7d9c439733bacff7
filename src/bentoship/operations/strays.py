"""Deployments that run, and that their environment's file doesn't name any more: renamed there, or removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import environments
from ..deployment import Deployment, Environment
from ..engine.install import CommandLine
from ..errors import BentoshipError
from ..project import Project
from . import remains
from .attempt import Remembered
from .stacks import chosen, stack_named


def strays(project: Project, environment: Environment, engine: CommandLine) -> Mapping[str, BentoshipError]:
    """An error for each of them, by its name."""
    known, prefix = {deployment.stack for deployment in environment.deployments}, f"{environment.name}-"
    stack = stack_named(project, environment, environment.deployments[0].stack, engine)
    try:
        others = stack.others()
    except BentoshipError as error:  # which must not hide what was found out of those that the file names
        return {"other stacks": error}
    found = [name for name in others if name.startswith(prefix) and name not in known]
    return {name.removeprefix(prefix): _stray(environment.name, name) for name in found}


def meant(project: Project, environment: Environment, only: str | None, engine: CommandLine) -> Sequence[Deployment]:
    """The deployments that a command is about, which may be `only` one that the file doesn't name any more."""
    is_named = only is None or only in {deployment.name for deployment in environment.deployments}
    if is_named or not (project.infra / "Pulumi.yaml").is_file():
        return chosen(environment, only)
    name = f"{environment.name}-{only}"
    outputs = stack_named(project, environment, name, engine).outputs()
    configuration = Remembered.read(outputs).configuration if outputs is not None else None
    configuration = configuration or remains.configuration(project, name)
    if configuration is not None:
        return [environments.restore(project, name, configuration)]
    if outputs is not None:
        fault = f"nothing ever went live there, and environments/{environment.name}.yaml does not say what it is"
        raise BentoshipError(name, fault, "name it there again, as it was")
    return chosen(environment, only)


def _stray(environment: str, stack: str) -> BentoshipError:
    fault = f"has a stack, and environments/{environment}.yaml does not name it any more"
    only = stack.removeprefix(f"{environment}-")
    return BentoshipError(stack, fault, f"name it there again, or `bentoship destroy {environment} --only {only}`")
