"""Load balancers, their certificates, and records in the DNS.

"External Application Load Balancer overview", Compute Engine API reference, Certificate Manager and Cloud DNS API
references; magic-modules' mmv1/products/{compute,certificatemanager,dns} for what can't be changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Problem
from ..rules import Calls, Name, Properties, Reference, Rules, Seconds
from .resource import NOT_FOUND, held, rules, to, token
from .services import CERTIFICATES, DNS

CHECK, BACKEND, ROUTES = token("HealthCheck"), token("BackendService"), token("URLMap")
RULE, GLOBAL_RULE = token("ForwardingRule"), token("GlobalForwardingRule")
PLAIN, SECURE = token("TargetHttpProxy"), token("TargetHttpsProxy")
CERTIFICATE = "gcp:certificatemanager/certificate:Certificate"
CERTIFICATE_MAP = "gcp:certificatemanager/certificateMap:CertificateMap"
AUTHORIZATION = "gcp:certificatemanager/dnsAuthorization:DnsAuthorization"
_SCHEMES = ("EXTERNAL", "EXTERNAL_MANAGED", "INTERNAL", "INTERNAL_MANAGED", "INTERNAL_SELF_MANAGED")
_MAP_HOST = "//certificatemanager.googleapis.com/"
_IN_USE = (
    "Invalid value for field 'resource.IPAddress': '{ipAddress}'. Specified IP address is in-use and would result in a "
    "conflict., invalid"
)
_KINDS = ("http", "https", "http2", "tcp", "ssl", "grpc", "grpcTls")


def _one_kind_of_check(inputs: Properties) -> Iterator[Problem]:
    told = [f"{kind}HealthCheck" for kind in _KINDS if inputs.get(f"{kind}HealthCheck") is not None]
    if len(told) != 1:
        yield Problem(told[1] if told else "httpHealthCheck", "exactly one kind of health check must be told")
    interval, timeout = inputs.get("checkIntervalSec", 5), inputs.get("timeoutSec", 5)
    if isinstance(interval, int) and isinstance(timeout, int) and timeout > interval:
        yield Problem("timeoutSec", f"{timeout} is more than checkIntervalSec ({interval})")


def _manager(collection: str, *, within: str = "", **more: object) -> Rules:
    where = f"projects/{{project}}/locations/global/{within}{collection}"
    base = f"projects.locations.{collection}"
    return Rules(
        Calls(CERTIFICATES, f"{base}.create", f"{base}.get", f"{base}.patch", f"{base}.delete"),
        identity=f"{where}/{{name}}",
        name=Name(
            63,
            "lowercase letters, digits, hyphens and underscores, and begins with a letter",
            r"[a-z][a-z0-9_-]*",
            "Certificate Manager API reference",
            lower=True,
        ),
        defaults={"project": "{project}", "deletionPolicy": "DELETE"},
        exists="Resource '{id}' already exists, alreadyExists",
        regional=False,
        **more,  # type: ignore[arg-type]
    )


RULES = {
    CHECK: rules(
        "healthChecks",
        "global",
        update="update",
        outputs={"type": "HTTP"},
        defaults={"checkIntervalSec": 5, "timeoutSec": 5, "healthyThreshold": 2, "unhealthyThreshold": 2},
        ranges={
            "checkIntervalSec": (1, 300),
            "timeoutSec": (1, 300),
            "healthyThreshold": (1, 10),
            "unhealthyThreshold": (1, 10),
            "httpHealthCheck.port": (1, 65535),
        },
        patterns={"httpHealthCheck.requestPath": (r"/.*", "a path that begins with /")},
        checks=(_one_kind_of_check,),
    ),
    BACKEND: rules(
        "backendServices",
        "global",
        outputs={"fingerprint": "{letters8}"},
        defaults={"loadBalancingScheme": "EXTERNAL_MANAGED", "protocol": "HTTP", "timeoutSec": 30},
        replace=frozenset({"loadBalancingScheme"}),
        choices={
            "loadBalancingScheme": _SCHEMES,
            "protocol": ("HTTP", "HTTPS", "HTTP2", "TCP", "SSL", "UDP", "GRPC", "UNSPECIFIED", "H2C"),
            "backends[].balancingMode": ("UTILIZATION", "RATE", "CONNECTION", "CUSTOM_METRICS", "IN_FLIGHT"),
            "localityLbPolicy": (
                *("ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "ORIGINAL_DESTINATION", "MAGLEV"),
                *("WEIGHTED_MAGLEV", "WEIGHTED_ROUND_ROBIN"),
            ),
        },
        ranges={
            "connectionDrainingTimeoutSec": (0, 3600),
            "backends[].maxUtilization": (0, 1),
            "backends[].capacityScaler": (0, 1),
            "logConfig.sampleRate": (0, 1),
        },
        references=(
            to("healthChecks", "HealthCheck", "health_check"),
            Reference(
                "backends[].group", token("RegionInstanceGroupManager"), NOT_FOUND, ("instanceGroup",), status=404
            ),
        ),
        seconds=Seconds(20, 20, 20),
    ),
    ROUTES: rules(
        "urlMaps",
        "global",
        outputs={"fingerprint": "{letters8}"},
        one_of=(("defaultService", "defaultUrlRedirect", "defaultRouteAction"),),
        references=(to("defaultService", "BackendService", "backend_service"),),
    ),
    PLAIN: rules("targetHttpProxies", "global", update="setUrlMap", references=(to("urlMap", "URLMap", "url_map"),)),
    SECURE: rules(
        "targetHttpsProxies",
        "global",
        any_of=(("sslCertificates", "certificateMap", "certificateManagerCertificates"),),
        patterns={"certificateMap": (rf"{_MAP_HOST}projects/.+", f"{_MAP_HOST}projects/…")},
        references=(to("urlMap", "URLMap", "url_map"), to("sslPolicy", "SSLPolicy", "ssl_policy")),
    ),
    token("SSLPolicy"): rules(
        "sslPolicies",
        "global",
        defaults={"profile": "COMPATIBLE", "minTlsVersion": "TLS_1_0"},
        choices={
            "profile": ("COMPATIBLE", "MODERN", "RESTRICTED", "CUSTOM", "FIPS_202205"),
            "minTlsVersion": ("TLS_1_0", "TLS_1_1", "TLS_1_2", "TLS_1_3"),
        },
    ),
    GLOBAL_RULE: rules(
        "forwardingRules",
        "global",
        update="setTarget",
        defaults={"ipProtocol": "TCP", "loadBalancingScheme": "EXTERNAL", "ipAddress": "198.51.100.{octet}"},
        replace=frozenset({"ipAddress", "ipProtocol", "loadBalancingScheme", "portRange"}),
        unique=("ipAddress", "ipProtocol", "portRange"),
        exists=_IN_USE,
        choices={"loadBalancingScheme": _SCHEMES, "ipProtocol": ("TCP", "UDP", "ESP", "AH", "SCTP", "ICMP")},
        patterns={"portRange": (r"\d{1,5}(-\d{1,5})?", "a port or a range of ports")},
        references=(
            Reference(
                "target", PLAIN, NOT_FOUND, ("id", "selfLink"), held("target_proxy"), status=404, or_to=(SECURE,)
            ),
            Reference("ipAddress", token("GlobalAddress"), NOT_FOUND, ("address", "id", "selfLink"), status=404),
        ),
        seconds=Seconds(20, 10, 20),
    ),
    RULE: rules(
        "forwardingRules",
        "regional",
        update="setTarget",
        defaults={"ipProtocol": "TCP", "loadBalancingScheme": "EXTERNAL"},
        replace=frozenset({"ipAddress", "ipProtocol", "loadBalancingScheme", "portRange"}),
        unique=("ipAddress", "ipProtocol", "portRange"),
        exists=_IN_USE,
        choices={
            "loadBalancingScheme": _SCHEMES,
            "ipProtocol": ("TCP", "UDP", "ESP", "AH", "SCTP", "ICMP", "L3_DEFAULT"),
        },
        patterns={"portRange": (r"\d{1,5}(-\d{1,5})?", "a port or a range of ports")},
        references=(
            to("target", "TargetInstance", "target_instance"),
            Reference("ipAddress", token("Address"), NOT_FOUND, ("address", "id", "selfLink"), status=404),
        ),
        seconds=Seconds(10, 5, 10),
    ),
    AUTHORIZATION: _manager(
        "dnsAuthorizations",
        outputs={
            "dnsResourceRecords": [
                {
                    "name": "_acme-challenge.{domain}.",
                    "type": "CNAME",
                    "data": "{uuid}.authorize.certificatemanager.goog.",
                }
            ]
        },
        replace=frozenset({"name", "domain", "project", "location", "type"}),
    ),
    CERTIFICATE: _manager(
        "certificates",
        outputs={"sanDnsnames": []},
        replace=frozenset({"name", "managed", "selfManaged", "project", "location", "scope"}),
        one_of=(("managed", "selfManaged"),),
        references=(
            Reference(
                "managed.dnsAuthorizations[]",
                AUTHORIZATION,
                NOT_FOUND,
                holds="The DNS authorization '{id}' is in use by a certificate, failedPrecondition",
                status=404,
            ),
        ),
        seconds=Seconds(30, 10, 10),
    ),
    CERTIFICATE_MAP: _manager(
        "certificateMaps", outputs={"createTime": "{now}"}, replace=frozenset({"name", "project"})
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": _manager(
        "certificateMapEntries",
        within="certificateMaps/{map}/",
        outputs={"createTime": "{now}", "state": "ACTIVE"},
        replace=frozenset({"name", "project", "map", "hostname", "matcher"}),
        one_of=(("hostname", "matcher"),),
        references=(
            Reference(
                "map",
                CERTIFICATE_MAP,
                NOT_FOUND,
                ("name", "id"),
                "Certificate map '{id}' can't be deleted because it is not empty, failedPrecondition",
                status=404,
            ),
            Reference(
                "certificates[]",
                CERTIFICATE,
                NOT_FOUND,
                ("id", "name"),
                "The certificate '{id}' is in use, failedPrecondition",
                status=404,
            ),
        ),
    ),
    "gcp:dns/recordSet:RecordSet": Rules(
        Calls(DNS, "changes.create", "resourceRecordSets.list", "changes.create", "changes.create"),
        identity="projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}",
        defaults={"project": "{project}", "deletionPolicy": "DELETE"},
        replace=frozenset({"managedZone", "name", "project", "type"}),
        patterns={"name": (r".+\.", "a name that ends with a dot")},
        any_of=(("rrdatas", "routingPolicy"),),
        exists="The resource 'entity.change.additions[0]' named '{name} ({type})' already exists, alreadyExists",
        regional=False,
    ),
}
