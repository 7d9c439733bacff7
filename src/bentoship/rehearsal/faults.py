"""What is to go wrong in a rehearsal, and whether it still is.

A fault is a line in a small YAML file, or a word after `--fault`:

    iam.Role.create = throttling                  the call is refused before anything happened
    lb.LoadBalancer.create@half-way = quota       the object exists, unfinished, and the call failed
    s3.BucketObjectv2.update@after = permission   it was done, and the answer got lost
    CreateEnvironment = slow 1200                 by the cloud's own name of the call; seconds on the cloud's clock
    autoscaling.Group.delete = dies * 2           the provider's process is killed, two times
    getAmi = throttling                           a look-up
    machine = hangs                               the next machine that gets ready: dies, hangs, slow 2 or wrong

Each fires once, unless it says how many times. What is left is kept in the world, so that a provider which died does
not die of the same fault for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

from ..errors import InvalidConfiguration, Problem
from .world import World, write_whole

Moment = Literal["before", "half-way", "after"]
Kind = Literal["slow", "quota", "permission", "throttling", "internal", "dies", "hangs", "wrong"]
MOMENTS: tuple[str, ...] = get_args(Moment)
KINDS: tuple[str, ...] = get_args(Kind)
MACHINE = "machine"
"""In place of a call: what goes wrong is the next machine that gets ready."""
OF_MACHINES = ("dies", "hangs", "slow", "wrong")
"""What can go wrong with a machine; `hangs` and `wrong` with nothing else."""
VERBS = ("create", "read", "update", "delete")
SLOW = 600.0
"""Seconds on the cloud's clock that a slow call takes longer, unless the fault says otherwise."""
_WORD = re.compile(
    r"(?P<call>[\w.:/*]+)(@(?P<moment>[\w-]+))?\s*=\s*(?P<kind>[\w-]+)(\s+(?P<seconds>\d+(\.\d+)?))?(\s*\*\s*(?P<times>\d+))?"
)


@dataclass(frozen=True)
class Fault:
    """One thing that is to go wrong."""

    call: str
    """`s3.Bucket.create`, `iam.*.delete`, the cloud's own name of the call, or the name of a look-up."""
    kind: Kind
    moment: Moment = "before"
    times: int = 1
    """How many times it is still to happen."""
    seconds: float = SLOW


def parse(words: Iterable[str], where: str = "--fault") -> tuple[Fault, ...]:
    """The faults that `words` name; InvalidConfiguration with every word that names none."""
    found = [_parsed(word, where) for word in words]
    problems = [item for item in found if isinstance(item, Problem)]
    if problems:
        raise InvalidConfiguration.of(problems)
    return tuple(item for item in found if isinstance(item, Fault))


def read(path: Path) -> tuple[Fault, ...]:
    """The faults of a YAML file, which is a list of words; InvalidConfiguration when it isn't."""
    try:
        words = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidConfiguration(str(path), f"can't be read ({error})") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidConfiguration(str(path), "is not a list of faults", "one a line: - iam.Role.create = throttling")
    return parse(words, str(path))


def arm(world: World, faults: Sequence[Fault]) -> None:
    """From now on these are to go wrong in `world`, and nothing else."""
    with world.locked():
        write_whole(_file(world), json.dumps([asdict(fault) for fault in faults], indent=1))


def left(world: World) -> tuple[Fault, ...]:
    """What is still to go wrong."""
    try:
        return tuple(Fault(**raw) for raw in json.loads(_file(world).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()


def take(world: World, names: Sequence[str], moment: Moment) -> Fault | None:
    """The fault that fires now at a call which has these names, one time fewer left from then on."""
    if not _file(world).exists():
        return None
    with world.locked():
        faults = left(world)
        fired = next((fault for fault in faults if fault.moment == moment and _is_named(fault.call, names)), None)
        if fired is not None:
            rest = [replace(fault, times=fault.times - 1) if fault is fired else fault for fault in faults]
            arm(world, [fault for fault in rest if fault.times > 0])
        return fired


def _file(world: World) -> Path:
    return world.folder / "faults.json"


def _is_named(call: str, names: Sequence[str]) -> bool:
    pattern = re.escape(call).replace(r"\*", r"\w+")
    return any(re.fullmatch(pattern, name) for name in names)


def _parsed(word: str, where: str) -> Fault | Problem:
    found = _WORD.fullmatch(word.strip())
    if found is None:
        return Problem(where, f"{word!r} names no fault", "write it as <call>[@moment] = <kind> [seconds] [* times]")
    moment, kind = found["moment"] or "before", found["kind"]
    for said, allowed in ((moment, MOMENTS), (kind, KINDS)):
        if said not in allowed:
            close = get_close_matches(said, allowed, n=1)
            return Problem(where, f"{word!r}: {said!r} is unknown", f"there are: {', '.join(close or allowed)}")
    if (kind in OF_MACHINES) is not (found["call"] == MACHINE) and (
        found["call"] == MACHINE or kind in {"hangs", "wrong"}
    ):
        return Problem(where, f"{word!r}: {kind!r} is nothing that {found['call']} can do", _what_can(found["call"]))
    return Fault(
        call=found["call"],
        kind=cast("Kind", kind),
        moment=cast("Moment", moment),
        times=int(found["times"] or 1),
        seconds=float(found["seconds"] or SLOW),
    )


def _what_can(call: str) -> str:
    kinds = OF_MACHINES if call == MACHINE else [kind for kind in KINDS if kind not in {"hangs", "wrong"}]
    return f"there are: {', '.join(kinds)}"
