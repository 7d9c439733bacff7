"""What holds for every target, whichever cloud it is on."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
from recorder import record

from bentoship import targets
from bentoship.deployment import WORKLOAD_NAME_LENGTH, Configuration, Deployment, Scale
from bentoship.rehearsal.schema import load
from golden import CASES, NEWEST, OLDER

AUTONAME = 8
"""Letters that Pulumi puts behind a name."""
LONGEST = {
    "aws:lb/loadBalancer:LoadBalancer": 32,
    "aws:lb/targetGroup:TargetGroup": 32,
    "aws:elasticbeanstalk/environment:Environment": 40,
    "aws:iam/role:Role": 64,
    "aws:s3/bucket:Bucket": 63,
    "aws:elasticbeanstalk/application:Application": 100,
    "aws:iam/instanceProfile:InstanceProfile": 128,
    "aws:ec2/launchTemplate:LaunchTemplate": 128,
    "aws:ec2/securityGroup:SecurityGroup": 255,
    "azure-native:compute:VirtualMachine": 64,
    "azure-native:compute:VirtualMachineScaleSet": 64,
    "azure-native:managedidentity:UserAssignedIdentity": 128,
    "azure-native:network:NetworkInterface": 80,
    "azure-native:network:PublicIPAddress": 80,
    "azure-native:operationalinsights:Workspace": 63,
    "azure-native:resources:ResourceGroup": 90,
    "azure-native:web:AppServicePlan": 60,
    "azure-native:web:WebApp": 59,
    **{
        f"gcp:compute/{kind[0].lower()}{kind[1:]}:{kind}": 63
        for kind in (
            *("Address", "BackendService", "Firewall", "ForwardingRule", "GlobalAddress", "GlobalForwardingRule"),
            *("HealthCheck", "Instance", "Network", "RegionAutoscaler", "RegionInstanceGroupManager"),
            *("RegionInstanceTemplate", "Router", "RouterNat", "SSLPolicy", "Subnetwork", "TargetHttpProxy"),
            *("TargetHttpsProxy", "TargetInstance", "URLMap"),
        )
    },
    "gcp:storage/bucket:Bucket": 63,
}
"""Letters of a name at most, by the API reference of each service ("Naming rules for Azure resources").

A web app's name is a part of the name of its host, together with the slot's.
"""
PUBLIC = {
    "azure-native:network:PublicIPAddress",
    "azure-native:storage:StorageAccount",
    "azure-native:web:WebApp",
    "gcp:storage/bucket:Bucket",
}
A_RELEASE = re.compile(f"{NEWEST.short}|{OLDER.short}")
PER_RELEASE = {
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:elasticbeanstalk/applicationVersion:ApplicationVersion",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/instance:Instance",
    "azure-native:compute:VirtualMachine",
    "azure-native:network:NetworkInterface",
    "azure-native:network:PublicIPAddress",
    "azure-native:storage:Blob",
    "bentoship:index:Gate",
    "bentoship:gcp:AppEngineVersion",
    "gcp:appengine/flexibleAppVersion:FlexibleAppVersion",
    "gcp:appengine/standardAppVersion:StandardAppVersion",
    "gcp:compute/instance:Instance",
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate",
    "gcp:compute/targetInstance:TargetInstance",
    "gcp:storage/bucketObject:BucketObject",
}
every_case = pytest.mark.parametrize("name", CASES)


@cache
def declared(name):
    return CASES[name].declared()["resources"]


def is_ours(resource):
    return resource["type"].startswith("bentoship:")


@every_case
def test_everything_is_below_one_component_that_names_the_target(name):
    component, *others = [each for each in declared(name) if not each["parent"].startswith("bentoship:")]
    assert others == []
    cloud, _, kind = CASES[name].target.partition("/")
    assert component["type"] == f"bentoship:{cloud}:{kind.title().replace('_', '')}"
    assert component["name"] == CASES[name].workload().name


@every_case
def test_everything_in_a_cloud_is_made_by_a_provider_of_the_deployments_own(name):
    (provider,) = [each for each in declared(name) if each["type"].startswith("pulumi:providers:")]
    region = provider["inputs"].get("region") or provider["inputs"]["location"]
    assert region == CASES[name].fields["region"]
    for resource in declared(name):
        if resource is not provider and not is_ours(resource):
            assert resource["provider"] == f"{provider['type']}::{provider['name']}", resource["name"]


@every_case
def test_everything_in_a_cloud_carries_the_tag_by_which_it_is_found(name):
    (provider,) = [each for each in declared(name) if each["type"].startswith("pulumi:providers:")]
    if "defaultTags" in provider["inputs"]:
        found = [provider["inputs"]["defaultTags"]["as JSON"]["tags"]]
    elif "defaultLabels" in provider["inputs"]:  # a label's key takes no colon
        labels = provider["inputs"]["defaultLabels"]["as JSON"]
        found = [{key.replace("-", ":", 1): value for key, value in labels.items()}]
    else:
        takes_tags = {token for token, shape in load("azure-native").resources.items() if "tags" in shape.inputs}
        found = [each["inputs"]["tags"] for each in declared(name) if each["type"] in takes_tags]
    assert {tags["bentoship:workload"] for tags in found} == {CASES[name].workload().name}


@every_case
def test_names_say_what_they_are_of_and_fit(name):
    workload = CASES[name].workload().name
    spare = WORKLOAD_NAME_LENGTH - len(workload)
    for resource in declared(name):
        assert re.fullmatch(rf"{workload}(-[A-Za-z0-9]+)*", resource["name"])
        longest = len(resource["name"]) + spare + AUTONAME
        assert longest <= LONGEST.get(resource["type"], 255), resource["name"]


@pytest.mark.parametrize(
    ("word", "cases", "kept"),
    [
        ("google", [name for name in CASES if name.startswith("gcp/")], r"^goog|g[o0]{2}gle"),
        *(
            (word, [name for name in CASES if name.startswith("azure/")], "^login|microsoft|windows")
            for word in ("login", "microsoft", "windows")
        ),
    ],
)
def test_no_name_of_what_is_public_has_a_word_that_a_cloud_keeps_for_itself(word, cases, kept):
    for name in cases:
        case = CASES[name]
        workload = replace(case.workload(), name=f"{word}-staging-{word}")
        made = record(targets.find(case.target).model_validate(case.fields), workload)["resources"]
        public = [each for each in made if each["type"] in PUBLIC]
        assert len(public) > 0, name
        for each in public:
            asked = [text for key, text in each["inputs"].items() if key in ("accountName", "name")]
            for text in (each["name"], *asked):
                assert not re.search(kept, text), (each["type"], text)


@every_case
def test_only_what_is_made_for_one_release_is_named_after_it(name):
    for resource in declared(name):
        if resource["type"] not in PER_RELEASE:
            assert not A_RELEASE.search(resource["name"]), resource["name"]


@every_case
def test_no_two_resources_have_one_name(name):
    names = [(each["type"], each["name"]) for each in declared(name)]
    assert len(names) == len(set(names))


@every_case
def test_the_release_that_gets_traffic_is_gated_and_the_url_waits_for_it(name):
    (gate,) = [each for each in declared(name) if each["type"] == "bentoship:index:Gate"]
    assert gate["inputs"]["release"] == NEWEST.id


@every_case
def test_an_archive_that_is_not_on_this_machine_is_no_change(name):
    stored = (":BucketObject", ":BucketObjectv2", ":Blob")
    objects = [each for each in declared(name) if each["type"].endswith(stored)]
    (there,) = [each for each in objects if f"{NEWEST.id}.zip" in str(each["inputs"])]
    (elsewhere,) = [each for each in objects if f"{OLDER.id}.zip" in str(each["inputs"])]
    assert "source" in there["inputs"]
    assert "source" not in elsewhere["inputs"]
    for each in (there, elsewhere):
        assert "source" in each["options"]["ignore_changes"]
        assert each["options"]["retain_on_delete"]


@every_case
def test_the_same_workload_is_declared_in_the_same_words(name):
    assert CASES[name].declared()["resources"] == declared(name)


@every_case
def test_variables_are_secret_in_the_state(name):
    assert "careful" in str(declared(name))
    assert "careful" not in str(without_secrets(declared(name)))


def without_secrets(value):
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items() if key != "secret"}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CASES)
def test_what_a_deployment_says_of_itself_comes_back_from_the_stack_as_it_was(name):
    """Or every `up` would see another configuration."""
    case = CASES[name]
    target = targets.find(case.target).model_validate(case.fields)
    deployment = Deployment("staging", "eu", case.target, target, Scale(), {})
    kept = deployment.configuration.model_dump_json()
    assert Configuration.model_validate_json(kept) == deployment.configuration
