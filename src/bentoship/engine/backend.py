"""Which backend keeps the state.

The variable wins, then Pulumi.yaml, then the last login (pulumi/pulumi pkg/workspace).
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml

VARIABLE = "PULUMI_BACKEND_URL"


def named(infra: Path) -> tuple[str, str]:
    """The URL of the backend, and what says so; nothing of both where it is left to the last login."""
    if url := os.environ.get(VARIABLE, ""):
        return url, VARIABLE
    try:
        described = yaml.safe_load((infra / "Pulumi.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "", ""
    backend = described.get("backend") if isinstance(described, dict) else None
    url = str(backend.get("url") or "") if isinstance(backend, dict) else ""
    return (url, "infra/Pulumi.yaml") if url else ("", "")
