"""The metadata services of the three clouds: what a machine may ask about itself, at http://169.254.169.254.

A machine is a value: `Ec2Machine`, `ComputeEngineMachine` or `AzureMachine`. `MetadataService` answers HTTP requests
for one of them, and refuses what the real one refuses, so that a boot script which works here has asked correctly.

    with MetadataService(Ec2Machine(role="salary", credentials=Credentials("AKIA…", "…", "…"))) as service:
        subprocess.run(["python3", script], env={"BENTOSHIP_METADATA": service.address})
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import parse_qs, urlsplit

LONGEST_SESSION = 21_600
"""Seconds that a token of EC2's metadata service may last at most ("Use the Instance Metadata Service to access
instance metadata", EC2 User Guide)."""
TOKEN_LIFETIME = 3_600
STORAGE = "https://storage.azure.com/"


@dataclass(frozen=True)
class Request:
    """What the machine asked. Names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What it is told."""

    body: str = ""
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


class Machine(Protocol):
    """Whatever can answer for a machine."""

    def answer(self, request: Request) -> Reply:
        """What the machine's cloud tells it."""


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of a role on AWS."""

    access_key_id: str
    secret_access_key: str
    token: str


@dataclass
class Ec2Machine:
    """An instance that must use IMDSv2 (HttpTokens required), as the launch templates of our targets ask for.

    Source: "Use the Instance Metadata Service to access instance metadata", EC2 User Guide.
    """

    instance_id: str = "i-0123456789abcdef0"
    region: str = "eu-central-1"
    zone: str = "eu-central-1a"
    role: str | None = None
    """None while the instance has no profile, or the profile has not reached it yet."""
    credentials: Credentials | None = None
    user_data: str = ""
    _sessions: dict[str, float] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        """400 without a lifetime, 401 without a token, 403 for what came through a proxy, 404 for the unknown."""
        if request.path == "/latest/api/token":
            return self._open_session(request)
        if self._sessions.get(request.headers.get("x-aws-ec2-metadata-token", ""), 0) < time.monotonic():
            return Reply(status=HTTPStatus.UNAUTHORIZED)
        found = self._known().get(request.path.rstrip("/"))
        return Reply(status=HTTPStatus.NOT_FOUND) if found is None else Reply(found)

    def _open_session(self, request: Request) -> Reply:
        if request.method != "PUT":
            return Reply(status=HTTPStatus.METHOD_NOT_ALLOWED)
        if "x-forwarded-for" in request.headers:
            return Reply(status=HTTPStatus.FORBIDDEN)
        seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= LONGEST_SESSION:
            return Reply(status=HTTPStatus.BAD_REQUEST)
        token = secrets.token_urlsafe(40)
        self._sessions[token] = time.monotonic() + int(seconds)
        return Reply(token, headers={"X-aws-ec2-metadata-token-ttl-seconds": seconds})

    def _known(self) -> dict[str, str]:
        known = {
            "/latest/meta-data/instance-id": self.instance_id,
            "/latest/meta-data/placement/region": self.region,
            "/latest/meta-data/placement/availability-zone": self.zone,
        }
        if self.user_data:
            known["/latest/user-data"] = self.user_data
        roles = "/latest/meta-data/iam/security-credentials"
        if self.role and self.credentials:
            known |= {roles: self.role, f"{roles}/{self.role}": _as_role(self.credentials)}
        return known


@dataclass
class ComputeEngineMachine:
    """An instance of Compute Engine with a service account ("About VM metadata", Compute Engine documentation)."""

    project: str = "rehearsal"
    zone: str = "europe-west3-a"
    name: str = "instance"
    token: str | None = None
    """Access token of the service account; None while it has none."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The instance's own metadata, such as `startup-script`."""

    def answer(self, request: Request) -> Reply:
        """403 without its header, or for what came through a proxy; 404 for the unknown."""
        ours = {"Metadata-Flavor": "Google"}
        if request.headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in request.headers:
            return Reply("Missing required header: Metadata-Flavor", HTTPStatus.FORBIDDEN, ours)
        found = self._known().get(request.path.removeprefix("/computeMetadata/v1/"))
        return Reply(status=HTTPStatus.NOT_FOUND, headers=ours) if found is None else Reply(found, headers=ours)

    def _known(self) -> dict[str, str]:
        known = {
            "project/project-id": self.project,
            "instance/zone": f"projects/0/zones/{self.zone}",
            "instance/name": self.name,
            **{f"instance/attributes/{name}": value for name, value in self.attributes.items()},
        }
        if self.token:
            token = {"access_token": self.token, "expires_in": TOKEN_LIFETIME, "token_type": "Bearer"}
            known["instance/service-accounts/default/token"] = json.dumps(token)
        return known


@dataclass
class AzureMachine:
    """A virtual machine with user-assigned identities ("Azure Instance Metadata Service", Azure documentation)."""

    tokens: Mapping[str, str] = field(default_factory=dict)
    """Access token of each identity that the machine has, by client id."""
    name: str = "machine"

    def answer(self, request: Request) -> Reply:
        """400 without its header, without a version, for what came through a proxy and for an identity it lacks."""
        if request.headers.get("metadata") != "true" or "x-forwarded-for" in request.headers:
            return _refused("Required metadata header not specified")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", request.query.get("api-version", "")):
            return _refused("Bad request. api-version is invalid or was not specified in the request.")
        if request.path == "/metadata/instance/compute/name":
            return Reply(self.name)
        if request.path != "/metadata/identity/oauth2/token":
            return Reply(status=HTTPStatus.NOT_FOUND)
        return _azure_token(self.tokens, request)


@dataclass(frozen=True)
class WebAppContainer:
    """A container of App Service ("How to use managed identities for App Service", REST endpoint reference).

    Its variables IDENTITY_ENDPOINT and IDENTITY_HEADER say where to ask, and how.
    """

    tokens: Mapping[str, str] = field(default_factory=dict)
    """Access token of each identity that the app has, by client id."""
    header: str = field(default_factory=secrets.token_urlsafe)

    def answer(self, request: Request) -> Reply:
        """401 without its header, 400 without its version and for an identity that the app lacks."""
        if not secrets.compare_digest(request.headers.get("x-identity-header", ""), self.header):
            return Reply("no X-IDENTITY-HEADER", HTTPStatus.UNAUTHORIZED)
        if request.query.get("api-version") != "2019-08-01":
            return _refused("The api-version is not supported")
        return _azure_token(self.tokens, request)


def _azure_token(tokens: Mapping[str, str], request: Request) -> Reply:
    client_id, resource = request.query.get("client_id", ""), request.query.get("resource", "")
    if not client_id and len(tokens) == 1:
        client_id = next(iter(tokens))
    if client_id not in tokens:
        return _refused("Identity not found")
    if resource != STORAGE:
        return _refused(f"the rehearsal has tokens for {STORAGE} only, not for {resource}")
    return Reply(
        json.dumps(
            {
                "access_token": tokens[client_id],
                "client_id": client_id,
                "expires_in": str(TOKEN_LIFETIME),
                "expires_on": str(int(time.time()) + TOKEN_LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
            }
        )
    )


class MetadataService:
    """Answers for one machine over HTTP, from `start` to `stop`. It does not ask who asks: one machine, one service."""

    def __init__(self, machine: Machine, host: str = "127.0.0.1") -> None:
        """Take a free port of `host` at once."""
        self.machine = machine
        """May be changed while it answers, as a role reaches a machine some time after its start."""
        self._server = ThreadingHTTPServer((host, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """What takes the place of http://169.254.169.254."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _handler(service: MetadataService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(address.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            _send(self, service.machine.answer(Request(self.command, address.path, query, headers)))

        do_PUT = do_GET  # noqa: N815 -- the name is the library's

        def log_message(self, *_: object) -> None:
            """Say nothing: what a machine asks is no event of the rehearsal."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    body = reply.body.encode()
    handler.send_response(reply.status)
    for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _as_role(credentials: Credentials) -> str:
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + TOKEN_LIFETIME))
    return json.dumps(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.token,
            "Expiration": until,
        }
    )


def _refused(fault: str) -> Reply:
    body = {"error": "invalid_request", "error_description": fault}
    return Reply(json.dumps(body), HTTPStatus.BAD_REQUEST)
