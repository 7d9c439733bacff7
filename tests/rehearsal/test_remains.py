"""What a removed deployment has left behind is found by its tag, named, and looked for until it is gone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from stage import ENVIRONMENT

from bentoship import environments
from bentoship.errors import BentoshipError
from bentoship.operations.destroy import destroy
from bentoship.operations.remains import Removal
from bentoship.project import write_private
from bentoship.rehearsal.world import Resource

pytestmark = pytest.mark.slow

NAME = "salary-staging-orphan"
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
IN_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{NAME}"
GOOGLE = {"project": "acme-models", "region": "europe-west3"}
TAGGED, LABELLED = {"bentoship:workload": NAME}, {"bentoship-workload": NAME}
AZURE = {"target": "azure/virtual_machine", "subscription": SUBSCRIPTION, "region": "westeurope", "http": True}
COMPUTE = {"target": "gcp/compute_engine", **GOOGLE, "http": True}
ENGINE = {"target": "gcp/app_engine", **GOOGLE}
GROUP, NAT = "azure-native:resources:ResourceGroup", "azure-native:network:NatGateway"
RULE, CHECK = (
    "gcp:compute/globalForwardingRule:GlobalForwardingRule",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
)
BUCKET = "gcp:storage/bucket:Bucket"
CHECKED = "projects/acme-models/uptimeCheckConfigs/1"
ORPHANS = (
    (
        AZURE,
        "azure-native",
        [(GROUP, IN_GROUP, {"tags": TAGGED}, IN_GROUP), (NAT, f"{IN_GROUP}/nat", {"tags": TAGGED}, f"{IN_GROUP}/nat")],
    ),
    (
        COMPUTE,
        "gcp",
        [(RULE, "rule", {"name": "rule", "effectiveLabels": LABELLED}, "global/forwardingRules/rule")],
    ),
    (
        ENGINE,
        "gcp",
        [
            (BUCKET, f"{NAME}-1", {"effectiveLabels": LABELLED}, f"gs://{NAME}-1"),
            (CHECK, CHECKED, {"userLabels": LABELLED}, CHECKED),
        ],
    ),
)
"""By target: its world, and what is left in it: type, id, properties, and how its name ends in the list."""


def removed(stage) -> tuple[str, ...]:
    (done,) = destroy(stage.project, ENVIRONMENT).values()
    assert not isinstance(done, BentoshipError), done
    return done.left


@pytest.mark.long
def test_what_carries_the_tag_is_found_until_it_is_gone(stage):
    for fields, cloud, orphans in ORPHANS:
        stage.say({"orphan": fields})
        (deployment,) = environments.load(stage.project, ENVIRONMENT).deployments
        told = deployment.configuration
        begun = Removal(target=told.target, fields=told.fields, workloads=(NAME,))
        remembered = stage.project.going(deployment.stack)
        write_private(remembered, begun.model_dump_json(), replace=True)  # and then it was killed
        for token, identity, properties, _ in orphans:
            stage.world(cloud).put(Resource(token, identity, identity, "", properties))
            another = {name: {} if value in (TAGGED, LABELLED) else value for name, value in properties.items()}
            stage.world(cloud).put(Resource(token, "another", "another", "", another))
        left = removed(stage)
        assert len(left) == len(orphans)
        assert all(found.endswith(named) for found, (*_, named) in zip(left, orphans, strict=True))
        assert remembered.exists()
        stage.world(cloud).forget()
    assert removed(stage) == ()
    assert not remembered.exists()


def test_an_orphan_that_a_fault_has_left_is_named_and_the_command_exits_1(stage):
    stage.arm("s3.Bucket.create@after = internal")
    with pytest.raises(BentoshipError, match=r"[Ii]nternal"):
        stage.deploy("machine", stage.release("one"))
    (orphan,) = (each.partition(" ")[2] for each in stage.made() if each.startswith("s3.Bucket "))

    words = ["-C", stage.project.root, "destroy", ENVIRONMENT, "--only", "machine", "--rehearse", "--yes"]
    command = [sys.executable, "-m", "bentoship", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "goes: 1 ec2.Vpc" in done.stderr
    assert f"arn:aws:s3:::{orphan} is left; remove it by hand" in done.stderr
    assert (done.returncode, stage.made()) == (1, [f"s3.Bucket {orphan}"])

    stage.world("aws").delete(orphan)
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert json.loads(again.stdout)["deployments"][0]["left"] == []
