"""Twenty wrong inputs of five kinds for Azure: the double refuses each with its path; Pulumi's mocks hardly any."""

from __future__ import annotations

import grpc
import pytest
from rehearsed import check, create, double, provider
from wrong import Wrong, ask_mocks

from bentoship.errors import InvalidConfiguration
from bentoship.rehearsal import home
from bentoship.rehearsal.world import World

GROUP = "azure-native:resources:ResourceGroup"
STORAGE = "azure-native:storage:StorageAccount"
BLOB = "azure-native:storage:Blob"
PLAN = "azure-native:web:AppServicePlan"
SITE = "azure-native:web:WebApp"
MACHINE = "azure-native:compute:VirtualMachine"
SCALE_SET = "azure-native:compute:VirtualMachineScaleSet"
BALANCER = "azure-native:network:LoadBalancer"
INTERFACE = "azure-native:network:NetworkInterface"
ALERT = "azure-native:monitor:MetricAlert"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
PLACE = {"location": "westeurope", "subscriptionId": "11111111-2222-4333-8444-555555555555"}
IN = {"resourceGroupName": "models"}
ACCOUNT = {**IN, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
ROLE = "/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
WATCH = {
    **IN,
    "enabled": True,
    "severity": 2,
    "scopes": ["/subscriptions/s"],
    "evaluationFrequency": "PT1M",
    "windowSize": "PT5M",
}
TABLE = [
    Wrong("unknown property", "httpOnly", SITE, {**IN, "httpOnly": True}, "refused"),
    Wrong("unknown property", "siteConfig.alwayson", SITE, {**IN, "siteConfig": {"alwayson": True}}, "passes"),
    Wrong(
        "unknown property",
        "probes[0].path",
        BALANCER,
        {**IN, "probes": [{"port": 80, "protocol": "Http", "path": "/readyz"}]},
        "passes",
    ),
    Wrong("unknown property", "osProfile.userData", MACHINE, {**IN, "osProfile": {"userData": "x"}}, "passes"),
    Wrong("wrong type", "httpsOnly", SITE, {**IN, "httpsOnly": "yes"}, "passes"),
    Wrong("wrong type", "sku.capacity", PLAN, {**IN, "sku": {"name": "P0v3", "capacity": "1"}}, "passes"),
    Wrong("wrong type", "tags.team", GROUP, {"tags": {"team": 5}}, "passes"),
    Wrong("wrong type", "zones", SCALE_SET, {**IN, "zones": "1"}, "passes"),
    Wrong("missing property", "sku", STORAGE, {**IN, "kind": "StorageV2"}, "refused"),
    Wrong("missing property", "criteria.odataType", ALERT, {**WATCH, "criteria": {"allOf": []}}, "passes"),
    Wrong("missing property", "probes[0].port", BALANCER, {**IN, "probes": [{"protocol": "Http"}]}, "passes"),
    Wrong(
        "missing property",
        "osProfile.linuxConfiguration.ssh",
        MACHINE,
        {**IN, "osProfile": {"adminUsername": "bentoship", "linuxConfiguration": {}}},
        "passes",
    ),
    Wrong("name too long", "accountName", STORAGE, {**ACCOUNT, "accountName": "x" * 25}, "passes"),
    Wrong("name too long", "name", SITE, {**IN, "name": "x" * 61}, "passes"),
    Wrong("name too long", "vmName", MACHINE, {**IN, "vmName": "x" * 65}, "passes"),
    Wrong("name too long", "resourceGroupName", GROUP, {"resourceGroupName": "x" * 91}, "passes"),
    Wrong("reference to nothing", "resourceGroupName", STORAGE, ACCOUNT, "passes"),
    Wrong(
        "reference to nothing",
        "principalId",
        ASSIGNMENT,
        {"principalId": "nobody", "roleDefinitionId": ROLE, "scope": "/subscriptions/s"},
        "passes",
    ),
    Wrong("reference to nothing", "accountName", BLOB, {"accountName": "a", "containerName": "c"}, "passes"),
    Wrong("reference to nothing", "serverFarmId", SITE, {"serverFarmId": "/subscriptions/s/none"}, "passes"),
]
NAMES = [f"{number + 1} {wrong.kind}: {wrong.path}" for number, wrong in enumerate(TABLE)]


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    with provider(tmp_path_factory.mktemp("worlds"), "azure-native", **PLACE) as found:
        create(found, GROUP, {"resourceGroupName": "there"})
        yield found


@pytest.fixture(scope="module")
def under_mocks():
    """What the mocks say to each of the table, all asked in one process."""
    pytest.importorskip("pulumi_azure_native", reason="pulumi-azure-native, whose constructors are asked, isn't here")
    return ask_mocks("pulumi_azure_native", [without_group(wrong) for wrong in TABLE])


def in_group(wrong):
    """What names something in a group, in one that is there."""
    needs_group = wrong.token in {BLOB, SITE} and wrong.kind == "reference to nothing"
    return {**wrong.inputs, "resourceGroupName": "there"} if needs_group else wrong.inputs


def without_group(wrong):
    return Wrong(wrong.kind, wrong.path, wrong.token, in_group(wrong), wrong.mocks)


def test_there_are_twenty_of_five_kinds():
    kinds = [wrong.kind for wrong in TABLE]
    assert (len(TABLE), len(set(kinds)), {kinds.count(kind) for kind in kinds}) == (20, 5, {4})


@pytest.mark.parametrize(
    ("token", "property", "name", "word"),
    [
        (SITE, "name", "salary-Microsoft", "Microsoft"),
        (STORAGE, "accountName", "windowsprices", "windows"),
        (SITE, "name", "login-risk", "login"),
    ],
)
def test_the_double_refuses_a_name_with_a_word_that_azure_keeps_for_itself(stub, token, property, name, word):  # noqa: A002
    inputs = ACCOUNT if token == STORAGE else IN
    _, failures = check(stub, token, {**inputs, property: name})
    assert list(failures) == [property]
    assert f"{name!r} has a reserved word in it: {word}" in failures[property]


@pytest.mark.parametrize("wrong", TABLE, ids=NAMES)
def test_the_double_refuses_it_with_its_path(stub, wrong):
    completed, failures = check(stub, wrong.token, in_group(wrong))
    if wrong.kind != "reference to nothing":
        assert list(failures) == [wrong.path]
        return
    assert failures == {}
    with pytest.raises(grpc.RpcError) as refusal:
        create(stub, wrong.token, completed)
    assert refusal.value.details().startswith(f"{wrong.path}: Microsoft.")
    assert "ERROR CODE: " in refusal.value.details()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(TABLE)), ids=NAMES)
def test_what_pulumis_own_mocks_say_to_it(under_mocks, number):
    assert under_mocks[number] == TABLE[number].mocks


def test_a_provider_without_a_subscription_or_a_region_says_so(tmp_path, monkeypatch):
    for name in ("ARM_SUBSCRIPTION_ID", "ARM_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidConfiguration, match="azure-native:subscriptionId: is missing"):
        double(tmp_path, cloud="azure-native", location="westeurope")
    with pytest.raises(InvalidConfiguration, match="azure-native:location: 'atlantis' is no region"):
        double(tmp_path, cloud="azure-native", location="atlantis")


def test_what_is_refused_does_not_exist(tmp_path):
    made = double(tmp_path, cloud="azure-native", **PLACE)
    with pytest.raises(Exception, match="ResourceGroupNotFound"):
        made.create(STORAGE, "a", {**ACCOUNT, "accountName": "artifacts"})
    assert World.of("azure-native", tmp_path).every() == []


def test_the_twenty_are_of_types_that_the_double_knows():
    assert {wrong.token for wrong in TABLE} <= set(home.load("azure-native").rules)


@pytest.mark.parametrize(
    ("token", "inputs", "change", "said"),
    [
        (
            STORAGE,
            {**ACCOUNT, "accountName": "kept"},
            {"sku": {"name": "Standard_ZRS"}},
            "StorageAccountTypeConversionNot",
        ),
        (
            "azure-native:network:PublicIPAddress",
            {**IN, "publicIpAddressName": "kept", "publicIPAllocationMethod": "Static", "sku": {"name": "Standard"}},
            {"zones": ["1", "2"]},
            "ResourceAvailabilityZonesCannotBeModified",
        ),
    ],
)
def test_what_azure_lets_nobody_change_is_refused(tmp_path, token, inputs, change, said):
    made = double(tmp_path, cloud="azure-native", **PLACE)
    made.create(GROUP, "models", {"resourceGroupName": "models"})
    identity, outputs = made.create(token, "a", inputs)
    assert made.diff(token, inputs, {**inputs, **change}).replaced == ()
    with pytest.raises(Exception, match=said):
        made.update(token, identity, outputs, {**inputs, **change})
