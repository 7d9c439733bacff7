"""What stands for secrets in a rehearsal, which has none: made-up values, and the token that its gate will send."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..gate import TOKEN
from ..project import write_private

_TOKENS = "SERVING_TOKENS"
"""The secret that a release reads by itself: docs/serving.md, "Access"."""
_FILE = "token"


def remember(root: Path) -> None:
    """Write down the token of BENTOSHIP_TOKEN for what runs in the rehearsal in `root`."""
    if token := os.environ.get(TOKEN, "").strip():
        write_private(root / _FILE, token, replace=True)


def value(root: Path, name: str, reference: str) -> str:
    """What the variable `name` is told in the rehearsal in `root`, for the secret that `reference` names."""
    if name != _TOKENS:
        return f"rehearsed value of {reference}"
    try:
        return (root / _FILE).read_text(encoding="utf-8")
    except FileNotFoundError:  # nobody knows this one, as nobody has said which one the gate will send
        return f"rehearsed-{hashlib.sha256(reference.encode()).hexdigest()}"
