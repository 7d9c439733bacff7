"""The life of a deployment, played as `bentoship rehearse` does, with releases that start in half a second."""

from __future__ import annotations

import hashlib

import httpx
import pytest
from stage import DEPLOYMENTS, ENVIRONMENT, SOURCE, until

from bentoship.errors import UpdateFailed
from bentoship.operations.rehearse import Cast, play
from small_release import small_release

TOKENS = "SERVING_TOKENS"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CUT_OFF = {"machine", "instance", "vm"}
"""Where requests are cut off while the address moves, as docs/aws.md, docs/gcp.md and docs/azure.md say."""
CANARIES = {"local", "balanced", "engine", "app", "apps"}
"""Where somebody divides the traffic."""
STEPS = (
    "first deployment",
    "nothing to do",
    "promotion",
    "canary",
    "release that does not start",
    "release that answers wrongly",
    "rollback",
    "drift",
    "destroy",
)


@pytest.mark.long
@pytest.mark.parametrize("name", ["local", *DEPLOYMENTS])
def test_the_whole_life_of_a_release_on_every_target_loses_no_request(stage, name):
    sealed = small_release(stage.project.root / ".bentoship" / "releases")
    told = []
    cast = Cast.around(sealed, stage.project.variants)
    (played,) = play(stage.project, ENVIRONMENT, cast, only=name, source=SOURCE, tell=told.append).values()
    report(played)
    steps = {step.name: step for step in played.steps}
    assert {step.name: step.detail for step in played.steps if step.verdict == "failed"} == {}, told
    skipped = {step.name for step in played.steps if step.verdict == "skipped"}
    assert skipped == (set() if name in CANARIES else {"canary"}) | ({"drift"} if name == "local" else set())
    assert tuple(steps) == STEPS
    lost = {step.name: step.requests.why for step in played.steps if step.requests.lost}
    assert lost == {} or name in CUT_OFF
    assert all(step.requests.sent > 0 for step in played.steps[1:-1] if step.verdict == "passed")
    assert played.release == sealed.id
    assert stage.made() == []
    assert stage.machines() == {}


def report(played) -> None:
    """What is to be read in the output of `make test-matrix`."""
    for step in played.steps:
        flow = step.requests
        print(  # noqa: T201
            f"{played.target} {played.name}: {step.name} {step.verdict}, {step.seconds:.1f} s, "
            f"{flow.sent} sent, {flow.lost} lost, {flow.wrong} answered by the wrong release"
        )


@pytest.mark.long
def test_what_runs_are_the_bytes_that_were_sealed(stage):
    sealed = small_release(stage.project.root / ".bentoship" / "releases")
    assert hashlib.sha256(sealed.path.read_bytes()).hexdigest() == sealed.id
    stage.deploy("beanstalk", sealed.ref())
    (machine,) = stage.machines().values()
    assert f"running r-{sealed.id[:12]}, sha256 {sealed.id}" in machine["console"]
    stage.destroy("beanstalk")
    stage.deploy("machine", sealed.ref())
    (machine,) = stage.machines().values()
    # The boot script refuses bytes with another sha256 than the id of the release.
    assert [line for line in machine["console"] if line.startswith(f"bentoship: release {sealed.id[:12]} is in ")]
    # It answers before its boot script has seen so.
    until(lambda: [one for one in stage.machines().values() if "bentoship: ready" in one["console"]])


@pytest.mark.parametrize(
    "guarded",
    [
        {**DEPLOYMENTS["beanstalk"], "secrets": {TOKENS: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:t"}},
        {**DEPLOYMENTS["app"], "variables": {TOKENS: "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/t)"}},
    ],
    ids=["beanstalk", "app"],
)
@pytest.mark.long
def test_who_asks_for_a_token_that_is_kept_as_a_secret_is_asked_with_that_one(stage, monkeypatch, guarded):
    monkeypatch.setenv("BENTOSHIP_TOKEN", "rehearsed-by-somebody")
    stage.say({**DEPLOYMENTS, "guarded": guarded})
    deployed = stage.deploy("guarded", stage.release("one"))
    answer = httpx.post(f"{deployed.url}/predict", json={}, trust_env=False)
    stage.destroy("guarded")
    stage.say(DEPLOYMENTS)
    assert answer.status_code == 401


@pytest.mark.long
def test_a_first_release_that_does_not_start_fails_with_what_it_said(stage):
    broken = Cast.around(small_release(stage.project.root / ".bentoship" / "releases"), stage.project.variants).broken
    with pytest.raises(UpdateFailed, match="this release was made by a rehearsal, and does not start"):
        stage.deploy("beanstalk", broken)
    stage.destroy("beanstalk")
    assert stage.made() == []
