from __future__ import annotations

import pytest
from recorder import record

from bentoship.deployment import Example, ReleaseRef
from bentoship.errors import InvalidConfiguration
from bentoship.targets.gcp.compute_engine import ComputeEngine
from golden import GOOGLE_HTTP, GOOGLE_HTTPS, NEWEST, OLDER, Case


def declare(fields=GOOGLE_HTTP, replicas=1, releases=(NEWEST, OLDER), **more):
    workload = Case("gcp/compute_engine", replicas=replicas).workload(releases)
    return record(ComputeEngine.model_validate({**fields, **more}), workload)


def of(declared, kind):
    return [each for each in declared["resources"] if each["type"].rpartition(":")[2] == kind]


def one(declared, kind):
    (found,) = of(declared, kind)
    return found


def machine(declared):
    (found,) = of(declared, "Instance") + of(declared, "RegionInstanceTemplate")
    # What a machine is told has the user's variables in it, so that all of it is secret.
    return {**found["inputs"], "metadata": found["inputs"]["metadata"]["secret"]}


def test_the_address_points_to_a_machine_that_has_passed_the_gate():
    declared = declare()
    made, gate = one(declared, "Instance"), one(declared, "Gate")
    assert gate["options"]["depends_on"] == [f"gcp:compute/instance:Instance::{made['name']}"]
    assert f"bentoship:index:Gate::{gate['name']}" in one(declared, "ForwardingRule")["options"]["depends_on"]
    assert one(declared, "ForwardingRule")["inputs"]["target"] == f"{one(declared, 'TargetInstance')['name']}-id"


def test_a_new_release_gets_a_machine_of_its_own_and_the_old_one_is_found_again():
    old, new = declare(releases=(OLDER,)), declare()
    assert one(old, "Instance")["name"] != one(new, "Instance")["name"]
    assert one(declare(releases=(OLDER, NEWEST)), "Instance")["name"] == one(old, "Instance")["name"]


@pytest.mark.parametrize(("kind", "disk"), [("n4-standard-2", "hyperdisk-balanced"), ("n2-standard-2", "pd-balanced")])
def test_a_machine_gets_a_disk_that_it_can_have(kind, disk):
    boot = one(declare(machine_type=kind), "Instance")["inputs"]["bootDisk"]
    assert boot["initializeParams"]["type"] == disk


@pytest.mark.parametrize("change", [{"machine_type": "n2-standard-2"}, {"disk_gb": 50}, {"image_generation": 2}])
def test_another_kind_of_machine_is_another_machine_with_a_gate_of_its_own(change):
    before, after = declare(), declare(**change)
    for kind in ("Instance", "Gate"):
        assert one(before, kind)["name"] != one(after, kind)["name"]


@pytest.mark.parametrize(
    ("python", "system", "key"),
    [
        ("3.11", "Debian 12", "startup-script"),
        ("3.12", "Ubuntu 24.04", "user-data"),
        ("3.13", "Debian 13", "startup-script"),
    ],
)
def test_the_image_has_the_python_of_the_release_and_gets_its_script_where_it_looks(python, system, key):
    release = ReleaseRef(id="c" * 64, bento="salary", python=python, examples=(Example(body={}, answer={}),))
    declared = declare(releases=(release,))
    assert one(declared, "Pin")["inputs"]["subject"] == f"{system}, generation 1"
    script = machine(declared)["metadata"][key]
    assert f'"archive": "gs://salary-production-eu-releases/releases/{"c" * 64}.zip"' in script


def test_a_python_that_no_image_has_is_told():
    with pytest.raises(InvalidConfiguration, match=r"Python 3\.14"):
        declare(releases=(ReleaseRef(id="c" * 64, bento="salary", python="3.14"),))


@pytest.mark.parametrize("replicas", [1, 3])
def test_machines_are_shielded_and_reached_through_the_proxy_alone(replicas):
    declared = declare(replicas=replicas)
    made = machine(declared)
    assert set(made["shieldedInstanceConfig"].values()) == {True}
    assert made["metadata"]["enable-oslogin"] == "TRUE"
    assert made["metadata"]["block-project-ssh-keys"] == "TRUE"
    shells = [each["inputs"] for each in of(declared, "Firewall") if each["inputs"]["allows"][0]["ports"] == ["22"]]
    assert [shell["sourceRanges"] for shell in shells] == [["35.235.240.0/20"]]


def test_machines_of_a_group_have_no_external_address_and_a_way_out():
    declared = declare(replicas=3)
    (interface,) = machine(declared)["networkInterfaces"]
    assert "accessConfigs" not in interface
    assert one(declared, "RouterNat")["inputs"]["natIpAllocateOption"] == "AUTO_ONLY"
    assert one(declared, "Subnetwork")["inputs"]["privateIpGoogleAccess"] is True
    service = next(each["inputs"] for each in of(declared, "Firewall") if each["name"].endswith("-balancer"))
    assert service["sourceRanges"] == ["130.211.0.0/22", "35.191.0.0/16"]


def test_whether_a_machine_lives_heals_it_and_whether_it_is_ready_gives_it_traffic():
    declared = declare(replicas=3)
    paths = {each["name"]: each["inputs"]["httpHealthCheck"]["requestPath"] for each in of(declared, "HealthCheck")}
    healing = one(declared, "RegionInstanceGroupManager")["inputs"]["autoHealingPolicies"]["healthCheck"]
    traffic = one(declared, "BackendService")["inputs"]["healthChecks"]
    assert paths[healing.removesuffix("-id")] == "/livez"
    assert paths[traffic.removesuffix("-id")] == "/readyz"


def test_a_rollout_surges_replaces_and_is_awaited_by_us():
    declared = declare(replicas=3)
    group, rollout, template = (
        one(declared, kind) for kind in ("RegionInstanceGroupManager", "GroupRollout", "RegionInstanceTemplate")
    )
    policy = group["inputs"]["updatePolicy"]
    assert (policy["type"], policy["minimalAction"]) == ("PROACTIVE", "REPLACE")
    assert (policy["maxSurgeFixed"], policy["maxUnavailableFixed"]) == (3, 0)
    assert group["inputs"]["waitForInstances"] is False
    assert group["options"]["ignore_changes"] == ["targetSize"]
    assert rollout["inputs"]["template"].endswith(template["name"])
    gate = one(declared, "Gate")
    assert f"bentoship:gcp:GroupRollout::{rollout['name']}" in gate["options"]["depends_on"]


def test_going_back_finds_the_template_that_was_there():
    found = [one(declare(replicas=3, releases=kept), "RegionInstanceTemplate") for kept in ((OLDER,), (OLDER, NEWEST))]
    assert found[0]["name"] == found[1]["name"]
    assert found[0]["inputs"] == found[1]["inputs"]


@pytest.mark.parametrize("replicas", [1, 3])
def test_in_a_network_of_the_users_no_network_is_made(replicas):
    declared = declare(replicas=replicas, network="shared", subnetwork="models")
    assert of(declared, "Network") + of(declared, "Subnetwork") + of(declared, "RouterNat") == []
    (interface,) = machine(declared)["networkInterfaces"]
    assert interface["subnetwork"] == "projects/acme-models/regions/europe-west3/subnetworks/models"


def test_a_domain_brings_tls_even_to_one_replica():
    declared = declare(GOOGLE_HTTPS)
    assert declared["url"] == "https://salary.example.com"
    assert one(declared, "SSLPolicy")["inputs"]["minTlsVersion"] == "TLS_1_2"
    ports = {each["inputs"]["portRange"] for each in of(declared, "GlobalForwardingRule")}
    assert ports == {"80", "443"}
    redirect = next(each for each in of(declared, "URLMap") if each["name"].endswith("-redirect"))
    assert redirect["inputs"]["defaultUrlRedirect"]["httpsRedirect"] is True
    assert one(declared, "RegionAutoscaler")["inputs"]["autoscalingPolicy"]["minReplicas"] == 1


def test_a_certificate_proves_itself_before_it_has_traffic():
    declared = declare(GOOGLE_HTTPS)
    kinds = sorted(each["inputs"]["type"] for each in of(declared, "RecordSet"))
    assert kinds == ["A", "CNAME"]
    certificate = one(declared, "Certificate")
    assert certificate["inputs"]["managed"]["dnsAuthorizations"] == [f"{one(declared, 'DnsAuthorization')['name']}-id"]


@pytest.mark.parametrize("replicas", [1, 3])
def test_the_same_few_figures_are_watched(replicas):
    declared = declare(replicas=replicas, notification_channel="projects/acme-models/notificationChannels/7")
    page = one(declared, "Dashboard")["inputs"]["dashboardJson"]["as JSON"]
    titles = [widget["title"] for widget in page["gridLayout"]["widgets"]]
    assert titles[0] == "Release"
    assert {"Failed checks", "Slowest check, ms"} <= set(titles)
    if replicas > 1:
        assert {"Requests a second", "Errors a minute", "Slowest 1 % of requests, ms", "Instances"} <= set(titles)
    for policy in of(declared, "AlertPolicy"):
        assert policy["inputs"]["notificationChannels"] == ["projects/acme-models/notificationChannels/7"]
    assert one(declared, "UptimeCheckConfig")["inputs"]["httpCheck"]["path"] == "/readyz"


def test_labels_of_the_users_stand_beside_ours():
    labels = one(declare(labels={"team": "pricing"}), "gcp")["inputs"]["defaultLabels"]["as JSON"]
    assert labels == {"team": "pricing", "bentoship-workload": "salary-production-eu"}


def test_a_split_of_the_traffic_is_refused():
    with pytest.raises(InvalidConfiguration, match="all traffic to one release"):
        Case("gcp/compute_engine", GOOGLE_HTTP, 3, canary=10).declared()
