"""A canary: a new release gets a share of the traffic, is compared with the live one, and goes on or back by itself."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from ..deployment import Canary, Example, ReleaseRef
from ..errors import BentoshipError, HostError, InvalidConfiguration, StackLocked, UpdateFailed
from ..gate import ANSWER_TIMEOUT, RELEASE_HEADER, authorization
from ..host.control import Supervisor
from ..host.status import Status, short
from ..host.tally import Answers, Tally
from ..ledger import Entry, Ledger, UnderWay
from .attempt import Attempt, Deployed, Remembered, move, refuse_another
from .stacks import alone, pause

PATIENCE = 1800.0
"""Seconds that others may take who change the stack when a canary is to end."""
LOOK = 1.0
"""Seconds between two looks at the answers; with each of them the service is asked its first golden example."""
AWAY = 5
"""Looks in a row that a canary may not be ready at: its process is started again when it dies."""
TOLERATED = 0.01
"""So large a part of the answers may always fail, whatever the stable release does."""
DOUBT = 0.001
"""A canary goes back when so many failures would have come by chance less often than this."""
ENOUGH = 20
"""Answers of each release without which latencies aren't compared."""
SLOWER = 2.0
NOTICEABLE = 50.0
"""A canary is too slow when its 95th percentile is SLOWER times the other's, and so many milliseconds above it."""


def try_out(attempt: Attempt, new: ReleaseRef, entry: Entry, canary: Canary) -> Deployed:
    """Give `new` its share of the traffic, watch it, and make it live, or the other one alone.

    Raises UpdateFailed that says what spoke against it. One that is under way already is watched for its whole time
    again. The stack is free meanwhile: whoever is in a hurry ends it with `bentoship traffic`.
    """
    with alone(attempt.project, attempt.stack.name):
        before = _ready_for(attempt, new)
        ledger = before.ledger
        if ledger.live == new or (ledger.canary and ledger.canary.canary == canary):
            begun = ledger
        else:
            begun = ledger.try_out(UnderWay(release=new, canary=canary, entry=entry))
        deployed = move(attempt, before, before.intent(begun, before.configuration))
    if begun.canary is None:
        return deployed
    verdict = None
    if attempt.deployment.target.splitting.how != "platform":
        verdict = _watch(attempt, deployed.url, begun, begun.canary)
    return _end_when_free(attempt, begun.canary.release, verdict)


def _end_when_free(attempt: Attempt, release: ReleaseRef, verdict: str | None) -> Deployed:
    """`end`, once nobody else changes the stack: what was found out in minutes is not lost to somebody's lock."""
    until, told = time.monotonic() + PATIENCE, False
    while True:
        try:
            with alone(attempt.project, attempt.stack.name):
                return end(attempt, release, verdict)
        except StackLocked as error:
            if time.monotonic() > until:
                raise
            if not told:
                fault = error.problems[0].fault
                attempt.tell(f"{attempt.stack.name}: {fault}; the canary ends as soon as that is over")
            told = True
        pause(LOOK, attempt.stack.name)


def end(attempt: Attempt, release: ReleaseRef | None, verdict: str | None) -> Deployed:
    """Make the canary live; or, with a `verdict` that speaks against it, give the other release all the traffic.

    Raises UpdateFailed with the verdict in that case; BentoshipError when no canary of `release` is under way any more.
    """
    before = Remembered.read(attempt.stack.outputs() or {})
    canary = before.ledger.canary
    if canary is None and release is not None and before.ledger.live == release:
        attempt.tell(f"{attempt.stack.name}: somebody had the canary {release.short} go on meanwhile")
        return move(attempt, before, before.intent(before.ledger, before.configuration))
    if canary is None and release is None:
        if rest := attempt.left_to_do(before.ledger):  # it was ended, and that was interrupted
            return move(attempt, before, rest)
        remedy = f"`bentoship history {attempt.deployment.environment}` says how the last one ended"
        raise BentoshipError(attempt.stack.name, "no canary is under way", remedy)
    if canary is None or (release is not None and canary.release != release):
        raise BentoshipError(attempt.stack.name, "no such canary is under way", "somebody has ended it meanwhile")
    if verdict is None:
        attempt.tell(f"{attempt.stack.name}: the canary {canary.release.short} goes on")
        tried = (datetime.now(UTC) - datetime.fromisoformat(canary.entry.at)).total_seconds()
        entry = canary.entry.model_copy(update={"seconds": {**canary.entry.seconds, "canary": round(tried, 3)}})
        return move(attempt, before, before.intent(before.ledger.deploy(canary.release, entry), before.configuration))
    attempt.tell(f"{attempt.stack.name}: the canary {canary.release.short} goes back: {verdict}")
    deployed = move(attempt, before, before.intent(before.ledger.fail(canary.entry, verdict), before.configuration))
    if release is None:
        return deployed
    raise UpdateFailed(
        attempt.stack.name,
        f"the canary {canary.release.short} went back: {verdict}",
        f"release {deployed.release[:12]} has all the traffic again",
    )


def _ready_for(attempt: Attempt, new: ReleaseRef) -> Remembered:
    """What the stack remembers; an error with the reason where a canary of `new` can't begin."""
    stack, splitting = attempt.stack.name, attempt.deployment.target.splitting
    if splitting.how == "never":
        fault = f"{attempt.deployment.target_name} has no canaries: {splitting.reason}"
        raise InvalidConfiguration(stack, fault, "`up` without --canary")
    before = Remembered.read(attempt.stack.outputs() or {})
    if before.ledger.live is None:
        fault = "nothing is live that a canary could be compared with"
        raise BentoshipError(stack, fault, "`up` without --canary the first time")
    if before.configuration != attempt.deployment.configuration:
        fault = "the environment's file says something else than what is live, and a canary would change both releases"
        raise BentoshipError(stack, fault, "`up` without --canary, or deploy that change on its own first")
    refuse_another(stack, before.ledger, new, attempt.deployment.environment)
    return before


def _watch(attempt: Attempt, url: str, ledger: Ledger, under_way: UnderWay) -> str | None:
    """Watch until the time is over, or until something speaks against the canary: a clause that says what."""
    if ledger.live is None:
        return None
    canary, stable = under_way.release, ledger.live
    example = canary.examples[0] if canary.examples else None
    asking = Asking(url, example)
    counted = attempt.deployment.target.splitting.how == "counted"
    supervisor = Supervisor(attempt.project.local(attempt.stack.name)) if counted else None
    share, seconds = under_way.canary.percent, under_way.canary.seconds
    attempt.tell(f"{attempt.stack.name}: canary {canary.short} has {share} % of the traffic for {seconds:g} s")
    until = time.monotonic() + seconds
    seen: Mapping[str, Answers] = {}
    looks_away = 0
    while (left := until - time.monotonic()) > 0:
        asking.ask()
        pause(min(LOOK, left), attempt.stack.name)
        status = _status(supervisor) if supervisor else None
        seen = counted_by(status) if supervisor else asking.answers()
        if clause := worse(seen.get(stable.short, Answers()), seen.get(canary.short, Answers())) or asking.unheard():
            return clause
        ailment = _ailment(status, canary) if supervisor else None
        looks_away = looks_away + 1 if ailment else 0
        if ailment and (looks_away == AWAY or left <= LOOK):
            return ailment
    found = seen.get(canary.short, Answers())
    attempt.tell(f"{attempt.stack.name}: the canary answered {found.count} requests, {found.failed} failed")
    return None


def _status(supervisor: Supervisor) -> Status | None:
    """What it runs; None when it is gone, or doesn't answer now."""
    with suppress(HostError):
        return supervisor.status()
    return None


def _ailment(status: Status | None, canary: ReleaseRef) -> str | None:
    """A clause that says why the canary can't answer here: it would get no request, and so fail none."""
    found = next((each for each in status.releases if short(each.id) == canary.short), None) if status else None
    if found is None:
        return "it does not run any more"
    return None if found.ready else f"it is not ready: {found.failure or 'it does not answer /readyz'}"


def worse(stable: Answers, canary: Answers) -> str | None:
    """A clause that says in what `canary` is worse than `stable`, beyond chance; None when it isn't."""
    usual = max(TOLERATED, stable.failed / stable.count if stable.count else 0)
    if canary.failed and chance(canary.count, canary.failed, usual) < DOUBT:
        return (
            f"{canary.failed} of its {canary.count} requests failed, "
            f"and {stable.failed} of {stable.count} of the stable release"
        )
    mine, other = canary.percentile(95), stable.percentile(95)
    if mine is None or other is None or min(canary.count, stable.count) < ENOUGH:
        return None
    if mine > SLOWER * other and mine > other + NOTICEABLE:
        return f"95 % of its answers came within {mine:.0f} ms, and within {other:.0f} ms from the stable release"
    return None


def chance(count: int, failed: int, usual: float) -> float:
    """How probable it is that of `count` requests `failed` or more fail, when each fails with probability `usual`.

    The upper tail of the binomial distribution; 1 when no more failed than could be expected.
    """
    if failed <= count * usual:
        return 1.0
    if usual >= 1:
        return 1.0
    ways = math.lgamma(count + 1) - math.lgamma(failed + 1) - math.lgamma(count - failed + 1)
    term = math.exp(ways + failed * math.log(usual) + (count - failed) * math.log1p(-usual))
    total, odds = 0.0, usual / (1 - usual)
    for number in range(failed, count + 1):
        total += term
        term *= (count - number) / (number + 1) * odds
        if term < total * 1e-12:
            break
    return min(1.0, total)


def counted_by(status: Status | None) -> Mapping[str, Answers]:
    """What the router of a supervisor has counted, by the first twelve digits of the release; nothing if it is gone."""
    return {short(release.id): release.answers for release in status.releases} if status else {}


@dataclass
class Asking:
    """Asks a deployment its first golden example, and sorts the answers by the release that says it gave them."""

    url: str
    example: Example | None

    def __post_init__(self) -> None:
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._nobody = Tally()
        """What no release says that it has answered, such as a load balancer's own 502."""

    def ask(self) -> None:
        """Ask once."""
        if self.example is None:
            return
        begin = time.monotonic()
        try:
            answer = httpx.post(
                f"{self.url}{self.example.path}",
                json=self.example.body,
                headers=authorization(),
                timeout=ANSWER_TIMEOUT,
                trust_env=False,
            )
        except httpx.HTTPError:
            self._nobody.ended()
            return
        tally = self._tallies[release] if (release := answer.headers.get(RELEASE_HEADER)) else self._nobody
        tally.answered(answer.status_code, time.monotonic() - begin)

    def unheard(self) -> str | None:
        """A clause when more failed than by chance that no release had answered: an instance that died says no name."""
        lost, told = self._nobody.answers(), sum(tally.answers().count for tally in self._tallies.values())
        asked = lost.count + told
        if not lost.failed or chance(asked, lost.failed, TOLERATED) >= DOUBT:
            return None
        return f"{lost.failed} of {asked} questions were answered by no release"

    def answers(self) -> Mapping[str, Answers]:
        """What has been answered so far."""
        return {release: tally.answers() for release, tally in self._tallies.items()}
