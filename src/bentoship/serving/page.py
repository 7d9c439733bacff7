"""The page at `/`: a form for people who want to ask the service, made by page.js of what the service says of itself.

The page itself is for everybody. What it shows comes from the same address as JSON, and for a token where tokens are
asked for.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bentoml._internal.utils.uri import join_paths
from pydantic import PydanticUserError
from starlette.requests import Request  # noqa: TC002 -- see TC001
from starlette.responses import HTMLResponse, Response

from .asgi import JSON
from .settings import Settings

_MANIFEST = "MANIFEST.json"
"""Beside the Bento in a sealed release; it isn't there while the release is being sealed."""
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "vary": "accept",
}


@dataclass(frozen=True)
class Page:
    """The page of the service in the Bento in `folder`."""

    service: Any
    folder: Path
    settings: Settings

    def answer(self, request: Request) -> Response:
        """The page, or what it is made of when JSON is asked for."""
        headers = dict(request.scope["headers"])  # as the application reads them, which has asked for a token or not
        if is_for_people(headers.get(b"accept", b"")):
            page, policy = _document()
            return HTMLResponse(page, headers={"content-security-policy": policy, **_ALWAYS})
        return Response(self._description, media_type=JSON.decode(), headers=_ALWAYS)

    @functools.cached_property
    def _description(self) -> bytes:
        asked = dict(self._examples())
        inside = [method for method in self.service.apis.values() if not _is_left_out(method)]
        endpoints = [self._endpoint(method, asked) for method in inside]
        outside = [self._path(method) for method in self.service.apis.values() if _is_left_out(method)]
        content = {
            "service": self.service.name,
            "release": self.settings.release,
            "asks_token": bool(self.settings.tokens),
            # What has an example is what people want to ask.
            "endpoints": sorted(endpoints, key=lambda endpoint: "example" not in endpoint),
            "others": outside,
        }
        return json.dumps(content, default=str).encode()

    def _endpoint(self, method: Any, examples: dict[str, Any]) -> dict[str, Any]:
        path = self._path(method)
        example = {"example": examples[path]} if path in examples else {}
        return {"path": path, "doc": method.doc or "", "schema": method.input_spec.model_json_schema(), **example}

    def _path(self, method: Any) -> str:
        return str(join_paths(self.service.path_prefix, method.route))

    def _examples(self) -> Iterator[tuple[str, Any]]:
        """Path and body of the golden examples; the first one of a path comes last, and so wins."""
        try:
            manifest = json.loads((self.folder.parent / _MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        for example in reversed(manifest["examples"]):
            yield example["path"], example["body"]


def is_for_people(accept: bytes) -> bool:
    """Whether a request with this header `accept` wants the page, and not what the page is made of."""
    return accept.split(b",")[0].split(b";")[0].strip() != JSON


def _is_left_out(method: Any) -> bool:
    """Whether an endpoint takes something else than JSON, or answers later."""
    try:
        method.input_spec.model_json_schema()
    except PydanticUserError:
        return True
    return bool(method.is_task or method.input_spec.multipart_fields)


@functools.cache
def _document() -> tuple[str, str]:
    """The page, and the Content-Security-Policy under which nothing but what we wrote ourselves runs in it."""
    parts = {name: _text(f"page.{name}") for name in ("html", "css", "js")}
    page = parts["html"].replace("{style}", parts["css"]).replace("{script}", parts["js"])
    policy = {
        "default-src": "'none'",
        "script-src": _hash(parts["js"]),
        "style-src": _hash(parts["css"]),
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return page, "; ".join(f"{name} {value}" for name, value in policy.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
