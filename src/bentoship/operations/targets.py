"""targets: where deployments can go, and what each place must be told."""

from __future__ import annotations

from typing import Any

from .. import targets
from ..deployment import Target
from ..project import Project


def describe(project: Project) -> list[dict[str, Any]]:
    """Every target by name: what it means, and its fields with meaning, default and whether they are required."""
    own = project.own_targets
    return [_describe(name, targets.find(name, own)) for name in targets.names(own)]


def _describe(name: str, kind: type[Target]) -> dict[str, Any]:
    fields = [
        {
            "name": field_name,
            "meaning": field.description or "",
            "required": field.is_required(),
            "default": None if field.is_required() else field.get_default(call_default_factory=True),
        }
        for field_name, field in kind.model_fields.items()
    ]
    return {"name": name, "meaning": (kind.__doc__ or "").partition("\n")[0], "fields": fields}
