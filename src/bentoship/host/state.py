"""What a supervisor shall run, as it is written down to survive the supervisor."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bentoship.errors import HostError

from .ports import LOCALHOST

FILE = "state.json"
_PLACE = "directory"
"""Key of the path that the directory had when the state was written."""


@dataclass(frozen=True)
class Settings:
    """How patient a supervisor is. Times are in seconds, sizes in bytes."""

    liveness_interval: float = 10
    """Pause between two questions to `/livez`."""
    liveness_timeout: float = 5
    """How long one answer of `/livez` may take."""
    liveness_misses: int = 3
    """So many questions in a row without an answer, and the release is killed and started again."""
    longest_pause: float = 30
    """Upper bound of the growing pause before a release that keeps dying is started again."""
    steady_after: float = 60
    """A release that was ready for so long and then dies is started again at once."""
    patience: float = 30
    """How long a request waits for a release to come back, before it is answered 503."""
    waiting_requests: int = 1000
    """How many requests may wait so; more are answered 503 at once."""
    drain: float = 30
    """How long a release that stops may work on the requests that it already has."""
    grace: float = 10
    """How long a release may take to end after SIGTERM, before SIGKILL."""
    log_bytes: int = 10 * 1024 * 1024
    """Size at which a log file is rotated."""
    log_files: int = 5
    """How many rotated files are kept beside the current one."""


@dataclass(frozen=True)
class Wanted:
    """One release that shall run: where it is unpacked, and what its environment says."""

    directory: str
    variables: Mapping[str, str] = field(default_factory=dict)
    ready_timeout: float = 120
    command: tuple[str, ...] = ()
    """What starts it; empty for the release's own run.sh."""
    port: int = 0
    """The private port that it is told to listen on; 0 chooses a free one at each start."""

    def runs_like(self, other: Wanted) -> bool:
        """Whether a process started for `other` would be the same one."""
        return replace(self, ready_timeout=other.ready_timeout) == other

    def moved(self, before: Path, now: Path) -> Wanted:
        """This release, when what lay below `before` lies below `now`."""
        place = Path(self.directory)
        return replace(self, directory=str(now / place.relative_to(before))) if place.is_relative_to(before) else self


@dataclass(frozen=True)
class State:
    """Everything that a supervisor needs to come back as it was."""

    host: str = LOCALHOST
    port: int = 0
    """The stable port; 0 lets the system choose one, once."""
    releases: Mapping[str, Wanted] = field(default_factory=dict)
    traffic: Mapping[str, int] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def with_release(self, release_id: str, wanted: Wanted) -> State:
        """This state, with `release_id` running as `wanted` says."""
        return replace(self, releases={**self.releases, release_id: wanted})

    def without_release(self, release_id: str) -> State:
        """This state, with neither the release nor its traffic."""
        releases = {key: value for key, value in self.releases.items() if key != release_id}
        traffic = {key: value for key, value in self.traffic.items() if key != release_id}
        return replace(self, releases=releases, traffic=traffic)


def read(directory: Path) -> State | None:
    """The state kept in `directory`; None when there is none. Raises HostError when it can't be read.

    What lay below the directory lies below it still when it has been moved or copied since.
    """
    file = directory / FILE
    try:
        return _state(json.loads(file.read_text()), directory)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HostError(str(file), f"is damaged ({error})", "delete it, and deploy again") from error
    except OSError as error:
        raise HostError(str(file), f"can't be read ({error.strerror})", "make it readable for this user") from error


def write(directory: Path, state: State) -> None:
    """Keep `state` in `directory`, whole or not at all, for the eyes of this user only: variables can be private.

    Raises HostError when it can't be written.
    """
    draft = directory / f"{FILE}.new"
    try:
        with open(draft, "w", opener=_private) as file:
            json.dump({**asdict(state), _PLACE: str(directory)}, file, indent=2, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(directory / FILE)
    except OSError as error:
        raise HostError(
            str(directory / FILE), f"can't be written ({error.strerror})", "make room, or make the folder writable"
        ) from error


def remove(directory: Path) -> None:
    """Forget the state kept in `directory`."""
    (directory / FILE).unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _state(data: dict[str, Any], directory: Path) -> State:
    before = Path(data.get(_PLACE, directory))
    releases = {
        release_id: Wanted(**{**wanted, "command": tuple(wanted.get("command", ()))}).moved(before, directory)
        for release_id, wanted in data["releases"].items()
    }
    return State(data["host"], data["port"], releases, data["traffic"], Settings(**data["settings"]))
