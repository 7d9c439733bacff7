"""VPCs and what is in them.

VPC User Guide and EC2 API reference for what must exist and what refuses to be deleted; terraform-provider-aws
internal/service/ec2 for what can't be changed.
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules, Seconds
from . import checks
from .services import EC2

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
INSTANCE = "aws:ec2/instance:Instance"
ADDRESS = "aws:ec2/eip:Eip"
NO_GROUP = "InvalidGroup.NotFound: The security group '{value}' does not exist"
NO_SUBNET = "InvalidSubnetID.NotFound: The subnet ID '{value}' does not exist"
NO_INSTANCE = "InvalidInstanceID.NotFound: The instance ID '{value}' does not exist"
_NO_GATEWAY = "InvalidGatewayID.NotFound: The gateway ID '{value}' does not exist"
_GROUP_LETTERS = r"(?!sg-)[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]+"


def in_use(kind: str) -> str:
    """What EC2 says when something else still needs what is to be deleted."""
    return f"DependencyViolation: The {kind} '{{id}}' has dependencies and cannot be deleted."


GROUP_IN_USE = "DependencyViolation: resource {id} has a dependent object"
_OF_VPC = Reference("vpcId", VPC, "InvalidVpcID.NotFound: The vpc ID '{value}' does not exist", holds=in_use("vpc"))
_OF_TABLE = Reference(
    "routeTableId", ROUTE_TABLE, "InvalidRouteTableID.NotFound: The routeTable ID '{value}' does not exist"
)


def _calls(kind: str, read: str = "", update: str = "CreateTags") -> Calls:
    return Calls(EC2, f"Create{kind}", f"Describe{read or kind + 's'}", update, f"Delete{kind}")


def _arn(kind: str) -> dict[str, str]:
    return {"arn": f"arn:aws:ec2:{{region}}:{{account}}:{kind}/{{id}}", "ownerId": "{account}"}


def _group_rule(direction: str) -> Rules:
    return Rules(
        Calls(
            EC2,
            f"AuthorizeSecurityGroup{direction}",
            "DescribeSecurityGroupRules",
            "ModifySecurityGroupRules",
            f"RevokeSecurityGroup{direction}",
        ),
        identity="sgr-{hex17}",
        outputs={"securityGroupRuleId": "{id}", "arn": "arn:aws:ec2:{region}:{account}:security-group-rule/{id}"},
        replace=frozenset({"securityGroupId"}),
        ranges={"fromPort": (-1, 65535), "toPort": (-1, 65535)},
        one_of=(("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"),),
        checks=(checks.network("cidrIpv4"), checks.network("cidrIpv6"), checks.ports, checks.tags),
        references=(
            Reference("securityGroupId", SECURITY_GROUP, NO_GROUP),
            Reference("referencedSecurityGroupId", SECURITY_GROUP, NO_GROUP, holds=GROUP_IN_USE),
        ),
        unique=(
            "securityGroupId",
            "ipProtocol",
            "fromPort",
            "toPort",
            "cidrIpv4",
            "cidrIpv6",
            "prefixListId",
            "referencedSecurityGroupId",
        ),
        exists="InvalidPermission.Duplicate: the specified rule already exists",
    )


RULES = {
    VPC: Rules(
        _calls("Vpc", update="ModifyVpcAttribute"),
        identity="vpc-{hex17}",
        outputs={
            **_arn("vpc"),
            "mainRouteTableId": "rtb-{hex17}",
            "defaultRouteTableId": "{mainRouteTableId}",
            "defaultSecurityGroupId": "sg-{hex17}",
            "defaultNetworkAclId": "acl-{hex17}",
            "dhcpOptionsId": "dopt-{hex17}",
        },
        defaults={"enableDnsSupport": True, "enableDnsHostnames": False, "instanceTenancy": "default"},
        replace=frozenset({"cidrBlock", "ipv4IpamPoolId", "ipv4NetmaskLength"}),
        one_of=(("cidrBlock", "ipv4IpamPoolId"),),
        checks=(checks.network("cidrBlock"), checks.tags),
        quota="VpcLimitExceeded: The maximum number of VPCs has been reached.",
    ),
    SUBNET: Rules(
        _calls("Subnet", update="ModifySubnetAttribute"),
        identity="subnet-{hex17}",
        outputs={**_arn("subnet"), "availabilityZone": "{region}a", "availabilityZoneId": "{region}-az1"},
        defaults={"mapPublicIpOnLaunch": False},
        replace=frozenset({"vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"}),
        conflicts=(("availabilityZone", "availabilityZoneId"),),
        checks=(checks.network("cidrBlock"), checks.tags),
        references=(_OF_VPC,),
        unique=("vpcId", "cidrBlock"),
        exists="InvalidSubnet.Conflict: The CIDR '{cidrBlock}' conflicts with another subnet",
    ),
    GATEWAY: Rules(
        _calls("InternetGateway"),
        identity="igw-{hex17}",
        outputs=_arn("internet-gateway"),
        checks=(checks.tags,),
        references=(_OF_VPC,),
        unique=("vpcId",),
        exists="Resource.AlreadyAssociated: the network {vpcId} has an internet gateway already",
    ),
    ROUTE_TABLE: Rules(
        _calls("RouteTable", update="ReplaceRoute"),
        identity="rtb-{hex17}",
        outputs=_arn("route-table"),
        replace=frozenset({"vpcId"}),
        checks=(checks.tags,),
        references=(
            _OF_VPC,
            Reference(
                "routes[].gatewayId",
                GATEWAY,
                _NO_GATEWAY,
                besides=("local",),
            ),
        ),
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Rules(
        Calls(
            EC2, "AssociateRouteTable", "DescribeRouteTables", "ReplaceRouteTableAssociation", "DisassociateRouteTable"
        ),
        identity="rtbassoc-{hex17}",
        replace=frozenset({"subnetId", "gatewayId"}),
        one_of=(("subnetId", "gatewayId"),),
        references=(
            Reference(_OF_TABLE.path, ROUTE_TABLE, _OF_TABLE.missing, holds=in_use("routeTable")),
            Reference("subnetId", SUBNET, NO_SUBNET),
        ),
        unique=("subnetId", "gatewayId"),
        exists="Resource.AlreadyAssociated: the subnet {subnetId} has a route table already",
    ),
    "aws:ec2/route:Route": Rules(
        _calls("Route", "RouteTables", "ReplaceRoute"),
        identity="r-{routeTableId}{digits10}",
        outputs={"origin": "CreateRoute", "state": "active"},
        replace=frozenset({"routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock"}),
        one_of=(("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"),),
        any_of=(
            (
                "gatewayId",
                "natGatewayId",
                "networkInterfaceId",
                "transitGatewayId",
                "vpcEndpointId",
                "egressOnlyGatewayId",
            ),
        ),
        checks=(checks.network("destinationCidrBlock"),),
        references=(
            _OF_TABLE,
            Reference("gatewayId", GATEWAY, _NO_GATEWAY, besides=("local",)),
        ),
        unique=("routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock"),
        exists="RouteAlreadyExists: The route identified by {destinationCidrBlock} already exists.",
    ),
    SECURITY_GROUP: Rules(
        _calls("SecurityGroup", update="AuthorizeSecurityGroupIngress"),
        identity="sg-{hex17}",
        outputs=_arn("security-group"),
        defaults={"description": "Managed by Pulumi", "vpcId": "{defaultVpc}", "revokeRulesOnDelete": False},
        name=Name(
            255,
            "letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and not begin with sg-",
            _GROUP_LETTERS,
            "EC2 API reference, CreateSecurityGroup",
        ),
        replace=frozenset({"name", "namePrefix", "description", "vpcId"}),
        conflicts=(("name", "namePrefix"),),
        checks=(checks.tags,),
        references=(_OF_VPC,),
        unique=("name", "vpcId"),
        exists="InvalidGroup.Duplicate: The security group '{name}' already exists for VPC '{vpcId}'",
        quota="SecurityGroupLimitExceeded: The maximum number of security groups has been reached.",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _group_rule("Ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _group_rule("Egress"),
    ADDRESS: Rules(
        Calls(EC2, "AllocateAddress", "DescribeAddresses", "CreateTags", "ReleaseAddress"),
        identity="eipalloc-{hex17}",
        outputs={
            "allocationId": "{id}",
            "arn": "arn:aws:ec2:{region}:{account}:elastic-ip/{id}",
            "publicIp": "203.0.113.{octet}",
            "publicDns": "ec2-203-0-113-{octet}.{region}.compute.amazonaws.com",
            "domain": "vpc",
            "networkBorderGroup": "{region}",
            "publicIpv4Pool": "amazon",
        },
        replace=frozenset({"domain", "networkBorderGroup", "publicIpv4Pool", "address"}),
        conflicts=(("instance", "networkInterface"),),
        choices={"domain": ("vpc",)},
        checks=(checks.tags,),
        references=(Reference("instance", INSTANCE, NO_INSTANCE),),
        quota="AddressLimitExceeded: The maximum number of addresses has been reached.",
    ),
    "aws:ec2/eipAssociation:EipAssociation": Rules(
        Calls(EC2, "AssociateAddress", "DescribeAddresses", "AssociateAddress", "DisassociateAddress"),
        identity="eipassoc-{hex17}",
        replace=frozenset(
            {"allocationId", "instanceId", "networkInterfaceId", "privateIpAddress", "publicIp", "allowReassociation"}
        ),
        any_of=(("allocationId", "publicIp"), ("instanceId", "networkInterfaceId")),
        references=(
            Reference(
                "allocationId", ADDRESS, "InvalidAllocationID.NotFound: The allocation ID '{value}' does not exist"
            ),
            Reference("instanceId", INSTANCE, NO_INSTANCE),
        ),
    ),
    "aws:ec2/natGateway:NatGateway": Rules(
        _calls("NatGateway"),
        identity="nat-{hex17}",
        outputs={
            "networkInterfaceId": "eni-{hex17}",
            "publicIp": "203.0.113.{octet}",
            "privateIp": "10.0.0.{octet}",
            "associationId": "eipassoc-{hex17}",
        },
        defaults={"connectivityType": "public"},
        replace=frozenset({"allocationId", "subnetId", "connectivityType", "privateIp"}),
        references=(
            Reference("subnetId", SUBNET, NO_SUBNET, holds=in_use("subnet")),
            Reference(
                "allocationId",
                ADDRESS,
                "InvalidAllocationID.NotFound: The allocation ID '{value}' does not exist",
                holds="AuthFailure: You do not have permission to access the specified resource.",
            ),
        ),
        checks=(checks.tags,),
        seconds=Seconds(120, 1, 60),
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Rules(
        Calls(EC2, "CreateVpcEndpoint", "DescribeVpcEndpoints", "ModifyVpcEndpoint", "DeleteVpcEndpoints"),
        identity="vpce-{hex17}",
        outputs={**_arn("vpc-endpoint"), "state": "available"},
        defaults={"vpcEndpointType": "Gateway"},
        replace=frozenset({"serviceName", "vpcId", "vpcEndpointType"}),
        choices={"vpcEndpointType": ("Gateway", "GatewayLoadBalancer", "Interface", "Resource", "ServiceNetwork")},
        any_of=(("serviceName", "resourceConfigurationArn", "serviceNetworkArn"),),
        patterns={"serviceName": (r"(com|cn|aws)\..+", "the name of an endpoint service")},
        references=(
            _OF_VPC,
            Reference("subnetIds[]", SUBNET, NO_SUBNET, holds=in_use("subnet")),
            Reference("securityGroupIds[]", SECURITY_GROUP, NO_GROUP, holds=GROUP_IN_USE),
            Reference("routeTableIds[]", ROUTE_TABLE, _OF_TABLE.missing),
        ),
        checks=(checks.tags,),
        seconds=Seconds(60, 10, 60),
    ),
}
