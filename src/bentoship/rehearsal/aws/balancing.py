"""Load balancers, the certificates that they show, and the names that lead to them.

Elastic Load Balancing API reference (CreateLoadBalancer, CreateTargetGroup, CreateListener, CreateRule), ACM API
reference, Route 53 API reference; terraform-provider-aws internal/service/{elbv2,acm,route53} for what can't be
changed.
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules, Seconds
from . import checks
from .network import GROUP_IN_USE, NO_SUBNET, SECURITY_GROUP, SUBNET, in_use
from .services import ACM, ELB, ROUTE53

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGETS = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
CERTIFICATE = "aws:acm/certificate:Certificate"
ZONE = "aws:route53/zone:Zone"
_ACTIONS = ("authenticate-cognito", "authenticate-oidc", "fixed-response", "forward", "jwt-validation", "redirect")
_ARN_PREFIX = "arn:aws:elasticloadbalancing:{region}:{account}"
_NO_TARGETS = "TargetGroupNotFound: One or more target groups not found"
_HELD = "ResourceInUse: Target group '{id}' is currently in use by a listener or a rule"
_CERTIFICATE_HELD = "ResourceInUseException: Certificate {id} in account {account} is in use."


def _balancer_name(what: str, pattern: str, call: str) -> Name:
    return Name(32, what, pattern, f"ELB API reference, {call}", automatic=32)


def _forwards(path: str) -> tuple[Reference, ...]:
    return (
        Reference(f"{path}[].targetGroupArn", TARGETS, _NO_TARGETS, holds=_HELD),
        Reference(f"{path}[].forward.targetGroups[].arn", TARGETS, _NO_TARGETS, holds=_HELD),
    )


RULES = {
    BALANCER: Rules(
        Calls(ELB, "CreateLoadBalancer", "DescribeLoadBalancers", "ModifyLoadBalancerAttributes", "DeleteLoadBalancer"),
        identity=_ARN_PREFIX + ":loadbalancer/app/{name}/{hex16}",
        outputs={
            "arn": "{id}",
            "arnSuffix": "app/{name}/{hex16}",
            "dnsName": "{name}-{digits10}.{region}.elb.amazonaws.com",
            "zoneId": "Z{letters13}",
            "internal": False,
            "ipAddressType": "ipv4",
        },
        defaults={"loadBalancerType": "application", "idleTimeout": 60, "enableDeletionProtection": False},
        name=_balancer_name(
            "letters, digits and hyphens, not begin or end with a hyphen, and not begin with internal-",
            r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
            "CreateLoadBalancer",
        ),
        replace=frozenset({"name", "namePrefix", "internal", "loadBalancerType", "customerOwnedIpv4Pool"}),
        choices={
            "loadBalancerType": ("application", "network", "gateway"),
            "ipAddressType": ("ipv4", "dualstack", "dualstack-without-public-ipv4"),
            "desyncMitigationMode": ("monitor", "defensive", "strictest"),
        },
        ranges={"idleTimeout": (1, 4000)},
        conflicts=(("name", "namePrefix"),),
        one_of=(("subnets", "subnetMappings"),),
        checks=(checks.two_subnets, checks.tags),
        references=(
            Reference("subnets[]", SUBNET, NO_SUBNET, holds=in_use("subnet")),
            Reference("subnetMappings[].subnetId", SUBNET, NO_SUBNET, holds=in_use("subnet")),
            Reference(
                "securityGroups[]",
                SECURITY_GROUP,
                "InvalidSecurityGroup: Security group {value} does not exist",
                holds=GROUP_IN_USE,
            ),
        ),
        unique=("name",),
        exists="DuplicateLoadBalancerName: A load balancer with the same name '{name}' exists",
        protected=(
            "enableDeletionProtection",
            "OperationNotPermitted: Load balancer '{id}' cannot be deleted because deletion protection is enabled",
        ),
        quota="TooManyLoadBalancers: The maximum number of load balancers has been reached",
        seconds=Seconds(150, 5, 10),
    ),
    TARGETS: Rules(
        Calls(ELB, "CreateTargetGroup", "DescribeTargetGroups", "ModifyTargetGroup", "DeleteTargetGroup"),
        identity=_ARN_PREFIX + ":targetgroup/{name}/{hex16}",
        outputs={
            "arn": "{id}",
            "arnSuffix": "targetgroup/{name}/{hex16}",
            "protocolVersion": "HTTP1",
            "ipAddressType": "ipv4",
            "loadBalancingAlgorithmType": "round_robin",
        },
        defaults={"deregistrationDelay": 300, "slowStart": 0, "targetType": "instance"},
        name=_balancer_name(
            "letters, digits and hyphens, and not begin or end with a hyphen",
            r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
            "CreateTargetGroup",
        ),
        replace=frozenset(
            {"name", "namePrefix", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType"}
        ),
        choices={
            "protocol": ("GENEVE", "HTTP", "HTTPS", "TCP", "TCP_UDP", "TLS", "UDP", "QUIC", "TCP_QUIC"),
            "targetType": ("instance", "ip", "lambda", "alb"),
            "loadBalancingAlgorithmType": ("round_robin", "least_outstanding_requests", "weighted_random"),
            "healthCheck.protocol": ("HTTP", "HTTPS", "TCP"),
        },
        ranges={
            "port": (1, 65535),
            "deregistrationDelay": (0, 3600),
            "slowStart": (0, 900),
            "healthCheck.interval": (5, 300),
            "healthCheck.timeout": (2, 120),
            "healthCheck.healthyThreshold": (2, 10),
            "healthCheck.unhealthyThreshold": (2, 10),
        },
        patterns={"healthCheck.path": (r"/.{0,1023}", "a path that begins with /")},
        conflicts=(("name", "namePrefix"),),
        checks=(checks.tags,),
        references=(Reference("vpcId", "aws:ec2/vpc:Vpc", "ValidationError: The VPC ID '{value}' is not found"),),
        unique=("name",),
        exists="DuplicateTargetGroupName: A target group with the same name '{name}' exists",
        quota="TooManyTargetGroups: The maximum number of target groups has been reached",
    ),
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": Rules(
        Calls(ELB, "RegisterTargets", "DescribeTargetHealth", "RegisterTargets", "DeregisterTargets"),
        identity="{targetGroupArn}-{digits10}",
        replace=frozenset({"targetGroupArn", "targetId", "port", "availabilityZone"}),
        references=(Reference("targetGroupArn", TARGETS, _NO_TARGETS),),
    ),
    LISTENER: Rules(
        Calls(ELB, "CreateListener", "DescribeListeners", "ModifyListener", "DeleteListener"),
        identity="{loadBalancerArn}/{hex16}",
        outputs={"arn": "{id}", "protocol": "HTTP"},
        replace=frozenset({"loadBalancerArn"}),
        choices={
            "protocol": ("GENEVE", "HTTP", "HTTPS", "TCP", "TCP_UDP", "TLS", "UDP", "QUIC", "TCP_QUIC"),
            "defaultActions[].type": _ACTIONS,
            "defaultActions[].redirect.statusCode": ("HTTP_301", "HTTP_302"),
        },
        ranges={"port": (1, 65535)},
        patterns={"sslPolicy": (r"ELBSecurityPolicy-[\w-]+", "the name of a security policy")},
        checks=(checks.listener, checks.tags),
        references=(
            Reference("loadBalancerArn", BALANCER, "LoadBalancerNotFound: One or more load balancers not found"),
            Reference(
                "certificateArn",
                CERTIFICATE,
                "CertificateNotFound: Certificate ARN '{value}' is not valid",
                holds=_CERTIFICATE_HELD,
            ),
            *_forwards("defaultActions"),
        ),
        unique=("loadBalancerArn", "port"),
        exists="DuplicateListener: A listener already exists on this port for this load balancer '{loadBalancerArn}'",
    ),
    "aws:lb/listenerRule:ListenerRule": Rules(
        Calls(ELB, "CreateRule", "DescribeRules", "ModifyRule", "DeleteRule"),
        identity="{listenerArn}/{hex16}",
        outputs={"arn": "{id}"},
        replace=frozenset({"listenerArn"}),
        choices={"actions[].type": _ACTIONS},
        ranges={"priority": (1, 50_000), "actions[].forward.targetGroups[].weight": (0, 999)},
        checks=(checks.tags,),
        references=(
            Reference("listenerArn", LISTENER, "ListenerNotFound: One or more listeners not found"),
            *_forwards("actions"),
        ),
        unique=("listenerArn", "priority"),
        exists="PriorityInUse: Priority '{priority}' is currently in use",
    ),
    CERTIFICATE: Rules(
        Calls(ACM, "RequestCertificate", "DescribeCertificate", "UpdateCertificateOptions", "DeleteCertificate"),
        identity="arn:aws:acm:{region}:{account}:certificate/{uuid}",
        outputs={
            "arn": "{id}",
            "status": "PENDING_VALIDATION",
            "type": "AMAZON_ISSUED",
            "renewalEligibility": "INELIGIBLE",
            "domainValidationOptions": [
                {
                    "domainName": "{domainName}",
                    "resourceRecordName": "_{hex16}.{domainName}.",
                    "resourceRecordType": "CNAME",
                    "resourceRecordValue": "_{hex16}.{letters10}.acm-validations.aws.",
                }
            ],
        },
        replace=frozenset(
            {"domainName", "keyAlgorithm", "subjectAlternativeNames", "validationMethod", "validationOptions"}
        ),
        choices={"validationMethod": ("DNS", "EMAIL", "HTTP", "NONE")},
        patterns={"domainName": (r"(\*\.)?([a-zA-Z0-9-]{1,63}\.)+[a-zA-Z]{2,63}", "a domain name")},
        any_of=(("domainName", "privateKey"),),
        checks=(checks.tags,),
    ),
    "aws:acm/certificateValidation:CertificateValidation": Rules(
        Calls(ACM, "DescribeCertificate", "DescribeCertificate", "DescribeCertificate", "DescribeCertificate"),
        identity="{now}",
        key="{certificateArn}",
        replace=frozenset({"certificateArn", "validationRecordFqdns"}),
        references=(
            Reference(
                "certificateArn",
                CERTIFICATE,
                "ResourceNotFoundException: Could not find certificate {value}.",
            ),
        ),
        seconds=Seconds(180, 1, 0),
    ),
    ZONE: Rules(
        Calls(ROUTE53, "CreateHostedZone", "GetHostedZone", "UpdateHostedZoneComment", "DeleteHostedZone"),
        identity="Z{letters20}",
        outputs={
            "zoneId": "{id}",
            "arn": "arn:aws:route53:::hostedzone/{id}",
            "primaryNameServer": "ns-1.awsdns-01.org",
            "nameServers": ["ns-1.awsdns-01.org", "ns-2.awsdns-02.co.uk"],
        },
        defaults={"comment": "Managed by Pulumi", "forceDestroy": False},
        name=Name(1024, "a domain name", r"[\w.*-]+", "Route 53 API reference, CreateHostedZone", automatic=0),
        replace=frozenset({"name", "delegationSetId"}),
        checks=(checks.tags,),
        regional=False,
        seconds=Seconds(30, 1, 30),
    ),
    "aws:route53/record:Record": Rules(
        Calls(
            ROUTE53,
            "ChangeResourceRecordSets",
            "ListResourceRecordSets",
            "ChangeResourceRecordSets",
            "ChangeResourceRecordSets",
        ),
        identity="{zoneId}_{name}_{type}",
        outputs={"fqdn": "{name}"},
        replace=frozenset({"zoneId", "name", "type", "setIdentifier"}),
        choices={
            "type": (
                *("A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV"),
                *("SSHFP", "SVCB", "TLSA", "TXT"),
            )
        },
        one_of=(("records", "aliases"),),
        conflicts=(("ttl", "aliases"),),
        references=(
            Reference(
                "zoneId",
                ZONE,
                "NoSuchHostedZone: No hosted zone found with ID: {value}",
                holds="HostedZoneNotEmpty: The specified hosted zone contains non-required resource record sets and so "
                "cannot be deleted.",
                unless="forceDestroy",
                status=404,
            ),
        ),
        exists="InvalidChangeBatch: [Tried to create resource record set [name='{name}', type='{type}'] but it already"
        " exists]",
        regional=False,
        seconds=Seconds(40, 40, 40),
    ),
}
