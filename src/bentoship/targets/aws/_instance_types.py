"""Which instance type has how much, as data (aws.amazon.com/ec2/instance-types)."""

from __future__ import annotations

from ...deployment import Scale
from .. import _sizes
from .._sizes import Size

BURSTABLE = (
    Size("t3.micro", 2, 1),
    Size("t3.small", 2, 2),
    Size("t3.medium", 2, 4),
    Size("t3.large", 2, 8),
)
"""For at most one CPU's worth of work: in the long run they give a share of their two. Cheapest first."""
STEADY = (
    Size("c7i.large", 2, 4),
    Size("m7i.large", 2, 8),
    Size("r7i.large", 2, 16),
    Size("c7i.xlarge", 4, 8),
    Size("m7i.xlarge", 4, 16),
    Size("r7i.xlarge", 4, 32),
    Size("c7i.2xlarge", 8, 16),
    Size("m7i.2xlarge", 8, 32),
    Size("r7i.2xlarge", 8, 64),
    Size("c7i.4xlarge", 16, 32),
    Size("m7i.4xlarge", 16, 64),
    Size("r7i.4xlarge", 16, 128),
    Size("c7i.8xlarge", 32, 64),
    Size("m7i.8xlarge", 32, 128),
    Size("r7i.8xlarge", 32, 256),
    Size("c7i.16xlarge", 64, 128),
    Size("m7i.16xlarge", 64, 256),
    Size("r7i.16xlarge", 64, 512),
)
"""All of their CPUs, all of the time. Cheapest first: the price grows with the CPUs, then c, m, r."""


def cheapest(scale: Scale) -> str:
    """The cheapest instance type with the CPU and memory of one replica; InvalidConfiguration when none has them."""
    return _sizes.cheapest(scale, BURSTABLE, STEADY, "instance type", "instance_type")
