"""The account that a rehearsal has: its number, its regions, and what is in them before any stack.

Every region of a new account has a default network (VPC User Guide, "Default VPCs"); the ranges and the way zones are
called are those of that page.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from ..world import Resource, World
from .network import GATEWAY, SECURITY_GROUP, SUBNET, VPC

ACCOUNT = "111122223333"
"""The number that AWS's own documentation uses for an account."""
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/rehearsal/bentoship"
_OTHER_ZONES = {
    "us-east-1": "abcdef",
    "us-west-2": "abcd",
    "ap-northeast-1": "acd",
    "us-west-1": "ac",
    "ca-central-1": "abd",
}
_OLD_ZONE = "us-east-1e"
REGIONS = (
    *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2"),
    *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7"),
    *("ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1"),
    *("sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)


def zones(region: str) -> list[str]:
    """The availability zones of `region`."""
    return [f"{region}{letter}" for letter in _OTHER_ZONES.get(region, "abc")]


def zones_with(region: str, instance_type: str) -> list[str]:
    """The zones of `region` that have `instance_type`: one of us-east-1 has nothing that is new."""
    is_old = instance_type.startswith(("m4.", "c4.", "r4.", "t2.", "m3.", "c3."))
    return [zone for zone in zones(region) if is_old or zone != _OLD_ZONE]


def identity(kind: str, *parts: str) -> str:
    """An id in AWS's shape that is the same every time: `ami-` and seventeen digits."""
    return f"{kind}-{sha256('/'.join(parts).encode()).hexdigest()[:17]}"


def unique() -> str:
    """Seventeen digits for the id of something that is made only now."""
    return secrets.token_hex(9)[:17]


def now() -> str:
    """This moment as AWS's answers have it: ISO 8601 in UTC, to the millisecond, so that times sort as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def prepare(world: World, region: str) -> Mapping[str, str]:
    """Make what every region has, unless it has; what templates may say about it."""
    network = identity("vpc", region)
    found = {
        "account": ACCOUNT,
        "caller": CALLER,
        "region": region,
        "defaultVpc": network,
        "defaultSubnet": identity("subnet", zones(region)[0]),
    }
    with world.locked():
        if world.get(VPC, network, region) is None:
            for resource in _default_network(region, network):
                world.put(resource)
    return found


def _default_network(region: str, network: str) -> list[Resource]:
    def given(token: str, identity: str, **properties: object) -> Resource:
        everything = {"id": identity, "region": region, "ownerId": ACCOUNT, **properties}
        return Resource(token, identity, identity, region, everything, given=True)

    subnets = [
        given(
            SUBNET,
            identity("subnet", zone),
            vpcId=network,
            availabilityZone=zone,
            cidrBlock=f"172.31.{16 * index}.0/20",
            mapPublicIpOnLaunch=True,
            defaultForAz=True,
        )
        for index, zone in enumerate(zones(region))
    ]
    return [
        *subnets,
        given(SECURITY_GROUP, identity("sg", region), name="default", vpcId=network),
        given(GATEWAY, identity("igw", region), vpcId=network),
        given(VPC, network, cidrBlock="172.31.0.0/16", default=True, mainRouteTableId=identity("rtb", region)),
    ]
