"""AWS, as a rehearsal has it: the types of pulumi-aws that our targets use, and the rules of the platform."""

from __future__ import annotations

from ..cloud import Cloud
from ..schema import load
from . import account, balancing, compute, identity, network, observation, services, storage
from .behaviours import BEHAVIOURS
from .lookups import LOOKUPS

CLOUD = Cloud(
    package="aws",
    schema=load("aws"),
    rules={
        **identity.RULES,
        **storage.RULES,
        **network.RULES,
        **compute.RULES,
        **balancing.RULES,
        **observation.RULES,
    },
    services={
        "ec2": services.EC2,
        "elasticbeanstalk": services.ELASTIC_BEANSTALK,
        "index": services.STS,
        "route53": services.ROUTE53,
        "secretsmanager": services.SECRETS_MANAGER,
        "ssm": services.SSM,
    },
    lookups=LOOKUPS,
    behaviours=BEHAVIOURS,
    prepare=account.prepare,
    regions=account.REGIONS,
    loose=("aws:cloudwatch/metricAlarm:MetricAlarm",),
    region_variables=("AWS_REGION", "AWS_DEFAULT_REGION"),
)
