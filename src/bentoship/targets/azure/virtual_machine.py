"""Virtual machines on Azure: the sealed release under systemd, no container, nothing installed at boot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from ...deployment import Scale, Splitting, Workload
from ...errors import InvalidConfiguration
from .._sizes import refuse_arm
from ._fields import AzureTarget

if TYPE_CHECKING:
    import pulumi

_ARM = re.compile(r"Standard_[A-Z]+\d+(-\d+)?[a-z]*p")
"""With a p among the letters behind the number of CPUs ("Azure VM sizes naming conventions")."""


class VirtualMachine(AzureTarget):
    """One virtual machine with a fixed address, or, from two replicas on, a scale set behind a load balancer.

    One machine: the new release gets a machine of its own, passes the gate there, then the address moves and the old
    machine goes. While the address moves, which takes some seconds, nobody answers.

    A scale set: a rolling upgrade starts machines of the new release beside the old ones and takes old ones out once
    the load balancer's probe finds the new ones ready; machines that don't become ready stop it, and `up` goes back.
    The gate runs after the upgrade.

    Machines are reached by Azure's Run Command, never by SSH.
    """

    splitting: ClassVar[Splitting] = Splitting(
        "never", "one machine has one address, and a scale set is replaced machine by machine"
    )

    http: Literal[True] = Field(
        description="`true` says that plain HTTP is meant: Azure's load balancer knows no TLS; for HTTPS use "
        "azure/web_app, or put a gateway of yours in front"
    )
    size: str | None = Field(
        default=None,
        pattern=r"^Standard_[A-Za-z0-9_-]+$",
        description="x86-64 size of the machines, such as `Standard_D2as_v5`; by default the cheapest of a short list "
        "with `scale`'s cpu and memory",
    )
    disk_gb: int = Field(default=32, ge=30, le=4095, description="size of the encrypted disk of the system, in GB")
    image_version: str = Field(
        default="latest",
        pattern=r"^(latest|\d+\.\d+\.\d+)$",
        description="version of the system's image, such as `24.04.202510010`; `latest` is the newest one at the time "
        "at which a machine starts",
    )
    zones: tuple[Literal["1", "2", "3"], ...] = Field(
        default=("1", "2", "3"), description="zones of a scale set; none in a region that has none"
    )

    @field_validator("size")
    @classmethod
    def _is_x86(cls, size: str | None) -> str | None:
        return refuse_arm(size, _ARM)

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """One machine, or a scale set; the URL that answers."""
        if len(workload.serving) != 1:
            fault = "azure/virtual_machine gives all traffic to one release"
            raise InvalidConfiguration("traffic", fault, "use 100 percent")
        if self.is_balanced(workload.scale):
            from ._scale_set import provision as provision_scale_set  # noqa: PLC0415 - loads the SDK

            return provision_scale_set(self, workload)
        from ._machine import provision as provision_machine  # noqa: PLC0415 - loads the SDK

        return provision_machine(self, workload)

    def is_balanced(self, scale: Scale) -> bool:
        """Whether a load balancer stands in front: from two replicas on."""
        return scale.min_replicas > 1
