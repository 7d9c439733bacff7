"""Twenty wrong inputs of five kinds for Google Cloud: the double refuses each with its path; Pulumi's mocks hardly."""

from __future__ import annotations

import grpc
import pytest
from rehearsed import check, create, double, provider
from wrong import Wrong, ask_mocks

from bentoship.errors import InvalidConfiguration
from bentoship.rehearsal import home
from bentoship.rehearsal.world import World

VERSION = "gcp:appengine/standardAppVersion:StandardAppVersion"
SPLIT = "gcp:appengine/engineSplitTraffic:EngineSplitTraffic"
BUCKET = "gcp:storage/bucket:Bucket"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
ACCOUNT = "gcp:serviceaccount/account:Account"
NETWORK = "gcp:compute/network:Network"
INSTANCE = "gcp:compute/instance:Instance"
TEMPLATE = "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate"
GROUP = "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager"
CHECK = "gcp:compute/healthCheck:HealthCheck"
BACKEND = "gcp:compute/backendService:BackendService"
SOURCE = {"sourceUrl": "https://storage.googleapis.com/bucket/releases/a.zip"}
A_VERSION = {
    "service": "salary",
    "versionId": "r1",
    "runtime": "python312",
    "entrypoint": {"shell": "sh ./run.sh"},
    "deployment": {"zip": SOURCE},
}
A_GROUP = {"baseInstanceName": "salary", "versions": [{"instanceTemplate": "projects/p/regions/r/instanceTemplates/t"}]}
DISK = {"boot": True, "sourceImage": "debian-cloud/debian-12"}
A_TEMPLATE = {"machineType": "e2-small", "disks": [DISK]}
TABLE = [
    Wrong("unknown property", "bucketName", BUCKET, {"location": "EU", "bucketName": "a"}, "refused"),
    Wrong("unknown property", "httpHealthCheck.pth", CHECK, {"httpHealthCheck": {"pth": "/readyz"}}, "passes"),
    Wrong("unknown property", "disks[0].diskSizeGB", TEMPLATE, {**A_TEMPLATE, "disks": [{"diskSizeGB": 16}]}, "passes"),
    Wrong(
        "unknown property",
        "deployment.zip.url",
        VERSION,
        {**A_VERSION, "deployment": {"zip": {**SOURCE, "url": "a"}}},
        "passes",
    ),
    Wrong("wrong type", "envVariables.N", VERSION, {**A_VERSION, "envVariables": {"N": 1}}, "passes"),
    Wrong("wrong type", "forceDestroy", BUCKET, {"location": "EU", "forceDestroy": "yes"}, "passes"),
    Wrong("wrong type", "timeoutSec", BACKEND, {"timeoutSec": "one"}, "passes"),
    Wrong("wrong type", "versions", GROUP, {**A_GROUP, "versions": {"instanceTemplate": "t"}}, "passes"),
    Wrong("missing property", "location", BUCKET, {}, "refused"),
    Wrong("missing property", "entrypoint.shell", VERSION, {**A_VERSION, "entrypoint": {}}, "passes"),
    Wrong("missing property", "backends[0].group", BACKEND, {"backends": [{"balancingMode": "UTILIZATION"}]}, "passes"),
    Wrong(
        "missing property",
        "updatePolicy.minimalAction",
        GROUP,
        {**A_GROUP, "updatePolicy": {"type": "PROACTIVE"}},
        "passes",
    ),
    Wrong("name too long", "name", NETWORK, {"name": "x" * 64}, "passes"),
    Wrong("name too long", "accountId", ACCOUNT, {"accountId": "x" * 31}, "passes"),
    Wrong("name too long", "versionId", VERSION, {**A_VERSION, "versionId": "x" * 64}, "passes"),
    Wrong("name too long", "name", BUCKET, {"location": "EU", "name": "x" * 64}, "passes"),
    Wrong(
        "reference to nothing",
        "bucket",
        "gcp:storage/bucketObject:BucketObject",
        {"bucket": "nothing", "content": "x"},
        "passes",
    ),
    Wrong(
        "reference to nothing",
        "member",
        "gcp:projects/iAMMember:IAMMember",
        {"project": "p", "role": "roles/logging.logWriter", "member": "serviceAccount:a@p.iam.gserviceaccount.com"},
        "passes",
    ),
    Wrong("reference to nothing", "versions[0].instanceTemplate", GROUP, A_GROUP, "passes"),
    Wrong(
        "reference to nothing",
        "split.allocations.r1",
        SPLIT,
        {"service": "salary", "split": {"allocations": {"r1": "1"}}},
        "passes",
    ),
]
NAMES = [f"{number + 1} {wrong.kind}: {wrong.path}" for number, wrong in enumerate(TABLE)]
PLACE = {"region": "europe-west3", "project": "acme-models"}


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    with provider(tmp_path_factory.mktemp("worlds"), "gcp", **PLACE) as found:
        yield found


@pytest.fixture(scope="module")
def under_mocks():
    """What the mocks say to each of the table, all asked in one process."""
    pytest.importorskip("pulumi_gcp", reason="pulumi-gcp, whose constructors are asked, isn't installed")
    return ask_mocks("pulumi_gcp", TABLE)


def test_there_are_twenty_of_five_kinds():
    kinds = [wrong.kind for wrong in TABLE]
    assert (len(TABLE), len(set(kinds)), {kinds.count(kind) for kind in kinds}) == (20, 5, {4})


@pytest.mark.parametrize("name", ["models-of-google", "goog-models", "my-g00gle"])
def test_the_double_refuses_a_bucket_with_a_word_that_google_keeps_for_itself(stub, name):
    _, failures = check(stub, BUCKET, {"location": "EU", "name": name})
    assert list(failures) == ["name"]
    assert f"{name!r} has a reserved word in it: " in failures["name"]


@pytest.mark.parametrize("wrong", TABLE, ids=NAMES)
def test_the_double_refuses_it_with_its_path(stub, wrong):
    completed, failures = check(stub, wrong.token, wrong.inputs)
    if wrong.kind != "reference to nothing":
        assert list(failures) == [wrong.path]
        return
    assert failures == {}
    with pytest.raises(grpc.RpcError) as refusal:
        create(stub, wrong.token, completed)
    assert refusal.value.details().startswith(f"{wrong.path}: Error calling ")
    assert "googleapi: Error 40" in refusal.value.details()


def test_what_was_refused_does_not_exist(tmp_path):
    with provider(tmp_path, "gcp", **PLACE) as stub:
        for wrong in TABLE[16:19]:
            completed, _ = check(stub, wrong.token, wrong.inputs)
            with pytest.raises(grpc.RpcError):
                create(stub, wrong.token, completed)
    assert [item for item in World.of("gcp", tmp_path).every() if not item.given] == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(TABLE)), ids=NAMES)
def test_what_pulumis_own_mocks_say_to_it(under_mocks, number):
    assert under_mocks[number] == TABLE[number].mocks


def test_a_provider_without_a_project_says_so(tmp_path, monkeypatch):
    for name in home.load("gcp").settings["project"]:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidConfiguration, match="gcp:project: is missing"):
        double(tmp_path, "europe-west3", "gcp")
