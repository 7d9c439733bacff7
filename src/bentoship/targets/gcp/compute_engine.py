"""Virtual machines on Compute Engine: the sealed release under systemd, no container, nothing installed at boot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from ...deployment import Scale, Splitting, Workload
from ...errors import InvalidConfiguration
from .._domain import DomainName, PlainHttp, refuse_neither_or_both
from .._sizes import refuse_arm
from ._fields import GcpTarget

if TYPE_CHECKING:
    import pulumi

_ARM = re.compile(r"(t2a|c4a|n4a)-")
"""Machine families with ARM processors ("Arm VMs on Compute Engine")."""


class ComputeEngine(GcpTarget):
    """One virtual machine with a fixed address, or, from two replicas on, a group of them behind a load balancer.

    One machine: the new release gets a machine of its own, passes the gate there, then the address points to it and
    the old machine goes. Requests that are under way when the address moves are cut off.

    A group over the zones of the region: new machines come beside the old ones, and an old one goes when a new one
    is well. Compute Engine has no way back of its own: when the new ones don't become well, the old ones serve on,
    `up` fails with what the group says, and gives the group its old template again. The gate runs after the rollout,
    so what a health check can't see, such as wrong answers, gets traffic for a moment before `up` goes back.
    `max_replicas` counts from two replicas on, or with `domain`.

    Machines are reached through Identity-Aware Proxy and OS Login, never by a key of the project. Those of a group
    have no external address; Cloud NAT is their way out.
    """

    splitting: ClassVar[Splitting] = Splitting(
        "never", "one machine has one address, and a group is replaced machine by machine"
    )
    stays: ClassVar[tuple[str, ...]] = ("the log, for 30 days",)

    domain: DomainName = None
    http: PlainHttp = False
    dns_zone: str | None = Field(
        default=None,
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        description="with `domain`: name of its zone in Cloud DNS, in the same project, such as `example-com`",
    )
    machine_type: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$",
        description="x86-64 machine type; by default the cheapest of a short list with `scale`'s cpu and memory",
    )
    disk_gb: int = Field(default=16, ge=10, le=65536, description="size of the boot disk, in GB")
    network: str | None = Field(
        default=None,
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        description="VPC network to run in; by default a small one of its own, so that destroying removes it",
    )
    subnetwork: str | None = Field(
        default=None,
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        description="with `network`: subnetwork in `region`, with Private Google Access; a group needs a way out too, "
        "such as Cloud NAT, when the service calls anything but Google",
    )
    image_generation: int = Field(
        default=1,
        ge=1,
        description="the newest image of the operating system is looked up once and kept; raise this number to take "
        "the one that is newest now",
    )

    @field_validator("machine_type")
    @classmethod
    def _is_x86(cls, machine_type: str | None) -> str | None:
        return refuse_arm(machine_type, _ARM)

    @model_validator(mode="after")
    def _either_tls_or_asked_for_http(self) -> Self:
        refuse_neither_or_both(self.domain, self.http)
        if (self.domain is None) is not (self.dns_zone is None):
            raise ValueError("`domain` and `dns_zone` are given together, or neither")
        if (self.network is None) is not (self.subnetwork is None):
            raise ValueError("`network` and `subnetwork` are given together, or neither")
        return self

    def is_balanced(self, scale: Scale) -> bool:
        """Whether a load balancer stands in front: from two replicas on, and where there is a certificate to use."""
        return scale.min_replicas > 1 or self.domain is not None

    def left(self, workload: str) -> Sequence[str]:
        """What carries the workload's label in the project."""
        from ...provider import tagged  # noqa: PLC0415 - only who asks needs it

        asked = (tagged.on_compute_engine, tagged.on_cloud_storage, tagged.on_monitoring)
        return [found for each in asked for found in each(self.project, workload)]

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """One machine, or a group of them; the URL that answers."""
        if len(workload.serving) != 1:
            raise InvalidConfiguration(
                "traffic", "gcp/compute_engine gives all traffic to one release", "use 100 percent"
            )
        if self.is_balanced(workload.scale):
            from ._group import provision as provision_group  # noqa: PLC0415 - loads the SDK

            return provision_group(self, workload)
        from ._machine import provision as provision_machine  # noqa: PLC0415 - loads the SDK

        return provision_machine(self, workload)
