"""What the targets on Google Cloud take, and how they refuse the rest."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bentoship import targets
from bentoship.deployment import Scale
from bentoship.errors import InvalidConfiguration
from bentoship.targets.gcp._sizes import cheapest, flexible_size, smallest_class

PLACE = {"project": "acme-models", "region": "europe-west3"}


def make(name, **fields):
    return targets.find(name).model_validate(PLACE | fields)


@pytest.mark.parametrize("name", ["gcp/app_engine", "gcp/compute_engine"])
@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"project": "123456"}, "project"),
        ({"region": "europe-west3-a"}, "region"),
        ({"region": "Frankfurt"}, "region"),
        ({"notification_channel": "someone@example.com"}, "notification_channel"),
        ({"labels": {"Team": "pricing"}}, "Team: pricing is no label"),
        ({"labels": {"team": "Pricing & Co"}}, "is no label"),
        ({"latency_alert_seconds": 0}, "latency_alert_seconds"),
    ],
)
def test_what_no_target_can_be_told_is_refused(name, fields, fault):
    told = {"http": True} if name.endswith("compute_engine") else {}
    with pytest.raises(ValidationError, match=fault):
        make(name, **told, **fields)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "either `domain`, for HTTPS, or `http: true`"),
        ({"http": True, "domain": "a.example.com", "dns_zone": "a"}, "either `domain`, for HTTPS, or `http: true`"),
        ({"domain": "a.example.com"}, "`domain` and `dns_zone` are given together"),
        ({"http": True, "dns_zone": "example-com"}, "`domain` and `dns_zone` are given together"),
        ({"http": True, "network": "vpc"}, "`network` and `subnetwork` are given together"),
        ({"http": True, "machine_type": "big"}, "machine_type"),
        ({"http": True, "machine_type": "t2a-standard-1"}, "ARM processor"),
        ({"http": True, "disk_gb": 1}, "disk_gb"),
    ],
)
def test_what_a_machine_cannot_be_is_refused(fields, fault):
    with pytest.raises(ValidationError, match=fault):
        make("gcp/compute_engine", **fields)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"flavour": "express"}, "flavour"),
        ({"instance_class": "F8"}, "instance_class"),
        ({"network": "vpc"}, "`network` says nothing with `flavour: standard`"),
        ({"disk_gb": 20}, "`disk_gb` says nothing with `flavour: standard`"),
        ({"flavour": "flexible", "instance_class": "F1"}, "`instance_class` says nothing with `flavour: flexible`"),
        ({"flavour": "flexible", "kept_versions": 3}, "`kept_versions` says nothing with `flavour: flexible`"),
        ({"flavour": "flexible", "subnetwork": "a"}, "`subnetwork` says nothing without `network`"),
        ({"gradual": True, "kept_versions": 1}, "`gradual` needs `kept_versions: 2` at least"),
    ],
)
def test_what_app_engine_cannot_be_is_refused(fields, fault):
    with pytest.raises(ValidationError, match=fault):
        make("gcp/app_engine", **fields)


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        (1, 1, "e2-micro"),
        (1, 2, "e2-small"),
        (0.5, 3, "e2-medium"),
        (1, 8, "e2-standard-2"),
        (2, 2, "e2-highcpu-2"),
        (3, 4, "e2-highcpu-4"),
        (4, 20, "e2-highmem-4"),
    ],
)
def test_the_cheapest_machine_that_is_large_enough(cpu, memory, expected):
    assert cheapest(Scale(cpu=cpu, memory_gb=memory)) == expected


@pytest.mark.parametrize(
    ("memory", "expected"),
    [(0.3, "F1"), (0.384, "F1"), (0.5, "F2"), (1, "F4"), (1.5, "F4"), (2, "F4_1G"), (3, "F4_1G")],
)
def test_the_smallest_class_with_the_memory(memory, expected):
    assert smallest_class(Scale(memory_gb=memory)) == expected


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"), [(1, 2, (1, 2)), (1, 0.3, (1, 0.5)), (2, 4, (2, 4)), (3, 4, (4, 4)), (1, 8, (2, 8))]
)
def test_a_flexible_instance_has_cpus_in_proportion_to_its_memory(cpu, memory, expected):
    assert flexible_size(Scale(cpu=cpu, memory_gb=memory)) == expected


@pytest.mark.parametrize("choose", [cheapest, smallest_class, flexible_size])
def test_what_no_size_has_is_told_with_a_way_out(choose):
    with pytest.raises(InvalidConfiguration) as failure:
        choose(Scale(cpu=99, memory_gb=5000))
    assert "5000 GB" in str(failure.value)
    assert failure.value.problems[0].remedy
