"""The option settings of an environment of Elastic Beanstalk, as plain values.

Namespaces, names and defaults: "General options for all environments", Elastic Beanstalk Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from ...deployment import Scale, Workload
from ...errors import InvalidConfiguration
from ._instance_types import cheapest
from ._shared import TLS_POLICY
from .elastic_beanstalk import ElasticBeanstalk

Settings = dict[tuple[str, str], pulumi.Input[str]]
"""Value by namespace and name."""

LARGEST_VARIABLES = 4096
"""Bytes of all variables together ("Environment properties and other software settings", Developer Guide)."""
_EB = "aws:elasticbeanstalk"
_FIGURES = (
    "EnvironmentHealth",
    "ApplicationRequestsTotal",
    "ApplicationRequests5xx",
    "ApplicationLatencyP99",
    "InstancesOk",
)
_HEALTH_METRICS = dict.fromkeys(_FIGURES, 60)


@dataclass(frozen=True)
class Wiring:
    """What the settings refer to."""

    profile: pulumi.Input[str]
    service_role: pulumi.Input[str]
    vpc: pulumi.Input[str]
    public: Sequence[pulumi.Input[str]]
    machines: Sequence[pulumi.Input[str]]
    public_addresses: bool
    balancer_group: pulumi.Input[str] | None
    """Security group of the load balancer; None where there is no load balancer."""
    certificate: pulumi.Input[str] | None


def settings(target: ElasticBeanstalk, workload: Workload, wiring: Wiring) -> Settings:
    """All settings, sorted: in another order the engine would see a change."""
    parts: list[Settings] = [
        _instances(target, workload.scale, wiring),
        _network(wiring),
        _health(workload),
        _logs(target),
        _platform_updates(target, wiring),
        _deployment(target, workload),
        _secrets(target.secrets, workload.variables),
        _variables({"BENTOSHIP_RELEASE": workload.serving[0].id, **workload.variables}),
        _balanced(workload, wiring) if wiring.balancer_group else _alone(),
        _https(wiring.certificate) if wiring.certificate else {},
    ]
    merged = {key: value for part in parts for key, value in part.items()}
    return dict(sorted(merged.items()))


def _instances(target: ElasticBeanstalk, scale: Scale, wiring: Wiring) -> Settings:
    launch = "aws:autoscaling:launchconfiguration"
    return {
        ("aws:ec2:instances", "InstanceTypes"): target.instance_type or cheapest(scale),
        (launch, "IamInstanceProfile"): wiring.profile,
        # These two make Elastic Beanstalk use launch templates; new accounts can't make launch configurations.
        (launch, "DisableIMDSv1"): "true",
        (launch, "RootVolumeType"): "gp3",
        (launch, "RootVolumeSize"): str(target.disk_gb),
        (launch, "SSHSourceRestriction"): "tcp,22,22,127.0.0.1/32",
    }


def _network(wiring: Wiring) -> Settings:
    return {
        ("aws:ec2:vpc", "VPCId"): wiring.vpc,
        ("aws:ec2:vpc", "Subnets"): _joined(wiring.machines),
        ("aws:ec2:vpc", "AssociatePublicIpAddress"): str(wiring.public_addresses).lower(),
    }


def _health(workload: Workload) -> Settings:
    report = f"{_EB}:healthreporting:system"
    ignored = {"Enabled": False}
    # What clients do wrong, 401, 422 and 429 among it, says nothing against a release: by default a twentieth of it
    # would hold up a deployment ("Configuring enhanced health rules for an environment", Developer Guide).
    rules = {"Application": {"ApplicationRequests4xx": ignored}, "ELB": {"ELBRequests4xx": ignored}}
    document = {
        "Version": 1,
        "CloudWatchMetrics": {"Environment": _HEALTH_METRICS},
        "Rules": {"Environment": rules},
    }
    return {
        (report, "SystemType"): "enhanced",
        (report, "ConfigDocument"): json.dumps(document, sort_keys=True),
        (f"{_EB}:application", "Application Healthcheck URL"): "/readyz",
        (f"{_EB}:command", "Timeout"): str(min(3600, max(600, int(workload.ready_timeout) + 300))),
    }


def _logs(target: ElasticBeanstalk) -> Settings:
    kept = {"DeleteOnTerminate": "true", "RetentionInDays": str(target.log_retention_days)}
    logs, health = f"{_EB}:cloudwatch:logs", f"{_EB}:cloudwatch:logs:health"
    return {
        (logs, "StreamLogs"): "true",
        **{(logs, name): value for name, value in kept.items()},
        (health, "HealthStreamingEnabled"): "true",
        **{(health, name): value for name, value in kept.items()},
    }


def _platform_updates(target: ElasticBeanstalk, wiring: Wiring) -> Settings:
    actions = f"{_EB}:managedactions"
    return {
        (f"{_EB}:environment", "ServiceRole"): wiring.service_role,
        (actions, "ManagedActionsEnabled"): "true",
        (actions, "PreferredStartTime"): target.update_window,
        (actions, "ServiceRoleForManagedUpdates"): wiring.service_role,
        (f"{actions}:platformupdate", "UpdateLevel"): "minor",
    }


def _deployment(target: ElasticBeanstalk, workload: Workload) -> Settings:
    """Immutable; with two releases in traffic, the newer one gets its part first."""
    new, *others = workload.serving
    if not others:
        return {(f"{_EB}:command", "DeploymentPolicy"): "Immutable"}
    if len(others) > 1 or not target.is_balanced(workload.scale):
        fault = "Elastic Beanstalk splits the traffic between two releases, behind a load balancer"
        raise InvalidConfiguration("traffic", fault, "use two releases, and `min_replicas: 2` or `domain`")
    splitting = f"{_EB}:trafficsplitting"
    return {
        (f"{_EB}:command", "DeploymentPolicy"): "TrafficSplitting",
        (splitting, "NewVersionPercent"): str(workload.traffic[new.id]),
        (splitting, "EvaluationTime"): str(target.canary_minutes),
    }


def _variables(variables: Mapping[str, str]) -> Settings:
    """What the service sees; the id of the release among them, since every answer names who gave it."""
    size = sum(len(f"{name}={value},".encode()) for name, value in variables.items())
    if size > LARGEST_VARIABLES:
        fault = f"have {size:,} bytes, and Elastic Beanstalk takes {LARGEST_VARIABLES:,}"
        raise InvalidConfiguration("variables", fault, "put long values into a file of the service")
    namespace = f"{_EB}:application:environment"
    return {(namespace, name): pulumi.Output.secret(value) for name, value in variables.items()}


def _secrets(secrets: Mapping[str, str], variables: Mapping[str, str]) -> Settings:
    """Names, and where each value is kept: the platform of March 2025 and later fetches it at an instance's start."""
    if twice := sorted(secrets.keys() & variables.keys()):
        raise InvalidConfiguration(f"secrets.{twice[0]}", "is a variable as well", "leave one of the two out")
    namespace = f"{_EB}:application:environmentsecrets"
    return {(namespace, name): arn for name, arn in secrets.items()}


def _alone() -> Settings:
    return {(f"{_EB}:environment", "EnvironmentType"): "SingleInstance"}


def _balanced(workload: Workload, wiring: Wiring) -> Settings:
    # The release's id is a setting, so that each update changes settings as well; Immutable would win over a canary.
    kind = "Immutable" if len(workload.serving) == 1 else "Health"
    environment, process = f"{_EB}:environment", f"{_EB}:environment:process:default"
    rolling, balancer = "aws:autoscaling:updatepolicy:rollingupdate", "aws:elbv2:loadbalancer"
    group = wiring.balancer_group or ""
    return {
        (environment, "EnvironmentType"): "LoadBalanced",
        (environment, "LoadBalancerType"): "application",
        ("aws:ec2:vpc", "ELBSubnets"): _joined(wiring.public),
        ("aws:ec2:vpc", "ELBScheme"): "public",
        (balancer, "SecurityGroups"): group,
        (balancer, "ManagedSecurityGroup"): group,
        (process, "HealthCheckPath"): "/readyz",
        (process, "MatcherHTTPCode"): "200",
        (process, "HealthCheckInterval"): "10",
        (process, "DeregistrationDelay"): "30",
        (rolling, "RollingUpdateEnabled"): "true",
        (rolling, "RollingUpdateType"): kind,
        **_scaling(workload.scale),
    }


def _scaling(scale: Scale) -> Settings:
    group, trigger = "aws:autoscaling:asg", "aws:autoscaling:trigger"
    return {
        (group, "MinSize"): str(scale.min_replicas),
        (group, "MaxSize"): str(scale.max_replicas),
        (trigger, "MeasureName"): "CPUUtilization",
        (trigger, "Statistic"): "Average",
        (trigger, "Unit"): "Percent",
        (trigger, "UpperThreshold"): "60",
        (trigger, "LowerThreshold"): "30",
    }


def _https(certificate: pulumi.Input[str]) -> Settings:
    """TLS at the load balancer; port 80 is left to a listener that sends to HTTPS."""
    listener = "aws:elbv2:listener:443"
    return {
        ("aws:elbv2:listener:default", "ListenerEnabled"): "false",
        (listener, "ListenerEnabled"): "true",
        (listener, "Protocol"): "HTTPS",
        (listener, "SSLCertificateArns"): certificate,
        (listener, "SSLPolicy"): TLS_POLICY,
        (listener, "DefaultProcess"): "default",
    }


def _joined(values: Sequence[pulumi.Input[str]]) -> pulumi.Output[str]:
    return pulumi.Output.all(*values).apply(lambda known: ",".join(map(str, known)))
