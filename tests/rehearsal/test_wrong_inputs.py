"""Twenty wrong inputs of five kinds: the double refuses each with its path; Pulumi's own mocks let most of them pass.

Each is asked of the provider's own process, as the engine would, and then of `pulumi.runtime.set_mocks`.
"""

from __future__ import annotations

import grpc
import pytest
from rehearsed import TRUST, check, create, provider
from wrong import Wrong, ask_mocks

from bentoship.rehearsal.world import World

ENVIRONMENT = "aws:elasticbeanstalk/environment:Environment"
TARGETS = "aws:lb/targetGroup:TargetGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ROLE = "aws:iam/role:Role"
BUCKET = "aws:s3/bucket:Bucket"
GROUP = "aws:autoscaling/group:Group"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
OPTION = {"namespace": "aws:elasticbeanstalk:command", "name": "DeploymentPolicy", "value": "Immutable"}
SSM = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
IMAGE = {"ami": "ami-0123456789abcdef0", "instanceType": "t3.small"}


def without(table: dict, name: str) -> dict:
    return {key: value for key, value in table.items() if key != name}


TABLE = [
    Wrong("unknown property", "bucketName", BUCKET, {"bucketName": "artifacts"}, "refused"),
    Wrong("unknown property", "healthCheck.pth", TARGETS, {"healthCheck": {"pth": "/readyz"}}, "passes"),
    Wrong("unknown property", "metadataOptions.httpToken", TEMPLATE, {"metadataOptions": {"httpToken": "x"}}, "passes"),
    Wrong(
        "unknown property",
        "settings[0].nme",
        ENVIRONMENT,
        {"application": "a", "settings": [{**OPTION, "nme": "x"}]},
        "passes",
    ),
    Wrong("wrong type", "minSize", GROUP, {"minSize": "one", "maxSize": 1}, "passes"),
    Wrong("wrong type", "tags.team", ROLE, {"assumeRolePolicy": TRUST, "tags": {"team": 5}}, "passes"),
    Wrong("wrong type", "forceDestroy", BUCKET, {"forceDestroy": "yes"}, "passes"),
    Wrong(
        "wrong type",
        "settings[0].value",
        ENVIRONMENT,
        {"application": "a", "settings": [{**OPTION, "value": 3}]},
        "passes",
    ),
    Wrong("missing property", "assumeRolePolicy", ROLE, {}, "refused"),
    Wrong(
        "missing property",
        "defaultActions[0].type",
        "aws:lb/listener:Listener",
        {"loadBalancerArn": "arn", "port": 80, "defaultActions": [{"targetGroupArn": "arn"}]},
        "passes",
    ),
    Wrong(
        "missing property",
        "settings[0].value",
        ENVIRONMENT,
        {"application": "a", "settings": [without(OPTION, "value")]},
        "passes",
    ),
    Wrong(
        "missing property",
        "fromPort",
        RULE,
        {"securityGroupId": "sg-1", "ipProtocol": "tcp", "toPort": 80, "cidrIpv4": "0.0.0.0/0"},
        "passes",
    ),
    Wrong("name too long", "name", ROLE, {"assumeRolePolicy": TRUST, "name": "x" * 65}, "passes"),
    Wrong("name too long", "name", TARGETS, {"name": "x" * 33}, "passes"),
    Wrong("name too long", "name", ENVIRONMENT, {"application": "a", "name": "x" * 41}, "passes"),
    Wrong("name too long", "bucket", BUCKET, {"bucket": "x" * 64}, "passes"),
    Wrong(
        "reference to nothing",
        "role",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        {"role": "nothing", "policyArn": SSM},
        "passes",
    ),
    Wrong(
        "reference to nothing",
        "bucket",
        "aws:s3/bucketObjectv2:BucketObjectv2",
        {"bucket": "nothing", "key": "k", "content": "x"},
        "passes",
    ),
    Wrong("reference to nothing", "subnetId", "aws:ec2/instance:Instance", {**IMAGE, "subnetId": "subnet-0"}, "passes"),
    Wrong(
        "reference to nothing",
        "launchTemplate.id",
        GROUP,
        {"minSize": 1, "maxSize": 1, "launchTemplate": {"id": "lt-0", "version": "1"}},
        "passes",
    ),
]
NAMES = [f"{number + 1} {wrong.kind}: {wrong.path}" for number, wrong in enumerate(TABLE)]


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    with provider(tmp_path_factory.mktemp("worlds")) as found:
        yield found


@pytest.fixture(scope="module")
def under_mocks():
    """What the mocks say to each of the table, all asked in one process."""
    pytest.importorskip("pulumi_aws", reason="pulumi-aws, whose constructors are asked, isn't installed")
    return ask_mocks("pulumi_aws", TABLE)


def test_there_are_twenty_of_five_kinds():
    kinds = [wrong.kind for wrong in TABLE]
    assert len(TABLE) == 20
    assert {kinds.count(kind) for kind in kinds} == {4}
    assert len(set(kinds)) == 5


@pytest.mark.parametrize("wrong", TABLE, ids=NAMES)
def test_the_double_refuses_it_with_its_path(stub, wrong):
    completed, failures = check(stub, wrong.token, wrong.inputs)
    if wrong.kind != "reference to nothing":
        assert list(failures) == [wrong.path]
        return
    assert failures == {}
    with pytest.raises(grpc.RpcError) as refusal:
        create(stub, wrong.token, completed)
    assert refusal.value.details().startswith(f"{wrong.path}: operation error ")


def test_what_was_refused_does_not_exist(tmp_path):
    with provider(tmp_path) as stub:
        for wrong in TABLE[16:]:
            completed, _ = check(stub, wrong.token, wrong.inputs)
            with pytest.raises(grpc.RpcError):
                create(stub, wrong.token, completed)
    assert [item for item in World.of("aws", tmp_path).every() if not item.given] == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(TABLE)), ids=NAMES)
def test_what_pulumis_own_mocks_say_to_it(under_mocks, number):
    assert under_mocks[number] == TABLE[number].mocks


WRONG_PROGRAMS = {
    "healthCheck.pth": 'aws.lb.TargetGroup("t", health_check={"pth": "/readyz"})',
    "tags.team": 'aws.iam.Role("r", assume_role_policy=TRUST, tags={"team": 5})',
    "defaultActions[0].type": 'aws.lb.Listener("l", load_balancer_arn="a", port=80, default_actions=[{"order": 1}])',
    "name": 'aws.iam.Role("r", assume_role_policy=TRUST, name="x" * 65)',
    "role": f'aws.iam.RolePolicyAttachment("a", role="nothing", policy_arn="{SSM}")',
}


@pytest.mark.slow
@pytest.mark.parametrize("path", WRONG_PROGRAMS)
def test_the_engine_ends_with_the_path_for_each_kind(rehearsed, path):
    from bentoship.errors import UpdateFailed

    rehearsed.program(WRONG_PROGRAMS[path])
    with pytest.raises(UpdateFailed) as failure:
        rehearsed.stack.up()
    assert path in str(failure.value)
    assert "Traceback" not in str(failure.value)
