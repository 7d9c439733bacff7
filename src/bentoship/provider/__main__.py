"""`python -m bentoship.provider`: what the engine starts as `pulumi-resource-bentoship`."""

from __future__ import annotations

from typing import Any

from .. import _version
from .aws import BeanstalkVersion, InstanceRefresh
from .gate import Gate
from .kinds import Kind, KindProvider
from .local import Router, Service, Traffic
from .pin import Pin
from .server import serve

KINDS: dict[str, Kind[Any]] = {
    "bentoship:aws:BeanstalkVersion": BeanstalkVersion(),
    "bentoship:aws:InstanceRefresh": InstanceRefresh(),
    "bentoship:index:Gate": Gate(),
    "bentoship:index:Pin": Pin(),
    "bentoship:local:Router": Router(),
    "bentoship:local:Service": Service(),
    "bentoship:local:Traffic": Traffic(),
}

if __name__ == "__main__":
    serve(KindProvider("bentoship", _version.__version__, KINDS))
