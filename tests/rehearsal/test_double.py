"""The double in this process: what it completes, refuses, makes up and replaces."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rehearsed import REGION, TRUST, double

from bentoship.errors import BentoshipError, InvalidConfiguration
from bentoship.provider.properties import UNKNOWN
from bentoship.provider.server import HalfDone, Proposal
from bentoship.rehearsal import faults
from bentoship.rehearsal.aws.behaviours import stored
from bentoship.rehearsal.refusal import Refused
from bentoship.rehearsal.world import World

ROLE, ATTACHMENT = "aws:iam/role:Role", "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
PROFILE, POLICY = "aws:iam/instanceProfile:InstanceProfile", "aws:iam/rolePolicy:RolePolicy"
BUCKET, OBJECT = "aws:s3/bucket:Bucket", "aws:s3/bucketObjectv2:BucketObjectv2"
APPLICATION = "aws:elasticbeanstalk/application:Application"
VERSION = "aws:elasticbeanstalk/applicationVersion:ApplicationVersion"
ENVIRONMENT = "aws:elasticbeanstalk/environment:Environment"
VPC, SUBNET, GROUP = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup"
INSTANCE, TEMPLATE = "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate"
BALANCER, TARGETS, LISTENER = (
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:lb/targetGroup:TargetGroup",
    "aws:lb/listener:Listener",
)
SSM = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
FIRST, SECOND = Proposal(b"first"), Proposal(b"second")


def make(aws, token, logical="thing", /, **inputs):
    """What the engine does to create: check, then create. The id and the outputs."""
    completed, problems = aws.check(token, logical, aws.complete(token, logical, inputs, {}, FIRST))
    assert problems == []
    return aws.create(token, logical, completed)


def world_of(tmp_path):
    return World.of("aws", tmp_path)


class TestNames:
    def test_a_resource_without_a_name_gets_its_logical_one_and_seven_digits(self, aws):
        completed = aws.complete(ROLE, "vm", {"assumeRolePolicy": TRUST}, {}, FIRST)
        assert completed["name"].startswith("vm-")
        assert len(completed["name"]) == len("vm-") + 7

    def test_the_same_step_gives_the_same_name_and_another_step_another_one(self, aws):
        names = [aws.complete(ROLE, "vm", {}, {}, proposal)["name"] for proposal in (FIRST, FIRST, SECOND)]
        assert names[0] == names[1] != names[2]

    def test_a_made_up_name_stays_and_one_that_was_told_does_not(self, aws):
        old = aws.complete(ROLE, "vm", {}, {}, FIRST)
        assert aws.complete(ROLE, "vm", {}, old, SECOND)["name"] == old["name"]
        told = aws.complete(ROLE, "vm", {"name": "mine"}, {}, FIRST)
        assert told["name"] == "mine"
        assert aws.complete(ROLE, "vm", {}, told, SECOND)["name"] != "mine"

    @pytest.mark.parametrize(("token", "longest"), [(BALANCER, 32), (ENVIRONMENT, 40), (ROLE, 64)])
    def test_a_made_up_name_is_cut_to_what_its_service_takes(self, aws, token, longest):
        assert len(aws.complete(token, "x" * 100, {}, {}, FIRST)["name"]) == longest

    def test_a_bucket_gets_a_name_in_lowercase(self, aws):
        assert aws.complete(BUCKET, "Artifacts", {}, {}, FIRST)["bucket"].startswith("artifacts-")

    def test_the_projects_own_way_of_naming_wins(self, aws):
        assert aws.complete(ROLE, "vm", {}, {}, Proposal(b"", "vm-of-mine"))["name"] == "vm-of-mine"
        assert "name" not in aws.complete(ROLE, "vm", {}, {}, Proposal(b"", None, is_disabled=True))


class TestConfiguration:
    def test_default_tags_are_on_everything_that_has_tags(self, tmp_path):
        aws = double(tmp_path, defaultTags=json.dumps({"tags": {"stack": "dev", "team": "a"}}))
        _, outputs = make(aws, ROLE, assumeRolePolicy=TRUST, tags={"team": "b"})
        assert outputs["tagsAll"] == {"stack": "dev", "team": "b"}
        assert outputs["tags"] == {"team": "b"}
        assert [item.id for item in world_of(tmp_path).tagged({"stack": "dev"})] == [outputs["name"]]

    @pytest.mark.parametrize(("region", "words"), [("", "is missing"), ("eu-central-9", "is no region")])
    def test_a_region_that_is_none_is_refused(self, tmp_path, monkeypatch, region, words):
        monkeypatch.delenv("AWS_REGION", raising=False)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        with pytest.raises(InvalidConfiguration, match=words):
            double(tmp_path, region)

    def test_two_providers_make_things_in_their_regions_and_roles_in_neither(self, tmp_path):
        made = [double(tmp_path, region) for region in (REGION, "us-east-1")]
        for aws in made:
            aws.create(APPLICATION, "a", {"name": "salary"})
        made[0].create(ROLE, "vm", {"name": "vm", "assumeRolePolicy": TRUST})
        world = world_of(tmp_path)
        assert {item.region for item in world.every(APPLICATION)} == {REGION, "us-east-1"}
        assert {item.region for item in world.every(ROLE)} == {""}
        with pytest.raises(Refused, match="EntityAlreadyExists"):
            made[1].create(ROLE, "vm", {"name": "vm", "assumeRolePolicy": TRUST})


class TestOutputs:
    def test_ids_and_arns_have_the_shape_of_the_real_ones(self, aws):
        identity, outputs = make(aws, ROLE, "vm", assumeRolePolicy=TRUST)
        assert identity == outputs["name"]
        assert outputs["arn"] == f"arn:aws:iam::111122223333:role/{identity}"
        subnets = [make(aws, SUBNET, vpcId=make(aws, VPC, cidrBlock="10.0.0.0/16")[0], cidrBlock="10.0.0.0/24")[0]]
        subnets.append(aws.invoke("aws:ec2/getSubnets:getSubnets", {})["ids"][0])
        identity, outputs = make(aws, BALANCER, "front", subnets=subnets)
        assert identity == outputs["arn"]
        assert outputs["arn"].endswith(outputs["arnSuffix"])
        assert outputs["dnsName"].endswith(".eu-central-1.elb.amazonaws.com")

    def test_every_output_of_the_schema_is_there(self, aws):
        identity, outputs = make(aws, VPC, cidrBlock="10.0.0.0/16")
        assert identity.startswith("vpc-")
        assert outputs["enableDnsSupport"] is True
        assert outputs["region"] == REGION
        assert {"ipv6AssociationId", "ownerId", "defaultRouteTableId"} <= outputs.keys()

    def test_a_preview_knows_what_is_told_and_what_stays(self, aws):
        inputs = aws.complete(TEMPLATE, "vm", {"instanceType": "t3.small"}, {}, FIRST)
        first = aws.preview(TEMPLATE, inputs)
        assert (first["instanceType"], first["name"], first["arn"]) == ("t3.small", inputs["name"], UNKNOWN)
        _, outputs = aws.create(TEMPLATE, "vm", inputs)
        again = aws.preview(TEMPLATE, {**inputs, "instanceType": "t3.large"}, outputs)
        assert (again["arn"], again["latestVersion"]) == (outputs["arn"], UNKNOWN)

    def test_an_update_of_a_template_is_its_next_version(self, aws):
        inputs = aws.complete(TEMPLATE, "vm", {"instanceType": "t3.small", "updateDefaultVersion": True}, {}, FIRST)
        identity, outputs = aws.create(TEMPLATE, "vm", inputs)
        assert outputs["latestVersion"] == 1
        outputs = aws.update(TEMPLATE, identity, outputs, {**inputs, "instanceType": "t3.large"})
        assert (outputs["latestVersion"], outputs["defaultVersion"], outputs["instanceType"]) == (2, 2, "t3.large")


class TestDifferences:
    def test_nothing_changes_where_nothing_is_different(self, aws):
        inputs = aws.complete(ROLE, "vm", {"assumeRolePolicy": TRUST, "tags": {"a": "b"}}, {}, FIRST)
        assert aws.diff(ROLE, inputs, aws.complete(ROLE, "vm", dict(inputs), inputs, SECOND)).changed == ()

    @pytest.mark.parametrize(
        ("token", "old", "new", "replaced"),
        [
            (ROLE, {"path": "/"}, {"path": "/a/"}, ("path",)),
            (ROLE, {"description": "a"}, {"description": "b"}, ()),
            (ENVIRONMENT, {"version": "1"}, {"version": "2"}, ()),
            (ENVIRONMENT, {"cnamePrefix": "a"}, {"cnamePrefix": "b"}, ("cnamePrefix",)),
            (VERSION, {"key": "a"}, {"key": "b"}, ("key",)),
            (TARGETS, {"port": 80}, {"port": 81}, ("port",)),
            (TARGETS, {"deregistrationDelay": 30}, {"deregistrationDelay": 31}, ()),
            (
                INSTANCE,
                {"rootBlockDevice": {"encrypted": False}},
                {"rootBlockDevice": {"encrypted": True}},
                ("rootBlockDevice.encrypted",),
            ),
            (INSTANCE, {"userData": "a"}, {"userData": "b"}, ()),
            (INSTANCE, {"userData": "a"}, {"userData": "b", "userDataReplaceOnChange": True}, ("userData",)),
            (TARGETS, {"region": REGION}, {"region": "us-east-1"}, ("region",)),
            (LISTENER, {"port": 80}, {"port": UNKNOWN}, ()),
            (LISTENER, {"loadBalancerArn": "a"}, {"loadBalancerArn": UNKNOWN}, ("loadBalancerArn",)),
        ],
    )
    def test_a_change_is_in_place_or_a_replacement(self, aws, token, old, new, replaced):
        found = aws.diff(token, old, new)
        assert found.changed != ()
        assert found.replaced == replaced

    def test_what_keeps_a_name_that_was_told_goes_before_the_new_one_comes(self, aws):
        told = {"name": "vm", "path": "/"}
        assert aws.diff(ROLE, told, {**told, "path": "/a/"}).delete_first
        automatic = {**told, "__defaults": ["name"]}
        assert not aws.diff(ROLE, automatic, {**automatic, "name": "vm-2", "path": "/a/"}).delete_first

    def test_the_same_bytes_from_another_path_are_the_same(self, aws):
        signature = "4dabf18193072939515e22adb298388d"
        old, new = ({"source": {signature: "asset", "hash": "ab", "path": path}} for path in ("/a", "/b"))
        assert aws.diff(OBJECT, old, new).changed == ()


class TestReferences:
    def test_what_names_nothing_is_refused_with_the_path_in_the_words_of_the_cloud(self, aws):
        with pytest.raises(Refused) as failure:
            aws.create(ATTACHMENT, "a", {"role": "nothing", "policyArn": SSM})
        (problem,) = failure.value.problems
        assert problem.where == "role"
        assert problem.fault.startswith("operation error IAM: AttachRolePolicy, https response error StatusCode: 404")
        assert problem.fault.endswith("NoSuchEntity: The role with name nothing cannot be found.")

    def test_a_version_is_one_of_its_application_and_its_object_one_of_its_bucket(self, aws):
        for name in ("one", "two"):
            aws.create(APPLICATION, name, {"name": name})
            aws.create(BUCKET, name, {"bucket": name})
        aws.create(OBJECT, "o", {"bucket": "one", "key": "r.zip", "content": ""})
        with pytest.raises(Refused, match=r"^key: .*Unable to download from S3 location"):
            aws.create(VERSION, "v", {"name": "v", "application": "one", "bucket": "two", "key": "r.zip"})
        aws.create(VERSION, "v", {"name": "v", "application": "one", "bucket": "one", "key": "r.zip"})
        with pytest.raises(Refused, match=r"^version: .*No Application Version named 'v' found"):
            aws.create(ENVIRONMENT, "e", {"name": "envi", "application": "two", "version": "v"})

    def test_several_names_in_one_option_must_all_exist(self, aws):
        subnets = ",".join([*aws.invoke("aws:ec2/getSubnets:getSubnets", {})["ids"], "subnet-0"])
        aws.create(APPLICATION, "a", {"name": "a"})
        option = {"namespace": "aws:ec2:vpc", "name": "Subnets", "value": subnets}
        with pytest.raises(Refused, match=r"settings\[0\]\.value: .*subnet ID 'subnet-0' does not exist"):
            aws.create(ENVIRONMENT, "e", {"name": "envi", "application": "a", "settings": [option]})

    def test_a_resource_of_another_region_is_not_there(self, tmp_path):
        here, there = double(tmp_path), double(tmp_path, "us-east-1")
        vpc, _ = make(here, VPC, cidrBlock="10.0.0.0/16")
        with pytest.raises(Refused, match=r"InvalidVpcID\.NotFound"):
            there.create(SUBNET, "s", {"vpcId": vpc, "cidrBlock": "10.0.0.0/24"})

    def test_a_name_that_is_taken_is_refused(self, aws):
        aws.create(BUCKET, "b", {"bucket": "artifacts"})
        with pytest.raises(Refused, match=r"^bucket: .*BucketAlreadyOwnedByYou"):
            aws.create(BUCKET, "b", {"bucket": "artifacts"})

    def test_a_call_that_overwrites_takes_a_name_that_is_taken(self, aws):
        body = {"dashboardName": "salary", "dashboardBody": "{}"}
        assert len({aws.create("aws:cloudwatch/dashboard:Dashboard", name, body)[0] for name in "ab"}) == 1

    def test_two_gateways_without_a_network_are_not_in_each_others_way(self, aws):
        assert (
            make(aws, "aws:ec2/internetGateway:InternetGateway")[0]
            != make(aws, "aws:ec2/internetGateway:InternetGateway")[0]
        )

    def test_a_second_listener_on_a_port_is_refused(self, aws):
        subnets = aws.invoke("aws:ec2/getSubnets:getSubnets", {})["ids"]
        balancer, _ = make(aws, BALANCER, subnets=subnets)
        listener = {"loadBalancerArn": balancer, "port": 80, "defaultActions": []}
        aws.create(LISTENER, "l", listener)
        with pytest.raises(Refused, match="DuplicateListener"):
            aws.create(LISTENER, "l", listener)


class TestDeleting:
    def refuse(self, aws, token, identity, outputs, words):
        with pytest.raises(Refused, match=words):
            aws.delete(token, identity, outputs)

    def test_a_role_with_policies_or_a_profile_stays(self, aws):
        role, outputs = make(aws, ROLE, assumeRolePolicy=TRUST)
        policy = json.dumps({"Statement": [{}]})
        for token, inputs, words in (
            (ATTACHMENT, {"policyArn": SSM}, "must detach all policies first"),
            (POLICY, {"policy": policy}, "must delete policies first"),
            (PROFILE, {}, "must remove roles from instance profile first"),
        ):
            held, held_outputs = make(aws, token, role=role, **inputs)
            self.refuse(aws, ROLE, role, outputs, words)
            aws.delete(token, held, held_outputs)
        aws.delete(ROLE, role, outputs)

    def test_a_bucket_with_something_in_it_stays_unless_it_may_go_with_it(self, aws, tmp_path):
        for name, force in (("kept", False), ("forced", True)):
            _, outputs = make(aws, BUCKET, bucket=name, forceDestroy=force)
            aws.create(OBJECT, "o", {"bucket": name, "key": "k", "content": "x"})
            if force:
                aws.delete(BUCKET, name, outputs)
            else:
                self.refuse(aws, BUCKET, name, outputs, "BucketNotEmpty")
        assert [item.id for item in world_of(tmp_path).every(OBJECT)] == ["kept/k"]

    def test_a_version_that_runs_stays(self, aws):
        aws.create(APPLICATION, "a", {"name": "a"})
        aws.create(BUCKET, "b", {"bucket": "bbb"})
        aws.create(OBJECT, "o", {"bucket": "bbb", "key": "k", "content": "x"})
        version = {"name": "v", "application": "a", "bucket": "bbb", "key": "k"}
        _, outputs = aws.create(VERSION, "v", version)
        environment, more = aws.create(ENVIRONMENT, "e", {"name": "envi", "application": "a", "version": "v"})
        self.refuse(aws, VERSION, "v", outputs, "is currently deployed to an environment")
        aws.delete(ENVIRONMENT, environment, more)
        aws.delete(VERSION, "v", outputs)

    def test_a_network_with_something_in_it_stays(self, aws):
        vpc, outputs = make(aws, VPC, cidrBlock="10.0.0.0/16")
        subnet, of_subnet = make(aws, SUBNET, vpcId=vpc, cidrBlock="10.0.0.0/24")
        group, of_group = make(aws, GROUP, vpcId=vpc)
        image = {"ami": "ami-0123456789abcdef0", "instanceType": "t3.small"}
        instance, of_instance = make(aws, INSTANCE, **image, subnetId=subnet, vpcSecurityGroupIds=[group])
        self.refuse(aws, VPC, vpc, outputs, "DependencyViolation.* ec2")
        self.refuse(aws, SUBNET, subnet, of_subnet, "DependencyViolation.*ec2.Instance")
        self.refuse(aws, GROUP, group, of_group, f"resource {group} has a dependent object")
        for token, identity, known in (
            (INSTANCE, instance, of_instance),
            (GROUP, group, of_group),
            (SUBNET, subnet, of_subnet),
            (VPC, vpc, outputs),
        ):
            aws.delete(token, identity, known)

    def test_what_is_protected_stays(self, aws):
        image = {"ami": "ami-0123456789abcdef0", "instanceType": "t3.small"}
        identity, outputs = make(aws, INSTANCE, **image, disableApiTermination=True)
        self.refuse(aws, INSTANCE, identity, outputs, "OperationNotPermitted")

    def test_what_is_gone_already_is_no_error(self, aws):
        role, outputs = make(aws, ROLE, assumeRolePolicy=TRUST)
        aws.delete(ROLE, role, outputs)
        aws.delete(ROLE, role, outputs)


class TestReading:
    def test_drift_is_seen_and_what_is_gone_is_gone(self, aws, tmp_path):
        inputs = aws.complete(ROLE, "vm", {"assumeRolePolicy": TRUST, "description": "a"}, {}, FIRST)
        identity, outputs = aws.create(ROLE, "vm", inputs)
        assert aws.read(ROLE, identity, inputs, outputs)["description"] == "a"
        world_of(tmp_path).change(identity, {"description": "b"})
        assert aws.read(ROLE, identity, inputs, outputs)["description"] == "b"
        world_of(tmp_path).delete(identity)
        assert aws.read(ROLE, identity, inputs, outputs) is None

    def test_a_property_that_somebody_took_away_is_seen_as_nothing(self, aws, tmp_path):
        inputs = aws.complete(ROLE, "vm", {"assumeRolePolicy": TRUST, "tags": {"a": "b"}}, {}, FIRST)
        identity, outputs = aws.create(ROLE, "vm", inputs)
        world_of(tmp_path).change(identity, {"tags": None})
        assert aws.read(ROLE, identity, inputs, outputs)["tags"] is None


class TestObjects:
    def test_the_bytes_of_a_file_are_in_the_store_until_it_is_deleted(self, aws, tmp_path):
        file = tmp_path / "r.zip"
        file.write_bytes(b"\x00release")
        source = {"4dabf18193072939515e22adb298388d": "asset", "hash": "ab", "path": str(file)}
        aws.create(BUCKET, "b", {"bucket": "bbb"})
        inputs = {"bucket": "bbb", "key": "releases/r.zip", "source": source, "checksumAlgorithm": "SHA256"}
        identity, outputs = aws.create(OBJECT, "o", inputs)
        path = stored(world_of(tmp_path), "bbb", "releases/r.zip")
        assert path.read_bytes() == b"\x00release"
        assert outputs["etag"] == hashlib.md5(b"\x00release").hexdigest()  # noqa: S324 - what S3 answers
        assert outputs["checksumSha256"]
        aws.delete(OBJECT, identity, outputs)
        assert not path.exists()

    @pytest.mark.parametrize("said", [{"content": "hi"}, {"contentBase64": "aGk="}])
    def test_an_object_may_be_told_instead(self, aws, tmp_path, said):
        aws.create(BUCKET, "b", {"bucket": "bbb"})
        aws.create(OBJECT, "o", {"bucket": "bbb", "key": "k", **said})
        assert stored(world_of(tmp_path), "bbb", "k").read_bytes() == b"hi"

    def test_a_file_that_is_not_there_is_named(self, aws):
        aws.create(BUCKET, "b", {"bucket": "bbb"})
        source = {"4dabf18193072939515e22adb298388d": "asset", "path": "/no/such/file"}
        with pytest.raises(BentoshipError, match="/no/such/file"):
            aws.create(OBJECT, "o", {"bucket": "bbb", "key": "k", "source": source})


class TestFaults:
    def arm(self, tmp_path: Path, *words: str) -> World:
        world = world_of(tmp_path)
        faults.arm(world, faults.parse(words))
        return world

    def test_a_call_that_is_refused_leaves_nothing(self, aws, tmp_path):
        world = self.arm(tmp_path, "iam.Role.create = quota")
        with pytest.raises(Refused, match=r"CreateRole.*LimitExceeded: Cannot exceed quota for RolesPerAccount"):
            make(aws, ROLE, assumeRolePolicy=TRUST)
        assert world.every(ROLE) == []
        make(aws, ROLE, assumeRolePolicy=TRUST)

    @pytest.mark.parametrize(
        ("token", "call", "kind", "words"),
        [
            (ROLE, "CreateRole", "throttling", "StatusCode: 503.*Throttling: Rate exceeded"),
            (ROLE, "CreateRole", "permission", "StatusCode: 403.*AccessDenied: User: arn:aws:sts.*iam:CreateRole"),
            (ROLE, "CreateRole", "internal", "StatusCode: 500.*InternalFailure"),
            (VPC, "CreateVpc", "throttling", "RequestLimitExceeded"),
            (VPC, "CreateVpc", "permission", "UnauthorizedOperation.*ec2:CreateVpc"),
            (VPC, "CreateVpc", "quota", "VpcLimitExceeded"),
            (BUCKET, "CreateBucket", "throttling", "SlowDown"),
        ],
    )
    def test_each_service_refuses_in_its_own_words(self, aws, tmp_path, token, call, kind, words):
        self.arm(tmp_path, f"{call} = {kind}")
        inputs = {ROLE: {"assumeRolePolicy": TRUST}, VPC: {"cidrBlock": "10.0.0.0/16"}, BUCKET: {}}
        with pytest.raises(Refused, match=words):
            make(aws, token, **inputs[token])

    def test_what_breaks_off_half_way_is_there_without_what_came_later(self, aws, tmp_path):
        world = self.arm(tmp_path, "iam.Role.create@half-way = throttling")
        with pytest.raises(HalfDone) as failure:
            make(aws, ROLE, assumeRolePolicy=TRUST, tags={"a": "b"}, description="x")
        (role,) = world.every(ROLE)
        assert failure.value.identity == role.id
        assert not role.finished
        assert "description" not in role.properties
        assert role.tags == {}
        inputs = {"name": role.id, "assumeRolePolicy": TRUST, "description": "x"}
        assert aws.read(ROLE, role.id, inputs, failure.value.outputs)["description"] is None
        aws.update(ROLE, role.id, failure.value.outputs, inputs)
        (role,) = world.every(ROLE)
        assert role.finished

    def test_an_update_that_breaks_off_has_changed_half(self, aws, tmp_path):
        inputs = aws.complete(ROLE, "vm", {"assumeRolePolicy": TRUST, "description": "a"}, {}, FIRST)
        identity, outputs = aws.create(ROLE, "vm", inputs)
        self.arm(tmp_path, "iam.Role.update@half-way = internal")
        with pytest.raises(HalfDone):
            aws.update(ROLE, identity, outputs, {**inputs, "description": "b", "maxSessionDuration": 7200})
        now = aws.read(ROLE, identity, inputs, outputs)
        assert (now["description"], now["maxSessionDuration"]) == ("b", 3600)

    def test_an_answer_that_got_lost_leaves_an_orphan(self, aws, tmp_path):
        world = self.arm(tmp_path, "iam.Role.create@after = internal")
        with pytest.raises(Refused):
            make(aws, ROLE, assumeRolePolicy=TRUST)
        assert [item.finished for item in world.every(ROLE)] == [True]

    def test_a_delete_that_is_refused_leaves_everything_and_one_that_got_lost_nothing(self, aws, tmp_path):
        identity, outputs = make(aws, ROLE, assumeRolePolicy=TRUST)
        world = self.arm(tmp_path, "iam.Role.delete = quota", "iam.Role.delete@after = internal")
        for left in (1, 0):
            with pytest.raises(Refused):
                aws.delete(ROLE, identity, outputs)
            assert len(world.every(ROLE)) == left

    def test_a_slow_call_is_slow_and_nothing_else(self, aws, tmp_path):
        world = self.arm(tmp_path, "iam.Role.create = slow 1200")
        make(aws, ROLE, assumeRolePolicy=TRUST)
        assert faults.left(world) == ()

    def test_a_look_up_can_be_refused_as_well(self, aws, tmp_path):
        self.arm(tmp_path, "getAmi = throttling")
        with pytest.raises(Refused, match="RequestLimitExceeded"):
            aws.invoke("aws:ec2/getAmi:getAmi", {})

    def test_a_cancelled_create_is_half_done(self, aws):
        aws.cancel()
        with pytest.raises(HalfDone, match="RequestCanceled"):
            make(aws, ROLE, assumeRolePolicy=TRUST)


class TestLookUps:
    def test_they_answer_like_the_real_ones(self, aws):
        zones = aws.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {"state": "available"})
        assert zones["names"] == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
        assert aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"] == "111122223333"
        assert aws.invoke("aws:index/getRegion:getRegion", {})["region"] == REGION
        stack = aws.invoke(
            "aws:elasticbeanstalk/getSolutionStack:getSolutionStack",
            {"mostRecent": True, "nameRegex": r"^64bit Amazon Linux 2023 v4\.[0-9.]+ running Python 3\.12$"},
        )
        assert stack["name"] == "64bit Amazon Linux 2023 v4.9.0 running Python 3.12"

    def test_the_default_network_is_that_of_every_account(self, aws):
        vpc = aws.invoke("aws:ec2/getVpc:getVpc", {"default": True})
        filters = [{"name": "vpc-id", "values": [vpc["id"]]}, {"name": "default-for-az", "values": ["true"]}]
        assert len(aws.invoke("aws:ec2/getSubnets:getSubnets", {"filters": filters})["ids"]) == 3
        make(aws, GROUP, vpcId=vpc["id"])

    def test_an_image_is_found_by_its_name_and_by_its_parameter(self, aws):
        name = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
        image = aws.invoke("aws:ec2/getAmi:getAmi", {"filters": [{"name": "name", "values": [name]}]})
        assert image["id"].startswith("ami-")
        parameter = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
        assert aws.invoke("aws:ssm/getParameter:getParameter", {"name": parameter})["value"].startswith("ami-")

    @pytest.mark.parametrize(
        ("token", "arguments", "words"),
        [
            ("aws:ssm/getParameter:getParameter", {"name": "/aws/service/canonical/ubuntu/24.04"}, "ParameterNotFound"),
            ("aws:ec2/getAmi:getAmi", {"filters": [{"name": "name", "values": ["debian"]}]}, "no results"),
            ("aws:elasticbeanstalk/getSolutionStack:getSolutionStack", {"nameRegex": "3.12"}, "more than one"),
            ("aws:elasticbeanstalk/getSolutionStack:getSolutionStack", {"nameRegex": "2.7$"}, "no results"),
            ("aws:elasticbeanstalk/getSolutionStack:getSolutionStack", {}, "nameRegex: missing required"),
            ("aws:ec2/getVpc:getVpc", {"id": "vpc-0"}, "no results"),
            ("aws:ec2/getVpc:getVpc", {"defualt": True}, "did you mean 'default'"),
            ("aws:ec2/getSnapshot:getSnapshot", {}, "does not know this look-up"),
        ],
    )
    def test_what_finds_nothing_says_so(self, aws, token, arguments, words):
        with pytest.raises(BentoshipError, match=words):
            aws.invoke(token, arguments)

    def test_what_the_stack_made_is_found(self, aws):
        aws.create("aws:ssm/parameter:Parameter", "p", {"name": "/salary/token", "type": "String", "value": "x"})
        assert aws.invoke("aws:ssm/getParameter:getParameter", {"name": "/salary/token"})["value"] == "x"

    def test_what_an_account_is_taken_to_have_may_be_referred_to(self, aws):
        zone = aws.invoke("aws:route53/getZone:getZone", {"name": "example.com"})
        record = {
            "zoneId": zone["zoneId"],
            "name": "salary.example.com",
            "type": "A",
            "records": ["1.2.3.4"],
            "ttl": 60,
        }
        assert make(aws, "aws:route53/record:Record", **record)[1]["fqdn"] == "salary.example.com"


def test_a_type_that_no_double_knows_is_refused_with_those_that_it_knows(aws):
    _, (problem,) = aws.check("aws:sqs/queue:Queue", "q", {})
    assert "does not know aws:sqs/queue:Queue" in problem.fault
    assert "s3.Bucket" in problem.remedy


def test_a_double_loads_no_sdk_of_a_cloud():
    program = "import sys, bentoship.rehearsal.__main__, bentoship.rehearsal.aws; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "bentoship" in loaded
    assert not loaded & {"pulumi_aws", "boto3", "botocore", "bentoml"}
