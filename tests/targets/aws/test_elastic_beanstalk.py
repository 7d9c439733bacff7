from __future__ import annotations

import pytest
from pydantic import ValidationError
from recorder import record

from bentoship.deployment import ReleaseRef
from bentoship.errors import InvalidConfiguration
from bentoship.targets.aws.elastic_beanstalk import ElasticBeanstalk
from golden import HTTP, HTTPS, NEWEST, OLDER, SECRETS, Case


def declare(fields=HTTP, replicas=1, releases=(NEWEST, OLDER), **more):
    workload = Case("aws/elastic_beanstalk", replicas=replicas).workload(releases)
    return record(ElasticBeanstalk.model_validate({**fields, **more}), workload)


def of(declared, kind):
    return [each for each in declared["resources"] if each["type"].rpartition(":")[2] == kind]


def one(declared, kind):
    (found,) = of(declared, kind)
    return found


def settings(declared):
    found = one(declared, "Environment")["inputs"]["settings"]["secret"]
    return {(each["namespace"].removeprefix("aws:"), each["name"]): each["value"] for each in found}


GET_SECRET, GET_PARAMETER = "secretsmanager:GetSecretValue", "ssm:GetParameter"


def statements(policy):
    """Action and resources of each statement that has one action."""
    found = policy["as JSON"]["Statement"]
    return [(each["Action"], each["Resource"]) for each in found if isinstance(each["Action"], str)]


def statements_of(declared):
    """What the machines may do."""
    (allowed,) = [each for each in of(declared, "RolePolicy") if each["name"].endswith("-machine")]
    return statements(allowed["inputs"]["policy"])


def test_every_kept_release_is_a_version_and_the_environment_points_at_one():
    declared = declare()
    labels = {each["inputs"]["name"] for each in of(declared, "ApplicationVersion")}
    assert labels == {f"r-{NEWEST.short}", f"r-{OLDER.short}"}
    assert one(declared, "Environment")["inputs"]["version"] == f"r-{NEWEST.short}"


def test_going_back_moves_the_pointer_and_the_name_that_answers_carry():
    forth, back = declare(), declare(releases=(OLDER, NEWEST))
    assert one(back, "Environment")["inputs"]["version"] == f"r-{OLDER.short}"
    moved = [dict(settings(each)) for each in (forth, back)]
    named = [each.pop(("elasticbeanstalk:application:environment", "BENTOSHIP_RELEASE")) for each in moved]
    assert named == [NEWEST.id, OLDER.id]
    assert moved[0] == moved[1]
    others = [{**one(each, "Environment")["inputs"], "version": "", "settings": []} for each in (forth, back)]
    assert others[0] == others[1]


def test_secrets_are_names_of_what_the_instances_may_fetch_and_nothing_more():
    declared = declare(secrets=SECRETS)
    kept = {name: arn for (space, name), arn in settings(declared).items() if space.endswith("environmentsecrets")}
    assert kept == SECRETS
    fetched = {action: on for action, on in statements_of(declared) if action in {GET_SECRET, GET_PARAMETER}}
    assert fetched == {GET_SECRET: [SECRETS["API_KEY"]], GET_PARAMETER: [SECRETS["TOKEN"]]}
    assert not {GET_SECRET, GET_PARAMETER} & {action for action, _ in statements_of(declare())}


def test_a_secret_that_is_a_variable_as_well_is_told():
    with pytest.raises(InvalidConfiguration, match=r"secrets.MODE: is a variable as well"):
        declare(secrets={"MODE": SECRETS["TOKEN"]})


def test_a_secret_is_an_arn():
    with pytest.raises(ValidationError, match=r"secrets\.API_KEY"):
        ElasticBeanstalk.model_validate({**HTTP, "secrets": {"API_KEY": "sesame"}})


def test_what_beanstalk_really_runs_is_checked_before_the_gate():
    declared = declare()
    checked = one(declared, "BeanstalkVersion")
    assert checked["inputs"]["label"] == f"r-{NEWEST.short}"
    gate = one(declared, "Gate")
    assert f"bentoship:aws:BeanstalkVersion::{checked['name']}" in gate["options"]["depends_on"]


def test_settings_are_sorted_strings_so_that_nothing_changes_by_itself():
    found = one(declare(replicas=3), "Environment")["inputs"]["settings"]["secret"]
    assert found == sorted(found, key=lambda each: (each["namespace"], each["name"]))
    assert {each["resource"] for each in found} == {""}


def test_one_replica_is_one_instance_without_a_load_balancer():
    found = settings(declare())
    assert found["elasticbeanstalk:environment", "EnvironmentType"] == "SingleInstance"
    assert not [name for space, name in found if "elbv2" in space]


def test_more_replicas_are_balanced_and_scaled():
    found = settings(declare(replicas=3))
    assert found["elasticbeanstalk:environment", "LoadBalancerType"] == "application"
    assert (found["autoscaling:asg", "MinSize"], found["autoscaling:asg", "MaxSize"]) == ("3", "6")
    assert found["autoscaling:trigger", "MeasureName"] == "CPUUtilization"


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_deployment_is_immutable_and_asks_whether_it_is_ready(replicas):
    found = settings(declare(replicas=replicas))
    assert found["elasticbeanstalk:command", "DeploymentPolicy"] == "Immutable"
    assert found["elasticbeanstalk:application", "Application Healthcheck URL"] == "/readyz"


def test_a_canary_is_a_split_of_the_traffic():
    workload = Case("aws/elastic_beanstalk", replicas=3, canary=25).workload()
    found = settings(record(ElasticBeanstalk.model_validate({**HTTP, "canary_minutes": 30}), workload))
    assert found["elasticbeanstalk:command", "DeploymentPolicy"] == "TrafficSplitting"
    assert found["elasticbeanstalk:trafficsplitting", "NewVersionPercent"] == "25"
    assert found["elasticbeanstalk:trafficsplitting", "EvaluationTime"] == "30"


def test_a_canary_needs_a_load_balancer():
    with pytest.raises(InvalidConfiguration, match="behind a load balancer"):
        Case("aws/elastic_beanstalk", HTTP, canary=10).declared()


def test_https_is_what_the_load_balancer_speaks_and_port_80_sends_there():
    declared = declare(HTTPS)
    found = settings(declared)
    assert found["elbv2:listener:443", "Protocol"] == "HTTPS"
    assert found["elbv2:listener:default", "ListenerEnabled"] == "false"
    assert one(declared, "Listener")["inputs"]["defaultActions"][0]["type"] == "redirect"
    assert declared["url"] == "https://salary.example.com"


def test_launch_templates_are_forced_and_ssh_is_shut():
    found = settings(declare())
    assert found["autoscaling:launchconfiguration", "DisableIMDSv1"] == "true"
    assert found["autoscaling:launchconfiguration", "RootVolumeType"] == "gp3"
    assert found["autoscaling:launchconfiguration", "SSHSourceRestriction"].endswith("127.0.0.1/32")
    assert ("autoscaling:launchconfiguration", "EC2KeyName") not in found


def test_variables_reach_the_service():
    assert settings(declare())["elasticbeanstalk:application:environment", "MODE"] == "careful"


def test_variables_that_the_platform_would_refuse_are_told_with_the_number():
    workload = Case("aws/elastic_beanstalk").workload()
    large = type(workload)(**{**workload.__dict__, "variables": {"LONG": "x" * 5000}})
    with pytest.raises(InvalidConfiguration, match="5,089 bytes, and Elastic Beanstalk takes 4,096"):
        record(ElasticBeanstalk.model_validate(HTTP), large)


def test_logs_are_kept_as_long_as_was_said():
    found = settings(declare(log_retention_days=7))
    kept = {space: value for (space, name), value in found.items() if name == "RetentionInDays"}
    assert set(kept.values()) == {"7"}
    assert len(kept) == 2


@pytest.mark.parametrize("days", [0, 2, 31])
def test_cloudwatch_keeps_logs_for_certain_times_only(days):
    with pytest.raises(ValidationError):
        ElasticBeanstalk.model_validate({**HTTP, "log_retention_days": days})


def test_a_platform_that_is_published_later_changes_nothing():
    assert "solutionStackName" in one(declare(), "Environment")["options"]["ignore_changes"]


def test_another_python_gets_an_environment_of_its_own():
    other = ReleaseRef(id="c" * 64, bento="salary", python="3.13")
    assert one(declare(), "Environment")["name"].endswith("-py312")
    assert one(declare(releases=(other,)), "Environment")["name"].endswith("-py313")
