"""Where machines are: the user's own subnets, or a small VPC; and who may talk to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi_aws as aws

from ...deployment import Scale
from ...errors import InvalidConfiguration
from ._fields import AwsTarget
from ._instance_types import cheapest
from ._shared import Place

if TYPE_CHECKING:
    import pulumi

ANYWHERE = "0.0.0.0/0"
_ZONES = 3
"""More zones than that make nothing safer for a service without state, and each has its price in traffic."""


@dataclass(frozen=True)
class Network:
    """Where the load balancer and the machines go."""

    vpc: pulumi.Input[str]
    public: Sequence[pulumi.Input[str]]
    machines: Sequence[pulumi.Input[str]]
    public_addresses: bool
    """Whether the machines need public addresses to reach S3 and the other services."""
    ways: Sequence[pulumi.Resource]
    """What must be there before a machine is, so that its first request finds a way out."""


def network(place: Place, target: AwsTarget, scale: Scale) -> Network:
    """The user's own subnets when he named them, else a VPC of our own with public subnets.

    Public ones, because the way out of private subnets is a NAT gateway, which costs more than a small machine does.
    The security groups let only the load balancer in.
    """
    if target.vpc:
        machines = target.private_subnets if target.is_balanced(scale) else ()
        chosen = machines or target.public_subnets
        return Network(target.vpc, target.public_subnets, chosen, not machines, ())
    zones = min(max(scale.min_replicas, 2), _ZONES) if target.is_balanced(scale) else 1
    return _own(place, zones, target.instance_type or cheapest(scale))


def _own(place: Place, count: int, kind: str) -> Network:
    vpc = aws.ec2.Vpc(
        place.name,
        cidr_block="10.0.0.0/16",
        enable_dns_support=True,
        enable_dns_hostnames=True,
        opts=place.options(),
    )
    gateway = aws.ec2.InternetGateway(place.name, vpc_id=vpc.id, opts=place.options())
    table = aws.ec2.RouteTable(place.name, vpc_id=vpc.id, opts=place.options())
    way_out = aws.ec2.Route(
        place.name,
        route_table_id=table.id,
        destination_cidr_block=ANYWHERE,
        gateway_id=gateway.id,
        opts=place.options(),
    )
    to_s3 = aws.ec2.VpcEndpoint(
        f"{place.name}-s3",
        vpc_id=vpc.id,
        service_name=f"com.amazonaws.{place.region}.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[table.id],
        opts=place.options(),
    )
    ways: list[pulumi.Resource] = [way_out, to_s3]
    subnets: list[pulumi.Input[str]] = []
    for number, zone in enumerate(_zones(place, count, kind)):
        subnet = aws.ec2.Subnet(
            f"{place.name}-{number + 1}",
            vpc_id=vpc.id,
            cidr_block=f"10.0.{16 * number}.0/20",
            availability_zone=zone,
            map_public_ip_on_launch=True,
            # A zone that AWS adds must not move a subnet that is in use.
            opts=place.options(ignore_changes=["availabilityZone"]),
        )
        association = aws.ec2.RouteTableAssociation(
            f"{place.name}-{number + 1}", subnet_id=subnet.id, route_table_id=table.id, opts=place.options()
        )
        ways.append(association)
        subnets.append(subnet.id)
    return Network(vpc.id, subnets, subnets, public_addresses=True, ways=ways)


def _zones(place: Place, count: int, kind: str) -> list[str]:
    """The first `count` zones of the region that need no opting in and have this type, or as many as there are.

    Old zones lack new types, such as one of us-east-1 ("Amazon EC2 instance types", "Find an instance type").
    """
    standard = aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])
    found = aws.get_availability_zones(state="available", filters=[standard], opts=place.look_up)
    wanted = aws.ec2.GetInstanceTypeOfferingsFilterArgs(name="instance-type", values=[kind])
    offers = aws.ec2.get_instance_type_offerings(
        filters=[wanted], location_type="availability-zone", opts=place.look_up
    )
    having = sorted(set(found.names) & set(offers.locations))
    if not having:
        raise InvalidConfiguration("instance_type", f"{kind} is not to be had in {place.region}", "choose another one")
    return having[:count]


def security_group(place: Place, what: str, vpc: pulumi.Input[str], description: str) -> aws.ec2.SecurityGroup:
    """A security group without rules; a description can't be changed later without making a new group."""
    return aws.ec2.SecurityGroup(
        f"{place.name}-{what}",
        vpc_id=vpc,
        description=description,
        # Rules are resources of their own.
        opts=place.options(ignore_changes=["ingress", "egress"]),
    )


def let_in(
    place: Place, what: str, group: aws.ec2.SecurityGroup, port: int, source: pulumi.Output[str] | None = None
) -> pulumi.Resource:
    """Let TCP to `port` in, from the security group `source` or from anywhere."""
    return aws.vpc.SecurityGroupIngressRule(
        f"{place.name}-{what}",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        referenced_security_group_id=source,
        cidr_ipv4=None if source is not None else ANYWHERE,
        opts=place.options(),
    )


def let_out(
    place: Place, what: str, group: aws.ec2.SecurityGroup, port: int | None = None, to: pulumi.Output[str] | None = None
) -> pulumi.Resource:
    """Let TCP to `port` of the security group `to` out; without them, everything."""
    return aws.vpc.SecurityGroupEgressRule(
        f"{place.name}-{what}",
        security_group_id=group.id,
        ip_protocol="tcp" if port else "-1",
        from_port=port,
        to_port=port,
        referenced_security_group_id=to,
        cidr_ipv4=None if to is not None else ANYWHERE,
        opts=place.options(),
    )
