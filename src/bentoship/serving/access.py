"""Who may ask: whoever sends one of the bearer tokens of RFC 6750; and scripts of which other sites may read answers.

Only the digests of tokens are kept: all have the same length, so that comparing them tells nothing of theirs, and a
digest can be told to a release in the open where there is no place for a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .asgi import Headers

SHORTEST_TOKEN = 16
"""Characters; a shorter one can be guessed."""
CHALLENGE = (b"www-authenticate", b'Bearer realm="bentoship"')
"""What goes with a 401 (RFC 6750, section 3, which wants at least one parameter)."""
ANYBODY = b"*"
PREFLIGHT_SECONDS = 7200
"""How long a browser need not ask again: the most that Chromium keeps (Fetch standard, Access-Control-Max-Age)."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, section 2.1. What a platform puts in place of a secret that it could not fetch is none."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.IGNORECASE)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@*]+", re.IGNORECASE)
_SEPARATORS = re.compile(r"[,\s]+")


def digest(token: bytes) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token).digest()


def tokens(text: str) -> tuple[bytes, ...]:
    """The digests of the tokens in `text`, which commas, blanks or lines separate; `sha256:…` is a digest already.

    Raises ValueError with a clause that quotes no token.
    """
    words = _words(text)
    if not words:
        raise ValueError("has no token in it")
    return tuple(_digest(number, word) for number, word in enumerate(words, start=1))


def token(text: str) -> str:
    """The one token in `text`. Raises ValueError with a clause when there is none."""
    if not text.strip():
        raise ValueError("has no token in it")
    return text


def admits(digests: Iterable[bytes], authorization: bytes) -> bool:
    """Whether the header `authorization` has a token with one of `digests`. It takes as long for each of them."""
    scheme, _, token = authorization.partition(b" ")
    given = digest(token.strip(b" "))
    found = [hmac.compare_digest(given, known) for known in digests]
    return scheme.lower() == b"bearer" and any(found)


def origins(text: str) -> frozenset[bytes]:
    """The origins in `text`, which commas, blanks or lines separate. Raises ValueError with a clause."""
    words = [word.rstrip("/").lower() for word in _words(text)]
    for word in words:
        if word != ANYBODY.decode() and not _ORIGIN.fullmatch(word):
            raise ValueError(f"has {word!r} in it, and an origin is like https://example.com, or * for all")
    return frozenset(word.encode() for word in words)


@dataclass(frozen=True)
class Cors:
    """What browsers are told, so that scripts of other sites may ask (Fetch standard, 3.3, the CORS protocol).

    Cookies are never allowed: whoever asks sends a token, or is asked for nothing.
    """

    allowed: frozenset[bytes]

    def headers(self, origin: bytes) -> Headers:
        """What an answer carries for a script of `origin`."""
        everybody = ANYBODY in self.allowed
        vary = [] if everybody else [(b"vary", b"origin")]
        if not origin or not self.allows(origin):
            return vary
        seen = (b"access-control-expose-headers", b"x-bentoship-release, x-request-id, retry-after, www-authenticate")
        return [(b"access-control-allow-origin", ANYBODY if everybody else origin), seen, *vary]

    def preflight(self, headers: dict[bytes, bytes]) -> Headers:
        """What the answer says, beyond `headers`, to a browser that asks whether a script may send a request."""
        asked = headers.get(b"access-control-request-headers", b"")
        return [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
            *([(b"access-control-allow-headers", asked)] if asked else []),
            (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
        ]

    def allows(self, origin: bytes) -> bool:
        """Whether scripts of `origin` may read answers."""
        return ANYBODY in self.allowed or origin.lower() in self.allowed


def is_preflight(method: str, headers: dict[bytes, bytes]) -> bool:
    """Whether it is a browser that asks what a script may do, and not the script."""
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text) if word]


def _digest(number: int, word: str) -> bytes:
    if found := _DIGEST.fullmatch(word):
        return bytes.fromhex(found[1])
    if not _TOKEN.fullmatch(word):
        raise ValueError(f"has something as number {number} that is no bearer token: letters, digits and -._~+/ only")
    if len(word) < SHORTEST_TOKEN:
        raise ValueError(f"has a token as number {number} with fewer than {SHORTEST_TOKEN} characters")
    return digest(word.encode())
