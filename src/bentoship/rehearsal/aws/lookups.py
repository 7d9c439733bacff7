"""What AWS answers when a program looks something up.

What a stack made is found in the world. What an account has beside it can't be known here: hosted zones, secrets and
parameters of the user's own are taken to exist (docs/rehearsal.md); images and solution stacks are those listed here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..cloud import Properties
from ..refusal import refused
from ..rules import Service
from ..world import Resource, World
from . import account
from .balancing import ZONE
from .network import SUBNET, VPC
from .services import EC2, ELASTIC_BEANSTALK, SSM

SOLUTION_STACKS = tuple(
    f"64bit Amazon Linux 2023 v4.{minor}.0 running Python {python}"
    for minor in (9, 8, 7)
    for python in ("3.14", "3.13", "3.12", "3.11", "3.9")
)
"""Newest first, as ListAvailableSolutionStacks answers; names from the page "Elastic Beanstalk supported platforms"."""
CANONICAL = "099720109477"
_IMAGES = (
    ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261015", CANONICAL, "x86_64", "/dev/sda1"),
    ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20261015", CANONICAL, "arm64", "/dev/sda1"),
    ("al2023-ami-2023.9.20261020.0-kernel-6.12-x86_64", "137112412989", "x86_64", "/dev/xvda"),
)
"""Name, owner, architecture and root device."""
_PUBLIC_PARAMETERS = re.compile(
    r"/aws/service/(canonical/ubuntu/server/(22|24|26)\.04/stable/current/(amd64|arm64)/hvm/ebs-gp[23]/ami-id"
    r"|ami-amazon-linux-latest/al2023-ami(-minimal)?-kernel-(default|6\.\d+)-(x86_64|arm64)"
    r"|debian/release/1[23]/latest/(amd64|arm64))"
)
"""Pages "Canonical Ubuntu on AWS: find images with SSM", "AL2023: launching with an SSM parameter", Debian wiki."""


_MORE_THAN_ONE = "Your query returned more than one result. Please try a more specific search criteria."


def availability_zones(_: World, region: str, arguments: Properties) -> Properties:
    """aws.get_availability_zones."""
    excluded = arguments.get("excludeNames") or []
    names = [zone for zone in account.zones(region) if zone not in excluded]
    identities = [f"{region.replace('-', '')}-az{index + 1}" for index, _ in enumerate(names)]
    return {"id": region, "names": names, "zoneIds": identities, "groupNames": [region]}


def instance_type_offerings(_: World, region: str, arguments: Properties) -> Properties:
    """aws.ec2.get_instance_type_offerings, by availability zone."""
    filters = {item["name"]: item["values"] for item in arguments.get("filters") or [] if isinstance(item, dict)}
    found = [(kind, zone) for kind in filters.get("instance-type", ()) for zone in account.zones_with(region, kind)]
    types, locations = [kind for kind, _ in found], [zone for _, zone in found]
    return {"id": region, "instanceTypes": types, "locations": locations, "locationTypes": ["availability-zone"]}


def caller_identity(_: World, __: str, ___: Properties) -> Properties:
    """aws.get_caller_identity."""
    return {
        "id": account.ACCOUNT,
        "accountId": account.ACCOUNT,
        "arn": account.CALLER,
        "userId": "AROAREHEARSAL:bentoship",
    }


def partition(_: World, __: str, ___: Properties) -> Properties:
    """aws.get_partition."""
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def region(_: World, region: str, arguments: Properties) -> Properties:
    """aws.get_region."""
    found = str(arguments.get("region") or region)
    return {"id": found, "region": found, "name": found, "endpoint": f"ec2.{found}.amazonaws.com", "description": found}


def image(_: World, region: str, arguments: Properties) -> Properties:
    """aws.ec2.get_ami."""
    wanted = {item["name"]: item["values"] for item in arguments.get("filters") or [] if isinstance(item, dict)}
    owners = arguments.get("owners") or []
    for name, owner, architecture, device in _IMAGES:
        if (
            (not owners or owner in owners or "amazon" in owners)
            and _matches(name, wanted.get("name"))
            and _matches(architecture, wanted.get("architecture"))
            and re.search(str(arguments.get("nameRegex") or ""), name)
        ):
            found = account.identity("ami", region, name)
            return {
                "id": found,
                "imageId": found,
                "name": name,
                "ownerId": owner,
                "architecture": architecture,
                "rootDeviceName": device,
                "state": "available",
                "arn": f"arn:aws:ec2:{region}::image/{found}",
            }
    raise _nothing(EC2, "DescribeImages", "filters")


def solution_stack(_: World, __: str, arguments: Properties) -> Properties:
    """aws.elasticbeanstalk.get_solution_stack."""
    found = [name for name in SOLUTION_STACKS if re.search(str(arguments.get("nameRegex") or ""), name)]
    if not found:
        raise _nothing(ELASTIC_BEANSTALK, "ListAvailableSolutionStacks", "nameRegex")
    if len(found) > 1 and not arguments.get("mostRecent"):
        raise refused(
            ELASTIC_BEANSTALK,
            "ListAvailableSolutionStacks",
            f"{_MORE_THAN_ONE} Or set `most_recent` to true.",
            "mostRecent",
        )
    return {"id": found[0], "name": found[0]}


def hosted_zone_of_beanstalk(_: World, region: str, __: Properties) -> Properties:
    """aws.elasticbeanstalk.get_hosted_zone."""
    return {"id": account.identity("Z", region).replace("-", "").upper()[:14]}


def parameter(world: World, region: str, arguments: Properties) -> Properties:
    """aws.ssm.get_parameter: a public one, one of the stack's, or one that the user's account is taken to have."""
    name = str(arguments.get("name"))
    made = _first(world, "aws:ssm/parameter:Parameter", region, name=name)
    if made is not None:
        return {**made.properties, "id": name}
    arn = f"arn:aws:ssm:{region}:{'' if name.startswith('/aws/') else account.ACCOUNT}:parameter/{name.lstrip('/')}"
    found = {"id": name, "arn": arn, "version": 1}
    if _PUBLIC_PARAMETERS.fullmatch(name):
        value = account.identity("ami", region, name)
        return {**found, "type": "String", "value": value, "insecureValue": value}
    if name.startswith("/aws/"):
        raise refused(SSM, "GetParameter", "ParameterNotFound: ", "name")
    return {**found, "type": "SecureString", "value": f"the rehearsal's value of {name}", "insecureValue": ""}


def secret(world: World, region: str, arguments: Properties) -> Properties:
    """aws.secretsmanager.get_secret: one of the stack's, or one that the user's account is taken to have."""
    name = str(arguments.get("name") or arguments.get("arn"))
    made = _first(world, "aws:secretsmanager/secret:Secret", region, name=name)
    if made is not None:
        return {**made.properties, "id": made.id}
    short = name.rpartition(":")[2] if name.startswith("arn:") else f"{name}-{account.identity('s', name)[2:8]}"
    arn = f"arn:aws:secretsmanager:{region}:{account.ACCOUNT}:secret:{short}"
    return {"id": arn, "arn": arn, "name": name}


def zone(world: World, _: str, arguments: Properties) -> Properties:
    """aws.route53.get_zone: one of the stack's, or one that the user's account is taken to have."""
    name = str(arguments.get("name") or "").rstrip(".")
    wanted = {"zoneId": arguments["zoneId"]} if arguments.get("zoneId") else {"name": name}
    made = _first(world, ZONE, "", **wanted)
    if made is None:
        identity = str(arguments.get("zoneId") or account.identity("Z", name).replace("-", "").upper())
        made = Resource(ZONE, identity, identity, "", {"zoneId": identity, "id": identity, "name": name}, given=True)
        world.put(made)
    arn = f"arn:aws:route53:::hostedzone/{made.id}"
    return {**made.properties, "id": made.id, "zoneId": made.id, "arn": arn, "nameServers": ["ns-1.awsdns-01.org"]}


def network(world: World, region: str, arguments: Properties) -> Properties:
    """aws.ec2.get_vpc."""
    wanted = {"id": arguments.get("id"), "default": arguments.get("default"), "cidrBlock": arguments.get("cidrBlock")}
    found = [item for item in world.every(VPC, region) if _has(item, wanted, arguments)]
    if len(found) != 1:
        raise _nothing(EC2, "DescribeVpcs", "id") if not found else _too_many(EC2, "DescribeVpcs", "id")
    return {"default": False, **found[0].properties, "id": found[0].id}


def subnets(world: World, region: str, arguments: Properties) -> Properties:
    """aws.ec2.get_subnets."""
    found = [item.id for item in world.every(SUBNET, region) if _has(item, {}, arguments)]
    return {"id": region, "ids": sorted(found)}


def subnet(world: World, region: str, arguments: Properties) -> Properties:
    """aws.ec2.get_subnet."""
    names = ("id", "vpcId", "cidrBlock", "availabilityZone", "defaultForAz")
    wanted = {name: arguments.get(name) for name in names}
    found = [item for item in world.every(SUBNET, region) if _has(item, wanted, arguments)]
    if len(found) != 1:
        raise _nothing(EC2, "DescribeSubnets", "id") if not found else _too_many(EC2, "DescribeSubnets", "id")
    return {**found[0].properties, "id": found[0].id}


_FILTERS: Mapping[str, str] = {
    "availability-zone": "availabilityZone",
    "cidr": "cidrBlock",
    "default-for-az": "defaultForAz",
    "is-default": "default",
    "map-public-ip-on-launch": "mapPublicIpOnLaunch",
    "subnet-id": "id",
    "vpc-id": "vpcId",
}
"""EC2's filters, and the properties that they look at (EC2 API reference, DescribeSubnets, DescribeVpcs)."""

LOOKUPS = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getPartition:getPartition": partition,
    "aws:index/getRegion:getRegion": region,
    "aws:ec2/getAmi:getAmi": image,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": instance_type_offerings,
    "aws:ec2/getSubnet:getSubnet": subnet,
    "aws:ec2/getSubnets:getSubnets": subnets,
    "aws:ec2/getVpc:getVpc": network,
    "aws:elasticbeanstalk/getHostedZone:getHostedZone": hosted_zone_of_beanstalk,
    "aws:elasticbeanstalk/getSolutionStack:getSolutionStack": solution_stack,
    "aws:route53/getZone:getZone": zone,
    "aws:secretsmanager/getSecret:getSecret": secret,
    "aws:ssm/getParameter:getParameter": parameter,
}


def _has(resource: Resource, wanted: Properties, arguments: Properties) -> bool:
    everything = {**resource.properties, "id": resource.id}
    filters = {
        _FILTERS.get(item["name"], item["name"]): item["values"]
        for item in arguments.get("filters") or []
        if isinstance(item, dict)
    }
    return (
        all(everything.get(name) == value for name, value in wanted.items() if value is not None)
        and all(_text(everything.get(name)) in values for name, values in filters.items())
        and (arguments.get("tags") or {}).items() <= resource.tags.items()
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matches(value: str, patterns: Any) -> bool:
    if not patterns:
        return True
    return any(re.fullmatch(re.escape(str(item)).replace(r"\*", ".*").replace(r"\?", "."), value) for item in patterns)


def _first(world: World, token: str, region: str, **wanted: Any) -> Resource | None:
    for item in world.every(token, region):
        if all(item.properties.get(name) == value for name, value in wanted.items()):
            return item
    return None


def _nothing(service: Service, call: str, where: str) -> Exception:
    return refused(
        service, call, "Your query returned no results. Please change your search criteria and try again.", where
    )


def _too_many(service: Service, call: str, where: str) -> Exception:
    return refused(service, call, _MORE_THAN_ONE, where)
