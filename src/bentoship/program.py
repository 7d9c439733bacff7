"""The Pulumi program: what infra/__main__.py runs, under `bentoship up` and under plain `pulumi up` alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pulumi
from pydantic import ValidationError
from pydantic_core import to_json

from . import environments
from .deployment import Configuration, Deployment, Gated, Workload, workload_name
from .errors import BentoshipError
from .ledger import Intent, Ledger
from .project import Project
from .provider.resources import Gate
from .targets.local import Local


def run() -> None:
    """Provision the deployment that the stack is named after; export its URL, release, ledger and configuration."""
    try:
        project, stack = Project.find(Path.cwd()), pulumi.get_stack()
        intent = _intent(stack)
        _refuse_another_past(stack, intent)
        if intent.configuration:
            deployment = environments.restore(project, stack, intent.configuration)
        else:
            deployment = environments.deployment_of_stack(project, stack)
        _provision(project, deployment, intent)
    except BentoshipError as error:
        raise pulumi.RunError(str(error)) from None


def _intent(stack: str) -> Intent:
    path = pulumi.Config("bentoship").get("intent")
    try:
        return Intent.model_validate_json(Path(path or "").read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        environment = stack.partition("-")[0]
        raise pulumi.RunError(
            f"{stack}: nothing has been deployed from here yet; `bentoship up {environment}`"
        ) from None


def _refuse_another_past(stack: str, intent: Intent) -> None:
    """Raise RunError when the stack's ledger is not the one that `intent` follows.

    Another machine has changed the stack since the intent was made: going on would take its release away, and forget
    that it ever was. An update holds the stack's lock here, so that nobody can change it between this look and the end.
    """
    ledger = Ledger.read(_outputs(stack).get("ledger"))
    if intent.before in ("", ledger.digest) or not ledger.entries:
        return
    newest = ledger.attempted
    environment = stack.partition("-")[0]
    raise pulumi.RunError(
        f"{stack}: was changed since the last command that ended here ({newest.by}, {newest.at}), and nothing is "
        "changed now; "
        f"`bentoship up {environment}` deploys what is here, `bentoship history {environment}` lists what there was"
    )


def _outputs(stack: str) -> Mapping[str, Any]:
    """What the last update of the stack has written."""
    full = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    for name in (full, stack):  # states that are older than projects in their paths know the short name alone
        try:
            found = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": name}).value
            return dict(found["outputs"])
        except Exception as error:  # noqa: BLE001 - the SDK has no better type
            fault = str(error)
    raise pulumi.RunError(f"{stack}: its outputs can't be read: {fault}")


def _provision(project: Project, deployment: Deployment, intent: Intent) -> None:
    ledger, live = intent.ledger, intent.ledger.live
    if live is None:
        raise pulumi.RunError(f"{deployment.stack}: there is no release; `bentoship up {deployment.environment}`")
    target = deployment.target
    if project.rehearses and isinstance(target, Local):
        target = target.model_copy(update={"port": 0})  # the one that is asked for belongs to the real deployment
    workload = Workload(
        name=workload_name(live.bento, deployment.stack),
        releases=ledger.kept,
        traffic=ledger.traffic,
        archives={release.id: project.archive(release.id) for release in ledger.kept},
        home=project.local(deployment.stack),
        scale=deployment.scale,
        variables=deployment.variables,
        ready_timeout=deployment.ready_timeout,
        pruned=frozenset(intent.pruned),
    )
    started, gates = time.time(), _gates_of(intent)
    url = target.provision(workload)
    pulumi.export("url", url)
    # Known only once the pointer has moved: an update that fails leaves the old values in the outputs.
    pulumi.export("release", url.apply(lambda _: live.id))
    known = pulumi.Output.all(url, *(gate.results for gate in gates))
    pulumi.export("ledger", known.apply(lambda known: _ledger(intent, started, known[1:])))
    configurations = _configurations(intent, live.id, deployment.configuration)
    pulumi.export("configurations", pulumi.Output.secret(url.apply(lambda _: configurations)))


def _gates_of(intent: Intent) -> Sequence[Gate]:
    """The gates of the release that is being deployed: the list grows as the target declares them."""
    gates: list[Gate] = []
    attempted = intent.ledger.attempted.release

    def collect(declared: pulumi.ResourceTransformationArgs) -> None:
        if isinstance(declared.resource, Gate) and declared.props.get("release") == attempted:
            gates.append(declared.resource)

    pulumi.runtime.register_stack_transformation(collect)
    return gates


def _ledger(intent: Intent, started: float, results: Sequence[str | None]) -> str:
    """The ledger with what has been seen and measured; as it is when what it says has been done before, or failed."""
    if intent.begun is None or intent.ledger.attempted.result == "failed":
        return intent.ledger.write()
    passed = [Gated.model_validate_json(result) for result in results if result]
    gate = passed[0] if passed else None
    is_new = gate is not None and datetime.fromisoformat(gate.at).timestamp() >= int(intent.begun)
    seconds = {"start": started - intent.begun, "live": time.time() - intent.begun}
    rounded = {name: round(value, 3) for name, value in seconds.items()}
    return intent.ledger.measured(gate, {**rounded, **(gate.seconds if gate and is_new else {})}).write()


def _configurations(intent: Intent, live: str, configuration: Configuration) -> str:
    """How each kept release was configured when it was live last, by its id, as JSON."""
    known = {**intent.configurations, live: configuration}
    kept = {release.id: known[release.id] for release in intent.ledger.releases if release.id in known}
    return to_json(kept).decode()
