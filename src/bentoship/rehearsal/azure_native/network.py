"""Networks, addresses, load balancers.

REST reference of Microsoft.Network; "Azure Load Balancer SKUs"; "Network security groups".
"""

from __future__ import annotations

from ..rules import Reference, Rules, Seconds
from . import checks
from .naming import EXISTS, IN_GROUP, RESERVED, calls, copied, in_group, named
from .services import NETWORK

NETWORKS = "azure-native:network:VirtualNetwork"
SUBNET = "azure-native:network:Subnet"
INTERFACE = "azure-native:network:NetworkInterface"
ADDRESS = "azure-native:network:PublicIPAddress"
BALANCER = "azure-native:network:LoadBalancer"
NAT = "azure-native:network:NatGateway"
SECURITY = "azure-native:network:NetworkSecurityGroup"
_TYPE = "Microsoft.Network"
_NOTHING = "InvalidResourceReference: Resource {value} referenced by resource was not found."
NO_SUBNET = _NOTHING
_TAKEN = "PublicIPAddressCannotBeDeleted: Public IP address {id} can not be deleted since it is still allocated."
_SUBNET_IN_USE = "InUseSubnetCannotBeDeleted: Subnet {subnetName} is in use and cannot be deleted."


def _address(path: str) -> Reference:
    return Reference(path, ADDRESS, _NOTHING, holds=_TAKEN)


RULES = {
    NETWORKS: in_group(
        NETWORK,
        "VirtualNetworks",
        f"{_TYPE}/virtualNetworks",
        named(64, "virtualNetworkName", shortest=2),
        checks=(checks.network("addressSpace.addressPrefixes[]"),),
        seconds=Seconds(5, 3, 10),
    ),
    SUBNET: Rules(
        calls(NETWORK, "Subnets"),
        identity="/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Network"
        "/virtualNetworks/{virtualNetworkName}/subnets/{subnetName}",
        outputs={"name": "{subnetName}", "provisioningState": "Succeeded"},
        name=copied(80, "subnetName"),
        replace=frozenset({"resourceGroupName", "virtualNetworkName", "subnetName"}),
        any_of=(("addressPrefix", "addressPrefixes"),),
        checks=(checks.network("addressPrefix"), checks.network("addressPrefixes[]")),
        references=(
            IN_GROUP,
            Reference(
                "virtualNetworkName",
                NETWORKS,
                "ParentResourceNotFound: Failed to perform 'write' on resource(s) of type "
                "'virtualNetworks/subnets', because the parent resource '{value}' could not be found.",
                ("name",),
                status=404,
            ),
            Reference(
                "networkSecurityGroup.id",
                SECURITY,
                _NOTHING,
                holds="InUseNetworkSecurityGroupCannotBeDeleted: Network security group {id} cannot be deleted because "
                "it is in use.",
            ),
            Reference(
                "natGateway.id", NAT, _NOTHING, holds="InUseNatGatewayCannotBeDeleted: Nat Gateway {id} is in use."
            ),
        ),
        exists=EXISTS,
        regional=False,
        seconds=Seconds(4, 4, 10),
    ),
    SECURITY: in_group(
        NETWORK,
        "NetworkSecurityGroups",
        f"{_TYPE}/networkSecurityGroups",
        named(80, "networkSecurityGroupName"),
        ranges={"securityRules[].priority": (100, 4096)},
        choices={"securityRules[].access": ("Allow", "Deny"), "securityRules[].direction": ("Inbound", "Outbound")},
        checks=(checks.priorities,),
        seconds=Seconds(4, 3, 5),
    ),
    ADDRESS: in_group(
        NETWORK,
        "PublicIPAddresses",
        f"{_TYPE}/publicIPAddresses",
        named(80, "publicIpAddressName", reserved=RESERVED),
        outputs={"ipAddress": "203.0.113.{octet}"},
        inside={"dnsSettings.fqdn": "{dnsSettings[domainNameLabel]}.{location}.cloudapp.azure.com"},
        defaults={"idleTimeoutInMinutes": 4, "publicIPAddressVersion": "IPv4"},
        replace=frozenset({"sku", "publicIPAddressVersion"}),
        fixed={"zones": "ResourceAvailabilityZonesCannotBeModified: The zones of a resource can't be changed."},
        ranges={"idleTimeoutInMinutes": (4, 30)},
        seconds=Seconds(3, 2, 10),
    ),
    NAT: in_group(
        NETWORK,
        "NatGateways",
        f"{_TYPE}/natGateways",
        named(80, "natGatewayName"),
        references=(_address("publicIpAddresses[].id"),),
        replace=frozenset({"sku", "zones"}),
        seconds=Seconds(5, 5, 10),
    ),
    INTERFACE: in_group(
        NETWORK,
        "NetworkInterfaces",
        f"{_TYPE}/networkInterfaces",
        named(80, "networkInterfaceName"),
        outputs={"macAddress": "00-0D-3A-{hex2}-{hex2}-{hex2}"},
        references=(
            Reference("ipConfigurations[].subnet.id", SUBNET, _NOTHING, holds=_SUBNET_IN_USE),
            _address("ipConfigurations[].publicIPAddress.id"),
        ),
        seconds=Seconds(3, 3, 5),
    ),
    BALANCER: in_group(
        NETWORK,
        "LoadBalancers",
        f"{_TYPE}/loadBalancers",
        named(80, "loadBalancerName"),
        choices={
            "probes[].protocol": ("Http", "Https", "Tcp"),
            "loadBalancingRules[].protocol": ("Tcp", "Udp", "All"),
        },
        ranges={
            "probes[].port": (1, 65_535),
            "probes[].intervalInSeconds": (5, 2_147_483_646),
            "loadBalancingRules[].frontendPort": (0, 65_534),
            "loadBalancingRules[].backendPort": (0, 65_535),
            "loadBalancingRules[].idleTimeoutInMinutes": (4, 100),
        },
        checks=(checks.inside_balancer,),
        references=(_address("frontendIPConfigurations[].publicIPAddress.id"),),
        replace=frozenset({"sku"}),
        seconds=Seconds(5, 5, 10),
    ),
}
