"""What the targets declare, before the real engine and a double of the cloud that knows its types and rules."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bentoship.engine import install
from bentoship.engine.stack import Stack
from bentoship.errors import UpdateFailed
from bentoship.rehearsal import home
from bentoship.rehearsal.world import World
from fake_aws import FakeAws
from golden import CASES
from projects import ROOT

pytestmark = pytest.mark.slow

STORED = "aws:s3/bucketObjectv2:BucketObjectv2"
PROJECT = """\
name: declared
runtime: python
plugins: {providers: [{name: bentoship, path: ./plugin}]}
"""
PROGRAM = f"""\
import sys
sys.path[:0] = [{str(ROOT / "tests")!r}, {str(Path(__file__).parent)!r}]
import dataclasses, pathlib
import pulumi
from bentoship import targets
from golden import CASES

config = pulumi.Config("bentoship")
case = CASES[config.require("case")]
workload = case.workload()
here = {{}} if config.get("elsewhere") else dict.fromkeys(workload.archives, pathlib.Path({str(__file__)!r}))
workload = dataclasses.replace(workload, archives=here)
targets.find(case.target).model_validate(case.fields).provision(workload)
"""


@pytest.fixture
def stack(tmp_path):
    """A stack of a program that declares one of the reviewed cases; it doesn't exist yet."""
    engine = install.find()
    if engine is None:
        pytest.skip("there is no Pulumi here")
    folder = tmp_path / "infra"
    shutil.copytree(ROOT / "infra" / "plugin", folder / "plugin")
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM)
    around = {**home.make(tmp_path / "rehearsal"), "PULUMI_CONFIG_PASSPHRASE": "for this test"}
    return Stack("dev-cloud", folder, engine, around)


@pytest.mark.parametrize(
    "name", [name if name.endswith("-3") else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
def test_the_engine_and_the_cloud_take_every_input(stack, name):
    stack.create()
    planned = stack.preview({"case": name})
    assert planned.changes["create"] == len(CASES[name].declared()["resources"]) + 1


def test_on_a_machine_without_the_archives_nothing_changes_and_nothing_is_made_out_of_nothing(
    stack, monkeypatch, tmp_path
):
    """The first update ends at what our own provider asks AWS, which refuses; all before it has been made."""
    stack.create()
    with FakeAws(refusals=[("AccessDenied", "not you")] * 9) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        with pytest.raises(UpdateFailed, match="AWS answered AccessDenied: not you"):
            stack.up(values={"case": "aws/ec2-3"})
    elsewhere = {"case": "aws/ec2-3", "elsewhere": "yes"}
    changed = {step.type for step in stack.preview(elsewhere).steps if step.operation != "same"}
    assert changed == {"bentoship:aws:InstanceRefresh", "bentoship:index:Gate"}
    world = World.of("aws", tmp_path / "rehearsal" / "worlds")
    stored = world.every(STORED)
    assert len(stored) == 2
    for each in stored:
        world.remove(each.type, each.key, each.region)
    for act in (stack.preview, lambda values: stack.up(values=values)):
        with pytest.raises(UpdateFailed, match=r"is stored there no more, and its sealed zip is not on this machine"):
            act(elsewhere)
        assert world.every(STORED) == []
