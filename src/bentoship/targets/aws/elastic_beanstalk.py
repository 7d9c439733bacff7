"""AWS Elastic Beanstalk: the sealed release on Amazon's Python platform, started by its Procfile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from ...deployment import Splitting, Workload
from ._fields import AwsTarget, KeptDays

if TYPE_CHECKING:
    import pulumi


KEPT_IN = r"^arn:[^:]+:(secretsmanager:[^:]+:\d{12}:secret:.+|ssm:[^:]+:\d{12}:parameter/.+)$"
"""What an environment's secret may be kept in ("Using environment variables to access secrets", Developer Guide)."""


class ElasticBeanstalk(AwsTarget):
    """One instance, or, from two replicas on, a balanced and scaled environment.

    Each release that is kept is an application version, and the environment points at one of them. Moving the
    pointer is an immutable deployment: new instances start beside the old ones, and the old ones go when the new
    ones are healthy. When they aren't, Elastic Beanstalk stays on the old version and calls itself ready; that
    ends as our error, with its events.

    The gate runs after the pointer has moved, since no instance of the new version can be asked before. When the
    gate fails, `up` moves the pointer back. `max_replicas` counts from two replicas on, or with `domain`.

    Change the size or the network of an environment in an `up` without a new release: an immutable deployment
    doesn't go together with such a change.
    """

    splitting: ClassVar[Splitting] = Splitting(
        "platform", "TrafficSplitting, behind a load balancer: the platform watches for `canary_minutes`"
    )
    adoptable: ClassVar[Mapping[str, str]] = {"aws:elasticbeanstalk/applicationVersion:ApplicationVersion": "name"}
    stays: ClassVar[tuple[str, ...]] = (
        "the bucket elasticbeanstalk-REGION-ACCOUNT, which Elastic Beanstalk has made for itself, once in a region",
    )

    log_retention_days: KeptDays = Field(default=30, description="how long CloudWatch keeps the logs, in days")
    canary_minutes: int = Field(
        default=5,
        ge=3,
        le=600,
        description="how long a canary gets its part of the traffic before it gets all of it, in minutes",
    )
    secrets: dict[str, Annotated[str, Field(pattern=KEPT_IN)]] = Field(
        default_factory=dict,
        description="variables whose values are kept in AWS: name, and ARN of a secret of Secrets Manager or of a "
        "parameter of Systems Manager; instances fetch them when they start, and nothing else ever sees them",
    )
    update_window: str = Field(
        default="Sun:03:00",
        pattern=r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun):([01]\d|2[0-3]):[0-5]\d$",
        description="day and time in UTC at which the platform's own updates are installed, each week",
    )

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """The application, its versions, the environment that points at one of them; the URL that answers."""
        from ._beanstalk import provision  # noqa: PLC0415 - loads the SDK

        return provision(self, workload)
