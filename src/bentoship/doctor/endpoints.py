"""Who can reach the local deployments: this machine alone, or the network."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from ..project import Project
from . import local
from .finding import Finding


def check(project: Project | None) -> Iterator[Finding]:
    """A warning for each local deployment that listens beyond this machine."""
    deployments = list(local.deployments(project))
    public = [(deployment, target) for deployment, target in deployments if not _is_private(target.host)]
    for deployment, target in public:
        yield Finding(
            "endpoints",
            "warning",
            f"{deployment.stack} listens on {target.host}:{target.port}: whoever reaches this machine can ask it, "
            "without a password and without encryption",
            "leave `host` out to listen on 127.0.0.1, or put a proxy with TLS before it",
        )
    if deployments and not public:
        yield Finding("endpoints", "ok", "the local deployments listen to this machine alone")


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
