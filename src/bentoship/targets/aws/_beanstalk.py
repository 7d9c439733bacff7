"""An application of Elastic Beanstalk, its versions, and the environment that points at one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from ...deployment import ReleaseRef, Workload
from ...provider.resources import BeanstalkVersion, Gate
from .._domain import url as under
from ._network import Network, let_in, let_out, network, security_group
from ._settings import Wiring, settings
from ._shared import (
    Domain,
    Place,
    Releases,
    Role,
    certified,
    keep_releases,
    may_read,
    open_place,
    partition,
    policy,
    redirect_to_https,
    role,
)
from ._watch import Metric, alarm, dashboard
from .elastic_beanstalk import ElasticBeanstalk

UPDATE_MINUTES = 60
"""How long an immutable deployment may take: it starts every instance anew, and waits for their health."""
DEGRADED = 15
"""EnvironmentHealth is above it when Degraded or Severe ("Publishing Amazon CloudWatch custom metrics", EB Guide)."""


def provision(target: ElasticBeanstalk, workload: Workload) -> pulumi.Output[str]:
    """The application and its versions; the environment, which points at the newest with traffic; proof, and gate."""
    place = open_place("ElasticBeanstalk", target, workload)
    release = workload.serving[0]
    domain = certified(place, target)
    releases = keep_releases(place, workload)
    net = network(place, target, workload.scale)
    front = _balancer_group(place, net, domain) if target.is_balanced(workload.scale) else None
    machine, service = _roles(place, target, releases)
    profile = aws.iam.InstanceProfile(f"{place.name}-machine", role=machine.made.name, opts=place.options())
    application = aws.elasticbeanstalk.Application(place.name, opts=place.options())
    versions = {kept.id: _version(place, application, releases, kept) for kept in workload.releases}
    version = versions[release.id]
    wiring = Wiring(
        profile.name,
        service.made.arn,
        net.vpc,
        net.public,
        net.machines,
        net.public_addresses,
        front.id if front else None,
        domain.certificate if domain else None,
    )
    minutes = UPDATE_MINUTES + (target.canary_minutes if len(workload.serving) > 1 else 0)
    environment = aws.elasticbeanstalk.Environment(
        # An environment can't change to another Python, so that one gets an environment of its own.
        f"{place.name}-py{release.python.replace('.', '')}",
        application=application.name,
        tier="WebServer",
        solution_stack_name=_platform(place, release.python),
        version=version.name,
        settings=[
            aws.elasticbeanstalk.EnvironmentSettingArgs(namespace=namespace, name=name, value=value, resource="")
            for (namespace, name), value in settings(target, workload, wiring).items()
        ],
        wait_for_ready_timeout=f"{minutes}m",
        # The platform's own updates move the stack, and a change of tags can't be made together with other changes.
        opts=place.options(
            depends_on=[*machine.given, *service.given, *net.ways, *versions.values()],
            ignore_changes=["solutionStackName", "tags", "tagsAll"],
            additional_secret_outputs=["allSettings"],  # which says again what the settings say
        ),
    )
    _alarms(place, target, release, environment)
    moved = BeanstalkVersion(
        f"{place.name}-version",
        region=target.region,
        environment=environment.name,
        label=version.name,
        timeout=workload.ready_timeout + 300,
        opts=place.ours(),
    )
    url = _url(place, domain, environment)
    gate = Gate(
        f"{place.name}-gate-{workload.revision(release)}",
        release,
        workload.revision(release),
        url,
        workload.ready_timeout + 300,
        opts=place.ours(depends_on=[moved]),
    )
    return pulumi.Output.all(url, gate.passed).apply(lambda known: str(known[0]))


def _version(
    place: Place, application: aws.elasticbeanstalk.Application, releases: Releases, release: ReleaseRef
) -> aws.elasticbeanstalk.ApplicationVersion:
    """A version for as long as the release is kept. Its label says what is in it.

    It is not retained beyond that: a release that failed and comes again would find its own label taken.
    """
    archive = releases.objects[release.id]
    return aws.elasticbeanstalk.ApplicationVersion(
        f"{place.name}-{release.short}",
        application=application.name,
        name=f"r-{release.short}",
        bucket=releases.bucket.id,
        key=archive.key,
        description=f"{release.bento}, release {release.id}",
        opts=place.options(depends_on=[archive]),
    )


def _platform(place: Place, python: str) -> pulumi.Output[str]:
    named = rf"^64bit Amazon Linux 2023 v4\.[0-9.]+ running Python {python.replace('.', '[.]')}$"
    return aws.elasticbeanstalk.get_solution_stack_output(most_recent=True, name_regex=named, opts=place.look_up).name


def _balancer_group(place: Place, net: Network, domain: Domain | None) -> aws.ec2.SecurityGroup:
    """A security group of ours for the load balancer, since the one of Elastic Beanstalk knows nothing of port 80."""
    group = security_group(place, "balancer", net.vpc, "Whoever may ask the model")
    let_in(place, "balancer-80", group, 80)
    if domain:
        let_in(place, "balancer-443", group, 443)
    let_out(place, "balancer", group)
    return group


def _roles(place: Place, target: ElasticBeanstalk, releases: Releases) -> tuple[Role, Role]:
    """What the machines may do, and what Elastic Beanstalk may do for us."""
    managed = ["AmazonSSMManagedInstanceCore"]
    also = [*_of_the_platform(place), *_fetching(place, target.secrets)]
    allowed = may_read(releases.bucket).apply(lambda reading: policy(reading, *also))
    machine = role(place, "machine", "ec2.amazonaws.com", managed, allowed)
    theirs = [
        "service-role/AWSElasticBeanstalkEnhancedHealth",
        "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy",
    ]
    of_beanstalk = {"StringEquals": {"sts:ExternalId": "elasticbeanstalk"}}
    streaming = policy({"Effect": "Allow", "Action": _WRITING, "Resource": _logs(place)})
    service = role(place, "service", "elasticbeanstalk.amazonaws.com", theirs, streaming, condition=of_beanstalk)
    return machine, service


_WRITING = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
"""What the machines need for their logs, and the service role for those of health ("Streaming Elastic Beanstalk
environment health information to Amazon CloudWatch Logs", Developer Guide)."""


def _logs(place: Place) -> str:
    return f"arn:{partition(place.region)}:logs:{place.region}:*:log-group:/aws/elasticbeanstalk*"


def _of_the_platform(place: Place) -> Sequence[Mapping[str, Any]]:
    """What the agents of the platform need, as AWSElasticBeanstalkWebTier has it, without what we don't use.

    "Managing Elastic Beanstalk instance profiles", Developer Guide.
    """
    arn = f"arn:{partition(place.region)}"
    bucket = f"{arn}:s3:::elasticbeanstalk-{place.region}-*"
    return [
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "s3:PutObject"], "Resource": [bucket, f"{bucket}/*"]},
        {"Effect": "Allow", "Action": _WRITING, "Resource": _logs(place)},
        {
            "Effect": "Allow",
            "Action": "elasticbeanstalk:PutInstanceStatistics",
            "Resource": [
                f"{arn}:elasticbeanstalk:*:*:application/*",
                f"{arn}:elasticbeanstalk:*:*:environment/*",
            ],
        },
    ]


def _fetching(place: Place, secrets: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """What an instance needs to fetch these secrets; keys of the user's own only by way of the two services."""
    by_service = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameter"}
    for service, action in by_service.items():
        if arns := sorted({arn for arn in secrets.values() if arn.split(":")[2] == service}):
            yield {"Effect": "Allow", "Action": action, "Resource": arns}
            through = {"StringEquals": {"kms:ViaService": f"{service}.{place.region}.amazonaws.com"}}
            yield {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": through}


def _url(place: Place, domain: Domain | None, environment: aws.elasticbeanstalk.Environment) -> pulumi.Output[str]:
    if domain is None:
        return pulumi.Output.concat("http://", environment.cname)
    # Empty until the environment has been updated, where it had one instance before.
    first = environment.load_balancers.apply(lambda found: str(found[0]) if found else "")
    redirect_to_https(place, first)
    beanstalk = aws.elasticbeanstalk.get_hosted_zone(opts=place.look_up)
    alias = aws.route53.RecordAliasArgs(name=environment.cname, zone_id=beanstalk.id, evaluate_target_health=False)
    record = aws.route53.Record(  # an alias, since a domain at the top of its zone takes no CNAME
        place.name, zone_id=domain.zone, name=domain.name, type="A", aliases=[alias], opts=place.options()
    )
    return pulumi.Output.all(environment.cname, record.id).apply(lambda known: under(domain.name, known[0]))


def _alarms(
    place: Place, target: ElasticBeanstalk, release: ReleaseRef, environment: aws.elasticbeanstalk.Environment
) -> None:
    of = {"EnvironmentName": environment.name}
    space = "AWS/ElasticBeanstalk"
    health = Metric(space, "EnvironmentHealth", "Maximum", of)
    errors = Metric(space, "ApplicationRequests5xx", "Sum", of)
    slowest = Metric(space, "ApplicationLatencyP99", "Maximum", of)
    requests = Metric(space, "ApplicationRequestsTotal", "Sum", of)
    instances = Metric(space, "InstancesOk", "Minimum", of)
    alarm(place, target, "unhealthy", "The environment is degraded", health, DEGRADED, minutes=5)
    alarm(place, target, "errors", "The service answers with 5xx", errors, 10, minutes=2)
    alarm(place, target, "slow", "The slowest 1 % of requests take too long", slowest, target.latency_alarm_seconds, 5)
    graphs = {
        "Requests": requests,
        "Errors": errors,
        "Slowest 1 % of requests, seconds": slowest,
        "Instances that are well": instances,
        "Health (0 is ok, 25 is severe)": health,
    }
    dashboard(place, release, graphs)
