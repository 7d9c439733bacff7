"""The table of AWS's rules: it fits the SDK's schema and AWS's own models, and refuses what it says."""

from __future__ import annotations

import base64
import json

import pytest

from bentoship.rehearsal.aws import CLOUD, checks, lookups, options
from bentoship.rehearsal.rules import Rules

ENVIRONMENT = "aws:elasticbeanstalk/environment:Environment"
TOKENS = sorted(CLOUD.rules)
LENGTHS = {
    "aws:iam/role:Role": ("iam", "CreateRole", "RoleName"),
    "aws:iam/rolePolicy:RolePolicy": ("iam", "PutRolePolicy", "PolicyName"),
    "aws:iam/instanceProfile:InstanceProfile": ("iam", "CreateInstanceProfile", "InstanceProfileName"),
    "aws:elasticbeanstalk/application:Application": ("elasticbeanstalk", "CreateApplication", "ApplicationName"),
    "aws:elasticbeanstalk/applicationVersion:ApplicationVersion": (
        "elasticbeanstalk",
        "CreateApplicationVersion",
        "VersionLabel",
    ),
    ENVIRONMENT: ("elasticbeanstalk", "CreateEnvironment", "EnvironmentName"),
    "aws:ec2/launchTemplate:LaunchTemplate": ("ec2", "CreateLaunchTemplate", "LaunchTemplateName"),
    "aws:autoscaling/group:Group": ("autoscaling", "CreateAutoScalingGroup", "AutoScalingGroupName"),
    "aws:autoscaling/policy:Policy": ("autoscaling", "PutScalingPolicy", "PolicyName"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "PutMetricAlarm", "AlarmName"),
    "aws:cloudwatch/logGroup:LogGroup": ("logs", "CreateLogGroup", "logGroupName"),
    "aws:secretsmanager/secret:Secret": ("secretsmanager", "CreateSecret", "Name"),
}
CLIENTS = {
    "ACM": "acm",
    "Auto Scaling": "autoscaling",
    "CloudWatch": "cloudwatch",
    "CloudWatch Logs": "logs",
    "EC2": "ec2",
    "Elastic Beanstalk": "elasticbeanstalk",
    "Elastic Load Balancing v2": "elbv2",
    "IAM": "iam",
    "Route 53": "route53",
    "S3": "s3",
    "SSM": "ssm",
    "Secrets Manager": "secretsmanager",
}


def first(path):
    return path.partition(".")[0].partition("[")[0]


def paths(rules: Rules):
    """Every property that the rules of a type speak of."""
    yield from rules.replace
    yield from (name for names in rules.replace_if.items() for name in (names[0], *names[1]))
    yield from (path for table in (rules.choices, rules.ranges, rules.patterns, rules.defaults) for path in table)
    yield from (path for group in (*rules.conflicts, *rules.one_of, *rules.any_of) for path in group)
    yield from (path for item in rules.references for path in (item.path, *(ours for ours, _ in item.within)))
    yield from rules.unique
    yield from [rules.name.property] if rules.name else []
    yield from [rules.protected[0]] if rules.protected else []


def problems(token, **inputs):
    return {problem.where: problem.fault for problem in CLOUD.rules[token].check(inputs)}


def test_every_type_of_the_schema_has_rules_and_every_function_an_answer():
    assert set(CLOUD.rules) == set(CLOUD.schema.resources)
    assert set(CLOUD.lookups) == set(CLOUD.schema.functions)
    assert set(CLOUD.behaviours) <= set(CLOUD.rules)


@pytest.mark.parametrize("token", TOKENS)
def test_what_the_rules_speak_of_exists(token):
    inputs = CLOUD.schema.resources[token].inputs
    assert {first(path) for path in paths(CLOUD.rules[token])} - set(inputs) == set()


@pytest.mark.parametrize("token", TOKENS)
def test_what_the_rules_make_up_is_an_output(token):
    shape, rules = CLOUD.schema.resources[token], CLOUD.rules[token]
    everything = {*shape.inputs, *(shape.outputs or ())}
    assert {*rules.outputs, *rules.renewed} - everything == set()
    for reference in rules.references:
        assert reference.to in CLOUD.rules
        other = CLOUD.schema.resources[reference.to]
        assert {*reference.by, reference.unless, *(theirs for _, theirs in reference.within)} - {
            *other.inputs,
            *(other.outputs or ()),
            "id",
            "",
        } <= {"forceDetachPolicies", "forceDestroy", "forceDelete"}


@pytest.mark.parametrize("token", TOKENS)
def test_the_calls_are_those_that_the_service_has(token):
    loaders = pytest.importorskip("botocore.session", reason="botocore, which describes AWS's calls, isn't installed")
    calls = CLOUD.rules[token].calls
    model = loaders.get_session().get_service_model(CLIENTS[calls.service.name])
    assert {calls.create, calls.read, calls.update, calls.delete} <= set(model.operation_names)


@pytest.mark.parametrize("token", sorted(LENGTHS))
def test_the_lengths_of_names_are_those_of_the_service(token):
    loaders = pytest.importorskip("botocore.session", reason="botocore, which describes AWS's calls, isn't installed")
    service, call, member = LENGTHS[token]
    model = loaders.get_session().get_service_model(service).operation_model(call)
    told, name = model.input_shape.members[member].metadata, CLOUD.rules[token].name
    assert (name.shortest, name.longest) == (told.get("min", name.shortest), told.get("max", name.longest))


@pytest.mark.parametrize(
    ("token", "name", "right"),
    [
        ("aws:iam/role:Role", "salary dev", "salary-dev"),
        ("aws:lb/loadBalancer:LoadBalancer", "-salary", "salary"),
        ("aws:lb/loadBalancer:LoadBalancer", "internal-salary", "salary-internal"),
        ("aws:ec2/securityGroup:SecurityGroup", "sg-salary", "salary sg"),
        (ENVIRONMENT, "salary_dev", "salary-dev"),
        (ENVIRONMENT, "dev", "dev1"),
        ("aws:elasticbeanstalk/applicationVersion:ApplicationVersion", "a/b", "a:b c"),
        ("aws:cloudwatch/logGroup:LogGroup", "/aws/salary dev", "/aws/salary.dev#1"),
    ],
)
def test_a_name_has_the_letters_that_its_service_takes(token, name, right):
    assert set(problems(token, name=name)) >= {"name"}
    assert "name" not in problems(token, name=right)


@pytest.mark.parametrize("name", ["Salary", "ab", "192.168.1.1", "a..b", "xn--a", "-abc", "abc-s3alias", "a" * 64])
def test_a_bucket_has_a_name_that_a_host_could_have(name):
    assert set(problems("aws:s3/bucket:Bucket", bucket=name)) == {"bucket"}


def test_a_bucket_with_a_good_name_passes():
    assert problems("aws:s3/bucket:Bucket", bucket="salary.artifacts-1") == {}


@pytest.mark.parametrize(("size", "fits"), [(16_384, True), (16_385, False)])
def test_user_data_has_its_limit_before_it_is_encoded(size, fits):
    data = base64.b64encode(b"x" * size).decode()
    found = problems("aws:ec2/launchTemplate:LaunchTemplate", userData=data)
    assert (found == {}) == fits
    instance = {"ami": "ami-0123456789abcdef0", "instanceType": "t3.small"}
    assert (problems("aws:ec2/instance:Instance", **instance, userData="x" * size) == {}) == fits


def test_the_user_data_of_a_template_is_base64():
    found = problems("aws:ec2/launchTemplate:LaunchTemplate", userData="#!/bin/sh")
    assert found == {"userData": "InvalidUserData.Malformed: Invalid BASE64 encoding of user data."}


@pytest.mark.parametrize(
    ("token", "inputs", "at"),
    [
        (
            ENVIRONMENT,
            {"solutionStackName": "64bit Amazon Linux 2023 v4.9.0 running Python 3.12", "platformArn": "arn"},
            "platformArn",
        ),
        (ENVIRONMENT, {"tier": "Webserver"}, "tier"),
        ("aws:lb/loadBalancer:LoadBalancer", {"subnets": ["a"]}, "subnets"),
        ("aws:lb/loadBalancer:LoadBalancer", {}, "subnets"),
        ("aws:lb/targetGroup:TargetGroup", {"healthCheck": {"interval": 4}}, "healthCheck.interval"),
        ("aws:lb/targetGroup:TargetGroup", {"healthCheck": {"path": "readyz"}}, "healthCheck.path"),
        ("aws:lb/listener:Listener", {"protocol": "HTTPS", "port": 443}, "certificateArn"),
        ("aws:autoscaling/group:Group", {"minSize": 3, "maxSize": 2, "launchTemplate": {"id": "lt"}}, "minSize"),
        ("aws:autoscaling/group:Group", {"minSize": 1, "maxSize": 2}, "launchTemplate"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.1/16"}, "cidrBlock"),
        (
            "aws:ec2/launchTemplate:LaunchTemplate",
            {"vpcSecurityGroupIds": ["sg"], "networkInterfaces": [{"securityGroups": ["sg"]}]},
            "networkInterfaces[].securityGroups",
        ),
        ("aws:ec2/instance:Instance", {"ami": "ubuntu", "instanceType": "t3.small"}, "ami"),
        ("aws:ec2/instance:Instance", {"ami": "ami-01234567", "instanceType": "small"}, "instanceType"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"ipProtocol": "-1"}, "cidrIpv4"),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            {"ipProtocol": "tcp", "cidrIpv4": "0.0.0.0/0", "toPort": 80},
            "fromPort",
        ),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{"}, "assumeRolePolicy"),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{}"}, "assumeRolePolicy"),
        ("aws:iam/rolePolicy:RolePolicy", {"policy": json.dumps({"Statement": ["x" * 10_240]})}, "policy"),
        ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", {"policyArn": "AmazonSSM"}, "policyArn"),
        ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 10}, "retentionInDays"),
        ("aws:route53/record:Record", {"type": "B", "records": ["1"]}, "type"),
        ("aws:s3/bucket:Bucket", {"tags": {"aws:x": "y"}}, "tags.aws:x"),
        ("aws:s3/bucket:Bucket", {"tags": {str(number): "y" for number in range(51)}}, "tags"),
    ],
)
def test_what_the_platform_refuses_is_refused_at_its_path(token, inputs, at):
    assert set(problems(token, **inputs)) == {at}


def setting(namespace, name, value="x"):
    return problems(ENVIRONMENT, settings=[{"namespace": namespace, "name": name, "value": value}])


@pytest.mark.parametrize(
    ("namespace", "name", "value"),
    [
        ("aws:elasticbeanstalk:command", "DeploymentPolicy", "Immutable"),
        ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath", "/readyz"),
        ("aws:elbv2:listener:443", "SSLCertificateArns", "arn:aws:acm:eu-central-1:1:certificate/x"),
        ("aws:elasticbeanstalk:application:environment", "ANYTHING", "at all"),
        ("aws:elasticbeanstalk:application:environmentsecrets", "TOKEN", "arn"),
        ("aws:elasticbeanstalk:trafficsplitting", "EvaluationTime", "600"),
    ],
)
def test_an_option_of_beanstalk_passes(namespace, name, value):
    assert setting(namespace, name, value) == {}


@pytest.mark.parametrize(
    ("namespace", "name", "value", "at"),
    [
        ("aws:elasticbeanstalk:comand", "DeploymentPolicy", "Immutable", "namespace"),
        ("aws:elasticbeanstalk:command", "DeployPolicy", "Immutable", "name"),
        ("aws:elasticbeanstalk:command", "DeploymentPolicy", "immutable", "value"),
        ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath", "readyz", "value"),
        ("aws:elasticbeanstalk:trafficsplitting", "EvaluationTime", "601", "value"),
        ("aws:elbv2:loadbalancer", "LoadBalancerType", "application", "name"),
    ],
)
def test_an_option_that_beanstalk_does_not_know_is_refused(namespace, name, value, at):
    assert list(setting(namespace, name, value)) == [f"settings[0].{at}"]


def test_a_mistyped_option_is_answered_with_the_nearest_one():
    inputs = {"settings": [{"namespace": "aws:elasticbeanstalk:command", "name": "DeploymentPolcy", "value": "x"}]}
    (problem,) = options.check(inputs)
    assert problem.remedy == "did you mean 'DeploymentPolicy'?"
    assert "Unknown configuration setting." in problem.fault


def test_the_options_with_listed_values_are_options():
    for namespace, name in options.VALUES:
        assert name in options.NAMESPACES[namespace]


def test_solution_stacks_are_called_as_our_own_rule_asks():
    rules = CLOUD.rules[ENVIRONMENT]
    assert all(not list(rules.check({"solutionStackName": name})) for name in lookups.SOLUTION_STACKS)


def test_a_policy_of_two_kilobytes_is_too_long_for_trust_alone():
    long = json.dumps({"Statement": ["x" * checks.USER_DATA_LIMIT]})
    assert "LimitExceeded" in problems("aws:iam/role:Role", assumeRolePolicy=long)["assumeRolePolicy"]
