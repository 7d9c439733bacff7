"""What the targets on Google Cloud have in common: a place for the resources, releases in a bucket, identities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_gcp as gcp

from ...deployment import ReleaseRef, Workload
from ...provider.tags import LABEL
from .. import _uploads
from ._fields import GcpTarget

NONCURRENT_DAYS = 7
"""How long the bucket keeps what was deleted in it."""


@dataclass(frozen=True)
class Place:
    """Where the resources of one deployment belong: a component, a provider of their own."""

    name: str
    project: str
    region: str
    labels: Mapping[str, str]
    component: pulumi.ComponentResource
    provider: gcp.Provider

    def options(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a resource of Google Cloud."""
        return pulumi.ResourceOptions(parent=self.component, provider=self.provider, **more)

    def ours(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a resource of our own provider."""
        return pulumi.ResourceOptions(parent=self.component, **more)

    @property
    def look_up(self) -> pulumi.InvokeOptions:
        """Options of a look-up."""
        return pulumi.InvokeOptions(parent=self.component, provider=self.provider)


def open_place(kind: str, target: GcpTarget, workload: Workload) -> Place:
    """A component of the type `bentoship:gcp:<kind>`, and a provider with the project, region and labels of `target`.

    The provider labels whatever takes labels with the workload's name, so that what belongs together can be listed.
    """
    labels = {**target.labels, LABEL: workload.name}
    component = pulumi.ComponentResource(f"bentoship:gcp:{kind}", workload.name)
    provider = gcp.Provider(
        workload.name,
        project=target.project,
        region=target.region,
        default_labels=labels,
        opts=pulumi.ResourceOptions(parent=component),
    )
    return Place(workload.name, target.project, target.region, labels, component, provider)


@dataclass(frozen=True)
class Releases:
    """The bucket with the sealed zips."""

    bucket: gcp.storage.Bucket
    objects: Mapping[str, gcp.storage.BucketObject]
    """By release id."""


def name_of(release: ReleaseRef) -> str:
    """Where in the bucket a release lies; the name says the content, so what lies there never changes."""
    return f"releases/{release.id}.zip"


def keep_releases(place: Place, workload: Workload) -> Releases:
    """A private, versioned bucket without access lists, and in it every kept release. Google encrypts all of it."""
    bucket = gcp.storage.Bucket(
        _bucket_name(f"{place.name}-releases"),
        location=place.region,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning=gcp.storage.BucketVersioningArgs(enabled=True),
        # What was deleted, as `prune` does, is a version that is not current, and would be paid for ever.
        lifecycle_rules=[
            gcp.storage.BucketLifecycleRuleArgs(
                action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
                condition=gcp.storage.BucketLifecycleRuleConditionArgs(days_since_noncurrent_time=NONCURRENT_DAYS),
            )
        ],
        # Versions keep what was deleted for long enough; Google would keep, and bill, all of it for a week once more.
        soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=0),
        # Releases that have left the ledger stay in it; they are removed with the bucket, and so is all that it keeps.
        force_destroy=True,
        opts=place.options(),
    )
    return Releases(bucket, {kept.id: _object(place, workload, bucket, kept) for kept in workload.releases})


def _bucket_name(name: str) -> str:
    """`name` without the words that Google keeps for itself ("Bucket naming guidelines", Cloud Storage)."""
    return re.sub("g[o0]{2}gle|^goog", "gcp", name)


def _object(
    place: Place, workload: Workload, bucket: gcp.storage.Bucket, release: ReleaseRef
) -> gcp.storage.BucketObject:
    return gcp.storage.BucketObject(
        f"{place.name}-{release.short}",
        bucket=bucket.name,
        name=name_of(release),
        source=_uploads.asset(workload, release),
        content_type="application/zip",
        opts=place.options(**_uploads.options(workload, release, "source", "detectMd5hash")),
    )


@dataclass(frozen=True)
class Identity:
    """A service account, and what must have been given to it before it is used."""

    email: pulumi.Output[str]
    given: Sequence[pulumi.Resource]


def identity(place: Place, what: str, buckets: Mapping[str, pulumi.Input[str]], roles: Mapping[str, str]) -> Identity:
    """A service account of the deployment's own, which may read `buckets` and has `roles` in the project.

    Both are mappings from a word that names the resource. An account's id has 6 to 30 letters ("Create service
    accounts", IAM documentation), which the longest name of a workload leaves room for.
    """
    account = gcp.serviceaccount.Account(
        f"{place.name}-{what}",
        account_id=f"{place.name}-{what}"[:30],
        display_name=f"bentoship: {place.name}",
        opts=place.options(),
    )
    given: list[pulumi.Resource] = [
        gcp.storage.BucketIAMMember(
            f"{place.name}-{word}",
            bucket=bucket,
            role="roles/storage.objectViewer",
            member=account.member,
            opts=place.options(),
        )
        for word, bucket in buckets.items()
    ]
    given += [
        gcp.projects.IAMMember(
            f"{place.name}-{word}", project=place.project, role=role, member=account.member, opts=place.options()
        )
        for word, role in roles.items()
    ]
    return Identity(account.email, given)
