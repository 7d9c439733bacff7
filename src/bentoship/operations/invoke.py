"""invoke: ask a deployment, with a golden example unless told otherwise."""

from __future__ import annotations

import re
from typing import Any

from ..deployment import ROUTE, Example
from ..errors import BentoshipError, HostError, InvalidConfiguration
from ..gate import answer, json_value
from ..project import Project
from .stacks import Tell
from .status import Known, known


def invoke(
    project: Project,
    name: str,
    *,
    body: str | None = None,
    path: str | None = None,
    only: str | None = None,
    tell: Tell = lambda _: None,
) -> Any:
    """The JSON answer of a deployment to `body` at `path`; by default, to its first golden example."""
    deployment = one(project, name, only=only, tell=tell)
    live, url = deployment.ledger.live, deployment.url
    if url is None or live is None:
        raise HostError(f"{name}-{deployment.deployment.name}", "is not up", f"`bentoship up {name}`")
    golden = live.examples[0] if live.examples else Example(body=None)
    if path is not None and not re.fullmatch(ROUTE, path):
        remedy = "write other letters as %20 and the like" if path.startswith("/") else f"write /{path}"
        raise InvalidConfiguration("--path", f"{path!r} is not a route", remedy)
    asked = Example(path=path or golden.path, body=golden.body if body is None else _json(body))
    return answer(url, asked)


def one(project: Project, name: str, *, only: str | None, tell: Tell) -> Known:
    """The one deployment that a command is about: the one named `only`, else the environment's first."""
    first = next(iter(known(project, name, only=only, tell=tell).values()))
    if isinstance(first, BentoshipError):
        raise first
    return first


def _json(text: str) -> Any:
    try:
        return json_value(text)
    except ValueError as error:
        raise InvalidConfiguration("the request's body", f"is not JSON ({error})", "quote it for the shell") from None
