"""Where machines are: the user's own subnetwork, or a small network; and who may talk to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi_gcp as gcp

from ._shared import Place
from .compute_engine import ComputeEngine

if TYPE_CHECKING:
    import pulumi

ANYWHERE = ("0.0.0.0/0",)
BALANCERS = ("130.211.0.0/22", "35.191.0.0/16")
"""Where Google's load balancers and health checks ask from ("Firewall rules", Cloud Load Balancing documentation)."""
PROXY = ("35.235.240.0/20",)
"""Where Identity-Aware Proxy forwards connections from ("Using IAP for TCP forwarding", IAP documentation)."""
SSH = 22


@dataclass(frozen=True)
class Network:
    """Where the machines go."""

    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    ways: Sequence[pulumi.Resource]
    """What must be there before a machine is, so that its first request finds a way out."""


def network(place: Place, target: ComputeEngine, *, addresses: bool) -> Network:
    """The user's own subnetwork when he named one, else a network of our own.

    Without external `addresses`, Cloud NAT is the way out; Cloud Storage is reached by Private Google Access.
    """
    if target.network and target.subnetwork:
        theirs = f"projects/{place.project}/regions/{place.region}/subnetworks/{target.subnetwork}"
        return Network(f"projects/{place.project}/global/networks/{target.network}", theirs, ())
    own = gcp.compute.Network(place.name, auto_create_subnetworks=False, opts=place.options())
    subnetwork = gcp.compute.Subnetwork(
        place.name,
        network=own.id,
        region=place.region,
        ip_cidr_range="10.10.0.0/20",
        private_ip_google_access=True,
        opts=place.options(),
    )
    return Network(own.id, subnetwork.id, [subnetwork] if addresses else [_way_out(place, own, subnetwork)])


def _way_out(place: Place, own: gcp.compute.Network, subnetwork: gcp.compute.Subnetwork) -> gcp.compute.RouterNat:
    router = gcp.compute.Router(place.name, network=own.id, region=place.region, opts=place.options())
    return gcp.compute.RouterNat(
        place.name,
        router=router.name,
        region=place.region,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
        log_config=gcp.compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
        opts=place.options(depends_on=[subnetwork]),
    )


def let_in(
    place: Place, what: str, net: Network, port: int, sources: Sequence[str], machines: pulumi.Input[str]
) -> gcp.compute.Firewall:
    """Let TCP to `port` of the machines with the service account `machines` in, from the addresses `sources`."""
    return gcp.compute.Firewall(
        f"{place.name}-{what}",
        network=net.network,
        direction="INGRESS",
        source_ranges=list(sources),
        target_service_accounts=[machines],
        allows=[gcp.compute.FirewallAllowArgs(protocol="tcp", ports=[str(port)])],
        opts=place.options(),
    )
