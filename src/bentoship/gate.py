"""The gate: `/readyz`, then every golden example, before a release gets traffic.

What a health check can't see: a release that starts, answers 200, and answers wrongly.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx

from .deployment import READY_TIMEOUT, Answered, Example
from .errors import GateFailed, InvalidConfiguration, Problem

READY_PATH = "/readyz"
RELEASE_HEADER = "x-bentoship-release"
"""Every answer of a release says by it whose it is: the first letters of its id."""
TOKEN = "BENTOSHIP_TOKEN"  # noqa: S105 -- the name of a variable
"""Environment variable: what is sent to services that ask for a token. Readiness is told without one."""
ANSWER_TIMEOUT = 30.0
"""Seconds that one golden example may take."""
MOST_LEVELS = 100
"""How deep lists and mappings may be nested in a request or an answer, so that nothing here runs out of stack."""
_TOO_DEEP = f"it is nested more than {MOST_LEVELS} levels deep"
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOLD = "golden examples: "
_ONE_TOLD = re.compile(r"(\d+) (not met|met) in ([\d.]+) s")
SETTLE_SECONDS = 60.0
"""How long a front that has just been made, or moved, may go on to answer for others, or not at all, here and there."""
_POLL = 0.1
_OF_THE_FRONT = frozenset({404, 502, 503, 504})
"""What a load balancer answers by itself where it doesn't lead to a release yet."""
_SENDABLE = re.compile(r"[!-~]+")
_SPELLED = 300
"""Letters of an answer that a sentence quotes: a service may answer with megabytes."""


class _NotTheRelease(GateFailed):
    """An answer, or none, that isn't of the release that was asked."""


def authorization() -> dict[str, str]:
    """The header with the token of BENTOSHIP_TOKEN; none when that is empty or isn't set."""
    token = os.environ.get(TOKEN, "").strip()
    if token and not _SENDABLE.fullmatch(token):
        fault = "has a blank or a letter in it that no token has"
        raise InvalidConfiguration(TOKEN, fault, "give it one of the deployment's SERVING_TOKENS, as it is")
    return {"authorization": f"Bearer {token}"} if token else {}


def wait_until_ready(
    url: str,
    timeout: float = READY_TIMEOUT,
    *,
    stopped: Callable[[], str | None] = lambda: None,
    release: str = "",
) -> float:
    """Wait until `url` answers 200 on `/readyz`, by `release` where that is known; return the seconds that it took.

    `stopped` is asked between two tries: a sentence ends the wait at once, since a process that is gone
    never becomes ready. Raises GateFailed with the last thing that was seen.
    """
    begin = time.monotonic()
    seen = "no answer"
    with httpx.Client(timeout=5, trust_env=False) as client:
        while (waited := time.monotonic() - begin) < timeout:
            if sentence := stopped():
                raise GateFailed(url, sentence)
            try:
                found = client.get(f"{url}{READY_PATH}")
                other = _other(found, release)
                if found.status_code == httpx.codes.OK and not other:
                    return waited
                seen = f"{READY_PATH} answered {found.status_code}{other}"
            except httpx.HTTPError as error:
                seen = f"{READY_PATH}: {type(error).__name__}"
            time.sleep(_POLL)
    raise GateFailed(
        url,
        f"was not ready within {timeout:.0f} seconds ({seen})",
        "look at `bentoship logs`; a service that loads slowly can have a longer `ready_timeout`",
    )


def answer(url: str, example: Example, timeout: float = ANSWER_TIMEOUT, release: str = "") -> Any:
    """The JSON that the service at `url` answers to `example`; raises GateFailed when it isn't a 200 with JSON.

    Where `release` is known, an answer by another one is none.
    """
    headers = authorization()
    try:
        response = _post(f"{url}{example.path}", example.body, headers, timeout)
    except httpx.HTTPError as error:
        fault = f"no answer to a golden example ({type(error).__name__})"
        kind = _NotTheRelease if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else GateFailed
        raise kind(f"{url}{example.path}", fault) from error
    if other := _other(response, release):
        raise _NotTheRelease(f"{url}{example.path}", f"answered {response.status_code}{other}")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise _locked_out(url, is_known=bool(headers))
    if response.status_code != httpx.codes.OK:
        is_of_front = response.status_code in _OF_THE_FRONT and RELEASE_HEADER not in response.headers
        raise (_NotTheRelease if is_of_front else GateFailed)(
            f"{url}{example.path}", f"answered {response.status_code} to {_spell(example.body)}: {response.text[:200]}"
        )
    try:
        return json_value(response.content)
    except ValueError as error:
        sentence = f"answered a golden example with something that isn't JSON: {error}"
        raise GateFailed(f"{url}{example.path}", sentence) from error


def _post(url: str, body: Any, headers: dict[str, str], timeout: float) -> httpx.Response:
    """The whole answer; raises httpx.ReadTimeout when it doesn't end in time, though each of its parts does."""
    until = time.monotonic() + timeout
    with httpx.stream("POST", url, json=body, headers=headers, timeout=timeout, trust_env=False) as response:
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if time.monotonic() > until:
                raise httpx.ReadTimeout(f"no end after {timeout:g} seconds")
        by = response.headers.get(RELEASE_HEADER)
        headers = {} if by is None else {RELEASE_HEADER: by}
        return httpx.Response(response.status_code, headers=headers, content=bytes(content))


def _other(response: httpx.Response, release: str) -> str:
    """A clause that says which release answered in the place of `release`; empty when none did, as far as is known."""
    by = response.headers.get(RELEASE_HEADER, "")
    return "" if not release or release.startswith(by) else f" by release {by}, and not by {release[:12]}"


def json_value(text: str | bytes) -> Any:
    """The value that `text` spells in JSON; raises ValueError, with a clause, when it couldn't be sent on as JSON.

    Python's own reader takes more than RFC 8259 has: NaN, Infinity, numbers beyond the range of floats, and halves
    of surrogate pairs.
    """
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        raise ValueError(f"a whole number has more than {sys.get_int_max_str_digits():,} digits") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if clause := _unsendable(value, MOST_LEVELS):
        raise ValueError(clause)
    return value


def disagreement(expected: Any, got: Any, tolerance: float, path: str = "") -> str | None:
    """Where and how `got` differs from `expected`, in one clause; None when they agree.

    Numbers agree within `tolerance` times the larger of 1 and the expected number; all else must be equal.
    """
    if _is_number(expected) and _is_number(got):
        if _is_close(expected, got, tolerance):
            return None
    elif isinstance(expected, dict) and isinstance(got, dict) and expected.keys() == got.keys():
        return _first(disagreement(expected[key], got[key], tolerance, f"{path}.{key}") for key in expected)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        pairs = enumerate(zip(expected, got, strict=True))
        return _first(disagreement(want, have, tolerance, f"{path}[{index}]") for index, (want, have) in pairs)
    elif type(expected) is type(got) and expected == got:
        return None
    place = f"{path.lstrip('.')}: " if path else ""
    return f"{place}expected {_spell(expected)}, got {_spell(got)}, tolerance {tolerance:g}"


def replay(
    url: str,
    examples: Iterable[Example],
    tell: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], str | None] = lambda: None,
    *,
    release: str = "",
    settle: float = 0,
) -> tuple[Answered, ...]:
    """Ask `url` every golden example; return how each was answered.

    Raises GateFailed that names each example whose answer is not the recorded one; before, `tell` is told how each
    was answered, in a sentence that `heard` reads. `stopped` is asked before each: a sentence ends it there. For
    `settle` seconds what isn't an answer of `release` is asked again.
    """
    problems: list[Problem] = []
    answered: list[Answered] = []
    until = time.monotonic() + settle
    for number, example in enumerate(examples, start=1):
        if sentence := stopped():
            raise GateFailed(url, sentence)
        begin = time.monotonic()
        found = _problems(url, number, example, release, until, stopped)
        problems.extend(found)
        answered.append(Answered(path=example.path, met=not found, seconds=round(time.monotonic() - begin, 4)))
    if problems:
        tell(told(answered))
        raise GateFailed.of(dict.fromkeys(problems))  # that a token is missing need not be said for each example
    return tuple(answered)


def told(answered: Sequence[Answered]) -> str:
    """A sentence that says how the golden examples were answered; `heard` reads it."""
    words = (
        f"{number} {'met' if each.met else 'not met'} in {each.seconds:.4f} s"
        for number, each in enumerate(answered, start=1)
    )
    return _TOLD + ", ".join(words)


def heard(sentence: str, examples: Sequence[Example]) -> tuple[Answered, ...] | None:
    """What a sentence of `told` about `examples` says; None when it is another sentence."""
    if not sentence.startswith(_TOLD):
        return None
    return tuple(
        Answered(path=example.path, met=met == "met", seconds=float(seconds))
        for example, (_, met, seconds) in zip(examples, _ONE_TOLD.findall(sentence), strict=False)
    )


def _problems(
    url: str, number: int, example: Example, release: str, until: float, stopped: Callable[[], str | None]
) -> Sequence[Problem]:
    """What is wrong with the answer to a golden example."""
    while True:
        try:
            got = answer(url, example, release=release)
            break
        except _NotTheRelease as error:
            if time.monotonic() > until:
                return error.problems
            if sentence := stopped():
                raise GateFailed(url, sentence) from None
            time.sleep(_POLL)
        except GateFailed as error:
            return error.problems
    difference = disagreement(example.answer, got, example.tolerance)
    return [Problem(f"golden example {number}, POST {example.path}", difference)] if difference else []


def _locked_out(url: str, *, is_known: bool) -> GateFailed:
    fault = f"answered 401: {TOKEN} is none of its tokens" if is_known else "answered 401: it asks for a token"
    return GateFailed(url, fault, f"set {TOKEN} to one of the deployment's SERVING_TOKENS")


def _unsendable(value: Any, levels: int) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "a number is not finite"
    if isinstance(value, str) and _SURROGATE.search(value):
        return "a text has half of a surrogate pair"
    if not isinstance(value, dict | list):
        return None
    inside = (*value, *value.values()) if isinstance(value, dict) else value
    return _first(_unsendable(item, levels - 1) for item in inside) if levels else _TOO_DEEP


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_close(expected: float, got: float, tolerance: float) -> bool:
    try:
        return math.isclose(expected, got, rel_tol=0, abs_tol=tolerance * max(1.0, abs(expected)))
    except OverflowError:  # a whole number beyond the range of floats, where no tolerance means anything
        return expected == got


def _spell(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SPELLED else f"{text[:_SPELLED]}…"


def _first(clauses: Iterable[str | None]) -> str | None:
    return next((clause for clause in clauses if clause), None)
