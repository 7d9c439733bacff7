"""Both targets on a real account of AWS. Never runs by default: it costs money and takes about an hour.

    BENTOSHIP_AWS_REGION=eu-central-1 .venv/bin/python -m pytest tests/end_to_end/test_aws.py -m aws -n 0

It needs the credentials and the permissions of docs/aws.md, and `tag:GetResources` for the proof that nothing is left.
Each test deploys the sample's release from a copy of this project, whose state is in the test's own folder, and
destroys it whatever happened. Everything is tagged `bentoship:end-to-end` with an id of the run. Should a run be
killed, this lists what is left:

    aws resourcegroupstaggingapi get-resources --tag-filters Key=bentoship:end-to-end
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

import bentoship
from bentoship.deployment import workload_name
from projects import sample

REGION = os.environ.get("BENTOSHIP_AWS_REGION", "")
TAG = "bentoship:end-to-end"
FORGETTING = 1800.0
"""Seconds for which AWS may go on listing what is gone."""
WORKLOAD = workload_name("salary", "trial-cloud")
CASES = [("aws/ec2", 1), ("aws/ec2", 2), ("aws/elastic_beanstalk", 1), ("aws/elastic_beanstalk", 2)]
ASKED = {"experience": 2, "test_score": 9, "interview_score": 6}

pytestmark = [
    pytest.mark.aws,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not REGION, reason="BENTOSHIP_AWS_REGION names no region to deploy to"),
]


@dataclass
class Account:
    """A project that deploys to a real account, and a look at what carries the tag of this run."""

    root: Path
    run: str

    def left(self) -> set[str]:
        """ARNs of everything with the tag that is still there, and of roles, which no region lists."""
        import boto3

        listing = boto3.session.Session(region_name=REGION).client("resourcegroupstaggingapi")
        pages = listing.get_paginator("get_resources").paginate(TagFilters=[{"Key": TAG, "Values": [self.run]}])
        tagged = {found["ResourceARN"] for page in pages for found in page["ResourceTagMappingList"]}
        return (tagged - self._going()) | self._roles()

    def _going(self) -> set[str]:
        """Instances that are terminated are listed for another hour."""
        import boto3

        machines = boto3.session.Session(region_name=REGION).client("ec2")
        terminated = [{"Name": "instance-state-name", "Values": ["terminated", "shutting-down"]}]
        ours = [{"Name": f"tag:{TAG}", "Values": [self.run]}]
        found = machines.describe_instances(Filters=[*terminated, *ours])["Reservations"]
        return {
            f"arn:aws:ec2:{REGION}:{group['OwnerId']}:instance/{machine['InstanceId']}"
            for group in found
            for machine in group["Instances"]
        }

    def _roles(self) -> set[str]:
        import boto3

        identities = boto3.session.Session(region_name=REGION).client("iam")
        roles = [role for page in identities.get_paginator("list_roles").paginate() for role in page["Roles"]]
        return {role["Arn"] for role in roles if role["RoleName"].startswith(f"{WORKLOAD}-")}

    def declare(self, target: str, replicas: int) -> None:
        """Write the environment that deploys to `target`."""
        deployment = {"target": target, "region": REGION, "http": True, "tags": {TAG: self.run}}
        scale = {"min_replicas": replicas, "max_replicas": replicas}
        text = yaml.safe_dump({"scale": scale, "deployments": {"cloud": deployment}})
        (self.root / "environments" / "trial.yaml").write_text(text)


@pytest.fixture
def account(tmp_path):
    root = sample(tmp_path / "project")
    shutil.copytree(Path(bentoship.__file__).parents[2] / "infra", root / "infra", dirs_exist_ok=True)
    (root / "environments").mkdir(exist_ok=True)
    subprocess.run([sys.executable, "models/train.py"], cwd=root, check=True, capture_output=True)
    return Account(root, secrets.token_hex(4))


@pytest.mark.parametrize(("target", "replicas"), CASES)
def test_a_release_is_deployed_answers_and_leaves_nothing_behind(account, target, replicas, monkeypatch):
    monkeypatch.chdir(account.root)
    account.declare(target, replicas)
    try:
        deployed = bentoship.up("trial").deployments["cloud"]
        assert deployed.gate["passed"]
        answer = httpx.post(f"{deployed.url}/predict", json=ASKED, timeout=30).json()
        assert answer["salary"] == pytest.approx(52062.76112208, abs=1e-6)
        assert account.left(), "everything is tagged, so something must be listed"
        assert bentoship.up("trial").deployments["cloud"].changes == ()
    finally:
        bentoship.destroy("trial")
    assert_gone(account)


def assert_gone(account: Account) -> None:
    """Nothing carries the tag of this run any more; AWS's own list lags behind, so it is asked for a while."""
    deadline = time.monotonic() + FORGETTING
    while left := account.left():
        assert time.monotonic() < deadline, f"left behind: {sorted(left)}"
        time.sleep(15)
