"""A release: one sealed zip of a BentoML service, built once, then moved and never rebuilt.

`build` makes one out of a project, `open_release` reads one, `verify` recomputes all that one says of itself.
Names are loaded when they are asked for, since a host that only unpacks a release needs none of the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assemble import build
    from .manifest import Release, open_release, sidecar, store
    from .proof import verify

__all__ = ["Release", "build", "open_release", "sidecar", "store", "verify"]

_HOMES = {"build": "assemble", "verify": "proof"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'manifest')}", __name__), name)
