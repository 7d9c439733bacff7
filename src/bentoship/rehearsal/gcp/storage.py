"""Cloud Storage, service accounts, and who may do what.

"Bucket naming guidelines", Cloud Storage JSON API (buckets.delete), "Create service accounts" (IAM), "Policy
bindings" (IAM); magic-modules' mmv1/products/storage and services/resourcemanager for what can't be changed.
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules
from .services import IAM, PROJECTS, STORAGE

BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"
ACCOUNT = "gcp:serviceaccount/account:Account"
NO_BUCKET = "The specified bucket does not exist., notFound"
NO_ACCOUNT = "Service account {value} does not exist., badRequest"
_ROLE = (r"(projects/[^/]+/|organizations/\d+/)?roles/[A-Za-z0-9_.]+", "a role such as roles/storage.objectViewer")
_MEMBER = (
    r"(user|group|serviceAccount|domain):\S+|allUsers|allAuthenticatedUsers|principal(Set)?://\S+|deleted:\S+",
    "a member such as serviceAccount:name@project.iam.gserviceaccount.com",
)
_A_MEMBER = Reference("member", ACCOUNT, NO_ACCOUNT, ("member",))

RULES = {
    BUCKET: Rules(
        Calls(STORAGE, "buckets.insert", "buckets.get", "buckets.patch", "buckets.delete"),
        identity="{name}",
        outputs={
            "selfLink": "https://www.googleapis.com/storage/v1/b/{name}",
            "url": "gs://{name}",
            "projectNumber": 123456789012,
            "timeCreated": "{now}",
            "updated": "{now}",
        },
        defaults={
            "project": "{project}",
            "storageClass": "STANDARD",
            "forceDestroy": False,
            "deletionPolicy": "DELETE",
        },
        name=Name(
            63,
            "lowercase letters, digits, hyphens, underscores and dots, and begins and ends with a letter or a digit",
            r"[a-z0-9][a-z0-9_.-]*[a-z0-9]",
            "Bucket naming guidelines",
            shortest=3,
            automatic=63,
            lower=True,
            reserved="^goog|g[o0]{2}gle",
        ),
        replace=frozenset({"name", "location", "project"}),
        choices={
            "publicAccessPrevention": ("enforced", "inherited"),
            "storageClass": ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL"),
        },
        exists="Your previous request to create the named bucket succeeded and you already own it., conflict",
        regional=False,
    ),
    OBJECT: Rules(
        Calls(STORAGE, "objects.insert", "objects.get", "objects.patch", "objects.delete"),
        one_call=True,
        identity="{bucket}-{name}",
        outputs={
            "outputName": "{name}",
            "selfLink": "https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}",
            "mediaLink": "https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/{name}?alt=media",
        },
        renewed=frozenset({"crc32c", "generation", "md5hash", "md5hexhash"}),
        defaults={"contentType": "text/plain; charset=utf-8", "storageClass": "STANDARD", "deletionPolicy": "DELETE"},
        name=Name(1024, "anything but line breaks", r"[^\r\n]+", "About Cloud Storage objects", suffix=False),
        replace=frozenset({"bucket", "name"}),
        one_of=(("source", "content"),),
        references=(
            Reference(
                "bucket",
                BUCKET,
                NO_BUCKET,
                holds="The bucket you tried to delete is not empty., conflict",
                unless="forceDestroy",
                status=404,
            ),
        ),
        regional=False,
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": Rules(
        Calls(STORAGE, "buckets.setIamPolicy", "buckets.getIamPolicy", "buckets.setIamPolicy", "buckets.setIamPolicy"),
        identity="b/{bucket}/{role}/{member}",
        outputs={"etag": "{letters8}"},
        replace=frozenset({"bucket", "condition", "member", "role"}),
        patterns={"role": _ROLE, "member": _MEMBER},
        references=(Reference("bucket", BUCKET, NO_BUCKET, ("id", "name"), status=404), _A_MEMBER),
        regional=False,
    ),
    ACCOUNT: Rules(
        Calls(
            IAM,
            "projects.serviceAccounts.create",
            "projects.serviceAccounts.get",
            "projects.serviceAccounts.patch",
            "projects.serviceAccounts.delete",
        ),
        identity="projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
        outputs={
            "email": "{accountId}@{project}.iam.gserviceaccount.com",
            "member": "serviceAccount:{email}",
            "name": "{id}",
            "uniqueId": "1{digits20}",
        },
        defaults={"project": "{project}", "deletionPolicy": "DELETE", "disabled": False},
        name=Name(
            30,
            "lowercase letters, digits and hyphens, begins with a letter and does not end with a hyphen",
            r"[a-z][a-z0-9-]*[a-z0-9]",
            "Create service accounts",
            shortest=6,
            property="accountId",
            automatic=0,
        ),
        replace=frozenset({"accountId", "project"}),
        exists="Service account {accountId} already exists within project projects/{project}., alreadyExists",
        quota="Maximum number of service accounts on project reached., rateLimitExceeded",
        regional=False,
    ),
    "gcp:projects/iAMMember:IAMMember": Rules(
        Calls(
            PROJECTS,
            "projects.setIamPolicy",
            "projects.getIamPolicy",
            "projects.setIamPolicy",
            "projects.setIamPolicy",
        ),
        identity="{project}/{role}/{member}",
        outputs={"etag": "{letters8}"},
        replace=frozenset({"condition", "member", "project", "role"}),
        patterns={"role": _ROLE, "member": _MEMBER},
        references=(_A_MEMBER,),
        regional=False,
    ),
}
