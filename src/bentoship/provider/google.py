"""Google's APIs as our provider asks them: JSON over HTTPS, with the credentials that Google's own tools use.

Each product's address can be told by the variable that Pulumi's provider reads as well, such as
GOOGLE_COMPUTE_CUSTOM_ENDPOINT; a token by GOOGLE_OAUTH_ACCESS_TOKEN ("Provider configuration", Google provider).
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx

from ..errors import EngineMissing, UpdateFailed
from ..patience import patience
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
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_FAULT_SECONDS = 15.0
"""How long a request is tried again that gets no answer, or a 500."""
_QUOTA_SECONDS = 90.0
"""So long when there were too many: quotas are by the minute, and the end of that is to be waited for ("Rate quotas",
Compute Engine)."""
_ELSE_SECONDS = 600.0
"""So long when something else has to be done first."""
_FAULTS = {HTTPStatus(code) for code in (500, 502, 503, 504)}
_QUOTAS = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}
"""Reasons with a 403 that is no matter of permissions ("Rate quotas", Compute Engine)."""
_ELSE = ((HTTPStatus.CONFLICT, "already in progress"), (HTTPStatus.NOT_FOUND, "Unable to retrieve P4SA"))
"""What App Engine says while it is at something else, and for a while after an application was made
(github.com/hashicorp/terraform-provider-google/issues/8333)."""
_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "log in again: `gcloud auth application-default login`",
    HTTPStatus.FORBIDDEN: f"{PAGE} lists what the deployer must be allowed to do, and which APIs must be enabled",
    HTTPStatus.TOO_MANY_REQUESTS: "others use the same project's quota; run `up` again later",
}


class AlreadyThere(UpdateFailed):
    """What was to be made is there: somebody else made it meanwhile, or we did and the answer got lost."""


class Google:
    """One product's API, on behalf of a project."""

    def __init__(self, product: str, where: str, cancelled: threading.Event | None = None) -> None:
        """`where` is what errors are about, such as `service salary`; `cancelled` ends all waiting."""
        self._cancelled = cancelled or threading.Event()
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

    def finish(self, operation: Mapping[str, Any] | None, waiting: Patience) -> None:
        """Wait for a long-running operation; UpdateFailed with its own words when it fails."""
        while operation and not operation.get("done"):
            waiting.wait(self._where, f"operation {operation['name']} is under way")
            operation = self.get(operation["name"])
        if operation and (error := operation.get("error")):
            raise UpdateFailed(self._where, f"Google Cloud answered: {error.get('message', error)}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any] | None:
        waited: dict[float, float] = defaultdict(float)
        pause = _FIRST_PAUSE
        while True:
            limit = _FAULT_SECONDS
            try:
                answer = httpx.request(
                    method, f"{self._base}{path}", json=body, headers=_proof(self._where), timeout=30
                )
            except httpx.HTTPError as error:
                if waited[limit] >= limit:
                    fault = f"{self._base} does not answer ({type(error).__name__}: {error})"
                    raise UpdateFailed(self._where, fault, f"{PAGE} says what a deployer needs") from error
            else:
                limit = _may_pass_in(answer)
                if waited[limit] >= patience(limit):
                    return self._read(answer)
            if self._cancelled.wait(pause):
                raise UpdateFailed(self._where, "the update was cancelled")
            waited[limit] += pause
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _read(self, answer: httpx.Response) -> Mapping[str, Any] | None:
        if answer.status_code == HTTPStatus.NOT_FOUND and answer.request.method in {"GET", "DELETE"}:
            return None
        if answer.is_success:
            found: Mapping[str, Any] = answer.json()
            return found
        fault = f"Google Cloud answered {answer.status_code}: {_message(answer)}"
        status = HTTPStatus.TOO_MANY_REQUESTS if _is_over_quota(answer) else HTTPStatus(answer.status_code)
        is_there = status is HTTPStatus.CONFLICT and not _may_pass_in(answer)
        kind = AlreadyThere if is_there else UpdateFailed
        raise kind(self._where, fault, _REMEDIES.get(status, ""))


def _may_pass_in(answer: httpx.Response) -> float:
    """Seconds for which it is worth while to ask again; 0 for an answer that stays what it is."""
    if answer.status_code in _FAULTS:
        return _FAULT_SECONDS
    if _is_over_quota(answer):
        return _QUOTA_SECONDS
    is_else = any(answer.status_code == status and words in _message(answer) for status, words in _ELSE)
    return _ELSE_SECONDS if is_else else 0


def _is_over_quota(answer: httpx.Response) -> bool:
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return answer.status_code == HTTPStatus.FORBIDDEN and any(reason in answer.text for reason in _QUOTAS)


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
