"""What the launcher is told by environment variables: read once, checked at once, frozen.

The host sets PORT and BENTOSHIP_*; SERVING_* are for the variables of a deployment, and each has a default that
suits a small service.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import access

SHORT = 12
"""How many characters of a release's id are shown."""
_PREFIX = "SERVING_"
THREADS = "bentoship-endpoint"
"""How the names of the threads begin in which endpoints run."""
_CORES = "cores"
_MB = 1 << 20
_Number = TypeVar("_Number", int, float)
_Value = TypeVar("_Value")


class WrongSettings(Exception):
    """Settings that can't be used; says all of them, a clause each."""


@dataclass(frozen=True)
class Settings:
    """How this release is to be served."""

    port: int = 8000
    host: str = "0.0.0.0"  # noqa: S104 -- load balancers come from outside
    release: str = ""
    """Short id of the release, or nothing."""
    drain_seconds: int = 30
    """How long requests may take to finish after SIGTERM."""
    linger_seconds: float = 0.2
    """How long new requests are still taken after SIGTERM, with /readyz saying 503."""
    workers: int = 1
    """Processes that answer."""
    max_concurrency: int = 0
    """Requests that may be in progress in one process, 0 for what the service's `traffic` says, or else 1,000."""
    max_connections: int = 4096
    """Connections that may be open in one process."""
    max_body_bytes: int = 20 * _MB
    client_seconds: float = 20.0
    """How long a client may take over the head of a request, pause in its body, or not read its answer."""
    metrics_port: int = 0
    """Port of the metrics; 0 for the same one as everything else."""
    metrics_token: str = ""
    """What one must know to read the metrics; nothing for everybody."""
    tokens: tuple[bytes, ...] = ()
    """Digests of the tokens of which one must know one to ask the service; nothing for everybody."""
    page: str = "form"
    """What people see at `/`: our form, BentoML's page ("swagger"), or nothing ("off")."""
    cors_origins: frozenset[bytes] = frozenset()
    """The sites whose scripts may ask."""


def read(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`. Raises WrongSettings for all that can't be understood."""
    reader = _Reader(environment)
    settings = Settings(
        port=reader.whole("PORT", 8000, 0, 65_535),
        host=environment.get("BENTOSHIP_HOST", Settings.host),
        release=environment.get("BENTOSHIP_RELEASE", "")[:SHORT],
        drain_seconds=reader.whole("BENTOSHIP_DRAIN_SECONDS", Settings.drain_seconds, 0, 86_400),
        linger_seconds=reader.number("SERVING_LINGER_SECONDS", Settings.linger_seconds, 0, 600),
        workers=_cores() if reader.is_cores() else reader.whole("SERVING_WORKERS", 1, 1, 1024),
        max_concurrency=reader.whole("SERVING_MAX_CONCURRENCY", 0, 0, 1_000_000),
        max_connections=reader.whole("SERVING_MAX_CONNECTIONS", Settings.max_connections, 1, 1_000_000),
        max_body_bytes=int(reader.number("SERVING_MAX_BODY_MB", 20, 0.001, 100_000) * _MB),
        client_seconds=reader.number("SERVING_CLIENT_SECONDS", Settings.client_seconds, 0.1, 86_400),
        metrics_port=reader.whole("SERVING_METRICS_PORT", 0, 0, 65_535),
        metrics_token=reader.parsed("SERVING_METRICS_TOKEN", access.token, ""),
        tokens=reader.parsed("SERVING_TOKENS", access.tokens, ()),
        page=reader.choice("SERVING_PAGE", ("form", "swagger", "off")),
        cors_origins=reader.parsed("SERVING_CORS_ORIGINS", access.origins, frozenset()),
    )
    reader.finish()
    return settings


class _Reader:
    """Reads one variable after the other, and remembers what was wrong and what was asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.faults: list[str] = []
        self.known: set[str] = set()

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        return self._value(name, int, default, least, most, "a whole number")

    def number(self, name: str, default: float, least: float, most: float) -> float:
        return self._value(name, float, default, least, most, "a number")

    def text(self, name: str) -> str:
        """The variable `name`, or what lies in the file that `name`_FILE names."""
        self.known |= {name, f"{name}_FILE"}
        if path := self.environment.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self.faults.append(f"{name}_FILE can't be read: {error}")
        return self.environment.get(name, "")

    def parsed(self, name: str, parse: Callable[[str], _Value], default: _Value) -> _Value:
        """As `text`, parsed. One that is set and empty is parsed as well: a secret that got lost must open nothing."""
        text = self.text(name)
        if name not in self.environment and f"{name}_FILE" not in self.environment:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.faults.append(f"{name} {error}")
            return default

    def choice(self, name: str, words: Sequence[str]) -> str:
        """One of `words`; the first one unless it is said."""
        self.known.add(name)
        word = self.environment.get(name) or words[0]
        if word not in words:
            self.faults.append(f"{name} is {word!r}, and must be one of {', '.join(words)}")
        return word

    def is_cores(self) -> bool:
        self.known.add("SERVING_WORKERS")
        return self.environment.get("SERVING_WORKERS") == _CORES

    def finish(self) -> None:
        """Complain about everything at once."""
        unknown = sorted(name for name in self.environment if name.startswith(_PREFIX) and name not in self.known)
        for name in unknown:
            near = difflib.get_close_matches(name, self.known, 1)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(sorted(self.known))}"
            self.faults.append(f"{name} is no setting: {hint}")
        if self.faults:
            raise WrongSettings("; ".join(self.faults))

    def _value(
        self, name: str, kind: Callable[[str], _Number], default: _Number, least: float, most: float, what: str
    ) -> _Number:
        if name.startswith(_PREFIX):
            self.known.add(name)
        text = self.environment.get(name, "")
        if not text:
            return default
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:  # NaN is never between two numbers
            self.faults.append(f"{name} is {text!r}, and must be {what} from {least:g} to {most:g}")
            return default
        return value


def _cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
