"""What AWS lists, against moto's double of its API; Google's and Azure's are asked in rehearsals."""

from __future__ import annotations

import pytest

from bentoship.provider import tagged
from bentoship.provider.aws import client

pytestmark = pytest.mark.slow

REGION = "eu-central-1"


@pytest.fixture
def moto(monkeypatch):
    """Instances, addresses and tags as moto has them."""
    from moto.server import ThreadedMotoServer

    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    yield
    server.stop()


@pytest.mark.long
def test_a_terminated_instance_is_none_that_is_left(moto):
    machines = client("ec2", REGION)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": tagged.TAG, "Value": "salary"}]}]
    image = machines.describe_images()["Images"][0]["ImageId"]
    run = machines.run_instances(ImageId=image, MinCount=2, MaxCount=2, TagSpecifications=tags)["Instances"]
    running, ended = (each["InstanceId"] for each in run)
    machines.terminate_instances(InstanceIds=[ended])
    assert [arn.rpartition("/")[2] for arn in tagged.on_aws(REGION, "salary")] == [running]
    assert tagged.on_aws(REGION, "another") == []
