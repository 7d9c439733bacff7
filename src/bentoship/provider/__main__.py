"""`python -m bentoship.provider`: what the engine starts as `pulumi-resource-bentoship`."""

from __future__ import annotations

import sys
from typing import Any

from .. import _version
from .aws import BeanstalkVersion, InstanceRefresh
from .azure import PublicAddress, RollingUpgrade, SlotSwap
from .gate import Gate
from .gcp import AppEngineApplication, AppEngineDefault, AppEngineService, AppEngineVersion, GroupRollout, IamGrants
from .kinds import Kind, KindProvider
from .local import Router, Service, Traffic
from .pin import Pin
from .progress import Tell, to_engine
from .server import serve


def kinds(tell: Tell) -> dict[str, Kind[Any]]:
    """Every resource type of ours, by its token; those that take long say with `tell` how far they are."""
    return {
        "bentoship:aws:BeanstalkVersion": BeanstalkVersion(tell),
        "bentoship:aws:InstanceRefresh": InstanceRefresh(tell),
        "bentoship:azure:PublicAddress": PublicAddress(tell),
        "bentoship:azure:RollingUpgrade": RollingUpgrade(tell),
        "bentoship:azure:SlotSwap": SlotSwap(tell),
        "bentoship:gcp:AppEngineApplication": AppEngineApplication(),
        "bentoship:gcp:AppEngineDefault": AppEngineDefault(),
        "bentoship:gcp:AppEngineService": AppEngineService(),
        "bentoship:gcp:AppEngineVersion": AppEngineVersion(tell),
        "bentoship:gcp:GroupRollout": GroupRollout(tell),
        "bentoship:gcp:IamGrants": IamGrants(tell),
        "bentoship:index:Gate": Gate(tell),
        "bentoship:index:Pin": Pin(),
        "bentoship:local:Router": Router(),
        "bentoship:local:Service": Service(),
        "bentoship:local:Traffic": Traffic(),
    }


if __name__ == "__main__":
    serve(KindProvider("bentoship", _version.__version__, kinds(to_engine(sys.argv[1:]))))
