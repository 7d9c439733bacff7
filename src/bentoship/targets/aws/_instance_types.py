"""Which instance type has how much, as data; the choice is a pure function."""

from __future__ import annotations

from typing import NamedTuple

from ...deployment import Scale
from ...errors import InvalidConfiguration


class InstanceType(NamedTuple):
    """What one x86-64 instance has (aws.amazon.com/ec2/instance-types)."""

    name: str
    cpu: int
    """Virtual CPUs."""
    memory_gb: int


BURSTABLE = (
    InstanceType("t3.micro", 2, 1),
    InstanceType("t3.small", 2, 2),
    InstanceType("t3.medium", 2, 4),
    InstanceType("t3.large", 2, 8),
)
"""For at most one CPU's worth of work: in the long run they give a share of their two. Cheapest first."""
STEADY = (
    InstanceType("c7i.large", 2, 4),
    InstanceType("m7i.large", 2, 8),
    InstanceType("r7i.large", 2, 16),
    InstanceType("c7i.xlarge", 4, 8),
    InstanceType("m7i.xlarge", 4, 16),
    InstanceType("r7i.xlarge", 4, 32),
    InstanceType("c7i.2xlarge", 8, 16),
    InstanceType("m7i.2xlarge", 8, 32),
    InstanceType("r7i.2xlarge", 8, 64),
    InstanceType("c7i.4xlarge", 16, 32),
    InstanceType("m7i.4xlarge", 16, 64),
    InstanceType("r7i.4xlarge", 16, 128),
    InstanceType("c7i.8xlarge", 32, 64),
    InstanceType("m7i.8xlarge", 32, 128),
    InstanceType("r7i.8xlarge", 32, 256),
    InstanceType("c7i.16xlarge", 64, 128),
    InstanceType("m7i.16xlarge", 64, 256),
    InstanceType("r7i.16xlarge", 64, 512),
)
"""All of their CPUs, all of the time. Cheapest first: the price grows with the CPUs, then c, m, r."""


def cheapest(scale: Scale) -> str:
    """The cheapest instance type with the CPU and memory of one replica; InvalidConfiguration when none has them."""
    offered = (*BURSTABLE, *STEADY) if scale.cpu <= 1 else STEADY
    for offer in offered:
        if offer.cpu >= scale.cpu and offer.memory_gb >= scale.memory_gb:
            return offer.name
    raise InvalidConfiguration(
        "scale",
        f"no instance type that we know has {scale.cpu:g} CPUs and {scale.memory_gb:g} GB",
        "name one with the key `instance_type`",
    )
