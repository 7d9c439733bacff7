"""Virtual machines on Amazon EC2: the sealed release under systemd, no container, nothing installed at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ...deployment import Splitting, Workload
from ...errors import InvalidConfiguration
from ._fields import AwsTarget

if TYPE_CHECKING:
    import pulumi


class Ec2(AwsTarget):
    """One virtual machine with a fixed address, or, from two replicas on, a group of them behind a load balancer.

    One machine: the new release gets a machine of its own, passes the gate there, then the address moves and the
    old machine goes. Requests that are under way when the address moves are cut off.

    A group: an instance refresh starts new machines beside the old ones and takes the old ones out once the load
    balancer finds the new ones ready; when they don't become ready, or answer with errors, AWS brings the old ones
    back. The gate runs after the refresh, so what a health check can't see, such as wrong answers, gets traffic for
    a moment before `up` goes back. `max_replicas` counts from two replicas on, or with `domain`.

    Machines are reached by Session Manager, never by SSH; Debian's images (Python 3.11 and 3.13) come without its
    agent.
    """

    splitting: ClassVar[Splitting] = Splitting(
        "never", "one machine has one address, and an instance refresh replaces the machines of a group one by one"
    )

    image_generation: int = Field(
        default=1,
        ge=1,
        description="the newest image of the operating system is looked up once and kept; raise this number to take "
        "the one that is newest now",
    )

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """One machine, or a group of them; the URL that answers."""
        if len(workload.serving) != 1:
            raise InvalidConfiguration("traffic", "aws/ec2 gives all traffic to one release", "use 100 percent")
        if self.is_balanced(workload.scale):
            from ._group import provision as provision_group  # noqa: PLC0415 - loads the SDK

            return provision_group(self, workload)
        from ._machine import provision as provision_machine  # noqa: PLC0415 - loads the SDK

        return provision_machine(self, workload)
