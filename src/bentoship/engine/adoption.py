"""What a killed attempt made, and could not write down, is taken into the stack's state.

The engine forgets what it had begun when it is killed, or its provider is, before the answer has come: the object is
there, and creating it again is refused. Its state says of a resource what its events say of it (pulumi/pulumi
sdk/go/common/apitype: StepEventStateMetadata, ResourceV3); `pulumi stack import` is how it is told more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .events import Step

_SAID = ("urn", "custom", "type", "parent", "provider", "inputs")


def resource(step: Step, adoptable: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the state shall say of what `step` could not create; None for what can't be adopted.

    `adoptable` has the types that can, with the input that is the object's id.
    """
    inputs = step.resource.get("inputs") or {}
    found = inputs.get(adoptable.get(step.type))
    if not found or step.operation != "create":
        return None
    said = {key: step.resource[key] for key in _SAID if step.resource.get(key)}
    return {**said, "id": found, "outputs": inputs}


def state_with(exported: str, resources: Iterable[Mapping[str, Any]]) -> str:
    """The state that `pulumi stack export` has printed, and `resources` in it."""
    state = json.loads(exported)
    deployment = state["deployment"]
    deployment["resources"] = [*(deployment.get("resources") or ()), *resources]
    return json.dumps(state)
