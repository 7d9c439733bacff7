"""The schema is the SDK's, and says by its path what does not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bentoship.provider.properties import UNKNOWN
from bentoship.rehearsal import home
from bentoship.rehearsal.schema import load, zero

ROOT = Path(__file__).parents[2]
ENVIRONMENT = "aws:elasticbeanstalk/environment:Environment"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
ASSET = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "hash": "ab", "path": "a.zip"}


def problems(token, inputs):
    schema = load("aws")
    return {found.where: (found.fault, found.remedy) for found in schema.check(schema.resources[token], inputs)}


@pytest.mark.slow
@pytest.mark.parametrize("cloud", home.CLOUDS)
def test_the_file_is_what_the_installed_sdk_says(cloud):
    sdk = f"pulumi_{cloud.replace('-', '_')}"
    pytest.importorskip(sdk, reason=f"{sdk}, from which the schema is derived, isn't installed")
    tool = [sys.executable, "-W", "ignore", "tools/schemas.py", "--print", cloud]
    derived = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept = (ROOT / "src" / "bentoship" / "rehearsal" / "schemas" / f"{cloud}.json").read_text(encoding="utf-8")
    assert derived == kept, f"the SDK says otherwise: run python tools/schemas.py {cloud}"


@pytest.mark.parametrize("cloud", home.CLOUDS)
def test_the_version_is_that_of_the_sdk_that_we_pin(cloud):
    assert f'"pulumi-{cloud}=={load(cloud).version}"' in (ROOT / "pyproject.toml").read_text()


def test_an_unknown_property_is_named_with_the_nearest_one():
    assert problems(ENVIRONMENT, {"application": "a", "versoin": "x"}) == {
        "versoin": ("unknown property", "did you mean 'version'?")
    }


def test_a_property_far_inside_is_named_by_its_path():
    inputs = {"blockDeviceMappings": [{"deviceName": "/dev/sda1"}, {"ebs": {"volumeSize": "16", "encrypt": "true"}}]}
    assert problems(TEMPLATE, inputs) == {
        "blockDeviceMappings[1].ebs.volumeSize": ("expected an integer, got a string ('16')", ""),
        "blockDeviceMappings[1].ebs.encrypt": ("unknown property", "did you mean 'encrypted'?"),
    }


def test_every_missing_and_every_mistyped_property_is_told_at_once():
    inputs = {"description": 3, "settings": [{"namespace": "a", "name": "b"}, "c"], "tags": {"team": True}}
    assert problems(ENVIRONMENT, inputs) == {
        "application": ("missing required property", ""),
        "description": ("expected a string, got a number (3)", ""),
        "settings[0].value": ("missing required property", ""),
        "settings[1]": ("expected an object, got a string ('c')", ""),
        "tags.team": ("expected a string, got a boolean (True)", ""),
    }


def test_what_is_not_known_yet_passes_wherever_it_is():
    assert problems(ENVIRONMENT, {"application": UNKNOWN, "settings": UNKNOWN, "tags": {"a": UNKNOWN}}) == {}


def test_an_asset_is_no_string_and_a_string_no_asset():
    assert problems(OBJECT, {"bucket": "b", "source": ASSET}) == {}
    assert problems(OBJECT, {"bucket": ASSET, "source": "a.zip"}) == {
        "bucket": ("expected a string, got an object", ""),
        "source": ("expected an asset, got a string ('a.zip')", ""),
    }


def test_a_value_of_a_list_is_one_of_it():
    found = problems("aws:autoscaling/group:Group", {"minSize": 1, "maxSize": 1, "metricsGranularity": "1minute"})
    assert found == {"metricsGranularity": ("'1minute' is not allowed", "did you mean '1Minute'?")}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("string", ""), ("boolean", False), ("integer", 0), (["string"], []), ({"map": "string"}, {}), ("object", {})],
)
def test_an_output_with_nothing_to_say_has_the_value_of_its_type(kind, value):
    assert zero(kind) == value
