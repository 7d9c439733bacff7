"""A group of virtual machines behind a load balancer."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from ...deployment import ReleaseRef, Workload
from ...provider.resources import Gate, InstanceRefresh
from .._domain import url as under
from ._fields import AwsTarget
from ._hosts import BOOT_SECONDS, PORT, Host, host
from ._machine import machine_revision
from ._network import let_in, let_out, network, security_group
from ._shared import TLS_POLICY, Domain, Place, certified, keep_releases, open_place, redirect_to_https
from ._watch import Metric, alarm, dashboard
from .ec2 import Ec2

DRAIN_SECONDS = 30
WARMUP_SECONDS = 60
"""How long a machine that is ready must stay so before the next one is replaced."""
BUSY_PERCENT = 60
"""The CPU utilisation that scaling aims at: what is left carries the load of a zone that fails."""


def provision(target: Ec2, workload: Workload) -> pulumi.Output[str]:
    """A load balancer, a group over zones, an instance refresh that moves it to the release; then the gate."""
    place = open_place("Ec2", target, workload)
    (release,) = workload.serving
    domain = certified(place, target)
    releases = keep_releases(place, workload)
    net = network(place, target, workload.scale)
    front = security_group(place, "balancer", net.vpc, "Whoever may ask the model")
    behind = security_group(place, "machine", net.vpc, "The load balancer alone")
    rules = [
        let_in(place, "balancer-80", front, 80),
        *([let_in(place, "balancer-443", front, 443)] if domain else []),
        let_out(place, "balancer", front, PORT, behind.id),
        let_in(place, "machine", behind, PORT, front.id),
        let_out(place, "machine", behind),
    ]
    balancer = aws.lb.LoadBalancer(
        place.name,
        load_balancer_type="application",
        internal=False,
        subnets=net.public,
        security_groups=[front.id],
        drop_invalid_header_fields=True,
        idle_timeout=60,
        opts=place.options(depends_on=[*net.ways, *rules]),
    )
    ready_machines = aws.lb.TargetGroup(
        place.name,
        vpc_id=net.vpc,
        port=PORT,
        protocol="HTTP",
        target_type="instance",
        deregistration_delay=DRAIN_SECONDS,
        load_balancing_algorithm_type="least_outstanding_requests",
        health_check=aws.lb.TargetGroupHealthCheckArgs(
            path="/readyz", matcher="200", interval=10, timeout=5, healthy_threshold=2, unhealthy_threshold=3
        ),
        opts=place.options(),
    )
    listeners = _listeners(place, domain, balancer, ready_machines)
    source = host(place, target, workload, releases, release)
    template = _template(
        place, target, f"{place.name}-{workload.revision(release)}", source, behind, public=net.public_addresses
    )
    patience = workload.ready_timeout + BOOT_SECONDS
    group = aws.autoscaling.Group(
        place.name,
        min_size=workload.scale.min_replicas,
        max_size=workload.scale.max_replicas,
        vpc_zone_identifiers=net.machines,
        target_group_arns=[ready_machines.arn],
        launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
            id=template.id, version=template.latest_version.apply(str)
        ),
        health_check_type="ELB",
        health_check_grace_period=int(patience),
        default_instance_warmup=WARMUP_SECONDS,
        # What comes of the machines is awaited below: a group whose creation fails is lost to the engine.
        wait_for_capacity_timeout="0",
        instance_maintenance_policy=aws.autoscaling.GroupInstanceMaintenancePolicyArgs(
            min_healthy_percentage=100, max_healthy_percentage=150
        ),
        tags=[
            aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
            for key, value in sorted({**place.tags, "Name": place.name}.items())
        ],
        # The release is moved by the refresh below, the number of machines by the load.
        opts=place.options(
            depends_on=[*listeners, *source.ready, *net.ways], ignore_changes=["launchTemplate", "desiredCapacity"]
        ),
    )
    _scaling(place, group)
    failing = _alarms(place, target, release, balancer, ready_machines)
    refresh = InstanceRefresh(
        f"{place.name}-refresh",
        region=target.region,
        group=group.name,
        template=template.id,
        version=template.latest_version.apply(str),
        alarms=[failing.name],
        warmup=WARMUP_SECONDS,
        timeout=patience * (1 + workload.scale.max_replicas),
        opts=place.ours(),
    )
    url = _url(place, domain, balancer)
    revision = machine_revision(target, workload, release)
    gate = Gate(
        f"{place.name}-gate-{revision}",
        release,
        revision,
        url,
        patience,
        opts=place.ours(depends_on=[refresh, *listeners]),
    )
    return pulumi.Output.all(url, gate.passed).apply(lambda known: str(known[0]))


def _template(
    place: Place, target: Ec2, name: str, source: Host, behind: aws.ec2.SecurityGroup, *, public: bool
) -> aws.ec2.LaunchTemplate:
    """What one release's machines are started from; a template a release, so that going back finds the old one."""
    disk = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        volume_size=target.disk_gb, volume_type="gp3", encrypted="true", delete_on_termination="true"
    )
    interface = aws.ec2.LaunchTemplateNetworkInterfaceArgs(
        security_groups=[behind.id], associate_public_ip_address=str(public).lower(), delete_on_termination="true"
    )
    tagged = ("instance", "volume", "network-interface")
    return aws.ec2.LaunchTemplate(
        name,
        image_id=source.image_id,
        instance_type=source.instance_type,
        user_data=source.boot_script.apply(lambda script: base64.b64encode(script.encode()).decode()),
        iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=source.profile.arn),
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name=source.image.root_device, ebs=disk)
        ],
        network_interfaces=[interface],
        monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),
        # The provider's default tags reach the template, and not what is started from it.
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=dict(place.tags)) for kind in tagged
        ],
        update_default_version=True,
        opts=place.options(),
    )


def _listeners(
    place: Place, domain: Domain | None, balancer: aws.lb.LoadBalancer, to: aws.lb.TargetGroup
) -> list[aws.lb.Listener]:
    forward = [aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=to.arn)]
    if domain is None:
        plain = aws.lb.Listener(
            f"{place.name}-http",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=forward,
            opts=place.options(),
        )
        return [plain]
    secure = aws.lb.Listener(
        f"{place.name}-https",
        load_balancer_arn=balancer.arn,
        port=443,
        protocol="HTTPS",
        certificate_arn=domain.certificate,
        ssl_policy=TLS_POLICY,
        default_actions=forward,
        opts=place.options(),
    )
    return [secure, redirect_to_https(place, balancer.arn)]


def _url(place: Place, domain: Domain | None, balancer: aws.lb.LoadBalancer) -> pulumi.Output[str]:
    if domain is None:
        return pulumi.Output.concat("http://", balancer.dns_name)
    alias = aws.route53.RecordAliasArgs(name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=False)
    record = aws.route53.Record(
        place.name, zone_id=domain.zone, name=domain.name, type="A", aliases=[alias], opts=place.options()
    )
    return pulumi.Output.all(balancer.dns_name, record.id).apply(lambda known: under(domain.name, known[0]))


def _scaling(place: Place, group: aws.autoscaling.Group) -> None:
    busy = aws.autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs(
        predefined_metric_type="ASGAverageCPUUtilization"
    )
    aws.autoscaling.Policy(
        f"{place.name}-cpu",
        autoscaling_group_name=group.name,
        policy_type="TargetTrackingScaling",
        target_tracking_configuration=aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
            target_value=BUSY_PERCENT, predefined_metric_specification=busy
        ),
        opts=place.options(),
    )


def _alarms(
    place: Place, target: AwsTarget, release: ReleaseRef, balancer: aws.lb.LoadBalancer, machines: aws.lb.TargetGroup
) -> aws.cloudwatch.MetricAlarm:
    """Alarms on errors, latency and unhealthy machines; the one on errors also stops an instance refresh."""
    of: Mapping[str, pulumi.Input[str]] = {
        "LoadBalancer": balancer.arn_suffix,
        "TargetGroup": machines.arn_suffix,
    }
    space = "AWS/ApplicationELB"
    errors = Metric(space, "HTTPCode_Target_5XX_Count", "Sum", of)
    slowest = Metric(space, "TargetResponseTime", "p99", of)
    unhealthy = Metric(space, "UnHealthyHostCount", "Maximum", of)
    healthy = Metric(space, "HealthyHostCount", "Minimum", of)
    requests = Metric(space, "RequestCount", "Sum", of)
    alarm(place, target, "slow", "The slowest 1 % of requests take too long", slowest, target.latency_alarm_seconds, 5)
    alarm(place, target, "unhealthy", "A machine is not ready", unhealthy, 0, minutes=5)
    dashboard(
        place,
        release,
        {
            "Requests": requests,
            "Errors of the service": errors,
            "Slowest 1 % of requests, seconds": slowest,
            "Machines that are ready": healthy,
            "Machines that are not": unhealthy,
        },
    )
    return alarm(place, target, "errors", "The service answers with 5xx", errors, 10, minutes=2)
