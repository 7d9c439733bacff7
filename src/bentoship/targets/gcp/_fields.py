"""What every target on Google Cloud must be told. No SDK is loaded by reading this."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator

from ...deployment import Target

_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
"""What a label may be ("Requirements for labels", Resource Manager documentation)."""


class GcpTarget(Target):
    """The fields that the targets on Google Cloud share."""

    sdk: ClassVar[str] = "pulumi_gcp"

    project: str = Field(
        pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        description="id of the project, such as `acme-models`, not its number",
    )
    region: str = Field(pattern=r"^[a-z]+-[a-z]+\d+$", description="region of Google Cloud, such as `europe-west3`")
    notification_channel: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/notificationChannels/\d+$",
        description="channel of Cloud Monitoring that the alerts are sent to, "
        "such as `projects/acme-models/notificationChannels/123`",
    )
    latency_alert_seconds: float = Field(
        default=1,
        gt=0,
        description="an alert goes off when the slowest 1 % of the requests take longer, in seconds; on one machine, "
        "where nothing counts them, those of the uptime check",
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="labels of yours, put beside ours on everything that takes labels"
    )

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
                raise ValueError(f"{key}: {value} is no label: at most 63 lowercase letters, digits, hyphens and _")
        return labels
