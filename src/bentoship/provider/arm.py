"""Azure Resource Manager over REST: what Pulumi's provider has no resource for.

httpx and azure-identity, and not the official management clients: what we ask are a dozen requests, and the client for
App Service alone has the code of every version of its API.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Self

import httpx

from ..errors import EngineMissing, UpdateFailed
from ..patience import patience

ENDPOINT = "BENTOSHIP_AZURE_ENDPOINT"
"""Names another address than Azure's own, and no credentials are asked for then: a double's."""
AZURE = "https://management.azure.com"
ATTEMPTS = 5
"""Tries of one request that Azure has no good answer to, or none at all. What it throttles, or has something else to do
for first, is tried again as long as there is patience."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 10.0
_FIRST_RETRY, _LONGEST_RETRY = 0.5, 15.0
_TIMEOUT = 60
SYNCHRONOUS_TIMEOUT = 240.0
"""Seconds for a request that is answered when the work is done: App Service's own front end waits 230 for one."""
UNHEARD = 0
"""The status of a request that got no answer: whether it was heard, nobody knows."""
_BUSY = {UNHEARD, 408, 429, 500, 502, 503, 504}
_CUT_OFF = {error.__name__ for error in (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)}
"""How a request ends that was sent: something in between does not wait as long as Azure does."""
_LATER = re.compile(r"another operation|operation is in progress|is being (updated|modified)", re.IGNORECASE)
"""How Azure says with a 409 that the same request may be granted once something else is done."""
_DONE, _FAILED = {"Succeeded"}, {"Failed", "Canceled"}
_REMEDIES = {
    "AuthorizationFailed": "docs/azure.md lists what the deployer must be allowed to do",
    "InvalidAuthenticationToken": "log in to Azure again",
    "ExpiredAuthenticationToken": "log in to Azure again",
    "SubscriptionNotFound": "check `subscription` and whose credentials these are: `az account show`",
}
_RENEWED_BEFORE = 300
"""Seconds before its end at which a token is asked for anew."""


class Refusal(Exception):
    """Azure's answer to a request that it refused."""

    def __init__(self, status: int, code: str, message: str, retry_after: float = 0) -> None:
        super().__init__(f"Azure answered {code}: {message}")
        self.status, self.code = status, code
        self.is_later = status == httpx.codes.CONFLICT and bool(_LATER.search(f"{code} {message}"))
        """Whether something else has to be done first."""
        self.retry_after = retry_after
        """Seconds in which Azure would refuse it again ("Throttling Resource Manager requests")."""

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be granted later."""
        return self.status in _BUSY or self.is_later

    @property
    def is_late(self) -> bool:
        """Whether Azure is at it, as far as is known, and took longer than anybody waits."""
        return self.status == httpx.codes.GATEWAY_TIMEOUT or self.code in _CUT_OFF

    @property
    def is_throttled(self) -> bool:
        """Whether nothing is wrong but the moment."""
        return self.status == httpx.codes.TOO_MANY_REQUESTS or self.is_later


class Patience:
    """How long to wait, and how often to look: soon at first, then every ten seconds."""

    def __init__(self, where: str, seconds: float, cancelled: threading.Event) -> None:
        self.where = where
        self._seconds, self._cancelled = patience(seconds), cancelled
        self._end, self._pause = time.monotonic() + self._seconds, _FIRST_PAUSE

    def wait(self, seen: str) -> None:
        """Pause before the next look; UpdateFailed when the time is over or the operation was cancelled."""
        self.pause(self._pause, seen)
        self._pause = min(1.5 * self._pause, _LONGEST_PAUSE)

    def pause(self, seconds: float, seen: str) -> None:
        """Pause for so long; UpdateFailed as `wait` raises it."""
        left = max(0.0, self._end - time.monotonic())
        if self._cancelled.wait(min(patience(seconds), left)):
            raise UpdateFailed(self.where, f"the update was cancelled ({seen})")
        if time.monotonic() > self._end:
            raise UpdateFailed(self.where, f"{seen} after {self._seconds:.0f} seconds")


class Arm:
    """Resources by their ids: what they are, and requests to change them, seen through to their end."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        double = os.environ.get(ENDPOINT)
        self._client = httpx.Client(
            base_url=double or AZURE,
            auth=_Bearer((lambda: "no account") if double else _tokens(patience.where)),
            timeout=_TIMEOUT,
            trust_env=double is None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Tell what Azure refused in a sentence."""
        self._client.close()
        if isinstance(error, Refusal):
            known = next((remedy for start, remedy in _REMEDIES.items() if error.code.startswith(start)), "")
            raise UpdateFailed(self._patience.where, str(error), known) from error

    def get(self, identity: str, version: str) -> dict[str, Any] | None:
        """The resource with this id; None when there is none."""
        try:
            return self.ask("GET", identity, version)
        except Refusal as refusal:
            if refusal.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def every(self, path: str, version: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Every item of the list at `path`, page by page."""
        page = self.ask("GET", path, version, query=query)
        while True:
            yield from page.get("value", [])
            if not page.get("nextLink"):
                return
            page = _json(self._send("GET", str(page["nextLink"])))

    def ask(
        self,
        method: str,
        path: str,
        version: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float = _TIMEOUT,
    ) -> dict[str, Any]:
        """The JSON that Azure answers, once the operation that the request starts has ended; Refusal otherwise.

        A POST whose answer may take longer than usual, `timeout` seconds, is one that may be done twice.
        """
        response = self._send(method, path, {"api-version": version, **(query or {})}, body, timeout)
        answer = _json(response)
        if follow := response.headers.get("Azure-AsyncOperation"):
            self._until_done(follow)
        elif response.status_code == httpx.codes.ACCEPTED and (follow := response.headers.get("Location")):
            while (response := self._send("GET", follow)).status_code == httpx.codes.ACCEPTED:
                self._patience.wait(f"{path.rpartition('/')[2]} goes on")
        return answer

    def _until_done(self, operation: str) -> None:
        while (found := _json(self._send("GET", operation))).get("status") not in _DONE:
            if found.get("status") in _FAILED:
                raise _refusal(httpx.codes.CONFLICT, found)
            self._patience.wait(f"the operation is {found.get('status')}")

    def _send(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float = _TIMEOUT,
    ) -> httpx.Response:
        # What must not be done twice, such as a swap, is asked for once, whatever becomes of the answer.
        is_patient = timeout > _TIMEOUT
        is_once = method == "POST" and not url.endswith("/list") and not is_patient
        attempts, pause = 1 if is_once else ATTEMPTS, _FIRST_RETRY
        while True:
            try:
                response = self._client.request(method, url, params=query, json=body, timeout=timeout)
            except httpx.TransportError as error:
                refusal = Refusal(UNHEARD, type(error).__name__, "there was no answer")
            else:
                if response.is_success:
                    return response
                refusal = _refusal(response.status_code, _json(response), response.headers.get("Retry-After", ""))
            attempts -= 0 if refusal.is_throttled and not is_once else 1
            if not refusal.may_pass or attempts < 1 or (is_patient and refusal.is_late):
                raise refusal
            self._patience.pause(max(pause, refusal.retry_after), str(refusal))
            pause = min(2 * pause, _LONGEST_RETRY)


class _Bearer(httpx.Auth):
    """Shows the token that is good now: one lives for an hour or so, and a rollout may take longer."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        token()  # who has no credentials is told at once

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        yield request


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _refusal(status: int, answer: Mapping[str, Any], retry_after: str = "") -> Refusal:
    error = answer.get("error") or answer
    code, message = str(error.get("code") or status), str(error.get("message") or "no reason given")
    return Refusal(status, code, message, float(retry_after) if retry_after.isdigit() else 0)


def _tokens(where: str) -> Callable[[], str]:
    """Tokens of the same identity that Pulumi's provider uses, found by the same variables, each while it is good.

    Asking for one raises UpdateFailed when there is none.
    """
    try:
        from azure import identity  # noqa: PLC0415 - other targets do without it
        from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415
    except ImportError:
        raise EngineMissing("azure", "needs packages that are not here", "pip install 'bentoship[azure]'") from None
    said = {name: os.environ.get(f"ARM_{name}", "") for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")}
    flags = {name: os.environ.get(f"ARM_{name}", "").lower() in {"1", "true"} for name in ("USE_OIDC", "USE_MSI")}
    found: Any
    if flags["USE_OIDC"] and (assertion := os.environ.get("ARM_OIDC_TOKEN")):
        found = identity.ClientAssertionCredential(said["TENANT_ID"], said["CLIENT_ID"], lambda: assertion)
    elif said["CLIENT_SECRET"]:
        found = identity.ClientSecretCredential(said["TENANT_ID"], said["CLIENT_ID"], said["CLIENT_SECRET"])
    elif flags["USE_MSI"]:
        found = identity.ManagedIdentityCredential(client_id=said["CLIENT_ID"] or None)
    else:
        found = identity.AzureCliCredential()
    held: Any = None

    def token() -> str:
        nonlocal held
        if held is not None and held.expires_on > time.time() + _RENEWED_BEFORE:
            return str(held.token)
        try:
            held = found.get_token(f"{AZURE}/.default")
            return str(held.token)
        except (ClientAuthenticationError, ValueError) as error:
            sentence = str(error).partition("\n")[0]
            raise UpdateFailed(where, sentence, "docs/azure.md says where credentials are looked for") from error

    return token
