"""Google's APIs as our provider asks them: JSON over HTTPS, with the credentials that Google's own tools use.

Each product's address can be told by the variable that Pulumi's provider reads as well, such as
GOOGLE_COMPUTE_CUSTOM_ENDPOINT; a token by GOOGLE_OAUTH_ACCESS_TOKEN ("Provider configuration", Google provider).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx

from ..errors import EngineMissing, UpdateFailed
from .aws import Patience

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ADDRESSES = {
    "app_engine": "https://appengine.googleapis.com/v1/",
    "compute": "https://compute.googleapis.com/compute/v1/",
    "logging": "https://logging.googleapis.com/v2/",
    "monitoring": "https://monitoring.googleapis.com/",
    "storage": "https://storage.googleapis.com/storage/v1/",
}
"""By the product's name, as it stands in the variable."""
TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
PAGE = "docs/gcp.md"
_TRIES = 6
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, *(HTTPStatus(code) for code in (500, 502, 503, 504))}
_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "log in again: `gcloud auth application-default login`",
    HTTPStatus.FORBIDDEN: f"{PAGE} lists what the deployer must be allowed to do, and which APIs must be enabled",
    HTTPStatus.TOO_MANY_REQUESTS: "others use the same project's quota; run `up` again later",
}


class Google:
    """One product's API, on behalf of a project."""

    def __init__(self, product: str, where: str) -> None:
        """`where` is what errors are about, such as `service salary`."""
        self._base = os.environ.get(f"GOOGLE_{product.upper()}_CUSTOM_ENDPOINT") or ADDRESSES[product]
        self._where = where

    def get(self, path: str) -> Mapping[str, Any] | None:
        """What is at `path`; None when there is nothing."""
        return self._ask("GET", path)

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """Every page of the list at `path`."""
        more = dict(query)
        while True:
            page = self.get(f"{path}?{urlencode(more)}") or {}
            yield page
            if not page.get("nextPageToken"):
                return
            more["pageToken"] = str(page["nextPageToken"])

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """What the call at `path` answers."""
        return self._ask("POST", path, body or {}) or {}

    def delete(self, path: str) -> Mapping[str, Any] | None:
        """The operation that removes what is at `path`; None when there is nothing."""
        return self._ask("DELETE", path)

    def finish(self, operation: Mapping[str, Any] | None, patience: Patience) -> None:
        """Wait for a long-running operation; UpdateFailed with its own words when it fails."""
        while operation and not operation.get("done"):
            patience.wait(self._where, f"operation {operation['name']} is under way")
            operation = self.get(operation["name"])
        if operation and (error := operation.get("error")):
            raise UpdateFailed(self._where, f"Google Cloud answered: {error.get('message', error)}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        pause = threading.Event()
        for attempt in range(_TRIES):
            try:
                answer = httpx.request(
                    method, f"{self._base}{path}", json=body, headers=_proof(self._where), timeout=30
                )
            except httpx.HTTPError as error:
                if attempt + 1 == _TRIES:
                    fault = f"{self._base} does not answer ({type(error).__name__}: {error})"
                    raise UpdateFailed(self._where, fault, f"{PAGE} says what a deployer needs") from error
            else:
                if answer.status_code not in _BUSY or attempt + 1 == _TRIES:
                    return self._read(answer)
            pause.wait(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
        raise AssertionError

    def _read(self, answer: httpx.Response) -> Mapping[str, Any] | None:
        if answer.status_code == HTTPStatus.NOT_FOUND and answer.request.method in {"GET", "DELETE"}:
            return None
        if answer.is_success:
            found: Mapping[str, Any] = answer.json()
            return found
        fault = f"Google Cloud answered {answer.status_code}: {_message(answer)}"
        raise UpdateFailed(self._where, fault, _REMEDIES.get(HTTPStatus(answer.status_code), ""))


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return answer.text[:300]


def _proof(where: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ.get(TOKEN) or _token(where)}"}


_credentials: list[Any] = []
_lock = threading.Lock()


def _token(where: str) -> str:
    """A token that is valid now, from Application Default Credentials; UpdateFailed when there are none."""
    try:
        import google.auth  # noqa: PLC0415 - other targets do without it
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
    except ImportError:
        raise EngineMissing("gcp", "needs packages that are not here", "pip install 'bentoship[gcp]'") from None
    with _lock:
        try:
            if not _credentials:
                _credentials.append(google.auth.default(scopes=[SCOPE])[0])
            (found,) = _credentials
            if not found.valid:
                found.refresh(Request())
        except GoogleAuthError as error:
            raise UpdateFailed(where, str(error), "log in: `gcloud auth application-default login`") from error
    return str(found.token)
