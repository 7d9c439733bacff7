"""The ports of the local deployments: free, held by the deployment itself, or taken by somebody else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..deployment import Deployment
from ..host.control import Supervisor
from ..host.ports import holder, is_free
from ..project import Project
from . import local
from .finding import Finding

_OTHER_PORT = "end it, or give the deployment another `port`"


def check(project: Project | None) -> Iterator[Finding]:
    """One finding for each port that a local deployment wants."""
    if project is None:
        return
    wanted: defaultdict[tuple[str, int], list[Deployment]] = defaultdict(list)
    for deployment, target in local.deployments(project):
        wanted[target.host, target.port].append(deployment)
    for (host, port), deployments in wanted.items():
        yield _port(project, host, port, deployments)


def _port(project: Project, host: str, port: int, deployments: list[Deployment]) -> Finding:
    stacks = " and ".join(deployment.stack for deployment in deployments)
    running = next((each for each in deployments if _listens(project, each, port)), None)
    if len(deployments) > 1:
        seen = f"port {port} is wanted by {stacks}, which can't be up at the same time"
        return Finding("ports", "warning", seen, "give each its own `port`")
    if running:
        return Finding("ports", "ok", f"port {port}: {running.stack} is up on it")
    if is_free(port, host):
        return Finding("ports", "ok", f"port {port} is free for {stacks}")
    if found := holder(port):
        return Finding("ports", "warning", f"port {port}, which {stacks} wants, is taken by {found}", _OTHER_PORT)
    reason = f"{host}:{port}, which {stacks} wants, is taken by another user, or isn't open to this one"
    return Finding("ports", "warning", reason, "give the deployment another `port` or `host`")


def _listens(project: Project, deployment: Deployment, port: int) -> bool:
    directory = project.local(deployment.stack)
    # Asking where nothing was ever deployed would make folders.
    status = Supervisor(directory).status() if directory.is_dir() else None
    return status is not None and status.port == port
