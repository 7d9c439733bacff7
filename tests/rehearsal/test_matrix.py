"""Every call of every resource type goes wrong in every way; the same command, repeated, ends well each time.

One play arms kinds of faults, at one moment, at every type of a deployment at once. Each `up` runs into those that it
reaches, and says so; the next one carries on. So a play covers as many pairs as there are types and kinds, twice.
All of it takes long: `make test-matrix`.
"""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
from stage import Stage, who

from bentoship.engine.state import short_type
from bentoship.errors import BentoshipError
from bentoship.rehearsal import faults
from bentoship.rehearsal.hosts import control
from projects import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

GOLDENS = {
    "beanstalk": "aws/elastic_beanstalk-1",
    "balanced": "aws/elastic_beanstalk-3",
    "machine": "aws/ec2-1",
    "fleet": "aws/ec2-3",
    "engine": "gcp/app_engine-1",
    "instance": "gcp/compute_engine-1",
    "instances": "gcp/compute_engine-3",
    "app": "azure/web_app-1",
    "apps": "azure/web_app-3",
    "vm": "azure/virtual_machine-1",
    "vmss": "azure/virtual_machine-3",
}
SENTENCES = {
    "quota": r"[Ll]imit|[Qq]uota|TooMany|maximum|may not have more|Exceeded",
    "permission": "not authorized|AccessDenied|AuthorizationFailed|Required '.*' permission",
    "throttling": "[Tt]hrottl|Rate exceeded|RequestLimitExceeded|SlowDown|reduce your request rate|TooManyRequests",
    "internal": "[Ii]nternal",
    "dies": "exited prematurely",
}
UNLISTED = re.compile(r"iam\.|compute\.(Region)?InstanceTemplate")
"""Types with tags that no list of their cloud shows by these: docs/aws.md and docs/gcp.md."""
CLOUDS = {"aws": "aws", "azure": "azure-native", "gcp": "gcp"}
KINDS = tuple(SENTENCES)
REFUSALS = tuple(kind for kind in KINDS if kind != "dies")
"""After these, a cloud has made nothing that the engine was not told of."""
REASON = "|".join(SENTENCES.values())
MOST = 200
"""Times that a command may fail before it ends well."""


def cloud_of(name: str) -> str:
    """The cloud of a deployment, as its world is called."""
    return CLOUDS[GOLDENS[name].partition("/")[0]]


def types_of(name: str) -> list[str]:
    """The types of its cloud that a deployment consists of, as faults name them: iam.Role."""
    golden = json.loads((ROOT / "tests" / "golden" / f"{GOLDENS[name]}.json").read_text())
    kinds = {resource["type"] for resource in golden["resources"]}
    return [short_type(kind) for kind in sorted(kinds) if kind.startswith(("aws:", "azure-native:", "gcp:"))]


def each_type_once() -> dict[str, list[str]]:
    """The types that are played of each deployment: every type of a cloud in the largest deployment that has it."""
    largest_first = sorted(GOLDENS, key=lambda name: -len(types_of(name)))
    played: dict[str, list[str]] = {}
    for name in largest_first:
        others = {(cloud_of(other), each) for other, types in played.items() for each in types}
        played[name] = [each for each in types_of(name) if (cloud_of(name), each) not in others]
    return {name: types for name, types in played.items() if types}


TYPES = each_type_once()
PLAYS = [
    *((name, "before", kinds) for name, kinds in product(TYPES, (REFUSALS, ("dies",)))),
    *((name, "after", KINDS) for name in TYPES),
    # What was half made once is there, and made no second time: one kind of fault a play.
    *((name, "half-way", (kind,)) for name, kind in product(TYPES, KINDS)),
]


def label(value: object) -> str:
    """How a parameter is called."""
    if isinstance(value, tuple):
        return {KINDS: "every", REFUSALS: "refusals"}.get(value, value[0])
    return str(value)


def repeat(stage: Stage, name: str, act) -> int:
    """Act until it ends well; how often it didn't.

    It must say why each time. Where it says that something is in the way, that is deleted, as a user would.
    """
    for failures in range(MOST):
        try:
            act()
        except BentoshipError as error:
            said = str(error)
        else:
            return failures
        assert re.search(REASON, said) or delete_what_nobody_knows(stage, name, said), said
    raise AssertionError(f"did not end well after {MOST} times: {said}")


def delete_what_nobody_knows(stage: Stage, name: str, said: str) -> bool:
    """Whether it told of something that is in its way in the cloud, which is deleted then."""
    in_the_way = re.search(r"(\S+) \S+: there already, and not in this stack's state|(\S+) \S+ needs it", said)
    if in_the_way is None:
        return False
    known = {identity for _, identity in stage.known(name)}
    kinds = set(in_the_way.groups())
    gone = [
        (world, item)
        for world in stage.worlds
        for item in world.every()
        if kinds & {item.type, item.short_type} and item.id not in known and not item.given
    ]
    for world, item in gone:
        world.remove(item.type, item.key, item.region)
        control.deleted_by_hand(world, item)
    return bool(gone)


@pytest.mark.long
@pytest.mark.parametrize(("name", "moment", "kinds"), PLAYS, ids=label)
def test_the_same_command_again_ends_well(stage: Stage, name, moment, kinds):
    types = TYPES[name]
    release = stage.release("one")
    stage.arm(*(f"{each}.create@{moment} = {kind}" for each in types for kind in kinds))
    ups = repeat(stage, name, lambda: stage.deploy(name, release))
    world = stage.world(cloud_of(name))
    assert faults.left(world) == ()
    assert not stage.deploy(name, release).changes
    assert who(stage.deploy(name, release).url) == release.id[:12]

    stage.arm(*(f"{each}.delete@{moment} = {kind}" for each in types for kind in kinds))
    gone = []
    destroys = repeat(stage, name, lambda: gone.append(stage.destroy(name)))
    # What was made while its answer got lost is unknown to the engine, here as in a real account; its tags find it.
    made = [item for item in world.every() if not item.given]
    listed = [item for item in made if item.tags and not UNLISTED.match(item.short_type)]
    unnamed = [item for item in listed if not any(item.id.rpartition("/")[2] in clause for clause in gone[-1].left)]
    assert unnamed == [], gone[-1].left
    gets_lost = moment == "after" or "dies" in kinds  # a provider that dies takes along what others were at in it
    assert gets_lost or (made == [] and stage.machines() == {})
    never = faults.left(world)
    pairs = 2 * len(types) * len(kinds) - len(never)
    print(  # noqa: T201
        f"{name}, {moment}: {pairs} pairs of {len(types)} types and {len(kinds)} faults; `up` failed {ups} times, "
        f"`destroy` {destroys}, {len(made)} objects that nobody knew of were left, {len(gone[-1].left)} of them named; "
        f"never deleted: {sorted({fault.call for fault in never})}"
    )
