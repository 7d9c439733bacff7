"""Seal a BentoML service into one release and put that same release anywhere.

    >>> import bentoship
    >>> bentoship.up("dev").deployments["local"].url          # doctest: +SKIP
    'http://127.0.0.1:3000'

Everything that the command line does is here under the same name. Nothing is imported until it is used. Whatever
can go wrong is a BentoshipError, which has its `problems` (see bentoship.errors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import BentoshipError

if TYPE_CHECKING:
    from .api import (
        batch,
        build,
        destroy,
        drift,
        history,
        invoke,
        onnx,
        parity,
        plan,
        promote,
        prune,
        rollback,
        status,
        traffic,
        up,
        verify,
    )
    from .deployment import Canary, Deployment, Environment, Example, ReleaseRef, Scale, Target, Workload

__all__ = [
    "BentoshipError",
    "Canary",
    "Deployment",
    "Environment",
    "Example",
    "ReleaseRef",
    "Scale",
    "Target",
    "Workload",
    "__version__",
    "batch",
    "build",
    "destroy",
    "drift",
    "history",
    "invoke",
    "onnx",
    "parity",
    "plan",
    "promote",
    "prune",
    "rollback",
    "status",
    "traffic",
    "up",
    "verify",
]

_VERBS = frozenset(
    {
        "batch",
        "build",
        "destroy",
        "drift",
        "history",
        "invoke",
        "onnx",
        "parity",
        "plan",
        "promote",
        "prune",
        "rollback",
        "status",
        "traffic",
        "up",
        "verify",
    }
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bentoship' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when a name is used

    return getattr(import_module(".api" if name in _VERBS else ".deployment", __name__), name)


def __dir__() -> list[str]:
    return __all__
