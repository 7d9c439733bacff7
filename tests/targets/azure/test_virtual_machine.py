from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError
from recorder import record

from bentoship.deployment import Example, ReleaseRef, Scale
from bentoship.errors import InvalidConfiguration
from bentoship.targets.azure._shared import account_name
from bentoship.targets.azure._sizes import cheapest
from bentoship.targets.azure.virtual_machine import VirtualMachine
from golden import AZURE, NEWEST, OLDER, Case

HTTP = {**AZURE, "http": True}


def declare(fields=HTTP, replicas=1, releases=(NEWEST, OLDER), **more):
    workload = Case("azure/virtual_machine", replicas=replicas).workload(releases)
    return record(VirtualMachine.model_validate({**fields, **more}), workload)


def of(declared, kind):
    return [each for each in declared["resources"] if each["type"].rpartition(":")[2] == kind and each["inputs"]]


def one(declared, kind):
    (found,) = of(declared, kind)
    return found


def without_secret(value):
    """A secret inside makes a secret of all that is around it."""
    return value.get("secret", value)


def test_the_address_moves_to_a_machine_that_has_passed_the_gate():
    declared = declare()
    machine, gate, pointer = (one(declared, kind) for kind in ("VirtualMachine", "Gate", "PublicAddress"))
    assert f"azure-native:compute:VirtualMachine::{machine['name']}" in gate["options"]["depends_on"]
    assert f"bentoship:index:Gate::{gate['name']}" in pointer["options"]["depends_on"]


def test_a_new_release_gets_a_machine_of_its_own_and_the_old_one_is_found_again():
    old, new = declare(releases=(OLDER,)), declare()
    assert one(old, "VirtualMachine")["name"] != one(new, "VirtualMachine")["name"]
    again = one(declare(releases=(OLDER, NEWEST)), "VirtualMachine")
    assert again["name"] == one(old, "VirtualMachine")["name"]


@pytest.mark.parametrize("change", [{"size": "Standard_D4as_v5"}, {"disk_gb": 64}, {"image_version": "24.4.1"}])
def test_another_kind_of_machine_is_another_machine_with_a_gate_of_its_own(change):
    before, after = declare(), declare(**change)
    for kind in ("VirtualMachine", "NetworkInterface", "Gate"):
        assert one(before, kind)["name"] != one(after, kind)["name"]


@pytest.mark.parametrize(
    ("python", "offer"), [("3.11", "debian-12"), ("3.12", "ubuntu-24_04-lts"), ("3.13", "debian-13")]
)
def test_the_image_has_the_python_of_the_release(python, offer):
    release = ReleaseRef(id="c" * 64, bento="salary", python=python, examples=(Example(body={}, answer={}),))
    storage = one(declare(releases=(release,)), "VirtualMachine")["inputs"]["storageProfile"]
    assert storage["imageReference"]["offer"] == offer


def test_a_python_that_no_image_has_is_told():
    with pytest.raises(InvalidConfiguration, match=r"Python 3\.14"):
        declare(releases=(ReleaseRef(id="c" * 64, bento="salary", python="3.14"),))


@pytest.mark.parametrize("replicas", [1, 3])
def test_nobody_logs_in_over_ssh(replicas):
    declared = declare(replicas=replicas)
    rules = one(declared, "NetworkSecurityGroup")["inputs"]["securityRules"]
    assert {rule["destinationPortRange"] for rule in rules} == {"8000"}
    assert {rule["direction"] for rule in rules} == {"Inbound"}


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_machine_starts_what_was_signed_and_proves_itself_by_an_identity_that_may_read_already(replicas):
    declared = declare(replicas=replicas)
    machine = next(each for each in of(declared, "VirtualMachine") + of(declared, "VirtualMachineScaleSet"))
    profile = without_secret(machine["inputs"].get("virtualMachineProfile", machine["inputs"]))
    assert profile["securityProfile"]["securityType"] == "TrustedLaunch"
    assert machine["inputs"]["identity"]["userAssignedIdentities"] == ["salary-production-eu-id"]
    waits = str(machine["options"]["depends_on"])
    assert "RoleAssignment" in waits
    assert f"Blob::salary-production-eu-{NEWEST.short}" in waits


def test_a_scale_set_is_upgraded_by_new_machines_beside_the_old_ones():
    declared = declare(replicas=3)
    scale_set = one(declared, "VirtualMachineScaleSet")
    policy = scale_set["inputs"]["upgradePolicy"]
    assert (policy["mode"], policy["rollingUpgradePolicy"]["maxSurge"]) == ("Rolling", True)
    assert policy["rollingUpgradePolicy"]["maxUnhealthyUpgradedInstancePercent"] == 0
    probe = without_secret(scale_set["inputs"]["virtualMachineProfile"])["networkProfile"]["healthProbe"]["id"]
    assert probe.endswith("/loadBalancers/salary-production-eu-balancer/probes/ready")
    assert scale_set["options"]["ignore_changes"] == ["sku.capacity"]
    assert one(declared, "RollingUpgrade")["inputs"]["scale_set"] == "salary-production-eu-id"


def test_a_scale_set_goes_out_by_a_nat_gateway_and_has_no_public_addresses():
    declared = declare(replicas=3)
    assert one(declared, "Subnet")["inputs"]["natGateway"]["id"] == "salary-production-eu-id"
    assert one(declared, "Subnet")["inputs"]["defaultOutboundAccess"] is False
    assert "publicIPAddress" not in str(one(declared, "VirtualMachineScaleSet")["inputs"])


def test_a_region_without_zones_is_served_as_well():
    assert "zones" not in one(declare(replicas=2, zones=()), "VirtualMachineScaleSet")["inputs"]


@pytest.mark.parametrize(
    ("scale", "size"),
    [({}, "Standard_B1ms"), ({"memory_gb": 3}, "Standard_B2s"), ({"cpu": 2}, "Standard_F2s_v2")],
)
def test_the_cheapest_size_is_taken(scale, size):
    assert cheapest(Scale(**scale)) == size


def test_more_than_any_size_has_is_told():
    with pytest.raises(InvalidConfiguration, match="`size`"):
        cheapest(Scale(cpu=1000))


def test_a_machine_that_cannot_run_a_release_is_refused():
    for size in ("Standard_D2ps_v5", "Standard_E4pds_v6", "Standard_B2pts_v2"):
        with pytest.raises(ValidationError, match=f"{size} is a machine with an ARM processor"):
            VirtualMachine.model_validate({**AZURE, "http": True, "size": size})
    for size in ("Standard_D2as_v5", "Standard_NP10s", "Standard_E4-2ds_v5"):
        assert VirtualMachine.model_validate({**AZURE, "http": True, "size": size}).size == size


@pytest.mark.parametrize(("seconds", "grace"), [(60, "PT10M"), (900, "PT22M"), (4980, "PT90M")])
def test_a_machine_is_not_replaced_while_it_may_still_become_ready(seconds, grace):
    workload = replace(Case("azure/virtual_machine", replicas=3).workload(), ready_timeout=seconds)
    declared = record(VirtualMachine.model_validate(HTTP), workload)
    repairs = one(declared, "VirtualMachineScaleSet")["inputs"]["automaticRepairsPolicy"]
    assert repairs["gracePeriod"] == grace


def test_a_start_that_takes_longer_than_machines_are_given_is_told():
    workload = replace(Case("azure/virtual_machine", replicas=3).workload(), ready_timeout=5000)
    with pytest.raises(InvalidConfiguration, match=r"ready_timeout: is 5000 seconds.*at most 4980 seconds"):
        record(VirtualMachine.model_validate(HTTP), workload)


def test_plain_http_is_asked_for():
    with pytest.raises(ValidationError, match="http"):
        VirtualMachine.model_validate(AZURE)
    with pytest.raises(ValidationError, match="http"):
        VirtualMachine.model_validate({**AZURE, "http": False})


def test_a_split_of_the_traffic_is_refused():
    with pytest.raises(InvalidConfiguration, match="all traffic to one release"):
        Case("azure/virtual_machine", HTTP, 3, canary=10).declared()


def test_a_storage_account_has_a_name_that_azure_takes_and_nobody_else_has():
    names = {account_name(subscription, name) for subscription in "ab" for name in ("salary-dev", "salary-production")}
    assert len(names) == 4
    assert all(len(name) <= 24 and name.isalnum() and name.islower() for name in names)


def test_a_fixed_number_of_machines_is_ours_to_say_and_a_range_the_loads():
    workload = Case("azure/virtual_machine", replicas=2).workload()
    fixed = replace(workload, scale=Scale(min_replicas=2, max_replicas=2))
    target = VirtualMachine.model_validate(HTTP)
    ignored = [
        one(record(target, each), "VirtualMachineScaleSet")["options"].get("ignore_changes")
        for each in (workload, fixed)
    ]
    assert "sku.capacity" in ignored[0]
    assert "sku.capacity" not in (ignored[1] or [])


@pytest.mark.parametrize("change", [{"size": "Standard_D8s_v5"}, {"disk_gb": 64}, {"image_version": "24.04.1"}])
def test_another_kind_of_machine_in_a_set_is_awaited_and_gated_anew(change):
    before, after = declare(replicas=2), declare(replicas=2, **change)
    for kind in ("RollingUpgrade", "Gate"):
        assert one(before, kind)["inputs"]["revision"] != one(after, kind)["inputs"]["revision"]


def test_one_machine_and_a_set_share_nothing_that_azure_lets_nobody_change():
    alone, many = declare(replicas=1), declare(replicas=2)
    kept = {each["name"]: each["inputs"] for each in of(alone, "PublicIPAddress")}
    both = [each for each in of(many, "PublicIPAddress") if each["name"] in kept]
    assert [each["name"] for each in both if each["inputs"].get("zones") != kept[each["name"]].get("zones")] == []
    accounts = [one(declared, "StorageAccount")["inputs"]["sku"] for declared in (alone, many)]
    assert accounts[0] == accounts[1]
