from __future__ import annotations

import pytest
from recorder import record

from bentoship.deployment import Example, ReleaseRef
from bentoship.errors import InvalidConfiguration
from bentoship.targets.aws.ec2 import Ec2
from golden import HTTP, HTTPS, NEWEST, OLDER, Case


def declare(fields=HTTP, replicas=1, releases=(NEWEST, OLDER), **more):
    workload = Case("aws/ec2", replicas=replicas).workload(releases)
    return record(Ec2.model_validate({**fields, **more}), workload)


def of(declared, kind):
    return [each for each in declared["resources"] if each["type"].rpartition(":")[2] == kind]


def one(declared, kind):
    (found,) = of(declared, kind)
    return found


def test_the_address_moves_to_a_machine_that_has_passed_the_gate():
    declared = declare()
    machine, gate = one(declared, "Instance"), one(declared, "Gate")
    assert gate["options"]["depends_on"] == [f"aws:ec2/instance:Instance::{machine['name']}"]
    assert f"bentoship:index:Gate::{gate['name']}" in one(declared, "EipAssociation")["options"]["depends_on"]


def test_a_new_release_gets_a_machine_of_its_own_and_the_old_one_is_found_again():
    old, new = declare(releases=(OLDER,)), declare()
    assert one(old, "Instance")["name"] != one(new, "Instance")["name"]
    assert one(declare(releases=(OLDER, NEWEST)), "Instance")["name"] == one(old, "Instance")["name"]


@pytest.mark.parametrize("change", [{"instance_type": "m7i.large"}, {"disk_gb": 50}, {"image_generation": 2}])
def test_another_kind_of_machine_is_another_machine_with_a_gate_of_its_own(change):
    before, after = declare(), declare(**change)
    for kind in ("Instance", "Gate"):
        assert one(before, kind)["name"] != one(after, kind)["name"]


def test_an_image_that_is_published_later_changes_nothing_and_a_new_generation_takes_it():
    pin, raised = one(declare(), "Pin"), one(declare(image_generation=2), "Pin")
    assert pin["name"] == raised["name"]
    assert pin["inputs"]["subject"] != raised["inputs"]["subject"]


@pytest.mark.parametrize(("python", "system"), [("3.11", "Debian 12"), ("3.12", "Ubuntu 24.04"), ("3.13", "Debian 13")])
def test_the_image_has_the_python_of_the_release(python, system):
    release = ReleaseRef(id="c" * 64, bento="salary", python=python, examples=(Example(body={}, answer={}),))
    assert one(declare(releases=(release,)), "Pin")["inputs"]["subject"] == f"{system}, generation 1"


def test_a_python_that_no_image_has_is_told():
    release = ReleaseRef(id="c" * 64, bento="salary", python="3.14")
    with pytest.raises(InvalidConfiguration, match=r"Python 3\.14"):
        declare(releases=(release,))


@pytest.mark.parametrize("replicas", [1, 3])
def test_nobody_logs_in_over_ssh_and_nobody_asks_for_credentials_without_a_token(replicas):
    declared = declare(replicas=replicas)
    assert {each["inputs"]["fromPort"] for each in of(declared, "SecurityGroupIngressRule")} <= {80, 443, 8000}
    (machine,) = of(declared, "Instance") + of(declared, "LaunchTemplate")
    assert "keyName" not in machine["inputs"]
    assert machine["inputs"]["metadataOptions"]["httpTokens"] == "required"


def test_only_the_load_balancer_reaches_the_machines():
    rules = {
        each["name"].rpartition("eu-")[2]: each["inputs"]
        for each in of(declare(replicas=3), "SecurityGroupIngressRule")
    }
    assert "cidrIpv4" not in rules["machine"]
    assert rules["machine"]["referencedSecurityGroupId"].endswith("balancer-id")


def test_the_release_of_a_group_is_moved_by_the_refresh_alone():
    declared = declare(replicas=3)
    group, refresh, template = (one(declared, kind) for kind in ("Group", "InstanceRefresh", "LaunchTemplate"))
    assert group["options"]["ignore_changes"] == ["desiredCapacity", "launchTemplate"]
    assert refresh["inputs"]["template"] == f"{template['name']}-id"
    assert refresh["inputs"]["version"] == "1"


def test_going_back_finds_the_template_that_was_there():
    templates = [one(declare(replicas=3, releases=kept), "LaunchTemplate") for kept in ((OLDER,), (OLDER, NEWEST))]
    assert templates[0]["name"] == templates[1]["name"]
    assert templates[0]["inputs"] == templates[1]["inputs"]


@pytest.mark.parametrize(("replicas", "zones"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_many_are_spread_over_zones(replicas, zones):
    found = [each["inputs"]["availabilityZone"] for each in of(declare(replicas=replicas), "Subnet")]
    assert found == ["eu-central-1a", "eu-central-1b", "eu-central-1c"][:zones]


def test_in_a_vpc_of_the_users_no_network_is_made():
    theirs = {"vpc": "vpc-1", "public_subnets": ("subnet-1", "subnet-2"), "private_subnets": ("subnet-3",)}
    declared = declare(replicas=3, **theirs)
    assert of(declared, "Vpc") + of(declared, "Subnet") + of(declared, "InternetGateway") == []
    assert one(declared, "LoadBalancer")["inputs"]["subnets"] == ["subnet-1", "subnet-2"]
    assert one(declared, "Group")["inputs"]["vpcZoneIdentifiers"] == ["subnet-3"]
    (interface,) = one(declared, "LaunchTemplate")["inputs"]["networkInterfaces"]
    assert interface["associatePublicIpAddress"] == "false"


def test_a_domain_brings_tls_even_to_one_replica():
    declared = declare(HTTPS)
    assert declared["url"] == "https://salary.example.com"
    ports = {each["inputs"]["port"]: each["inputs"]["defaultActions"][0]["type"] for each in of(declared, "Listener")}
    assert ports == {80: "redirect", 443: "forward"}
    assert one(declared, "Group")["inputs"]["minSize"] == 1


def test_a_zone_that_is_named_is_not_looked_up():
    zones = {each["inputs"]["zoneId"] for each in of(declare(HTTPS, hosted_zone="ZMINE"), "Record")}
    assert zones == {"ZMINE"}


def test_alarms_are_sent_where_they_shall_go():
    topic = "arn:aws:sns:eu-central-1:123456789012:team"
    for alarm in of(declare(replicas=3, alarm_topic=topic), "MetricAlarm"):
        assert alarm["inputs"]["alarmActions"] == [topic]


def test_tags_of_the_users_stand_beside_ours():
    provider = one(declare(tags={"team": "pricing"}), "aws")
    assert provider["inputs"]["defaultTags"]["as JSON"]["tags"]["team"] == "pricing"


def test_a_split_of_the_traffic_is_refused():
    with pytest.raises(InvalidConfiguration, match="all traffic to one release"):
        Case("aws/ec2", HTTP, 3, canary=10).declared()
