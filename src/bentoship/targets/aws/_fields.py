"""What every target on AWS must be told. No SDK is loaded by reading this."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from ...deployment import Scale, Target
from .._domain import DomainName, PlainHttp, refuse_neither_or_both
from .._sizes import refuse_arm

KeptDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""How long CloudWatch can keep logs (API reference of CloudWatch Logs, PutRetentionPolicy)."""


_ARM = re.compile(r"a1\.|[a-z]+\d+g")
"""With a g for Graviton behind the generation ("Amazon EC2 instance type naming conventions")."""
_LONGEST_NAME = 64
"""Letters of the name that a certificate is made for ("RequestCertificate", API reference of Certificate Manager)."""
_TAG = re.compile(r"[\w .:/=+@-]*")
"""What IAM takes in keys and values of tags, which is the least of all services ("Tags for IAM resources")."""
_LONGEST_KEY, _LONGEST_VALUE = 128, 256


class AwsTarget(Target):
    """The fields that the targets on AWS share."""

    sdk: ClassVar[str] = "pulumi_aws"
    forgets_within: ClassVar[float] = 600

    region: str = Field(
        pattern=r"^([abd-z][a-z]|c[a-mo-z])(-[a-z]+)+-\d$",
        description="region of AWS, such as `eu-central-1`; none of AWS China, where hosts have other names",
    )
    domain: DomainName = None
    http: PlainHttp = False
    hosted_zone: str | None = Field(
        default=None,
        pattern=r"^Z[A-Z0-9]+$",
        description="id of the Route 53 hosted zone of `domain`; by default the public zone one level up, or of the "
        "domain itself where that is a top-level domain",
    )
    instance_type: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$",
        description="x86-64 instance type; by default the cheapest of a short list with `scale`'s cpu and memory",
    )
    disk_gb: int = Field(default=16, ge=10, le=16384, description="size of the encrypted root disk, in GB")
    vpc: str | None = Field(
        default=None,
        pattern=r"^vpc-[0-9a-f]+$",
        description="VPC to run in; by default a small one of its own, so that nothing depends on what else is in the "
        "account, and destroying removes it",
    )
    public_subnets: tuple[str, ...] = Field(
        default=(), description="with `vpc`: subnets with an internet gateway, in two zones or more when balanced"
    )
    private_subnets: tuple[str, ...] = Field(
        default=(),
        description="with `vpc`: subnets for machines behind the load balancer, with a way out to S3 and the other "
        "services of AWS; by default they are in the public ones, where only the load balancer reaches them",
    )
    alarm_topic: str | None = Field(
        default=None, pattern=r"^arn:[^:]+:sns:", description="ARN of the SNS topic that the alarms are sent to"
    )
    latency_alarm_seconds: float = Field(
        default=1,
        gt=0,
        description="an alarm goes off when the slowest 1 % of the requests take longer, in seconds; not on one "
        "machine of EC2, where nothing counts them",
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        max_length=9,
        description="tags of yours, put on everything beside ours; at most nine, since an object in S3 takes ten",
    )

    @field_validator("instance_type")
    @classmethod
    def _is_x86(cls, instance_type: str | None) -> str | None:
        return refuse_arm(instance_type, _ARM)

    @field_validator("tags")
    @classmethod
    def _are_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if not key or not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
                raise ValueError(f"{key}: {value} is no tag: letters, digits, blanks and . : / = + - @ _ only")
            if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
                raise ValueError(f"{key} is too long: at most {_LONGEST_KEY} letters, and {_LONGEST_VALUE} of a value")
            if key.lower().startswith("aws:"):
                raise ValueError(f"{key} is AWS's own: no tag of yours begins with aws:")
        return tags

    @model_validator(mode="after")
    def _either_tls_or_asked_for_http(self) -> Self:
        refuse_neither_or_both(self.domain, self.http)
        if self.domain and len(self.domain) > _LONGEST_NAME:
            raise ValueError(f"`domain` has {len(self.domain)} letters, and a certificate takes {_LONGEST_NAME}")
        if self.hosted_zone and not self.domain:
            raise ValueError("`hosted_zone` says nothing without `domain`")
        return self

    @model_validator(mode="after")
    def _subnets_go_with_a_vpc(self) -> Self:
        if (self.vpc is None) is not (not self.public_subnets):
            raise ValueError("`vpc` and `public_subnets` are given together, or neither")
        if self.private_subnets and not self.vpc:
            raise ValueError("`private_subnets` says nothing without `vpc`")
        return self

    def left(self, workload: str) -> Sequence[str]:
        """What carries the workload's tag in the region."""
        from ...provider import tagged  # noqa: PLC0415 - only who asks needs AWS's library

        return tagged.on_aws(self.region, workload)

    def is_balanced(self, scale: Scale) -> bool:
        """Whether a load balancer stands in front: from two replicas on, and where there is a certificate to use."""
        return scale.min_replicas > 1 or self.domain is not None
