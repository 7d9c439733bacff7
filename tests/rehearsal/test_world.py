from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bentoship.errors import InvalidConfiguration
from bentoship.rehearsal import world as worlds
from bentoship.rehearsal.world import Resource, World

BUCKET, VERSION = "aws:s3/bucket:Bucket", "aws:elasticbeanstalk/applicationVersion:ApplicationVersion"
COUNTS = """\
import sys
from bentoship.rehearsal.world import Resource, World
world = World.of("aws")
for _ in range(50):
    with world.locked():
        found = world.get("aws:s3/bucket:Bucket", "b", "")
        world.put(Resource(found.type, "b", "b", "", {"count": found.properties["count"] + 1}))
"""


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv(worlds.VARIABLE, str(tmp_path))
    return World.of("aws")


def bucket(name="b", **properties):
    return Resource(BUCKET, name, name, "", properties)


def test_what_one_process_puts_another_one_sees(world, tmp_path):
    world.put(bucket(arn="arn:aws:s3:::b"))
    assert World.of("aws", tmp_path).get(BUCKET, "b", "") == bucket(arn="arn:aws:s3:::b")
    world.remove(BUCKET, "b", "")
    world.remove(BUCKET, "b", "")
    assert World.of("aws", tmp_path).every() == []


def test_the_same_id_in_two_regions_and_two_applications_is_two_things(world):
    for region in ("eu-central-1", "us-east-1"):
        for application in ("one", "two"):
            world.put(Resource(VERSION, "r-1", f"{application}/r-1", region, {"application": application}))
    assert len(world.every(VERSION)) == 4
    assert len(world.every(VERSION, "us-east-1")) == 2


def test_a_name_of_any_length_and_any_letters_is_kept(world):
    name = "arn:aws:elasticloadbalancing/" + "ü/" * 300
    world.put(bucket(name))
    world.put(bucket(name + "x"))
    assert {item.id for item in world.every()} == {name, name + "x"}


def test_two_processes_and_two_threads_lose_no_change(world):
    world.put(bucket(count=0))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: subprocess.run([sys.executable, "-c", COUNTS], check=True), range(2)))

    def count(_):
        with world.locked(), world.locked():
            world.put(bucket(count=world.get(BUCKET, "b", "").properties["count"] + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(20)))
    assert world.get(BUCKET, "b", "").properties["count"] == 120


def test_what_carries_a_stacks_tags_is_found_by_them(world):
    world.put(bucket("a", tags={"stack": "dev"}, tagsAll={"stack": "dev", "team": "x"}))
    world.put(bucket("b", tagsAll={"stack": "dev"}))
    group = {"tags": [{"key": "stack", "value": "dev", "propagateAtLaunch": True}]}
    world.put(Resource("aws:autoscaling/group:Group", "g", "g", "eu-central-1", group))
    assert [item.id for item in world.tagged({"stack": "dev"})] == ["g", "a", "b"]
    assert [item.id for item in world.tagged({"stack": "dev", "team": "x"})] == ["a"]
    assert world.tagged({"stack": "production"}) == []


def test_forgetting_leaves_nothing(world):
    world.put(bucket())
    (world.store / "b").mkdir(parents=True)
    world.forget()
    assert world.every() == []
    assert not world.store.exists()


def test_a_world_without_a_folder_says_what_is_missing(monkeypatch):
    monkeypatch.delenv(worlds.VARIABLE, raising=False)
    with pytest.raises(InvalidConfiguration, match=worlds.VARIABLE):
        World.of("aws")


def test_it_is_changed_and_listed_from_the_command_line(world):
    world.put(bucket(acl="private"))
    assert "s3.Bucket" in worlds.main(["aws", "list"])
    assert "public-read" in worlds.main(["aws", "change", "b", "acl=public-read", 'tags={"a": "b"}'])
    assert world.get(BUCKET, "b", "").properties == {"acl": "public-read", "tags": {"a": "b"}}
    assert worlds.main(["aws", "delete", "b"]) == "b is gone"
    assert worlds.main(["aws", "list"]) == ""


@pytest.mark.parametrize("words", [[], ["aws"], ["aws", "paint"], ["aws", "change", "b"], ["aws", "change", "b", "x"]])
def test_what_it_does_not_understand_it_answers_with_its_usage(world, words):
    world.put(bucket())
    with pytest.raises(InvalidConfiguration, match="usage"):
        worlds.main(words)


def test_what_does_not_exist_cannot_be_changed(world):
    with pytest.raises(InvalidConfiguration, match="nothing with this id"):
        worlds.main(["aws", "delete", "b"])


def test_as_a_program_it_ends_with_a_sentence(world):
    done = subprocess.run(
        [sys.executable, "-m", "bentoship.rehearsal.world", "aws", "delete", "b"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "b: there is nothing with this id; see `list`\n"
