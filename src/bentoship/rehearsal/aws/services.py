"""AWS's services as the rules name them: how each of them says no.

The codes are those of each service's own "Common errors" page in its API reference.
"""

from __future__ import annotations

from ..rules import Service

_JSON = {
    "throttling": "ThrottlingException: Rate exceeded",
    "permission": "AccessDeniedException: User: {caller} is not authorized to perform: {prefix}:{call}",
    "quota": "LimitExceededException: The quota of this account is exceeded.",
}

ACM = Service("ACM", "acm", **_JSON)
AUTO_SCALING = Service(
    "Auto Scaling",
    "autoscaling",
    quota="LimitExceeded: You have already reached a limit for your Auto Scaling resources.",
)
CLOUDWATCH = Service(
    "CloudWatch", "cloudwatch", quota="LimitExceeded: The quota for alarms for this account is reached."
)
EC2 = Service(
    "EC2",
    "ec2",
    throttling="RequestLimitExceeded: Request limit exceeded.",
    permission=(
        "UnauthorizedOperation: You are not authorized to perform this operation. User: {caller} is not authorized "
        "to perform: {prefix}:{call} because no identity-based policy allows the {prefix}:{call} action."
    ),
    internal="InternalError: An internal error has occurred",
)
ELASTIC_BEANSTALK = Service("Elastic Beanstalk", "elasticbeanstalk")
ELB = Service("Elastic Load Balancing v2", "elasticloadbalancing")
IAM = Service("IAM", "iam", quota="LimitExceeded: Cannot exceed quota for RolesPerAccount: 1000")
LOGS = Service("CloudWatch Logs", "logs", **_JSON)
ROUTE53 = Service("Route 53", "route53")
S3 = Service(
    "S3",
    "s3",
    throttling="SlowDown: Please reduce your request rate.",
    internal="InternalError: We encountered an internal error. Please try again.",
    quota="TooManyBuckets: You have attempted to create more buckets than allowed",
)
SECRETS_MANAGER = Service("Secrets Manager", "secretsmanager", **_JSON)
SSM = Service("SSM", "ssm", **_JSON)
STS = Service("STS", "sts")
