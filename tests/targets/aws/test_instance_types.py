from __future__ import annotations

import pytest

from bentoship.deployment import Scale
from bentoship.errors import InvalidConfiguration
from bentoship.targets.aws._instance_types import BURSTABLE, STEADY, cheapest


@pytest.mark.parametrize(
    ("cpu", "memory_gb", "chosen"),
    [
        (0.5, 0.5, "t3.micro"),
        (1, 1, "t3.micro"),
        (1, 2, "t3.small"),
        (1, 2.5, "t3.medium"),
        (1, 8, "t3.large"),
        (1, 9, "r7i.large"),
        (1.5, 2, "c7i.large"),
        (2, 4, "c7i.large"),
        (2, 5, "m7i.large"),
        (2, 16, "r7i.large"),
        (2, 17, "r7i.xlarge"),
        (3, 4, "c7i.xlarge"),
        (64, 512, "r7i.16xlarge"),
    ],
)
def test_the_cheapest_that_has_enough_is_chosen(cpu, memory_gb, chosen):
    assert cheapest(Scale(cpu=cpu, memory_gb=memory_gb)) == chosen


def test_who_needs_whole_cpus_gets_no_burstable_ones():
    burstable = {offer.name for offer in BURSTABLE}
    assert all(cheapest(Scale(cpu=cpu, memory_gb=1)) not in burstable for cpu in (1.1, 2, 4))


def test_more_than_there_is_is_told():
    with pytest.raises(InvalidConfiguration) as failure:
        cheapest(Scale(cpu=65, memory_gb=2))
    (problem,) = failure.value.problems
    assert (problem.where, "65 CPUs and 2 GB" in problem.fault) == ("scale", True)
    assert "instance_type" in problem.remedy


@pytest.mark.parametrize("table", [BURSTABLE, STEADY])
def test_no_type_is_in_vain(table):
    """Each is what somebody gets: the tables are sorted, and nothing stands behind what is at least as big."""
    for offer in table:
        assert offer.name == next(
            each.name for each in table if each.cpu >= offer.cpu and each.memory_gb >= offer.memory_gb
        )
