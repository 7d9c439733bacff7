"""The words that every layer speaks. No cloud, no files, no network."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import pulumi

DEFAULT_TOLERANCE = 1e-6
WORKLOAD_NAME_LENGTH = 24
READY_TIMEOUT = 120.0
"""Seconds that a release may take until `/readyz` answers 200, unless the environment says otherwise."""


class Frozen(BaseModel):
    """A value read from configuration: unknown keys are errors, and nothing changes it afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Scale(Frozen):
    """How much service an environment wants, in words that every cloud understands."""

    cpu: float = Field(default=1, gt=0, allow_inf_nan=False, description="virtual CPUs of one replica")
    memory_gb: float = Field(default=2, gt=0, allow_inf_nan=False, description="memory of one replica, in GB")
    min_replicas: int = Field(default=1, ge=1, description="1 is one small machine; 2 or more are balanced over zones")
    max_replicas: int = Field(default=1, ge=1, description="how far to scale out under load")

    @model_validator(mode="after")
    def _min_fits_max(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas ({self.min_replicas}) is more than max_replicas ({self.max_replicas})")
        return self


ROUTE = r"^/[!-~]*$"
"""What a path may be in a request."""


class Example(Frozen):
    """A golden example: a request, and the answer that the service must give to it.

    Numbers agree when they differ by at most `tolerance` times the larger of 1 and the expected number;
    everything else must be equal. `answer` is None only before the service has been asked for the first time.
    """

    path: str = Field(default="/predict", pattern=ROUTE, description="route of the endpoint, always asked by POST")
    body: Any = Field(description="JSON body of the request")
    answer: Any = Field(default=None, description="JSON body of the answer")
    tolerance: float = Field(
        default=DEFAULT_TOLERANCE, ge=0, allow_inf_nan=False, description="relative tolerance of numbers"
    )


def now() -> str:
    """This moment, as gates and histories write it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Answered(Frozen):
    """How a release answered one golden example in a gate."""

    path: str
    met: bool
    """Whether the answer was the one that was sealed."""
    seconds: float


class Gated(Frozen):
    """What a gate has seen of a release."""

    at: str
    """When it was asked, ISO 8601 in UTC: a release that is live already isn't gated again."""
    passed: bool
    ready_seconds: float | None = None
    """How long it took until `/readyz` answered 200; None when that was not told."""
    asked: int
    met: int
    """How many of the golden examples that were asked were answered as they were sealed."""
    examples: tuple[Answered, ...] = ()
    """Each of them, in the order of the release; older entries of a history keep the two numbers only."""

    @property
    def seconds(self) -> dict[str, float]:
        """How long its two phases took: `ready` and `gate`."""
        waited = {} if self.ready_seconds is None else {"ready": self.ready_seconds}
        return {**waited, "gate": round(sum(each.seconds for each in self.examples), 3)}


class ReleaseRef(Frozen):
    """A sealed release as a deployment knows it: everything but its bytes."""

    id: str = Field(pattern=r"^[0-9a-f]{64}$", description="sha256 of the sealed zip, in hexadecimal")
    bento: str = Field(description="name of the Bento inside")
    python: str = Field(description="Python minor that it runs on, such as 3.12")
    examples: tuple[Example, ...] = ()

    @property
    def short(self) -> str:
        """The first twelve digits of the id: enough to name a release to a person."""
        return self.id[:12]


def workload_name(bento: str, stack: str) -> str:
    """The name of what runs: `<bento>-<stack>`, shortened with a digest when it would be too long.

    At most 24 lowercase letters, digits and hyphens: Pulumi adds eight of its own, and a load balancer on AWS may
    have 32 (Elastic Load Balancing API reference, CreateLoadBalancer).
    """
    name = re.sub(r"[^a-z0-9]+", "-", f"{bento}-{stack}".lower()).strip("-")
    if len(name) <= WORKLOAD_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: WORKLOAD_NAME_LENGTH - 7].rstrip('-')}-{digest}"


@dataclass(frozen=True)
class Workload:
    """What runs. All that a target may know: it never learns which environment it serves."""

    name: str
    """At most 24 characters of lowercase letters, digits and hyphens, so that it fits the clouds' own names."""
    releases: tuple[ReleaseRef, ...]
    """Every release that is kept, newest first."""
    traffic: Mapping[str, int]
    """Percent of the requests by release id; the values add up to 100."""
    archives: Mapping[str, Path]
    """The sealed zip of each kept release by id; a file may be missing on this machine once it has been uploaded."""
    home: Path
    """The folder of this machine in which a local deployment keeps what it runs."""
    scale: Scale = field(default_factory=Scale)
    variables: Mapping[str, str] = field(default_factory=dict)
    ready_timeout: float = READY_TIMEOUT
    pruned: frozenset[str] = frozenset()
    """Ids of kept releases that are about to go. What is stored of the others stays when their resources go."""

    @property
    def serving(self) -> tuple[ReleaseRef, ...]:
        """The releases that get traffic, newest first."""
        return tuple(release for release in self.releases if self.traffic.get(release.id, 0) > 0)

    def revision(self, release: ReleaseRef) -> str:
        """A name for `release` as this workload configures it: its first twelve digits, and six for the variables."""
        variables = json.dumps(dict(self.variables), sort_keys=True)
        return f"{release.short}-{hashlib.sha256(variables.encode()).hexdigest()[:6]}"


class Canary(Frozen):
    """How a new release is tried: its share of the traffic, and for how long."""

    percent: int = Field(ge=1, le=99, description="share of the requests that it gets")
    seconds: float = Field(gt=0, allow_inf_nan=False, description="how long it is watched")


@dataclass(frozen=True)
class Splitting:
    """Whether a kind of place can divide the traffic between two releases, and who watches a canary there."""

    how: Literal["counted", "asked", "platform", "never"]
    """`counted`: our router divides, and counts each answer of both releases. `asked`: the platform divides as we say,
    and the service is asked throughout. `platform`: the platform divides, watches and goes on or back by itself."""
    reason: str
    """By what means; or why not."""


class Target(Frozen, ABC):
    """Where a workload runs. The fields are what this kind of place must be told."""

    sdk: ClassVar[str] = ""
    """The package of Pulumi for this place, which `provision` imports; bentoship itself doesn't depend on it."""

    keeps_releases: ClassVar[bool] = True
    """Whether the place keeps every release that the ledger keeps; else its sealed zip must be on this machine."""
    splitting: ClassVar[Splitting] = Splitting("never", "this target doesn't say that it can divide the traffic")

    stays: ClassVar[tuple[str, ...]] = ()
    """What `destroy` leaves there on purpose, each as a clause."""

    adoptable: ClassVar[Mapping[str, str]] = {}
    """Types of resources of which one that is there, though no state knows it, can only be a killed attempt's: it lies
    in something of the stack's own, and a release is named in its name. With the input that is its id."""

    forgets_within: ClassVar[float] = 0
    """Seconds for which the place may go on listing what is gone."""

    @abstractmethod
    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """Declare the resources of `workload`; return the URL that will answer."""

    def left(self, workload: str) -> Sequence[str] | None:  # noqa: ARG002 - for those that can
        """What the place lists that carries the name of a workload and costs something; None where nobody can list."""
        return None


class Configuration(Frozen):
    """What an environment's file says about one deployment, as it was when a release went live."""

    target: str
    fields: dict[str, Any]
    """The target's own fields."""
    scale: Scale
    variables: dict[str, str]
    ready_timeout: float


@dataclass(frozen=True)
class Hooks:
    """Commands of the project's own, for the shell, around an `up`."""

    before_up: str | None = None
    after_up: str | None = None
    on_failure: str | None = None


@dataclass(frozen=True)
class Deployment:
    """One workload at one target in one environment: the unit with one URL and one Pulumi stack."""

    environment: str
    name: str
    target_name: str
    target: Target
    scale: Scale
    variables: Mapping[str, str]
    ready_timeout: float = READY_TIMEOUT
    protect: bool = False
    """Whether `destroy` refuses to remove it."""
    ttl: float | None = None
    """Seconds after a release last went live there from which on it has expired; None when it never does."""
    hooks: Hooks = Hooks()

    @property
    def stack(self) -> str:
        """Name of the Pulumi stack: `<environment>-<deployment>`."""
        return f"{self.environment}-{self.name}"

    @property
    def configuration(self) -> Configuration:
        """All that an environment's file says about it, but for what is about its end, and hooks."""
        return Configuration(
            target=self.target_name,
            fields=self.target.model_dump(mode="json"),  # as it comes back from the stack
            scale=self.scale,
            variables=dict(self.variables),
            ready_timeout=self.ready_timeout,
        )


@dataclass(frozen=True)
class Environment:
    """dev, staging, production: how much runs, and where."""

    name: str
    deployments: tuple[Deployment, ...]
    secrets_provider: str = "passphrase"
    """Any of Pulumi's: passphrase, awskms://…, gcpkms://…, azurekeyvault://…, hashivault://…"""
    soak: float = 0
    """Seconds that a release must have been live elsewhere before it is promoted to here."""
