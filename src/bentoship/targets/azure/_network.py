"""Where machines are: a small network of their own, who may talk to them, and the way out."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_azure_native as azure

from ._hosts import PORT
from ._shared import Place

SUBNET = "machines"


def public_address(
    place: Place, what: str = "", zones: tuple[str, ...] = (), label: str | None = None
) -> azure.network.PublicIPAddress:
    """A fixed public address; with a label, also a name in Azure's own DNS."""
    return azure.network.PublicIPAddress(
        f"{place.name}-{what}" if what else place.name,
        public_ip_allocation_method="Static",
        public_ip_address_version="IPv4",
        sku=azure.network.PublicIPAddressSkuArgs(name="Standard"),
        zones=list(zones) or None,
        dns_settings=azure.network.PublicIPAddressDnsSettingsArgs(domain_name_label=label) if label else None,
        **place.here,
        opts=place.options(),
    )


def subnet(place: Place, way_out: azure.network.NatGateway | None = None) -> azure.network.Subnet:
    """A subnet into which nothing comes but requests to the releases' port: no SSH.

    Machines go out by a public address of their own, or by `way_out`: Azure gives new networks no way by default.
    """
    rules = azure.network.NetworkSecurityGroup(
        place.name,
        security_rules=[
            _let_in("requests", 100, "Internet"),
            _let_in("probes", 110, "AzureLoadBalancer"),
        ],
        **place.here,
        opts=place.options(),
    )
    network = azure.network.VirtualNetwork(
        place.name,
        address_space=azure.network.AddressSpaceArgs(address_prefixes=["10.0.0.0/16"]),
        **place.here,
        # The subnet is a resource of its own.
        opts=place.options(ignore_changes=["subnets"]),
    )
    out: dict[str, Any] = {}
    if way_out is not None:
        out["nat_gateway"] = azure.network.SubResourceArgs(id=way_out.id)
    return azure.network.Subnet(
        f"{place.name}-{SUBNET}",
        subnet_name=SUBNET,
        virtual_network_name=network.name,
        resource_group_name=place.group,
        address_prefix="10.0.0.0/20",
        network_security_group=azure.network.NetworkSecurityGroupArgs(id=rules.id),
        default_outbound_access=False,
        service_endpoints=[azure.network.ServiceEndpointPropertiesFormatArgs(service="Microsoft.Storage")],
        **out,
        opts=place.options(),
    )


def nat_gateway(place: Place) -> azure.network.NatGateway:
    """The way out of machines that have no public addresses."""
    address = public_address(place, "nat")
    return azure.network.NatGateway(
        place.name,
        sku=azure.network.NatGatewaySkuArgs(name="Standard"),
        public_ip_addresses=[azure.network.SubResourceArgs(id=address.id)],
        **place.here,
        opts=place.options(),
    )


def _let_in(name: str, priority: int, source: str) -> azure.network.SecurityRuleArgs:
    return azure.network.SecurityRuleArgs(
        name=name,
        priority=priority,
        direction="Inbound",
        access="Allow",
        protocol="Tcp",
        source_port_range="*",
        source_address_prefix=source,
        destination_address_prefix="*",
        destination_port_range=str(PORT),
    )


def to_port(value: pulumi.Input[str] | None) -> pulumi.Output[str]:
    """The URL of a machine by its address."""
    return pulumi.Output.concat("http://", pulumi.Output.from_input(value or ""), f":{PORT}")
