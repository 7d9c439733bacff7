"""The boot script against object stores that others wrote: moto's S3, fake-gcs-server and Azurite."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import boto3
import httpx
import platformdirs
import pytest
from machines import CLIENT_ID, CLOUDS, REGION, BareMachine, Serving, sealed

from bentoship.rehearsal.metadata import AzureMachine, Credentials, MetadataService

pytestmark = pytest.mark.slow
CACHE = Path(os.environ.get("BENTOSHIP_CACHE_DIR", platformdirs.user_cache_path("bentoship")))
SERVERS = {
    "fake-gcs-server": f"GOBIN={CACHE}/bin go install github.com/fsouza/fake-gcs-server@v1.56.1",
    "azurite-blob": f"npm install --prefix {CACHE} azurite@3.35.0",
    "openssl": "its package",
}


def found(name: str) -> str:
    folders = os.pathsep.join([os.environ["PATH"], str(CACHE / "bin"), str(CACHE / "node_modules/.bin")])
    if path := shutil.which(name, path=folders):
        return path
    pytest.skip(f"{name} is not installed; get it by: {SERVERS[name]}")


@contextlib.contextmanager
def started(command, pattern):
    """A server, and what of the line that says it listens matches `pattern`."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            yield next(match for line in server.stdout if (match := re.search(pattern, line)))[1]
        finally:
            server.kill()


@pytest.fixture(scope="module")
def s3():
    """moto's S3 and IAM with two roles: `reader` may read the bucket, `stranger` may nothing."""
    with started([sys.executable, "-m", "moto.server", "-p", "0"], r"Running on (http://127\S+)") as address:
        words = {"region_name": REGION, "endpoint_url": address}
        root = boto3.Session("root", "root")
        s3, iam, sts = (root.client(name, **words) for name in ("s3", "iam", "sts"))
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="bucket", Key="releases/a b+c.zip", Body=sealed())
        roles = {name: _credentials(iam, sts, name) for name in ("reader", "stranger")}
        may = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/releases/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=policy)
        # From here on moto computes every signature and looks up every permission.
        httpx.post(f"{address}/moto-api/reset-auth", content=b"0").raise_for_status()
        for client in (s3, iam, sts):
            client.close()
        yield address, roles


def _credentials(iam, sts, name):
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    given = sts.assume_role(RoleArn=arn, RoleSessionName="instance")["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def boot_from_s3(s3, tmp_path, change=lambda credentials: credentials, role="reader"):
    address, roles = s3
    cloud = CLOUDS["aws"](sealed())
    cloud.machine.role, cloud.machine.credentials = role, change(roles[role])
    cloud.store.address = address
    with MetadataService(cloud.machine) as service:
        machine = BareMachine(tmp_path / "disk", cloud, service.address)
        return machine.boot("--foreground", archive="s3://bucket/releases/a b+c.zip", download_timeout=1)


def test_s3_accepts_our_signature(s3, tmp_path):
    ran = boot_from_s3(s3, tmp_path)
    assert ran.code == 0, ran.lines


def test_s3_refuses_the_signature_of_another_key(s3, tmp_path):
    ran = boot_from_s3(s3, tmp_path, lambda known: replace(known, secret_access_key=known.secret_access_key[::-1]))
    assert ran.code == 1
    assert "<Code>SignatureDoesNotMatch</Code>" in ran.last


def test_s3_refuses_a_token_of_another_session(s3, tmp_path):
    ran = boot_from_s3(s3, tmp_path, lambda known: replace(known, token=known.token[::-1]))
    assert ran.code == 1
    assert "<Code>InvalidToken</Code>" in ran.last


def test_s3_refuses_a_role_that_may_not_read(s3, tmp_path):
    ran = boot_from_s3(s3, tmp_path, role="stranger")
    assert ran.code == 1
    assert "<Code>AccessDenied</Code>" in ran.last


def test_cloud_storage_finds_the_object(tmp_path):
    cloud = CLOUDS["gcp"](sealed())
    objects = tmp_path / "objects/bucket/releases"
    objects.mkdir(parents=True)
    (objects / "a b+c.zip").write_bytes(cloud.store.archive)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-scheme=http", "-host=127.0.0.1", f"-port={port}", "-backend=memory", f"-data={tmp_path}/objects"]
    with (
        started([found("fake-gcs-server"), *words], r"server started at (http://127\.[\d.:]+)") as address,
        Serving(cloud) as serving,
    ):
        cloud.store.address = address
        machine = BareMachine(tmp_path / "disk", cloud, serving.metadata.address)
        ran = machine.boot("--foreground", archive="gs://bucket/releases/a b+c.zip", download_timeout=5)
        missing = machine.boot("--foreground", archive="gs://bucket/releases/x", release="0" * 64, download_timeout=1)
    assert ran.code == 0, ran.lines
    assert "answered 404" in missing.last


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """Azurite behind TLS, which asks for the token of a managed identity; and a certificate to trust it by."""
    folder = tmp_path_factory.mktemp("azurite")
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    request = f"{found('openssl')} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=azurite".split()
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*request, *names], check=True, capture_output=True)
    tls = ["--oauth", "basic", "--cert", certificate, "--key", key]
    server = [found("azurite-blob"), *tls, "--blobPort", "0", "--disableTelemetry", "--inMemoryPersistence"]
    with started(server, r"successfully listen\w* (?:at|on) (https://\S+)") as address:
        yield f"{address}/devstoreaccount1", certificate


def token(audience="https://storage.azure.com"):
    """What Azurite's basic check wants: claims, and a signature that it doesn't compute."""
    now = int(time.time())
    issuer = "https://sts.windows.net/00000000-0000-4000-8000-000000000000/"
    claims = {"aud": audience, "iss": issuer, "iat": now, "nbf": now - 60, "exp": now + 600}
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])


def boot_from_blob(blobs, tmp_path, bearer):
    address, certificate = blobs
    cloud = CLOUDS["azure"](sealed())
    cloud.store.address = address
    _upload(address, certificate, cloud.store.path, cloud.store.archive)
    with MetadataService(AzureMachine(tokens={CLIENT_ID: bearer})) as service:
        trust = {"SSL_CERT_FILE": certificate}
        machine = BareMachine(tmp_path / "disk", cloud, service.address, environment=trust)
        return machine.boot("--foreground", download_timeout=1)


def _upload(address, certificate, path, archive):
    headers = {"authorization": f"Bearer {token()}", "x-ms-version": "2023-11-03"}
    with httpx.Client(verify=ssl.create_default_context(cafile=certificate), headers=headers) as client:
        client.put(f"{address}/releases?restype=container")
        put = client.put(f"{address}{path}", content=archive, headers={"x-ms-blob-type": "BlockBlob"})
        put.raise_for_status()


def test_blob_storage_accepts_our_token(blobs, tmp_path):
    ran = boot_from_blob(blobs, tmp_path, token())
    assert ran.code == 0, ran.lines


def test_blob_storage_refuses_a_token_for_another_service(blobs, tmp_path):
    ran = boot_from_blob(blobs, tmp_path, token("https://vault.azure.net"))
    assert ran.code == 1
    assert "<Code>AuthenticationFailed</Code>" in ran.last
