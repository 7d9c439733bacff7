"""parity: the same requests to several deployments, or to two releases, side by side: how they answer, how fast."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .. import release
from ..deployment import Example
from ..errors import BentoshipError, InvalidConfiguration
from ..gate import ANSWER_TIMEOUT, READY_PATH, RELEASE_HEADER, authorization, disagreement, json_value
from ..project import Project
from ..release.examples import requests as requests_in
from ..release.running import of_this_machine, running
from ..release.unpack import unpack
from ..release.writing import scratch
from .sealed import sealed_file
from .stacks import Tell
from .status import Known, known

TIMES = 5
"""How often each request is sent to each place, unless told otherwise."""
GIVEN_UP = 3
"""Requests without an answer after which a place is not asked any more."""
HERE = "here"
"""The target of a release that runs on this machine for the comparison alone."""


@dataclass(frozen=True)
class Place:
    """Something that answers: a deployment, or a release that runs here."""

    name: str
    target: str
    url: str
    release: str
    """Id of the release that should be answering."""


@dataclass(frozen=True)
class Difference:
    """One request that a place answered otherwise than the reference did."""

    place: str
    request: int
    """Its number, from 1."""
    path: str
    body: Any
    where: str
    """The place in the JSON and how it differs, in one clause; or the two statuses."""
    reference: Any
    answer: Any


@dataclass(frozen=True)
class Answers:
    """How one place answered."""

    name: str
    target: str
    url: str
    releases: tuple[str, ...]
    """First twelve digits of those that answered, as they say themselves; of the one that should, if they don't."""
    sent: int
    unanswered: int
    """Requests without an answer, with a status of 500 or above, or with 401: two locked doors don't agree."""
    statuses: Mapping[str, int]
    """How many answers had which status; the name of the error where there was no answer."""
    p50_milliseconds: float | None
    p95_milliseconds: float | None
    p99_milliseconds: float | None
    """From the request to the last byte, over a connection that was open already; None without any answer."""
    differing: int
    """Requests that were answered otherwise than by the reference, be it once."""
    largest_difference: float | None
    """The largest between two numbers at the same place of an answer; None where no numbers were compared."""


@dataclass(frozen=True)
class Parity:
    """What a comparison came to. The reference is the first place."""

    requests: int
    """Different requests."""
    times: int
    """How often each was sent to each place."""
    places: Mapping[str, Answers | BentoshipError]
    differences: tuple[Difference, ...]

    @property
    def agree(self) -> bool:
        """Whether every place is up, answered every request, and answered like the reference."""
        known = [each for each in self.places.values() if not isinstance(each, BentoshipError)]
        return len(known) == len(self.places) and not any(each.unanswered or each.differing for each in known)


def parity(
    project: Project,
    names: Sequence[str],
    *,
    only: str | None = None,
    requests: Path | None = None,
    times: int = TIMES,
    tell: Tell = lambda _: None,
) -> Parity:
    """Send the golden examples of the live releases, or the requests in a file, to all deployments of environments."""
    given = requests_in(requests) if requests else None
    found = {
        f"{name}-{key}": value for name in names for key, value in known(project, name, only=only, tell=tell).items()
    }
    places: dict[str, Place | BentoshipError] = {name: _place(value) for name, value in found.items()}
    live = [
        value.ledger.live for value in found.values() if not isinstance(value, BentoshipError) and value.ledger.live
    ]
    asked = given or _different(example for ref in live for example in ref.examples)
    return compare(places, asked, times, tell)


def parity_of_releases(
    project: Project,
    beginnings: Sequence[str],
    *,
    requests: Path | None = None,
    times: int = TIMES,
    tell: Tell = lambda _: None,
) -> Parity:
    """Run the sealed releases whose ids begin so on this machine, and send them the requests in a file.

    Without a file, they are sent the golden examples of all of them. Raises ReleaseError when one isn't here,
    ReleaseTampered when its bytes are not those that were sealed, ServiceBroken when it doesn't start.
    """
    given = requests_in(requests) if requests else None
    sealed = [release.verify(sealed_file(project, beginning)) for beginning in beginnings]
    asked = given or _different(example for each in sealed for example in each.examples)
    with ExitStack() as stack:
        places: dict[str, Place | BentoshipError] = {}
        for each in sealed:
            tell(f"starting release {each.id[:12]}")
            work = stack.enter_context(scratch())
            unpacked = unpack(each.path, work, each.id)
            variables = {**of_this_machine(unpacked), "BENTOSHIP_RELEASE": each.id}
            url, _ = stack.enter_context(running(unpacked, variables, work))
            places[each.id[:12]] = Place(each.id[:12], HERE, url, each.id)
        return compare(places, asked, times, tell)


def compare(
    places: Mapping[str, Place | BentoshipError], requests: Sequence[Example], times: int, tell: Tell
) -> Parity:
    """Send every request to every place so many times, in turn, so that all meet the same moments."""
    askers = {name: _Asker(place) for name, place in places.items() if isinstance(place, Place)}
    tell(f"sending {len(requests)} requests {times} times to {', '.join(askers) or 'nobody'}")
    with ExitStack() as stack:
        for asker in askers.values():
            stack.enter_context(asker.client)
            asker.open()
        for _ in range(times):
            for number, request in enumerate(requests, start=1):
                for asker in askers.values():
                    asker.ask(number, request)
    references = _references(askers.values())
    differences = {name: tuple(_differences(asker, references, requests)) for name, asker in askers.items()}
    told = {
        name: askers[name].answers(len(differences[name]), references) if isinstance(place, Place) else place
        for name, place in places.items()
    }
    return Parity(len(requests), times, told, tuple(each for found in differences.values() for each in found))


@dataclass(frozen=True)
class _Answer:
    request: int
    status: int
    value: Any


@dataclass
class _Asker:
    """Asks one place, and keeps what it answered."""

    place: Place
    got: list[_Answer] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    releases: dict[str, None] = field(default_factory=dict)
    _unheard: int = 0

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=self.place.url, headers=authorization(), timeout=ANSWER_TIMEOUT, trust_env=False
        )

    def open(self) -> None:
        """Open the connection, so that no answer counts the time for that."""
        try:
            self.client.get(READY_PATH)
        except httpx.HTTPError:
            return  # the requests will say so

    def ask(self, number: int, request: Example) -> None:
        """Send a request, unless too many were not answered."""
        if self._unheard >= GIVEN_UP:
            return
        begin = time.perf_counter()
        try:
            response = self.client.post(request.path, json=request.body)
        except httpx.HTTPError as error:
            self._unheard += 1
            self.statuses[type(error).__name__] += 1
            return
        self.milliseconds.append((time.perf_counter() - begin) * 1000)
        self.statuses[str(response.status_code)] += 1
        if said := response.headers.get(RELEASE_HEADER):
            self.releases[said] = None
        self.got.append(_Answer(number, response.status_code, _value(response)))

    def answers(self, differing: int, references: Mapping[int, _Answer]) -> Answers:
        """How it answered: so many requests otherwise than the references."""
        distances = (largest_difference(references[each.request].value, each.value) for each in self.got)
        failed = sum(
            each.status >= httpx.codes.INTERNAL_SERVER_ERROR or each.status == httpx.codes.UNAUTHORIZED
            for each in self.got
        )
        return Answers(
            self.place.name,
            self.place.target,
            self.place.url,
            tuple(self.releases) or (self.place.release[:12],),
            self.statuses.total(),
            self._unheard + failed,
            dict(self.statuses),
            percentile(self.milliseconds, 50),
            percentile(self.milliseconds, 95),
            percentile(self.milliseconds, 99),
            differing,
            max((each for each in distances if each is not None), default=None),
        )


def percentile(values: Sequence[float], percent: float) -> float | None:
    """So many percent of `values` are at most this one, by the nearest rank; None of none."""
    rank = math.ceil(len(values) * percent / 100)
    return round(sorted(values)[rank - 1], 2) if values else None


def largest_difference(one: Any, other: Any) -> float | None:
    """The largest difference between two numbers at the same place of two JSON values; None where there are none."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(one[key], other[key]) for key in one.keys() & other.keys()]
    elif isinstance(one, list) and isinstance(other, list):
        pairs = list(zip(one, other, strict=False))
    else:
        return _distance(one, other) if _is_number(one) and _is_number(other) else None
    found = (largest_difference(*pair) for pair in pairs)
    return max((each for each in found if each is not None), default=None)


def _references(askers: Iterable[_Asker]) -> dict[int, _Answer]:
    """What every answer to a request is compared with: the first one of the first place that answered it."""
    found: dict[int, _Answer] = {}
    for asker in askers:
        for got in asker.got:
            found.setdefault(got.request, got)
    return found


def _differences(asker: _Asker, references: Mapping[int, _Answer], requests: Sequence[Example]) -> Iterator[Difference]:
    """The first answer to each request that is not like the reference's."""
    told: set[int] = set()
    for got in asker.got:
        reference, request = references[got.request], requests[got.request - 1]
        clause = _clause(reference, got, request.tolerance)
        if clause and got.request not in told:
            told.add(got.request)
            yield Difference(
                asker.place.name, got.request, request.path, request.body, clause, reference.value, got.value
            )


def _clause(reference: _Answer, got: _Answer, tolerance: float) -> str | None:
    if reference.status != got.status:
        return f"expected status {reference.status}, got {got.status}"
    if got.status >= httpx.codes.BAD_REQUEST:
        return None  # what an error says beyond its status, such as the request's id, is nobody's promise
    return disagreement(reference.value, got.value, tolerance)


def _value(response: httpx.Response) -> Any:
    try:
        return json_value(response.content)
    except ValueError:
        return response.text


def _place(found: Known | BentoshipError) -> Place | BentoshipError:
    if isinstance(found, BentoshipError):
        return found
    deployment, live = found.deployment, found.ledger.live
    if live is None or found.url is None:
        return BentoshipError(deployment.stack, "is not up", f"`bentoship up {deployment.environment}`")
    return Place(deployment.stack, deployment.target_name, found.url, live.id)


def _different(examples: Iterable[Example]) -> tuple[Example, ...]:
    """The requests without those that come twice; BentoshipError when there is none."""
    found: list[Example] = []
    for example in examples:
        if not any((each.path, each.body) == (example.path, example.body) for each in found):
            found.append(example)
    if not found:
        raise InvalidConfiguration("parity", "there is no golden example to send", "name a file with --requests")
    return tuple(found)


def _distance(one: float, other: float) -> float | None:
    try:
        return float(abs(one - other))
    except OverflowError:  # whole numbers beyond the range of floats
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
