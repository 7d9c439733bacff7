"""The table of Azure's rules: it fits the SDK's schema, and refuses what it says."""

from __future__ import annotations

import base64

import pytest
from rehearsed import double

from bentoship.rehearsal.azure_native import CLOUD
from bentoship.rehearsal.azure_native.behaviours import stored
from bentoship.rehearsal.rules import Rules
from bentoship.rehearsal.world import World

TOKENS = sorted(CLOUD.rules)
PLACE = {"location": "westeurope", "subscriptionId": "11111111-2222-4333-8444-555555555555"}
ASSET = "c44067f5952c0a294b673a41bacd8c17"
SIGNATURE = "4dabf18193072939515e22adb298388d"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== nobody"


def first(path):
    return path.partition(".")[0].partition("[")[0]


def paths(rules: Rules):
    """Every property that the rules of a type speak of."""
    yield from rules.replace
    yield from (path for table in (rules.choices, rules.ranges, rules.patterns, rules.defaults) for path in table)
    yield from (path for group in (*rules.conflicts, *rules.one_of, *rules.any_of) for path in group)
    yield from (path for item in rules.references for path in (item.path, *(ours for ours, _ in item.within)))
    yield from rules.unique
    yield from [rules.name.property] if rules.name else []


def problems(token, **inputs):
    return {problem.where: problem.fault for problem in CLOUD.rules[token].check(inputs)}


@pytest.fixture
def cloud(tmp_path):
    return double(tmp_path, cloud="azure-native", **PLACE)


def make(cloud, token, name, **inputs):
    """The id and the outputs of something new, named as the real provider would."""
    from bentoship.provider.server import Proposal

    completed = cloud.complete(token, name, inputs, {}, Proposal(seed=b"seed"))
    told, failures = cloud.check(token, name, completed)
    assert failures == []
    return cloud.create(token, name, told)


def test_every_type_of_the_schema_has_rules():
    assert set(CLOUD.rules) == set(CLOUD.schema.resources)
    assert set(CLOUD.behaviours) <= set(CLOUD.rules)


@pytest.mark.parametrize("token", TOKENS)
def test_what_the_rules_speak_of_exists(token):
    shape, rules = CLOUD.schema.resources[token], CLOUD.rules[token]
    assert {first(path) for path in paths(rules)} - set(shape.inputs) == set()
    assert {*rules.outputs, *rules.renewed} - {*shape.inputs, *(shape.outputs or ())} == set()
    for reference in rules.references:
        other = CLOUD.schema.resources[reference.to]
        assert set(reference.by) <= {*other.inputs, *(other.outputs or ()), "id"}


def test_names_are_made_up_as_the_real_provider_does(cloud):
    identity, group = make(cloud, "azure-native:resources:ResourceGroup", "salary-dev")
    name = group["name"]
    assert name.startswith("salary-dev")
    assert len(name) == len("salary-dev") + 8
    assert identity == f"/subscriptions/{PLACE['subscriptionId']}/resourceGroups/{name}"
    network, made = make(cloud, "azure-native:network:VirtualNetwork", "salary-dev", resourceGroupName=name)
    below = {"resourceGroupName": name, "virtualNetworkName": made["name"], "addressPrefix": "10.0.0.0/20"}
    subnet, _ = make(cloud, "azure-native:network:Subnet", "machines", **below)
    assert subnet == f"{network}/subnets/machines"


def test_identities_are_taken_as_a_list_and_answered_as_a_table(cloud):
    _, group = make(cloud, "azure-native:resources:ResourceGroup", "g")
    place = {"resourceGroupName": group["name"]}
    identity, known = make(cloud, "azure-native:managedidentity:UserAssignedIdentity", "salary", **place)
    assert len({known["clientId"], known["principalId"]}) == 2
    plan, _ = make(cloud, "azure-native:web:AppServicePlan", "p", kind="linux", reserved=True, **place)
    told = {"type": "UserAssigned", "userAssignedIdentities": [identity]}
    site, made = make(cloud, "azure-native:web:WebApp", "salary", serverFarmId=plan, identity=told, **place)
    assert made["identity"]["userAssignedIdentities"] == {identity: {}}
    read = cloud.read("azure-native:web:WebApp", site, {"identity": told}, made)
    assert read["identity"]["userAssignedIdentities"] == {identity: {}}
    assert read["__inputs"]["identity"] == told


def test_what_is_there_already_is_refused_as_the_provider_does(cloud):
    _, group = make(cloud, "azure-native:resources:ResourceGroup", "g")
    place = {"resourceGroupName": group["name"], "resourceName": "salary"}
    make(cloud, "azure-native:managedidentity:UserAssignedIdentity", "salary", **place)
    with pytest.raises(Exception, match="cannot create already existing resource '/subscriptions/"):
        make(cloud, "azure-native:managedidentity:UserAssignedIdentity", "salary", **place)


def test_an_account_goes_with_its_blobs(cloud, tmp_path):
    world = World.of("azure-native", tmp_path)
    _, group = make(cloud, "azure-native:resources:ResourceGroup", "g")
    place = {"resourceGroupName": group["name"]}
    told = {"accountName": "artifacts", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    account, made = make(cloud, "azure-native:storage:StorageAccount", "a", **told, **place)
    inside = {"accountName": "artifacts", **place}
    make(cloud, "azure-native:storage:BlobContainer", "c", containerName="releases", **inside)
    source = {SIGNATURE: ASSET, "text": "a release", "hash": "ab"}
    blob = {"containerName": "releases", "blobName": "one.zip", "source": source, **inside}
    _, kept = make(cloud, "azure-native:storage:Blob", "b", **blob)
    assert kept["url"] == "https://artifacts.blob.core.windows.net/releases/one.zip"
    assert stored(world, "artifacts", "releases", "one.zip").read_bytes() == b"a release"
    cloud.delete("azure-native:storage:StorageAccount", account, made)
    assert [item.short_type for item in world.every()] == ["resources.ResourceGroup"]
    assert list(world.store.glob("*/*")) == []


@pytest.mark.parametrize(("size", "fits"), [(65_535, True), (65_536, False)])
def test_custom_data_has_its_limit_before_it_is_encoded(size, fits):
    profile = {"adminUsername": "bentoship", "customData": base64.b64encode(b"x" * size).decode()}
    profile["linuxConfiguration"] = {"ssh": {"publicKeys": [{"keyData": KEY}]}}
    assert (problems("azure-native:compute:VirtualMachine", osProfile=profile) == {}) == fits


def test_a_rolling_upgrade_needs_to_know_who_is_well():
    policy = {"mode": "Rolling", "rollingUpgradePolicy": {"maxBatchInstancePercent": 50}}
    found = problems("azure-native:compute:VirtualMachineScaleSet", upgradePolicy=policy)
    assert set(found) == {
        "upgradePolicy.mode",
        "upgradePolicy.rollingUpgradePolicy.maxUnhealthyInstancePercent",
    }


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        ("web:AppServicePlan", {"kind": "linux"}, "reserved"),
        ("web:WebApp", {"siteConfig": {"linuxFxVersion": "PYTHON|2.7"}}, "siteConfig.linuxFxVersion"),
        ("web:WebAppSlot", {"siteConfig": {"appCommandLine": "python -c 'x'"}}, "siteConfig.appCommandLine"),
        (
            "network:VirtualNetwork",
            {"addressSpace": {"addressPrefixes": ["10.0.0.1/8"]}},
            "addressSpace.addressPrefixes[0]",
        ),
        (
            "network:NetworkSecurityGroup",
            {"securityRules": [{"direction": "Inbound", "priority": 100}] * 2},
            "securityRules[1].priority",
        ),
        (
            "network:LoadBalancer",
            {"probes": [{"name": "a", "port": 80}], "loadBalancingRules": [{"probe": {"id": "/x/probes/b"}}]},
            "loadBalancingRules[0].probe.id",
        ),
        ("monitor:MetricAlert", {"windowSize": "PT2M"}, "windowSize"),
        (
            "monitor:AutoscaleSetting",
            {"profiles": [{"capacity": {"minimum": "3", "default": "1", "maximum": "6"}}]},
            "profiles[0].capacity",
        ),
        ("compute:VirtualMachine", {"osProfile": {"adminUsername": "root"}}, "osProfile.adminUsername"),
    ],
)
def test_what_azure_would_refuse_is_refused_by_its_path(token, inputs, path):
    assert path in problems(f"azure-native:{token}", **inputs)
