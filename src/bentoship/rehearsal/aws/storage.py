"""S3, Secrets Manager and the Parameter Store.

S3 User Guide "General purpose bucket naming rules"; S3 API reference (DeleteBucket, PutObject); terraform-provider-aws
internal/service/s3 for what can't be changed.
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules
from . import checks
from .services import S3, SECRETS_MANAGER, SSM

BUCKET = "aws:s3/bucket:Bucket"
OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
NO_BUCKET = "NoSuchBucket: The specified bucket does not exist"
POLICY_BYTES = 20_480
_OF_BUCKET = (Reference("bucket", BUCKET, NO_BUCKET, status=404),)


def _setting(call: str, delete: str = "", *also_fixed: str) -> Rules:
    """Something that is said about a bucket by a call of its own, and goes with it."""
    return Rules(
        Calls(S3, f"Put{call}", f"Get{call}", f"Put{call}", delete or f"Delete{call}"),
        identity="{bucket}",
        replace=frozenset({"bucket", *also_fixed}),
        references=_OF_BUCKET,
    )


def _policy() -> Rules:
    return Rules(
        Calls(S3, "PutBucketPolicy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
        identity="{bucket}",
        replace=frozenset({"bucket"}),
        references=_OF_BUCKET,
        checks=(checks.policy("policy", POLICY_BYTES, "MalformedPolicy"),),
    )


RULES = {
    BUCKET: Rules(
        Calls(S3, "CreateBucket", "HeadBucket", "PutBucketTagging", "DeleteBucket"),
        identity="{bucket}",
        outputs={
            "arn": "arn:aws:s3:::{bucket}",
            "bucketDomainName": "{bucket}.s3.amazonaws.com",
            "bucketRegion": "{region}",
            "bucketRegionalDomainName": "{bucket}.s3.{region}.amazonaws.com",
            "hostedZoneId": "Z21DNDUVLTQW6Q",
            "requestPayer": "BucketOwner",
        },
        name=Name(
            63,
            "lowercase letters, digits, hyphens and dots, and begins and ends with a letter or a digit",
            r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
            "S3 User Guide, General purpose bucket naming rules",
            shortest=3,
            property="bucket",
            automatic=63,
            lower=True,
        ),
        replace=frozenset({"bucket", "bucketPrefix", "bucketNamespace", "objectLockEnabled"}),
        conflicts=(("bucket", "bucketPrefix"),),
        checks=(checks.tags, checks.bucket_name),
        exists="BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded and you already own"
        " it.",
        regional=False,  # its name is unique among all the buckets of the world
    ),
    OBJECT: Rules(
        Calls(S3, "PutObject", "HeadObject", "PutObject", "DeleteObject"),
        identity="{bucket}/{key}",
        outputs={"arn": "arn:aws:s3:::{bucket}/{key}", "storageClass": "STANDARD", "serverSideEncryption": "AES256"},
        renewed=frozenset({"etag", "versionId", "checksumSha256"}),
        one_call=True,
        defaults={"forceDestroy": False, "bucketKeyEnabled": False, "contentType": "application/octet-stream"},
        name=Name(
            1024,
            "printable characters",
            r"[^\x00-\x1f]+",
            "S3 User Guide, Naming Amazon S3 objects",
            property="key",
            automatic=1024,
            suffix=False,
        ),
        replace=frozenset({"bucket", "key"}),
        conflicts=(("source", "content", "contentBase64"), ("etag", "kmsKeyId")),
        choices={"checksumAlgorithm": ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")},
        checks=(checks.tags,),
        references=(
            Reference(
                "bucket",
                BUCKET,
                NO_BUCKET,
                holds="BucketNotEmpty: The bucket you tried to delete is not empty",
                unless="forceDestroy",
                status=404,
            ),
        ),
        regional=False,
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _setting(
        "BucketLifecycleConfiguration", "DeleteBucketLifecycle", "expectedBucketOwner"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _setting("BucketOwnershipControls"),
    "aws:s3/bucketPolicy:BucketPolicy": _policy(),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _setting("PublicAccessBlock"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _setting(
        "BucketEncryption", "", "expectedBucketOwner"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _setting(
        "BucketVersioning", "PutBucketVersioning", "expectedBucketOwner"
    ),
    "aws:secretsmanager/secret:Secret": Rules(
        Calls(SECRETS_MANAGER, "CreateSecret", "DescribeSecret", "UpdateSecret", "DeleteSecret"),
        identity="{arn}",
        outputs={"arn": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-{letters6}"},
        defaults={"recoveryWindowInDays": 30},
        name=Name(512, "letters, digits and /_+=.@-", r"[\w/+=.@-]+", "Secrets Manager API reference, CreateSecret"),
        replace=frozenset({"name", "namePrefix"}),
        conflicts=(("name", "namePrefix"),),
        checks=(checks.tags,),
        unique=("name",),
        exists="ResourceExistsException: The operation failed because the secret {name} already exists.",
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Rules(
        Calls(SECRETS_MANAGER, "PutSecretValue", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"),
        identity="{secretId}|{versionId}",
        outputs={"versionId": "{uuid}", "arn": "{secretId}", "secretArn": "{secretId}"},
        replace=frozenset({"secretId", "secretString", "secretBinary"}),
        conflicts=(("secretString", "secretBinary", "secretStringWo"),),
        references=(
            Reference(
                "secretId",
                "aws:secretsmanager/secret:Secret",
                "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
                ("id", "name"),
            ),
        ),
    ),
    "aws:ssm/parameter:Parameter": Rules(
        Calls(SSM, "PutParameter", "GetParameter", "PutParameter", "DeleteParameter"),
        identity="{name}",
        outputs={"arn": "arn:aws:ssm:{region}:{account}:parameter/{name}", "version": 1, "tier": "Standard"},
        renewed=frozenset({"version"}),
        name=Name(1011, "letters, digits and /_.-", r"[\w/.-]+", "Systems Manager API reference, PutParameter"),
        replace=frozenset({"name"}),
        conflicts=(("value", "insecureValue", "valueWo"),),
        checks=(checks.tags,),
        exists="ParameterAlreadyExists: The parameter already exists.",
    ),
}
