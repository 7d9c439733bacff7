"""What the targets on Azure have in common: a place for the resources, releases in Blob Storage, an identity."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_azure_native as azure

from ...deployment import ReleaseRef, Workload
from ...provider.tags import TAG
from .. import _uploads
from ._fields import AzureTarget

BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
"""Storage Blob Data Reader and Key Vault Secrets User ("Azure built-in roles")."""
CONTAINER = "releases"


@dataclass(frozen=True)
class Place:
    """Where the resources of one deployment belong: a component, a provider, a resource group of their own, tags."""

    name: str
    subscription: str
    region: str
    tags: Mapping[str, str]
    component: pulumi.ComponentResource
    provider: azure.Provider
    group: pulumi.Output[str]
    """Name of the resource group."""

    def options(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a resource of Azure."""
        return pulumi.ResourceOptions(parent=self.component, provider=self.provider, **more)

    def ours(self, **more: Any) -> pulumi.ResourceOptions:
        """Options of a resource of our own provider."""
        return pulumi.ResourceOptions(parent=self.component, **more)

    @property
    def here(self) -> dict[str, Any]:
        """The arguments of every resource that has a place and tags."""
        return {"resource_group_name": self.group, "location": self.region, "tags": dict(self.tags)}

    def role(self, identity: str) -> str:
        """The id of a built-in role."""
        return f"/subscriptions/{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{identity}"


def open_place(kind: str, target: AzureTarget, workload: Workload) -> Place:
    """A component of the type `bentoship:azure:<kind>`, a provider of its own, and a resource group.

    Azure has no default tags: whatever takes tags gets them one by one. Deleting the group by hand deletes all of it.
    """
    tags = {**target.tags, TAG: workload.name}
    component = pulumi.ComponentResource(f"bentoship:azure:{kind}", workload.name)
    provider = azure.Provider(
        workload.name,
        subscription_id=target.subscription,
        location=target.region,
        opts=pulumi.ResourceOptions(parent=component),
    )
    group = azure.resources.ResourceGroup(
        workload.name,
        location=target.region,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=component, provider=provider),
    )
    return Place(unreserved(workload.name), target.subscription, target.region, tags, component, provider, group.name)


@dataclass(frozen=True)
class Releases:
    """The container with the sealed zips, and who may read it."""

    blobs: Mapping[str, azure.storage.Blob]
    """By release id."""
    identity: azure.managedidentity.UserAssignedIdentity
    granted: pulumi.Resource
    """What lets the identity read; before it exists, whoever asks is refused."""

    def before(self, release: ReleaseRef) -> list[pulumi.Resource]:
        """What must be there before `release` is started."""
        return [self.blobs[release.id], self.granted]


def keep_releases(place: Place, workload: Workload) -> Releases:
    """A private storage account that speaks TLS 1.2, in it every kept release; and an identity that may read them."""
    account = azure.storage.StorageAccount(
        f"{place.name}-releases",
        account_name=account_name(place.subscription, workload.name),
        kind="StorageV2",
        # An account can't be changed to or from ZRS ("Change how data is replicated"), so that this can't depend on the
        # scale. Machines ask for a release when they start, and what runs goes on without it.
        sku=azure.storage.SkuArgs(name="Standard_LRS"),
        allow_blob_public_access=False,
        minimum_tls_version="TLS1_2",
        enable_https_traffic_only=True,
        # Pulumi uploads with the account's key; whoever runs a release reads by identity.
        allow_shared_key_access=True,
        **place.here,
        opts=place.options(),
    )
    container = azure.storage.BlobContainer(
        f"{place.name}-releases",
        container_name=CONTAINER,
        account_name=account.name,
        resource_group_name=place.group,
        public_access="None",
        opts=place.options(),
    )
    identity = azure.managedidentity.UserAssignedIdentity(place.name, **place.here, opts=place.options())
    granted = grant(place, "reads-releases", identity, BLOB_READER, container.id)
    blobs = {release.id: _blob(place, workload, account, container, release) for release in workload.releases}
    return Releases(blobs, identity, granted)


def grant(
    place: Place,
    what: str,
    identity: azure.managedidentity.UserAssignedIdentity,
    role: str,
    scope: pulumi.Input[str],
) -> azure.authorization.RoleAssignment:
    """Give `identity` a built-in role on `scope`."""
    return azure.authorization.RoleAssignment(
        f"{place.name}-{what}",
        principal_id=identity.principal_id,
        # Without the type, Azure looks for the identity in a directory that may not know it yet, and refuses.
        principal_type="ServicePrincipal",
        role_definition_id=place.role(role),
        scope=scope,
        opts=place.options(),
    )


def unreserved(name: str) -> str:
    """`name` without the words that Azure keeps for itself ("Resolve errors for reserved resource names")."""
    for word, other in {"^login": "logon", "microsoft": "ms", "windows": "win"}.items():
        name = re.sub(word, other, name)
    return name


def account_name(subscription: str, name: str) -> str:
    """A name for a storage account: at most 24 small letters and digits, that nobody else in the world has.

    "Storage account overview", Storage account name.
    """
    digest = hashlib.sha256(f"{subscription}/{name}".lower().encode()).hexdigest()
    return re.sub(r"[^a-z0-9]", "", unreserved(name))[:12] + digest[:12]


def _blob(
    place: Place,
    workload: Workload,
    account: azure.storage.StorageAccount,
    container: azure.storage.BlobContainer,
    release: ReleaseRef,
) -> azure.storage.Blob:
    return azure.storage.Blob(
        f"{place.name}-{release.short}",
        account_name=account.name,
        container_name=container.name,
        resource_group_name=place.group,
        blob_name=f"{release.id}.zip",
        type="Block",
        content_type="application/zip",
        source=_uploads.asset(workload, release),
        opts=place.options(**_uploads.options(workload, release, "source")),
    )
