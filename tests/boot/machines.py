"""Bare machines of the three clouds for tests: a metadata service, an object store that checks, and a boot script."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as AwsCredentials

from bentoship.boot import Settings, render
from bentoship.rehearsal.metadata import AzureMachine, ComputeEngineMachine, Credentials, Ec2Machine, MetadataService

REGION = "eu-central-1"
ROLE = Credentials("ASIAEXAMPLE", "not/a+secret", "session/token+with=signs")
BEARER = "an-access-token"
CLIENT_ID = "5b0a3c5e-0000-4000-8000-000000000001"
SAY_ENVIRONMENT = '#!/bin/sh\nmkdir -p "$BENTOSHIP_STATE_DIR"\nenv -0 >"$BENTOSHIP_STATE_DIR/environment"\n'


def sealed(files: dict[str, str] | None = None, modes: dict[str, int] | None = None) -> bytes:
    """A release small enough for a test: by default one that writes down its environment and ends."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (files or {"run.sh": SAY_ENVIRONMENT, "app/readme.txt": "hello\n"}).items():
            info = zipfile.ZipInfo(name)
            default = 0o100755 if name.endswith(".sh") else 0o100644
            info.external_attr = (modes or {}).get(name, default) << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def identity(archive: bytes) -> str:
    return hashlib.sha256(archive).hexdigest()


@dataclass
class Store:
    """An object store: gives `archive` to whoever asks at `path` in the cloud's way, and 403 to everybody else."""

    path: str
    archive: bytes
    authorized: Callable[[Store, str, dict[str, str]], bool]
    refusals: list[int] = field(default_factory=list)
    """Status codes that it answers first."""
    broken: int = 0
    """How many answers then break off half-way."""
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def status(self, path: str, headers: dict[str, str]) -> int:
        self.asked.append(path)
        if not self.authorized(self, path, headers):
            return 403
        return self.refusals.pop(0) if self.refusals else (200 if path == self.path else 404)


def signed(store: Store, path: str, headers: dict[str, str]) -> bool:
    """Whether the signature is the one that botocore computes."""
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("GET", store.address + path, headers={name: headers[name] for name in names})
    request.context["timestamp"] = headers["x-amz-date"]
    who = AwsCredentials(ROLE.access_key_id, ROLE.secret_access_key, ROLE.token)
    auth = S3SigV4Auth(who, "s3", REGION)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return headers["authorization"].endswith(f"Signature={signature}") and headers["x-amz-security-token"] == ROLE.token


def bearer(_: Store, __: str, headers: dict[str, str]) -> bool:
    return headers.get("authorization") == f"Bearer {BEARER}"


def blob_bearer(store: Store, path: str, headers: dict[str, str]) -> bool:
    # Blob Storage takes tokens since version 2017-11-09 only ("Authorize with Microsoft Entra ID", its REST reference).
    return bearer(store, path, headers) and headers.get("x-ms-version", "") >= "2017-11-09"


@dataclass
class Cloud:
    """What differs between the three."""

    settings: Settings
    machine: Ec2Machine | ComputeEngineMachine | AzureMachine
    store: Store
    without_identity: Ec2Machine | ComputeEngineMachine | AzureMachine


def aws(archive: bytes) -> Cloud:
    key = f"releases/{identity(archive)}.zip"
    return Cloud(
        Settings(identity(archive), f"s3://bucket/{key}", 8000, region=REGION),
        Ec2Machine(role="salary", credentials=ROLE),
        Store(f"/bucket/{key}", archive, signed),
        Ec2Machine(),
    )


def gcp(archive: bytes) -> Cloud:
    name = identity(archive)
    return Cloud(
        Settings(name, f"gs://bucket/releases/{name}.zip", 8000),
        ComputeEngineMachine(token=BEARER),
        Store(f"/storage/v1/b/bucket/o/releases%2F{name}.zip?alt=media", archive, bearer),
        ComputeEngineMachine(),
    )


def azure(archive: bytes) -> Cloud:
    name = identity(archive)
    return Cloud(
        Settings(name, f"https://acme.blob.core.windows.net/releases/{name}.zip", 8000, client_id=CLIENT_ID),
        AzureMachine(tokens={CLIENT_ID: BEARER, "another": "another-token"}),
        Store(f"/releases/{name}.zip", archive, blob_bearer),
        AzureMachine(tokens={"another": "another-token"}),
    )


CLOUDS = {"aws": aws, "gcp": gcp, "azure": azure}


@dataclass
class Ran:
    """How a boot script ended."""

    code: int
    lines: list[str]

    @property
    def last(self) -> str:
        return self.lines[-1]


@dataclass
class BareMachine:
    """One machine: its disk, and what its network reaches."""

    disk: Path
    cloud: Cloud
    metadata: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.disk / "var/lib/bentoship"

    def boot(self, *arguments: str, python: str = sys.executable, **changes: object) -> Ran:
        """Run the script for the cloud's settings with `changes`."""
        script = self.disk / "boot"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(render(replace(self.cloud.settings, **changes)))
        environment = {
            "PATH": os.environ["PATH"],
            "BENTOSHIP_METADATA": self.metadata,
            "BENTOSHIP_OBJECT_STORE": self.cloud.store.address,
            "BENTOSHIP_ROOT": str(self.disk),
            **self.environment,
        }
        command = [python, "-I", str(script), *arguments]
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout.splitlines())

    def told(self) -> dict[str, str]:
        """The environment that the release was started with."""
        content = (self.home / "state/environment").read_text()
        return dict(item.split("=", 1) for item in content.split("\0") if item)


class Serving:
    """A cloud whose object store and metadata service answer."""

    def __init__(self, cloud: Cloud) -> None:
        self.metadata = MetadataService(cloud.machine)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(cloud.store))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        cloud.store.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self.metadata.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.metadata.stop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(store: Store) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = store.status(self.path, {name.lower(): value for name, value in self.headers.items()})
            body = store.archive if status == 200 else b"<Error><Code>Refused</Code></Error>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            half = status == 200 and store.broken > 0
            store.broken -= half
            self.wfile.write(body[: len(body) // 2] if half else body)

        def log_message(self, *_: object) -> None: ...

    return Handler
