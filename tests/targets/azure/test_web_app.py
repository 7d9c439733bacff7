from __future__ import annotations

import pytest
from pydantic import ValidationError
from recorder import record

from bentoship.deployment import ReleaseRef, Scale
from bentoship.errors import InvalidConfiguration
from bentoship.targets.azure._plans import cheapest, tier
from bentoship.targets.azure.web_app import WebApp
from golden import AZURE, NEWEST, OLDER, Case


def declare(fields=AZURE, replicas=1, releases=(NEWEST, OLDER), **more):
    workload = Case("azure/web_app", replicas=replicas).workload(releases)
    return record(WebApp.model_validate({**fields, **more}), workload)


def of(declared, kind):
    return [each for each in declared["resources"] if each["type"].rpartition(":")[2] == kind and each["inputs"]]


def one(declared, kind):
    (found,) = of(declared, kind)
    return found


def test_the_app_and_its_slot_are_the_same_and_know_of_no_release():
    declared = declare()
    app, slot = one(declared, "WebApp")["inputs"], one(declared, "WebAppSlot")["inputs"]
    assert {key: value for key, value in slot.items() if key not in {"name", "slot"}} == app
    assert "appSettings" not in app["siteConfig"]
    assert NEWEST.short not in str(app)
    older = declare(releases=(OLDER,))
    assert (one(older, "WebApp")["inputs"], one(older, "WebAppSlot")["inputs"]) == (app, slot)


def test_the_swap_alone_names_the_release_and_comes_after_all_that_a_start_needs():
    swap = one(declare(), "SlotSwap")
    assert swap["inputs"]["settings"]["secret"]["BENTOSHIP_REVISION"] == swap["inputs"]["revision"]
    waits = str(swap["options"]["depends_on"])
    for kind in ("RoleAssignment", f"Blob::salary-production-eu-{NEWEST.short}", "WebAppSlot", "WebAppScmAllowedSlot"):
        assert kind in waits


def test_nobody_comes_in_without_tls_or_with_a_password():
    declared = declare()
    app = one(declared, "WebApp")["inputs"]
    assert app["httpsOnly"]
    assert (app["siteConfig"]["minTlsVersion"], app["siteConfig"]["ftpsState"]) == ("1.2", "Disabled")
    closed = ("WebAppFtpAllowed", "WebAppScmAllowed", "WebAppFtpAllowedSlot", "WebAppScmAllowedSlot")
    assert not any(one(declared, kind)["inputs"]["allow"] for kind in closed)
    assert declared["url"].startswith("https://")


def test_a_canary_is_proved_in_the_slot_and_gated_again_once_it_has_all_of_the_traffic():
    canary = Case("azure/web_app", AZURE, 3, canary=10).declared()
    assert one(canary, "SlotSwap")["inputs"]["percent"] == 10
    assert one(canary, "Gate")["inputs"]["url"] == one(canary, "SlotSwap")["inputs"]["url"]
    whole = declare(replicas=3)
    assert one(whole, "Gate")["inputs"]["url"] == whole["url"]
    assert one(whole, "Gate")["name"] != one(canary, "Gate")["name"]


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        ({}, "P0v3"),
        ({"memory_gb": 2.5}, "P1v3"),
        ({"cpu": 2}, "P1v3"),
        ({"cpu": 2, "memory_gb": 8}, "P1mv3"),
        ({"cpu": 32, "memory_gb": 128}, "P5mv3"),
    ],
)
def test_an_instance_has_memory_for_the_app_and_its_slot(scale, size):
    assert cheapest(Scale(**scale)) == size


def test_more_than_a_plan_has_is_told():
    with pytest.raises(InvalidConfiguration, match="no size of an App Service plan has 64 CPUs"):
        cheapest(Scale(cpu=64))


@pytest.mark.parametrize(
    ("size", "name"),
    [("S1", "Standard"), ("P0v3", "Premium0V3"), ("P1v3", "PremiumV3"), ("P2mv3", "PremiumMV3"), ("P1v4", "PremiumV4")],
)
def test_a_size_is_of_a_tier(size, name):
    assert tier(size) == name


@pytest.mark.parametrize("sku", ["B1", "P0v2", "P4v3", "P0mv3", "P1mv2"])
def test_a_size_without_slots_or_that_there_is_not_is_refused(sku):
    with pytest.raises(ValidationError, match="sku"):
        WebApp.model_validate({**AZURE, "sku": sku})


def test_more_replicas_than_a_tier_has_instances_are_told():
    with pytest.raises(InvalidConfiguration, match="12 replicas are more than the 10 instances of a Standard plan"):
        declare(replicas=6, sku="S1")


@pytest.mark.parametrize(("replicas", "more", "zonal"), [(1, {}, False), (2, {}, True), (2, {"sku": "S1"}, False)])
def test_two_replicas_are_spread_over_zones(replicas, more, zonal):
    assert one(declare(replicas=replicas, **more), "AppServicePlan")["inputs"]["zoneRedundant"] is zonal
    plan = one(declare(replicas=2, zone_redundant=False), "AppServicePlan")
    assert plan["inputs"]["zoneRedundant"] is False


def test_another_python_gets_an_app_of_its_own():
    release = ReleaseRef(id="c" * 64, bento="salary", python="3.13")
    app = one(declare(releases=(release,)), "WebApp")
    assert app["inputs"]["siteConfig"]["linuxFxVersion"] == "PYTHON|3.13"
    assert app["name"] != one(declare(), "WebApp")["name"]


def test_a_python_that_app_service_does_not_have_is_told():
    with pytest.raises(InvalidConfiguration, match=r"no image with Python 3\.9"):
        declare(releases=(ReleaseRef(id="c" * 64, bento="salary", python="3.9"),))


def test_a_key_vault_is_read_by_the_apps_own_identity():
    vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
    declared = declare(key_vault=vault)
    scopes = {each["inputs"]["scope"]: each["name"] for each in of(declared, "RoleAssignment")}
    assert vault in scopes
    assert (
        f"azure-native:authorization:RoleAssignment::{scopes[vault]}"
        in one(declared, "SlotSwap")["options"]["depends_on"]
    )


def test_alerts_are_sent_where_they_shall_go():
    group = "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actionGroups/team"
    for alert in of(declare(action_group=group), "MetricAlert"):
        assert alert["inputs"]["actions"] == [{"actionGroupId": group}]


@pytest.mark.parametrize(
    "wrong", [{"subscription": "mine"}, {"region": "West Europe"}, {"log_retention_days": 7}, {"key_vault": "v"}]
)
def test_a_field_that_azure_would_refuse_is_refused_at_once(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        WebApp.model_validate({**AZURE, **wrong})
