"""What the targets on AWS have in common: a place for the resources, releases in a bucket, roles, a domain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from ...deployment import ReleaseRef, Workload
from ...provider.tags import TAG
from .. import _uploads
from ._fields import AwsTarget

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.2 and 1.3 only (Elastic Load Balancing, "Security policies for your Application Load Balancer")."""


@dataclass(frozen=True)
class Place:
    """Where the resources of one deployment belong: a component, an AWS provider of their own, tags."""

    name: str
    region: str
    tags: Mapping[str, str]
    component: pulumi.ComponentResource
    provider: aws.Provider

    def options(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a resource of AWS."""
        return pulumi.ResourceOptions(parent=self.component, provider=self.provider, **more)

    def ours(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a resource of our own provider."""
        return pulumi.ResourceOptions(parent=self.component, **more)

    @property
    def look_up(self) -> pulumi.InvokeOptions:
        """Options of a look-up."""
        return pulumi.InvokeOptions(parent=self.component, provider=self.provider)


def open_place(kind: str, target: AwsTarget, workload: Workload) -> Place:
    """A component of the type `bentoship:aws:<kind>`, and a provider whose region and tags are those of `target`.

    The provider tags whatever it makes with the workload's name, so that what belongs together can be listed.
    """
    tags = {**target.tags, TAG: workload.name}
    component = pulumi.ComponentResource(f"bentoship:aws:{kind}", workload.name)
    provider = aws.Provider(
        workload.name,
        region=target.region,
        default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
        opts=pulumi.ResourceOptions(parent=component),
    )
    return Place(workload.name, target.region, tags, component, provider)


def partition(region: str) -> str:
    """The part of AWS that `region` is in, as ARNs name it (General Reference, "Amazon Resource Names")."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")


@dataclass(frozen=True)
class Releases:
    """The bucket with the sealed zips."""

    bucket: aws.s3.Bucket
    objects: Mapping[str, aws.s3.BucketObjectv2]
    """By release id."""
    guards: Sequence[pulumi.Resource]
    """What keeps the bucket private."""


def key_of(release: ReleaseRef) -> str:
    """Where in the bucket a release lies; the key says the content, so what lies there never changes."""
    return f"releases/{release.id}.zip"


def keep_releases(place: Place, workload: Workload) -> Releases:
    """A private, encrypted, versioned bucket that speaks TLS only, and in it every kept release."""
    name = f"{place.name}-releases"
    # Releases that have left the ledger stay in it; they are removed with the bucket, and so is all that it keeps.
    bucket = aws.s3.Bucket(name, force_destroy=True, opts=place.options())
    guards = [
        aws.s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=place.options(),
        ),
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="AES256"
                    )
                )
            ],
            opts=place.options(),
        ),
        aws.s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=place.options(),
        ),
        aws.s3.BucketPolicy(name, bucket=bucket.id, policy=bucket.arn.apply(_tls_only), opts=place.options()),
    ]
    objects = {release.id: _object(place, workload, bucket, release, guards) for release in workload.releases}
    return Releases(bucket, objects, guards)


def _object(
    place: Place, workload: Workload, bucket: aws.s3.Bucket, release: ReleaseRef, guards: Sequence[pulumi.Resource]
) -> aws.s3.BucketObjectv2:
    return aws.s3.BucketObjectv2(
        f"{place.name}-{release.short}",
        bucket=bucket.id,
        key=key_of(release),
        source=_uploads.asset(workload, release),
        content_type="application/zip",
        opts=place.options(depends_on=list(guards), **_uploads.options(workload, release, "source")),
    )


def _tls_only(arn: str) -> str:
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return policy({**deny, "Condition": without_tls})


def policy(*statements: Mapping[str, Any]) -> str:
    """An IAM policy document; the same text for the same statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


@dataclass(frozen=True)
class Role:
    """A role, and what must have been given to it before it is used."""

    made: aws.iam.Role
    given: Sequence[pulumi.Resource]


def role(
    place: Place,
    what: str,
    service: str,
    managed: Sequence[str] = (),
    own: pulumi.Input[str] | None = None,
    condition: Mapping[str, Any] | None = None,
) -> Role:
    """A role that `service` may take, with policies of AWS's own (`managed`) and one policy of ours (`own`)."""
    name = f"{place.name}-{what}"
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trusting = policy({**trust, "Condition": condition} if condition else trust)
    made = aws.iam.Role(name, assume_role_policy=trusting, opts=place.options())
    given: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{arn.rpartition('/')[2]}",
            role=made.name,
            policy_arn=f"arn:{partition(place.region)}:iam::aws:policy/{arn}",
            opts=place.options(),
        )
        for arn in managed
    ]
    if own is not None:
        given.append(aws.iam.RolePolicy(name, role=made.id, policy=own, opts=place.options()))
    return Role(made, given)


def may_read(bucket: aws.s3.Bucket) -> pulumi.Output[dict[str, Any]]:
    """The statement that lets a machine fetch releases: any of them, since an old one must start after a rollback."""
    return bucket.arn.apply(lambda arn: {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{arn}/releases/*"})


@dataclass(frozen=True)
class Domain:
    """A name with a certificate."""

    name: str
    zone: pulumi.Output[str]
    certificate: pulumi.Output[str]
    """ARN of the certificate, known once it has been issued."""


def certified(place: Place, target: AwsTarget) -> Domain | None:
    """A certificate for the target's domain, proved to be ours by a DNS record; None without a domain."""
    if target.domain is None:
        return None
    zone = _zone(place, target.domain, target.hosted_zone)
    asked = aws.acm.Certificate(place.name, domain_name=target.domain, validation_method="DNS", opts=place.options())
    proof = asked.domain_validation_options[0]
    record = aws.route53.Record(
        f"{place.name}-proof",
        zone_id=zone,
        name=proof.resource_record_name,
        type=proof.resource_record_type,
        records=[proof.resource_record_value],
        ttl=60,
        allow_overwrite=True,
        opts=place.options(),
    )
    issued = aws.acm.CertificateValidation(
        place.name, certificate_arn=asked.arn, validation_record_fqdns=[record.fqdn], opts=place.options()
    )
    return Domain(target.domain, zone, issued.certificate_arn)


def _zone(place: Place, domain: str, hosted_zone: str | None) -> pulumi.Output[str]:
    if hosted_zone:
        return pulumi.Output.from_input(hosted_zone)
    parent = domain.partition(".")[2]
    zone = parent if "." in parent else domain  # nobody has the zone of a top-level domain
    return aws.route53.get_zone_output(name=zone, private_zone=False, opts=place.look_up).zone_id


def redirect_to_https(place: Place, load_balancer: pulumi.Input[str]) -> aws.lb.Listener:
    """A listener that answers plain HTTP with the way to HTTPS."""
    to_https = aws.lb.ListenerDefaultActionRedirectArgs(protocol="HTTPS", port="443", status_code="HTTP_301")
    return aws.lb.Listener(
        f"{place.name}-http",
        load_balancer_arn=load_balancer,
        port=80,
        protocol="HTTP",
        default_actions=[aws.lb.ListenerDefaultActionArgs(type="redirect", redirect=to_https)],
        opts=place.options(),
    )
