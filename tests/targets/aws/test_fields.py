"""What the targets on AWS take, and how they refuse the rest."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bentoship import environments, targets
from bentoship.deployment import Scale
from bentoship.errors import InvalidConfiguration
from bentoship.project import Project

both = pytest.mark.parametrize("name", ["aws/ec2", "aws/elastic_beanstalk"])
REGION = {"region": "eu-central-1"}


def make(name, **fields):
    return targets.find(name).model_validate(REGION | fields)


@both
@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "either `domain`, for HTTPS, or `http: true`"),
        ({"http": True, "domain": "a.example.com"}, "either `domain`, for HTTPS, or `http: true`"),
        ({"http": True, "hosted_zone": "Z1"}, "`hosted_zone` says nothing without `domain`"),
        ({"http": True, "vpc": "vpc-1"}, "`vpc` and `public_subnets` are given together"),
        ({"http": True, "public_subnets": ["subnet-1"]}, "`vpc` and `public_subnets` are given together"),
        ({"http": True, "private_subnets": ["subnet-1"]}, "`private_subnets` says nothing without `vpc`"),
        ({"http": True, "region": "Frankfurt"}, "region"),
        ({"http": True, "region": "cn-north-1"}, "region"),
        ({"http": True, "tags": {str(number): "x" for number in range(10)}}, "at most 9 items"),
        ({"domain": "https://a.example.com"}, "domain"),
        ({"http": True, "instance_type": "big"}, "instance_type"),
        ({"http": True, "alarm_topic": "someone@example.com"}, "alarm_topic"),
        ({"http": True, "disk_gb": 1}, "disk_gb"),
        ({"http": True, "instance_type": "t4g.small"}, "ARM processor"),
        ({"http": True, "instance_type": "is4gen.large"}, "ARM processor"),
        ({"http": True, "tags": {"cost": "R&D"}}, "cost: R&D is no tag"),
        ({"http": True, "tags": {"aws:x": "y"}}, "begins with aws:"),
        ({"http": True, "tags": {"x": "y" * 257}}, "x is too long"),
        ({"domain": f"{'a' * 60}.example.com"}, "`domain` has 72 letters, and a certificate takes 64"),
    ],
)
def test_what_cannot_be_is_refused(name, fields, fault):
    with pytest.raises(ValidationError, match=fault):
        make(name, **fields)


@both
@pytest.mark.parametrize("instance_type", ["t3.small", "g4dn.xlarge", "gr6.4xlarge", "m7i-flex.large", "r7iz.large"])
def test_machines_that_run_a_release_are_taken(name, instance_type):
    assert make(name, http=True, instance_type=instance_type).instance_type == instance_type


@both
@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "ca-central-1", "ap-southeast-4"])
def test_regions_are_what_aws_calls_them(name, region):
    assert make(name, http=True, region=region).region == region


@both
def test_a_load_balancer_stands_before_many_and_where_there_is_a_certificate(name):
    plain, secure = make(name, http=True), make(name, domain="a.example.com")
    many = Scale(min_replicas=2, max_replicas=2)
    assert not plain.is_balanced(Scale())
    assert not plain.is_balanced(Scale(max_replicas=6))
    assert plain.is_balanced(many)
    assert secure.is_balanced(Scale())


@both
def test_an_environment_file_is_told_where_it_is_wrong(name, tmp_path):
    (tmp_path / "bentofile.yaml").touch()
    (tmp_path / "environments").mkdir()
    file = tmp_path / "environments" / "staging.yaml"
    file.write_text(
        f"deployments:\n  eu: {{target: {name}, http: true}}\n  us: {{target: {name}, region: us-east-1}}\n"
    )
    with pytest.raises(InvalidConfiguration) as failure:
        environments.load(Project(tmp_path), "staging")
    assert [problem.where for problem in failure.value.problems] == [
        "environments/staging.yaml: deployments.eu.region",
        "environments/staging.yaml: deployments.us",
    ]
