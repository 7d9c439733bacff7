"""VPC networks and what is in them.

Compute Engine API reference (networks, subnetworks, routers, firewalls, addresses); magic-modules'
mmv1/products/compute for what can't be changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ...errors import Problem
from ..rules import Calls, Name, Properties, Rules, known
from .resource import rules, to, token
from .services import COMPUTE

NETWORK, SUBNETWORK, ROUTER = token("Network"), token("Subnetwork"), token("Router")
ADDRESS, FIREWALL = token("Address"), token("Firewall")
_RANGE = "is no range of addresses such as 10.0.0.0/20"


def ranges(path: str) -> object:
    """A check of the ranges of addresses at `path`."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for at, value in known(inputs, path):
            try:
                ip_network(str(value))
            except ValueError:
                yield Problem(at, f"Invalid value: {value!r} {_RANGE}")

    return check


def _a_firewall_says_for_whom(inputs: Properties) -> Iterator[Problem]:
    """Exactly one of what it allows and what it denies; tags and service accounts don't go together."""
    if bool(inputs.get("allows")) is bool(inputs.get("denies")):
        yield Problem("allows", "exactly one of allows and denies must be told")
    if inputs.get("targetTags") and inputs.get("targetServiceAccounts"):
        yield Problem("targetServiceAccounts", "conflicts with targetTags", "only one of them can be told")
    for at, ports in known(inputs, "allows[].ports[]"):
        first, _, last = str(ports).partition("-")
        if not all(word.isdigit() and int(word) < 1 << 16 for word in (first, last or first)):
            yield Problem(at, f"Invalid value: {ports!r} is no port or range of ports")


RULES = {
    NETWORK: rules(
        "networks",
        "global",
        outputs={"gatewayIpv4": "", "numericId": "{digits19}", "networkId": "{numericId}"},
        defaults={"autoCreateSubnetworks": True, "routingMode": "REGIONAL"},
        replace=frozenset({"autoCreateSubnetworks", "description"}),
        choices={"routingMode": ("REGIONAL", "GLOBAL")},
        quota="Quota 'NETWORKS' exceeded.  Limit: 5.0 globally., quotaExceeded",
    ),
    SUBNETWORK: rules(
        "subnetworks",
        "regional",
        outputs={"gatewayAddress": "10.10.0.1", "fingerprint": "{letters8}", "state": "READY"},
        defaults={"purpose": "PRIVATE", "stackType": "IPV4_ONLY"},
        replace=frozenset({"network", "description"}),
        checks=(ranges("ipCidrRange"),),
        references=(to("network", "Network", "network"),),
    ),
    ROUTER: rules(
        "routers", "regional", replace=frozenset({"network"}), references=(to("network", "Network", "network"),)
    ),
    token("RouterNat"): Rules(
        Calls(COMPUTE, "routers.patch", "routers.get", "routers.patch", "routers.patch"),
        identity="{project}/{region}/{router}/{name}",
        defaults={"project": "{project}", "region": "{region}", "deletionPolicy": "DELETE"},
        name=Name(
            63, "lowercase letters, digits and hyphens", r"[a-z]([a-z0-9-]*[a-z0-9])?", "Naming resources", lower=True
        ),
        replace=frozenset({"name", "project", "region", "router"}),
        choices={
            "natIpAllocateOption": ("AUTO_ONLY", "MANUAL_ONLY"),
            "sourceSubnetworkIpRangesToNat": (
                *("ALL_SUBNETWORKS_ALL_IP_RANGES", "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES", "LIST_OF_SUBNETWORKS"),
            ),
            "logConfig.filter": ("ALL", "ERRORS_ONLY", "TRANSLATIONS_ONLY"),
        },
        references=(to("router", "Router"),),
        regional=False,
    ),
    FIREWALL: rules(
        "firewalls",
        "global",
        defaults={"direction": "INGRESS", "priority": 1000},
        replace=frozenset({"network", "direction"}),
        choices={"direction": ("INGRESS", "EGRESS")},
        ranges={"priority": (0, 65535)},
        checks=(ranges("sourceRanges[]"), ranges("destinationRanges[]"), _a_firewall_says_for_whom),
        references=(to("network", "Network", "network"),),
    ),
    ADDRESS: rules(
        "addresses",
        "regional",
        update="setLabels",
        outputs={"address": "203.0.113.{octet}"},
        defaults={"addressType": "EXTERNAL", "networkTier": "PREMIUM"},
        replace=frozenset({"address", "addressType", "networkTier", "subnetwork"}),
        choices={"addressType": ("EXTERNAL", "INTERNAL"), "networkTier": ("PREMIUM", "STANDARD")},
        quota="Quota 'STATIC_ADDRESSES' exceeded.  Limit: 8.0 in region {region}., quotaExceeded",
    ),
    token("GlobalAddress"): rules(
        "addresses",
        "global",
        update="setLabels",
        outputs={"address": "198.51.100.{octet}"},
        defaults={"addressType": "EXTERNAL"},
        replace=frozenset({"address", "addressType", "ipVersion"}),
    ),
}
