"""Storage accounts, containers, blobs.

REST reference of Microsoft.Storage; "Storage account overview", Storage account name; "Naming and referencing
containers, blobs, and metadata".
"""

from __future__ import annotations

from ..rules import Calls, Reference, Rules, Seconds
from .naming import EXISTS, IN_GROUP, RESERVED, copied, in_group, named
from .services import STORAGE

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
BLOB = "azure-native:storage:Blob"
NO_ACCOUNT = "ResourceNotFound: The Resource 'Microsoft.Storage/storageAccounts/{value}' was not found."
_SMALL = ("small letters and digits", r"[a-z0-9]+")
_HOST = (
    "small letters, digits and single hyphens, and begins and ends with one of the former",
    r"[a-z0-9](-?[a-z0-9])*",
)
_ACCOUNT = Reference("accountName", ACCOUNT, NO_ACCOUNT, ("name",), status=404)

RULES = {
    ACCOUNT: in_group(
        STORAGE,
        "StorageAccounts",
        "Microsoft.Storage/storageAccounts",
        named(24, "accountName", _SMALL, shortest=3, reserved=RESERVED),
        outputs={
            "primaryEndpoints": {"blob": "https://{accountName}.blob.core.windows.net/"},
            "primaryLocation": "{location}",
        },
        fixed={"sku.name": "StorageAccountTypeConversionNotAllowed: The account can't be changed to this type."},
        defaults={"accessTier": "Hot", "allowSharedKeyAccess": True, "enableHttpsTrafficOnly": True},
        # The name is that of a host: nobody else in the world may have it.
        unique=("accountName",),
        exists="StorageAccountAlreadyTaken: The storage account named {accountName} is already taken.",
        replace=frozenset({"kind", "isHnsEnabled"}),
        seconds=Seconds(25, 5, 5),
    ),
    CONTAINER: Rules(
        Calls(STORAGE, "BlobContainers_Create", "BlobContainers_Get", "BlobContainers_Update", "BlobContainers_Delete"),
        identity="/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage"
        "/storageAccounts/{accountName}/blobServices/default/containers/{containerName}",
        outputs={"name": "{containerName}", "type": "Microsoft.Storage/storageAccounts/blobServices/containers"},
        name=copied(63, "containerName", _HOST),
        replace=frozenset({"resourceGroupName", "accountName", "containerName"}),
        references=(IN_GROUP, _ACCOUNT),
        exists=EXISTS,
        regional=False,
    ),
    BLOB: Rules(
        Calls(STORAGE, "PutBlob", "GetBlobProperties", "PutBlob", "DeleteBlob"),
        one_call=True,
        identity="/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Storage"
        "/storageAccounts/{accountName}/blobServices/default/containers/{containerName}/blobs/{blobName}",
        outputs={
            "name": "{blobName}",
            "url": "https://{accountName}.blob.core.windows.net/{containerName}/{blobName}",
        },
        name=copied(1024, "blobName", ("printable characters", r"[^\x00-\x1f]+")),
        replace=frozenset({"resourceGroupName", "accountName", "containerName", "blobName", "type"}),
        references=(
            IN_GROUP,
            _ACCOUNT,
            Reference(
                "containerName",
                CONTAINER,
                "ContainerNotFound: The specified container does not exist.",
                ("name",),
                within=(("accountName", "accountName"),),
                status=404,
            ),
        ),
        regional=False,
        seconds=Seconds(5, 5, 1),
    ),
}
