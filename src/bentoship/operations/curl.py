"""A line to paste into a shell that asks a deployment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from ..deployment import Example
from ..gate import TOKEN, authorization


def curl_line(url: str, examples: Sequence[Example]) -> str:
    """A curl command that sends the first golden example to `url`; one that asks for readiness where there is none."""
    if not examples:
        return f"curl {url}/readyz"
    first = examples[0]
    body = shlex.quote(json.dumps(first.body))
    token = f' -H "authorization: Bearer ${TOKEN}"' if authorization() else ""
    return f"curl -s {shlex.quote(url + first.path)}{token} -H 'content-type: application/json' -d {body}"
