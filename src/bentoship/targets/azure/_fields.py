"""What every target on Azure must be told. No SDK is loaded by reading this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from ...deployment import Target

GUID = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"


class AzureTarget(Target):
    """The fields that the targets on Azure share."""

    sdk: ClassVar[str] = "pulumi_azure_native"
    forgets_within: ClassVar[float] = 120

    subscription: str = Field(pattern=f"^{GUID}$", description="id of the subscription that everything is made in")
    region: str = Field(pattern=r"^[a-z]+[a-z0-9]*$", description="region of Azure, such as `westeurope`")
    action_group: str | None = Field(
        default=None,
        pattern=r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[Mm]icrosoft\.[Ii]nsights/actionGroups/[^/]+$",
        description="id of the action group that the alerts are sent to",
    )
    latency_alarm_seconds: float = Field(
        default=1,
        gt=0,
        description="of a web app: an alert goes off when requests take longer on average, in seconds",
    )
    log_retention_days: int = Field(
        default=30, ge=30, le=730, description="of a web app: how long the workspace keeps the logs, in days"
    )
    tags: dict[str, str] = Field(default_factory=dict, description="tags of yours, put on everything beside ours")

    def left(self, workload: str) -> Sequence[str]:
        """What carries the workload's tag in the subscription."""
        from ...provider import tagged  # noqa: PLC0415 - only who asks needs it

        return tagged.on_azure(self.subscription, workload)
