"""The options of Elastic Beanstalk: its namespaces, their names, and the values of those that are listed.

From the Elastic Beanstalk Developer Guide, pages "General options for all environments" and "Platform specific
options" (Python). A namespace of the user's own names (environment variables) takes any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import Problem
from ...provider.properties import UNKNOWN
from ..schema import did_you_mean

ANY_NAME: tuple[str, ...] = ()
_LISTENER = ("DefaultProcess", "ListenerEnabled", "Protocol", "Rules", "SSLCertificateArns", "SSLPolicy")
_PROCESS = (
    "DeregistrationDelay",
    "HealthCheckInterval",
    "HealthCheckPath",
    "HealthCheckTimeout",
    "HealthyThresholdCount",
    "MatcherHTTPCode",
    "Port",
    "Protocol",
    "StickinessEnabled",
    "StickinessLBCookieDuration",
    "StickinessType",
    "UnhealthyThresholdCount",
)
_LOGS = ("DeleteOnTerminate", "RetentionInDays")

NAMESPACES: Mapping[str, tuple[str, ...]] = {
    "aws:autoscaling:asg": (
        "Availability Zones",
        "Cooldown",
        "Custom Availability Zones",
        "EnableCapacityRebalancing",
        "MaxSize",
        "MinSize",
    ),
    "aws:autoscaling:launchconfiguration": (
        "BlockDeviceMappings",
        "DisableDefaultEC2SecurityGroup",
        "DisableIMDSv1",
        "EC2KeyName",
        "IamInstanceProfile",
        "ImageId",
        "InstanceType",
        "LaunchTemplateTagPropagationEnabled",
        "MonitoringInterval",
        "RootVolumeIOPS",
        "RootVolumeSize",
        "RootVolumeThroughput",
        "RootVolumeType",
        "SSHSourceRestriction",
        "SecurityGroups",
    ),
    "aws:autoscaling:scheduledaction": (
        "DesiredCapacity",
        "EndTime",
        "MaxSize",
        "MinSize",
        "Recurrence",
        "StartTime",
        "Suspend",
    ),
    "aws:autoscaling:trigger": (
        "BreachDuration",
        "EvaluationPeriods",
        "LowerBreachScaleIncrement",
        "LowerThreshold",
        "MeasureName",
        "Period",
        "Statistic",
        "Unit",
        "UpperBreachScaleIncrement",
        "UpperThreshold",
    ),
    "aws:autoscaling:updatepolicy:rollingupdate": (
        "MaxBatchSize",
        "MinInstancesInService",
        "PauseTime",
        "RollingUpdateEnabled",
        "RollingUpdateType",
        "Timeout",
    ),
    "aws:cloudformation:template:parameter": ANY_NAME,
    "aws:ec2:instances": (
        "EnableSpot",
        "InstanceTypes",
        "SpotAllocationStrategy",
        "SpotFleetOnDemandAboveBasePercentage",
        "SpotFleetOnDemandBase",
        "SpotMaxPrice",
        "SupportedArchitectures",
    ),
    "aws:ec2:vpc": ("AssociatePublicIpAddress", "DBSubnets", "ELBScheme", "ELBSubnets", "Subnets", "VPCId"),
    "aws:elasticbeanstalk:application": ("Application Healthcheck URL",),
    "aws:elasticbeanstalk:application:environment": ANY_NAME,
    "aws:elasticbeanstalk:application:environmentsecrets": ANY_NAME,
    "aws:elasticbeanstalk:cloudwatch:logs": ("StreamLogs", *_LOGS),
    "aws:elasticbeanstalk:cloudwatch:logs:health": ("HealthStreamingEnabled", *_LOGS),
    "aws:elasticbeanstalk:command": ("BatchSize", "BatchSizeType", "DeploymentPolicy", "IgnoreHealthCheck", "Timeout"),
    "aws:elasticbeanstalk:container:python": ("NumProcesses", "NumThreads", "WSGIPath"),
    "aws:elasticbeanstalk:control": ("DefaultSSHPort", "LaunchTimeout", "LaunchType", "RollbackLaunchOnFailure"),
    "aws:elasticbeanstalk:environment": (
        "EnvironmentType",
        "LoadBalancerIsShared",
        "LoadBalancerType",
        "ServiceRole",
    ),
    "aws:elasticbeanstalk:environment:process:*": _PROCESS,
    "aws:elasticbeanstalk:environment:proxy": ("ProxyServer",),
    "aws:elasticbeanstalk:environment:proxy:staticfiles": ANY_NAME,
    "aws:elasticbeanstalk:healthreporting:system": (
        "ConfigDocument",
        "EnhancedHealthAuthEnabled",
        "HealthCheckSuccessThreshold",
        "SystemType",
    ),
    "aws:elasticbeanstalk:hostmanager": ("LogPublicationControl",),
    "aws:elasticbeanstalk:managedactions": (
        "ManagedActionsEnabled",
        "PreferredStartTime",
        "ServiceRoleForManagedUpdates",
    ),
    "aws:elasticbeanstalk:managedactions:platformupdate": ("InstanceRefreshEnabled", "UpdateLevel"),
    "aws:elasticbeanstalk:monitoring": ("Automatically Terminate Unhealthy Instances",),
    "aws:elasticbeanstalk:sns:topics": (
        "Notification Endpoint",
        "Notification Protocol",
        "Notification Topic ARN",
        "Notification Topic Name",
    ),
    "aws:elasticbeanstalk:trafficsplitting": ("EvaluationTime", "NewVersionPercent"),
    "aws:elasticbeanstalk:xray": ("XRayEnabled",),
    "aws:elbv2:listener:*": _LISTENER,
    "aws:elbv2:listenerrule:*": ("HostHeaders", "PathPatterns", "Priority", "Process"),
    "aws:elbv2:loadbalancer": (
        "AccessLogsS3Bucket",
        "AccessLogsS3Enabled",
        "AccessLogsS3Prefix",
        "IdleTimeout",
        "IpAddressType",
        "ManagedSecurityGroup",
        "SecurityGroups",
        "SharedLoadBalancer",
    ),
}
"""Namespace -> its names; `*` stands for the name of a process, the port of a listener or the name of a rule."""

_BOOLEAN = "true|false"
VALUES: Mapping[tuple[str, str], str] = {
    ("aws:autoscaling:asg", "MinSize"): r"\d{1,5}",
    ("aws:autoscaling:asg", "MaxSize"): r"\d{1,5}",
    ("aws:autoscaling:launchconfiguration", "DisableIMDSv1"): _BOOLEAN,
    ("aws:autoscaling:launchconfiguration", "RootVolumeType"): "standard|gp2|gp3|io1",
    ("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateType"): "Time|Health|Immutable",
    ("aws:ec2:instances", "EnableSpot"): _BOOLEAN,
    ("aws:ec2:vpc", "AssociatePublicIpAddress"): _BOOLEAN,
    ("aws:ec2:vpc", "ELBScheme"): "public|internal",
    ("aws:elasticbeanstalk:cloudwatch:logs", "DeleteOnTerminate"): _BOOLEAN,
    ("aws:elasticbeanstalk:cloudwatch:logs", "RetentionInDays"): (
        "1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1827|3653"
    ),
    ("aws:elasticbeanstalk:cloudwatch:logs", "StreamLogs"): _BOOLEAN,
    ("aws:elasticbeanstalk:command", "BatchSizeType"): "Percentage|Fixed",
    ("aws:elasticbeanstalk:command", "DeploymentPolicy"): (
        "AllAtOnce|Rolling|RollingWithAdditionalBatch|Immutable|TrafficSplitting"
    ),
    ("aws:elasticbeanstalk:environment", "EnvironmentType"): "SingleInstance|LoadBalanced",
    ("aws:elasticbeanstalk:environment", "LoadBalancerType"): "classic|application|network",
    ("aws:elasticbeanstalk:environment:process:*", "HealthCheckPath"): "/.*",
    ("aws:elasticbeanstalk:environment:process:*", "Protocol"): "TCP|HTTP|HTTPS",
    ("aws:elasticbeanstalk:environment:proxy", "ProxyServer"): "nginx|apache|none",
    ("aws:elasticbeanstalk:healthreporting:system", "HealthCheckSuccessThreshold"): "Ok|Warning|Degraded|Severe",
    ("aws:elasticbeanstalk:healthreporting:system", "SystemType"): "basic|enhanced",
    ("aws:elasticbeanstalk:managedactions", "ManagedActionsEnabled"): _BOOLEAN,
    (
        "aws:elasticbeanstalk:managedactions",
        "PreferredStartTime",
    ): "(Mon|Tue|Wed|Thu|Fri|Sat|Sun):[0-2][0-9]:[0-5][0-9]",
    ("aws:elasticbeanstalk:managedactions:platformupdate", "UpdateLevel"): "patch|minor",
    ("aws:elasticbeanstalk:trafficsplitting", "NewVersionPercent"): "[1-9][0-9]?|100",
    ("aws:elasticbeanstalk:trafficsplitting", "EvaluationTime"): "[3-9]|[1-9][0-9]|[1-5][0-9][0-9]|600",
    ("aws:elbv2:listener:*", "ListenerEnabled"): _BOOLEAN,
    ("aws:elbv2:listener:*", "Protocol"): "HTTP|HTTPS|TCP",
}
"""What an option's value must match, where the page lists it."""


def check(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """What Elastic Beanstalk refuses about the option settings of an environment."""
    settings = inputs.get("settings")
    for index, setting in enumerate(settings if isinstance(settings, list) else ()):
        if isinstance(setting, dict) and all(isinstance(setting.get(key), str) for key in ("namespace", "name")):
            yield from _setting(setting, f"settings[{index}]")


def _setting(setting: Mapping[str, Any], path: str) -> Iterator[Problem]:
    namespace, name, value = setting["namespace"], setting["name"], setting.get("value")
    family = _family(namespace)
    if family is None:
        yield Problem(f"{path}.namespace", f"unknown namespace {namespace!r}", did_you_mean(namespace, NAMESPACES))
        return
    names = NAMESPACES[family]
    if names and name not in names:
        yield Problem(
            f"{path}.name",
            "ConfigurationValidationException: Configuration validation exception: Invalid option specification "
            f"(Namespace: '{namespace}', OptionName: '{name}'): Unknown configuration setting.",
            did_you_mean(name, names),
        )
    pattern = VALUES.get((family, name))
    if pattern and value is not UNKNOWN and not re.fullmatch(pattern, str(value)):
        yield Problem(
            f"{path}.value",
            "ConfigurationValidationException: Configuration validation exception: Invalid option value: "
            f"'{value}' (Namespace: '{namespace}', OptionName: '{name}')",
            f"it must match {pattern}",
        )


def _family(namespace: str) -> str | None:
    if namespace in NAMESPACES:
        return namespace
    family = f"{namespace.rpartition(':')[0]}:*"
    return family if family in NAMESPACES else None
