"""`python -m bentoship.provider`: what the engine starts as `pulumi-resource-bentoship`."""

from __future__ import annotations

from typing import Any

from .. import _version
from .gate import Gate
from .kinds import Kind, KindProvider
from .local import Router, Service, Traffic
from .server import serve

KINDS: dict[str, Kind[Any]] = {
    "bentoship:index:Gate": Gate(),
    "bentoship:local:Router": Router(),
    "bentoship:local:Service": Service(),
    "bentoship:local:Traffic": Traffic(),
}

if __name__ == "__main__":
    serve(KindProvider("bentoship", _version.__version__, KINDS))
