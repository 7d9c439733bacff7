"""A global load balancer: one address, plain HTTP, or HTTPS with a certificate that proves itself by DNS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from .._domain import url as under
from ._hosts import PORT
from ._shared import Place
from .compute_engine import ComputeEngine

DRAIN_SECONDS = 30
SCHEME = "EXTERNAL_MANAGED"
"""The load balancer of today; what none says has changed between versions of the provider."""


@dataclass(frozen=True)
class Front:
    """Where the service is reached."""

    url: pulumi.Output[str]
    host: pulumi.Output[str]
    url_map: pulumi.Output[str]
    """Name of the map that the figures of the load balancer are counted by."""
    parts: Sequence[pulumi.Resource]
    """What must be there before it answers."""


def balancer(place: Place, target: ComputeEngine, group: gcp.compute.RegionInstanceGroupManager) -> Front:
    """The load balancer in front of `group`; with a domain, its certificate and its records too."""
    compute = gcp.compute
    address = compute.GlobalAddress(place.name, opts=place.options())
    service = _backend(place, group)
    routes = compute.URLMap(place.name, default_service=service.id, opts=place.options())
    if target.domain is None:
        proxy = compute.TargetHttpProxy(place.name, url_map=routes.id, opts=place.options())
        rule = _rule(place, "http", 80, address, proxy.id)
        return Front(pulumi.Output.concat("http://", address.address), address.address, routes.name, [rule])
    domain, zone = target.domain, str(target.dns_zone)
    secure = compute.TargetHttpsProxy(
        place.name,
        url_map=routes.id,
        certificate_map=_certified(place, domain, zone),
        ssl_policy=compute.SSLPolicy(
            place.name, profile="MODERN", min_tls_version="TLS_1_2", opts=place.options()
        ).self_link,
        opts=place.options(),
    )
    record = _record(place, place.name, zone, f"{domain}.", "A", address.address)
    parts = [_rule(place, "https", 443, address, secure.id), _redirect(place, address), record]
    url = pulumi.Output.all(address.address, record.id).apply(lambda known: under(domain, known[0]))
    return Front(url, pulumi.Output.from_input(domain), routes.name, parts)


def _backend(place: Place, group: gcp.compute.RegionInstanceGroupManager) -> gcp.compute.BackendService:
    compute = gcp.compute
    ready = compute.HealthCheck(
        f"{place.name}-ready",
        check_interval_sec=5,
        timeout_sec=5,
        healthy_threshold=2,
        unhealthy_threshold=2,
        http_health_check=compute.HealthCheckHttpHealthCheckArgs(port=PORT, request_path="/readyz"),
        opts=place.options(),
    )
    return compute.BackendService(
        place.name,
        load_balancing_scheme=SCHEME,
        protocol="HTTP",
        port_name="http",
        timeout_sec=60,
        connection_draining_timeout_sec=DRAIN_SECONDS,
        locality_lb_policy="LEAST_REQUEST",
        health_checks=ready.id,
        backends=[
            compute.BackendServiceBackendArgs(
                group=group.instance_group, balancing_mode="UTILIZATION", max_utilization=0.8, capacity_scaler=1
            )
        ],
        log_config=compute.BackendServiceLogConfigArgs(enable=True, sample_rate=1),
        opts=place.options(),
    )


def _certified(place: Place, domain: str, zone: str) -> pulumi.Output[str]:
    """A certificate that Google issues and renews; a record proves that the domain is ours, before it has traffic."""
    manager = gcp.certificatemanager
    proof = manager.DnsAuthorization(place.name, domain=domain, opts=place.options())
    shown = proof.dns_resource_records[0]
    record = _record(place, f"{place.name}-proof", zone, shown.name, shown.type, shown.data)
    certificate = manager.Certificate(
        place.name,
        managed=manager.CertificateManagedArgs(domains=[domain], dns_authorizations=[proof.id]),
        opts=place.options(depends_on=[record]),
    )
    chosen = manager.CertificateMap(place.name, opts=place.options())
    entry = manager.CertificateMapEntry(
        place.name, map=chosen.name, hostname=domain, certificates=[certificate.id], opts=place.options()
    )
    return pulumi.Output.all(chosen.id, entry.id).apply(lambda known: f"//certificatemanager.googleapis.com/{known[0]}")


def _record(
    place: Place,
    name: str,
    zone: str,
    at: pulumi.Input[str],
    kind: pulumi.Input[str],
    value: pulumi.Input[str],
) -> gcp.dns.RecordSet:
    return gcp.dns.RecordSet(name, managed_zone=zone, name=at, type=kind, ttl=60, rrdatas=[value], opts=place.options())


def _redirect(place: Place, address: gcp.compute.GlobalAddress) -> gcp.compute.GlobalForwardingRule:
    """Port 80 answers with the way to HTTPS."""
    compute = gcp.compute
    routes = compute.URLMap(
        f"{place.name}-redirect",
        default_url_redirect=compute.URLMapDefaultUrlRedirectArgs(
            https_redirect=True, strip_query=False, redirect_response_code="MOVED_PERMANENTLY_DEFAULT"
        ),
        opts=place.options(),
    )
    proxy = compute.TargetHttpProxy(f"{place.name}-redirect", url_map=routes.id, opts=place.options())
    return _rule(place, "http", 80, address, proxy.id)


def _rule(
    place: Place, what: str, port: int, address: gcp.compute.GlobalAddress, to: pulumi.Input[str]
) -> gcp.compute.GlobalForwardingRule:
    return gcp.compute.GlobalForwardingRule(
        f"{place.name}-{what}",
        target=to,
        ip_address=address.address,
        port_range=str(port),
        load_balancing_scheme=SCHEME,
        opts=place.options(),
    )
