"""The real engine, with the doubles as its providers."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

import programs
import pytest
from rehearsed import Rehearsed

from bentoship.errors import UpdateFailed
from bentoship.rehearsal import faults
from bentoship.rehearsal.aws.behaviours import stored

pytestmark = pytest.mark.slow


def names(outcome, operation):
    return sorted(step.name for step in outcome.steps if step.operation == operation)


@pytest.fixture
def beanstalk(rehearsed):
    (rehearsed.infra / "release.zip").write_bytes(b"a release")
    rehearsed.program(programs.BEANSTALK)
    return rehearsed


def test_a_deployment_from_its_first_day_to_its_last(beanstalk):
    stack, world = beanstalk.stack, beanstalk.world

    outcome = stack.preview({})
    assert outcome.changes == {"create": 10}
    assert beanstalk.made("iam.Role") == []

    outcome = stack.up()
    assert outcome.changes == {"create": 10}
    (environment,) = beanstalk.made("elasticbeanstalk.Environment")
    assert outcome.outputs["url"] == environment.properties["cname"]
    assert outcome.outputs["version"] == "r-one"
    (bucket,) = beanstalk.made("s3.Bucket")
    assert stored(world, bucket.id, "releases/one.zip").read_bytes() == b"a release"
    assert outcome.outputs["checksum"] == base64.b64encode(hashlib.sha256(b"a release").digest()).decode()
    mine = {item.short_type for item in world.tagged({"stack": "dev"})}
    assert mine >= {"s3.Bucket", "iam.Role", "elasticbeanstalk.Environment", "elasticbeanstalk.ApplicationVersion"}

    assert not stack.up().changed
    assert not stack.preview({}).changed

    # A new release: the object and the version are replaced, the environment stays and points to the new one.
    outcome = stack.up(values={"release": "two"})
    assert names(outcome, "update") == ["salary"]
    assert outcome.outputs["version"] == "r-two"
    assert [item.id for item in beanstalk.made("elasticbeanstalk.Environment")] == [environment.id]
    assert [item.id for item in beanstalk.made("elasticbeanstalk.ApplicationVersion")] == ["r-two"]

    # What can't be changed in place is made anew.
    outcome = stack.up(values={"release": "two", "prefix": "salary-dev"})
    assert outcome.changes["replace"] == 1
    (replaced,) = beanstalk.made("elasticbeanstalk.Environment")
    assert replaced.id != environment.id
    assert outcome.outputs["url"].startswith("salary-dev.")

    outcome = stack.destroy()
    assert world.tagged({"stack": "dev"}) == []
    assert [item for item in world.every() if not item.given] == []
    assert list(world.store.glob("*/*")) == []


def test_what_somebody_changed_or_deleted_by_hand_is_seen_and_mended(beanstalk):
    stack, world = beanstalk.stack, beanstalk.world
    stack.up()
    (role,) = beanstalk.made("iam.Role")
    (private,) = beanstalk.made("s3.BucketPublicAccessBlock")
    world.change(role.id, {"description": "changed by hand"})
    world.remove(private.type, private.key, private.region)
    outcome = stack.preview({})
    assert names(outcome, "update") == ["vm"]
    assert names(outcome, "create") == ["private"]
    stack.up()
    assert beanstalk.made("iam.Role")[0].properties["description"] == "runs releases"
    assert len(beanstalk.made("s3.BucketPublicAccessBlock")) == 1
    assert not stack.preview({}).changed


GONE = "exited prematurely"


@pytest.mark.parametrize(
    ("failures", "orphans"),
    [
        (
            {
                "iam.Role.create = quota": "LimitExceeded: Cannot exceed quota",
                "iam.Role.create = permission": "AccessDenied: User: arn:aws:sts::111122223333",
                "iam.Role.create = throttling": "Throttling: Rate exceeded",
            },
            0,
        ),
        pytest.param({"iam.Role.create@half-way = internal": "InternalFailure"}, 0, marks=pytest.mark.long),
        pytest.param(
            {"iam.InstanceProfile.create@half-way = throttling": "Throttling: Rate exceeded"}, 0, marks=pytest.mark.long
        ),
        pytest.param({"iam.Role.create@after = internal": "InternalFailure"}, 1, marks=pytest.mark.long),
        pytest.param(
            {"iam.Role.create = dies": GONE, "iam.Role.create@half-way = dies": GONE}, 1, marks=pytest.mark.long
        ),
        pytest.param({"iam.Role.create@after = dies": GONE}, 1, marks=pytest.mark.long),
    ],
    ids=["refused", "role half-way", "profile half-way", "answer lost", "killed", "killed after"],
)
def test_an_update_after_one_that_failed_ends_well(rehearsed, failures, orphans):
    """An orphan is what a real cloud would have as well: the engine was never told of it."""
    rehearsed.program(programs.ROLE)
    for word, sentence in failures.items():
        faults.arm(rehearsed.world, faults.parse([word]))
        with pytest.raises(UpdateFailed, match=sentence):
            rehearsed.stack.up()
        assert faults.left(rehearsed.world) == ()

    assert rehearsed.stack.up().outputs["profile"]
    assert len(rehearsed.made("iam.Role")) == 1 + orphans
    (profile,) = rehearsed.made("iam.InstanceProfile")
    assert profile.finished
    assert profile.tags == {"stack": "dev"}
    assert not rehearsed.stack.preview({}).changed

    rehearsed.stack.destroy()
    assert len(rehearsed.made("iam.Role")) == orphans
    assert rehearsed.made("iam.InstanceProfile") == []


def test_a_slow_call_is_waited_for(rehearsed):
    rehearsed.program(programs.ROLE)
    faults.arm(rehearsed.world, faults.parse(["iam.Role.create = slow 3600"]))
    assert rehearsed.stack.up().outputs["profile"]
    assert faults.left(rehearsed.world) == ()


def test_an_orphan_with_a_name_of_its_own_is_in_the_way_as_it_would_be(rehearsed):
    rehearsed.program('aws.iam.Role("vm", name="vm", assume_role_policy=TRUST)')
    faults.arm(rehearsed.world, faults.parse(["iam.Role.create@after = dies"]))
    in_the_way = (
        r"Role with name vm already exists[.]; aws:iam/role:Role vm: there already, and not in this stack's state"
    )
    for words in (GONE, in_the_way):
        with pytest.raises(UpdateFailed, match=words):
            rehearsed.stack.up()


def test_two_providers_of_a_program_share_the_world(rehearsed):
    rehearsed.program(programs.TWO_REGIONS)
    rehearsed.stack.up()
    rules = rehearsed.made("vpc.SecurityGroupIngressRule")
    assert sorted(rule.region for rule in rules) == ["eu-central-1"] * 3 + ["us-east-1"] * 3


@pytest.mark.long
def test_two_deployments_at_once_share_the_world(tmp_path, command_line):
    pytest.importorskip("pulumi_aws", reason="pulumi-aws, which the programs use, isn't installed")
    first = Rehearsed(tmp_path, command_line, "first")
    second = Rehearsed(tmp_path, command_line, "second")
    first.program(programs.ROLE)
    with ThreadPoolExecutor() as pool:
        for stack in (first.stack, second.stack):
            stack.create()
        list(pool.map(lambda each: each.stack.up(), (first, second)))
    assert len(first.made("iam.Role")) == 2
    first.stack.destroy()
    assert first.world.tagged({"stack": "first"}) == []
    assert len(first.world.tagged({"stack": "second"})) == 2
    assert not second.stack.preview({}).changed
