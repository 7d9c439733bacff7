"""The ledger: which releases a deployment has had, which one is live, and how that came to be.

It lives in the stack's own outputs, so that a fresh clone on another machine forgets nothing. A command reads it,
computes the next one and hands it to the program as an intent. All of it is values; nothing here has an effect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, ValidationError

from .deployment import Canary, Configuration, Frozen, Gated, ReleaseRef
from .errors import EngineError

KEPT_RELEASES = 10
"""How many releases are kept for rollback."""
KEPT_ENTRIES = 200
"""How many entries of the history are kept; a stack's state is read and written whole by every command."""
KEPT_DETAILS = 20
"""How many entries keep how each golden example was answered; the older ones keep how many were met."""
KEPT_REASON = 1000
"""Letters of a failure's reason that are kept."""


class Entry(Frozen):
    """One attempt to make a release live."""

    release: str
    """Id of the release."""
    at: str
    """When it began, ISO 8601 in UTC."""
    by: str
    """Who did it, user@host."""
    source: str = "build"
    """Where the release came from: `build`, `promotion from` an environment, or `rollback`.

    `configuration` when it was live already and its environment's file had changed.
    """
    result: Literal["live", "failed"] = "live"
    reason: str = ""
    """Why it failed, if it did."""
    versions: dict[str, str] = Field(default_factory=dict)
    """What took part: bentoship, pulumi (the engine), pulumi-sdk, the package of the cloud, python; and in the release,
    bentoml. Older entries have less."""
    run: str = ""
    """The page of the CI run that did it, if one did."""
    commit: str = ""
    """The git commit that the release was built from, as far as is known."""
    dirty: bool = False
    """Whether files of the project differed from that commit."""
    gate: Gated | None = None
    """What the gate saw; None where it was never reached, where there is none, or in an entry of an earlier version."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """How long the phases took; docs/releases.md says what each of them is."""

    @property
    def live_since(self) -> datetime:
        """When it got all the traffic."""
        took = self.seconds.get("canary", 0) + self.seconds.get("live", 0)
        return datetime.fromisoformat(self.at) + timedelta(seconds=took)


class UnderWay(Frozen):
    """A canary that is being tried."""

    release: ReleaseRef
    canary: Canary
    entry: Entry
    """What becomes an entry of the history once it has gone on or back."""


class Ledger(Frozen):
    """Entries, newest first, and the releases that they name."""

    entries: tuple[Entry, ...] = ()
    releases: tuple[ReleaseRef, ...] = ()
    """Releases that were live at some time and are kept, the live one first, then by age."""
    canary: UnderWay | None = None
    """The release that is being tried beside the live one."""

    @classmethod
    def read(cls, text: str | None) -> Ledger:
        """The ledger in a stack's output; an empty one where there is none yet."""
        if not text:
            return cls()
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise unreadable("ledger", error) from error

    def write(self) -> str:
        """The text that `read` reads; the same ledger gives the same text."""
        return self.model_dump_json()

    @property
    def digest(self) -> str:
        """SHA-256 of what has happened: the same for every version of bentoship, whatever else it writes down."""
        entries = [(entry.release, entry.at, entry.source, entry.result) for entry in self.entries]
        canary = (self.canary.release.id, self.canary.canary.percent) if self.canary else None
        happened = [entries, [release.id for release in self.releases], canary]
        return hashlib.sha256(json.dumps(happened).encode()).hexdigest()

    @property
    def live(self) -> ReleaseRef | None:
        """The release that gets the traffic."""
        return self.releases[0] if self.releases else None

    @property
    def traffic(self) -> dict[str, int]:
        """Percent of the requests by release id."""
        if self.live is None:
            return {}
        if self.canary is None:
            return {self.live.id: 100}
        share = self.canary.canary.percent
        return {self.live.id: 100 - share, self.canary.release.id: share}

    @property
    def kept(self) -> tuple[ReleaseRef, ...]:
        """Every release that the place is to keep, the one that is tried first, then the live one, then by age."""
        if self.canary is None:
            return self.releases
        return (self.canary.release, *(each for each in self.releases if each != self.canary.release))

    @property
    def attempted(self) -> Entry:
        """The attempt that this ledger is of: the canary's, or else the newest."""
        return self.canary.entry if self.canary else self.entries[0]

    def latest(self, release: str) -> Entry | None:
        """The newest entry that says that the release with this id went live; None when there is none any more."""
        return next((entry for entry in self.entries if entry.release == release and entry.result == "live"), None)

    def is_attempt_of(self, entry: Entry) -> bool:
        """Whether this ledger is of the attempt that `entry` is of, whatever has been measured meanwhile."""
        mine = self.attempted
        return (mine.release, mine.at, mine.source) == (entry.release, entry.at, entry.source)

    @property
    def previous(self) -> ReleaseRef | None:
        """The release to go back to: the one that was live before the live one, of those that are kept.

        Going back twice goes back further, never forward again to a release that somebody went back from.
        """
        path: list[str] = []
        for entry in reversed(self.entries):
            if entry.result != "live":
                continue
            if entry.source == "rollback" and entry.release in path:
                del path[path.index(entry.release) + 1 :]
            elif path[-1:] != [entry.release]:
                path.append(entry.release)
        kept = {release.id: release for release in self.releases}
        return next((kept[known] for known in reversed(path[:-1]) if known in kept), None)

    def find(self, beginning: str) -> tuple[ReleaseRef, ...]:
        """The kept releases whose ids begin so."""
        return tuple(release for release in self.releases if release.id.startswith(beginning))

    def deploy(self, release: ReleaseRef, entry: Entry) -> Ledger:
        """The ledger once `release` is live."""
        others = tuple(kept for kept in self.releases if kept.id != release.id)
        return Ledger(entries=self._with(entry), releases=(release, *others)[:KEPT_RELEASES])

    def prune(self, keep: int) -> Ledger:
        """The ledger with the newest `keep` releases, and always the live one and the one that a rollback goes to."""
        needed = (self.live, self.previous)
        kept = [each for place, each in enumerate(self.releases) if place < keep or each in needed]
        return self.model_copy(update={"releases": tuple(kept)})

    def try_out(self, canary: UnderWay) -> Ledger:
        """The ledger while a release is being tried beside the live one."""
        return self.model_copy(update={"canary": canary})

    def measured(self, gate: Gated | None, seconds: Mapping[str, float]) -> Ledger:
        """The ledger with what its attempt has shown by the time the traffic has moved."""
        known = self.attempted
        entry = known.model_copy(update={"gate": gate or known.gate, "seconds": {**known.seconds, **seconds}})
        if self.canary:
            return self.model_copy(update={"canary": self.canary.model_copy(update={"entry": entry})})
        return self.model_copy(update={"entries": (entry, *self.entries[1:])})

    def fail(self, entry: Entry, reason: str) -> Ledger:
        """The ledger after an attempt that failed: what was live is live still."""
        failed = entry.model_copy(update={"result": "failed", "reason": reason[:KEPT_REASON]})
        return Ledger(entries=self._with(failed), releases=self.releases)

    def _with(self, entry: Entry) -> tuple[Entry, ...]:
        details, older = self.entries[: KEPT_DETAILS - 1], self.entries[KEPT_DETAILS - 1 : KEPT_ENTRIES - 1]
        return (entry, *details, *map(_without_details, older))


def unreadable(output: str, error: ValidationError) -> EngineError:
    """That an output of a stack was written by another version of bentoship."""
    fault = f"can't be read by this version of bentoship ({error.error_count()} mismatches)"
    return EngineError(f"the stack's output `{output}`", fault, "use the version that wrote it, or a later one")


def _without_details(entry: Entry) -> Entry:
    if entry.gate is None:
        return entry
    return entry.model_copy(update={"gate": entry.gate.model_copy(update={"examples": ()})})


class Intent(Frozen):
    """What the program is to make of a stack: the ledger, and how its live release is configured.

    It goes to the program as a file whose path is the stack's one configuration value: a language host passes the
    configuration on in an environment variable, and Linux allows those 128 KiB (execve(2)).
    """

    ledger: Ledger
    before: str = ""
    """Digest of the ledger that this one follows: the program refuses to go on where the stack has another one.
    Empty in an intent of an earlier version."""
    configuration: Configuration | None = None
    """None for what the environment's file says now; otherwise what it said when the live release went live."""
    configurations: dict[str, Configuration] = Field(default_factory=dict)
    """How the kept releases were configured when they were live last, by their ids."""
    begun: float | None = None
    """When the attempt began, in seconds of time.time(): the program writes down how long it took. None when what the
    ledger says has been done before."""
    pruned: tuple[str, ...] = ()
    """Ids of kept releases that are about to go: what is stored of them is to go with them."""
