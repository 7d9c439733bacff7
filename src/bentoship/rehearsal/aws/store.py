"""S3 as machines ask it: objects for whoever proves by a signature that its role may read them."""

from __future__ import annotations

from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys

from .. import faults
from ..hosts.plane import Plane
from ..metadata import Credentials
from .behaviours import stored
from .instances import Instances

_CALL = ("GetObject", "s3:GetObject")
_FAULTS = {"permission": (403, "AccessDenied"), "throttling": (503, "SlowDown")}


class Store:
    """GetObject, and nothing else."""

    def __init__(self, plane: Plane, instances: Instances) -> None:
        self._plane, self._instances = plane, instances

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The object; 403 for whoever may not have it, with S3's own codes."""
        bucket, key = request.match_info["bucket"], request.match_info["key"]
        if fault := faults.take(self._instances.world, _CALL, "before"):
            if fault.kind != "slow":
                status, code = _FAULTS.get(fault.kind, (500, "InternalError"))
                return _refusal(status, code, f"{fault.kind} on purpose")
            await self._plane.sleep(fault.seconds)
        proof = request.headers.get("Authorization", "")
        found = self._instances.whose(proof.partition("Credential=")[2].partition("/")[0])
        if found is None:
            return _refusal(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
            )
        resource, credentials = found
        if not _is_signed(request, credentials, resource.region):
            return _refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if not self._instances.may(resource, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"):
            return _refusal(403, "AccessDenied", "Access Denied")
        path = stored(self._instances.world, bucket, key)
        return web.FileResponse(path) if path.is_file() else _refusal(404, "NoSuchKey", "The key does not exist.")


def _is_signed(request: web.Request, credentials: Credentials, region: str) -> bool:
    """Whether the signature is the one that AWS's own library computes."""
    proof = request.headers["Authorization"]
    names = proof.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    url = f"http://{request.host}{request.raw_path}"
    asked = AWSRequest("GET", url, headers={name: request.headers.get(name) for name in names})
    asked.context["timestamp"] = request.headers.get("x-amz-date", "")
    keys = Keys(credentials.access_key_id, credentials.secret_access_key, credentials.token)
    auth = S3SigV4Auth(keys, "s3", region)
    signature = auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked)
    is_token = request.headers.get("x-amz-security-token") == credentials.token
    return is_token and proof.endswith(f"Signature={signature}")


def _refusal(status: int, code: str, message: str) -> web.Response:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=body, content_type="application/xml")
