"""Every call of every resource type goes wrong in every way; the same command, repeated, ends well each time.

One play arms one kind of fault at one moment at every type of a deployment at once. Each `up` runs into those that it
reaches, and says so; the next one carries on. So a play covers as many pairs of type and fault as the deployment has
types. The whole matrix takes long: `make test-matrix`; without it, one play is drawn by BENTOSHIP_MATRIX_SEED.
"""

from __future__ import annotations

import json
import os
import random
from itertools import product

import pytest
from stage import DEPLOYMENTS, IS_WHOLE, Stage, who

from bentoship.errors import BentoshipError
from bentoship.rehearsal import faults
from projects import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

GOLDENS = {
    "beanstalk": "aws/elastic_beanstalk-1",
    "balanced": "aws/elastic_beanstalk-3",
    "machine": "aws/ec2-1",
    "fleet": "aws/ec2-3",
    "app": "azure/web_app-1",
    "apps": "azure/web_app-3",
    "vm": "azure/virtual_machine-1",
    "vmss": "azure/virtual_machine-3",
}
SENTENCES = {
    "quota": r"[Ll]imit|[Qq]uota|TooMany|maximum",
    "permission": "not authorized|AccessDenied|AuthorizationFailed",
    "throttling": "[Tt]hrottl|Rate exceeded|RequestLimitExceeded|SlowDown|reduce your request rate|TooManyRequests",
    "internal": "[Ii]nternal",
    "dies": "exited prematurely",
}
AZURE = ("app", "apps", "vm", "vmss")


def can_be_repeated(play) -> bool:
    """Azure's provider refuses to create what is there already: an orphan with a name of its own is in the way."""
    name, kind, moment = play
    return name not in AZURE or not (moment == "after" or (kind, moment) == ("dies", "half-way"))


PLAYS = [play for play in product(DEPLOYMENTS, SENTENCES, faults.MOMENTS) if can_be_repeated(play)]
SEED = int(os.environ.get("BENTOSHIP_MATRIX_SEED", "4"))
CHOSEN = PLAYS if IS_WHOLE else random.Random(SEED).sample(PLAYS, 1)  # noqa: S311 - not for secrets


def types_of(name: str) -> list[str]:
    """The types of its cloud that a deployment consists of, as faults name them: iam.Role."""
    golden = json.loads((ROOT / "tests" / "golden" / f"{GOLDENS[name]}.json").read_text())
    kinds = {resource["type"] for resource in golden["resources"]}
    tokens = sorted(kind for kind in kinds if kind.startswith(("aws:", "azure-native:")))
    return [f"{token.split(':')[1].split('/')[0]}.{token.split(':')[2]}" for token in tokens]


def repeat(act, sentence: str, limit: int) -> list[str]:
    """Act until it ends well; what it said when it didn't. It must say why each time, and end well at last."""
    said = []
    while len(said) < limit:
        try:
            act()
        except BentoshipError as error:
            said.append(str(error))
        else:
            return said
    raise AssertionError(f"did not end well after {limit} times: {said[-1]}")


@pytest.mark.parametrize(("name", "kind", "moment"), CHOSEN)
def test_the_same_command_again_ends_well(stage: Stage, name, kind, moment, record_property):
    types = types_of(name)
    stage.arm(*(f"{each}.create@{moment} = {kind}" for each in types))
    release = stage.release("one")
    said = repeat(lambda: stage.deploy(name, release), SENTENCES[kind], len(types) + 1)
    (world,) = [each for each in stage.worlds if each.folder.name.startswith(GOLDENS[name].partition("/")[0])]
    left = {fault.call for fault in faults.left(world)}
    assert left == set(), f"never reached: {left}"
    assert all(text.strip() for text in said)
    assert not stage.deploy(name, release).changes
    assert who(stage.deploy(name, release).url) == release.id[:12]
    created = len(types)

    stage.arm(*(f"{each}.delete@{moment} = {kind}" for each in types))
    repeat(lambda: stage.destroy(name), SENTENCES[kind], len(types) + 1)
    # What was made while its answer got lost is unknown to the engine, here as in a real account; its tags find it.
    orphans = {item.split(" ")[0] for item in stage.made()}
    assert orphans <= (set(types) if moment == "after" or (kind, moment) == ("dies", "half-way") else set())
    assert stage.machines() == {}
    record_property("pairs", 2 * created)
    print(f"{name}, {kind} {moment}: {2 * created} pairs of type and fault; `up` failed {len(said)} times")  # noqa: T201
