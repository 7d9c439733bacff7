"""Which backend keeps the state.

The variable wins, then Pulumi.yaml, then the last login (pulumi/pulumi pkg/workspace).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import yaml

VARIABLE = "PULUMI_BACKEND_URL"
LOGIN = "the last `pulumi login`"


def named(infra: Path) -> tuple[str, str]:
    """The URL of the backend, and what says so; nothing of both where nothing does."""
    if url := os.environ.get(VARIABLE, ""):
        return url, VARIABLE
    try:
        described = yaml.safe_load((infra / "Pulumi.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "", ""
    backend = described.get("backend") if isinstance(described, dict) else None
    if url := str(backend.get("url") or "") if isinstance(backend, dict) else "":
        return url, "infra/Pulumi.yaml"
    return (url, LOGIN) if (url := _logged_in()) else ("", "")


def _logged_in() -> str:
    """The backend of the last login, which the engine keeps in its home."""
    home = Path(os.environ.get("PULUMI_CREDENTIALS_PATH") or os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return str(json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def mend(infra: Path, environment: Mapping[str, str]) -> bool:
    """Remove what a killed engine has left half written beside the files of its state; whether there was something.

    Those are put there whole. What goes with each, such as its media type, is written in place before; when that is
    empty the engine can't read the file any more (gocloud.dev/blob/fileblob). When it is gone, nothing is missing.
    """
    url = environment.get(VARIABLE) or named(infra)[0]
    if not url.startswith("file://"):
        return False
    folder = unquote(url.removeprefix("file://").partition("?")[0])
    state = infra / Path(folder).expanduser() / ".pulumi"
    broken = [path for path in state.rglob("*.attrs") if path.stat().st_size == 0]
    for path in broken:
        path.unlink(missing_ok=True)
    return bool(broken)
