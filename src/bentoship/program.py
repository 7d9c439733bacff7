"""The Pulumi program: what infra/__main__.py runs, under `bentoship up` and under plain `pulumi up` alike."""

from __future__ import annotations

from pathlib import Path

import pulumi

from . import environments
from .deployment import Deployment, Workload, workload_name
from .errors import BentoshipError
from .ledger import Ledger
from .project import Project


def run() -> None:
    """Provision the deployment that the stack is named after, and export its URL, its release and its ledger."""
    try:
        project = Project.find(Path.cwd())
        deployment = environments.deployment_of_stack(project, pulumi.get_stack())
        ledger = Ledger.read(pulumi.Config("bentoship").get("ledger"))
        _provision(project, deployment, ledger)
    except BentoshipError as error:
        raise pulumi.RunError(str(error)) from None


def _provision(project: Project, deployment: Deployment, ledger: Ledger) -> None:
    live = ledger.live
    if live is None:
        raise pulumi.RunError(
            f"stack {deployment.stack} has no release yet; `bentoship up {deployment.environment}` seals one"
        )
    workload = Workload(
        name=workload_name(live.bento, deployment.stack),
        releases=ledger.releases,
        traffic={live.id: 100},
        archives={release.id: project.archive(release.id) for release in ledger.releases},
        home=project.local(deployment.stack),
        scale=deployment.scale,
        variables=deployment.variables,
        ready_timeout=deployment.ready_timeout,
    )
    url = deployment.target.provision(workload)
    pulumi.export("url", url)
    pulumi.export("release", url.apply(lambda _: live.id))
    # Known only once the pointer has moved: an update that fails leaves the old ledger in the outputs.
    pulumi.export("ledger", url.apply(lambda _: ledger.write()))
