"""The Pulumi project: whether plain `pulumi up` would find its program and our provider."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..errors import InvalidConfiguration
from ..project import Project
from .finding import Finding

PLUGIN = "pulumi-resource-bentoship"
_COPY = "copy the folder infra/ of bentoship's own project"


def check(project: Project | None) -> Iterator[Finding]:
    """Pulumi.yaml, the program beside it, and the provider that it names."""
    if project is None:
        return
    described = settings(project)
    faults = [*_program(project.infra), *_plugin(project.infra, described)]
    yield from (Finding("infra", "missing", fault, remedy) for fault, remedy in faults)
    if not faults:
        yield Finding("infra", "ok", f"the Pulumi project {described.get('name', '')} in {project.infra}")


def settings(project: Project) -> dict[str, Any]:
    """What Pulumi.yaml says; InvalidConfiguration when it isn't there or says nothing that can be read."""
    path = project.infra / "Pulumi.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidConfiguration(str(path), "is not here", _COPY) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidConfiguration(str(path), f"can't be read ({' '.join(str(error).split())})") from None
    if not isinstance(found, dict):
        raise InvalidConfiguration(str(path), "is not a mapping", _COPY)
    return found


def _program(infra: Path) -> Iterator[tuple[str, str]]:
    if not (infra / "__main__.py").is_file():
        yield f"{infra / '__main__.py'}: is not here", _COPY


def _plugin(infra: Path, described: dict[str, Any]) -> Iterator[tuple[str, str]]:
    plugins = described.get("plugins")
    providers = plugins.get("providers") if isinstance(plugins, dict) else None
    named = providers if isinstance(providers, list) else []
    ours = [each for each in named if isinstance(each, dict) and each.get("name") == "bentoship"]
    if not ours:
        yield f"{infra / 'Pulumi.yaml'}: plugins.providers: does not name bentoship", _COPY
        return
    path = infra / str(ours[0].get("path", "")) / PLUGIN
    if not path.is_file():
        yield f"{path}: is not here", _COPY
    elif not os.access(path, os.X_OK):
        yield f"{path}: may not be executed", f"`chmod +x {path}`"
