"""bentoship:azure:SlotSwap, PublicAddress and RollingUpgrade, over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress

import pytest

from bentoship.errors import EngineMissing, GateFailed, UpdateFailed
from bentoship.patience import CLOCK, LEAST
from bentoship.provider import arm
from bentoship.provider.arm import ATTEMPTS
from bentoship.provider.azure import (
    PublicAddress,
    PublicAddressInputs,
    RollingUpgrade,
    RollingUpgradeInputs,
    SlotSwap,
    SlotSwapInputs,
)
from fake_azure import ADDRESS, ANSWER, INTERFACES, NEW, OLD, REVISION, SCALE_SET, SITE, FakeAzure

EXAMPLES = json.dumps([{"path": "/predict", "body": {"x": 1}, "answer": ANSWER, "tolerance": 0}])
STEPS = 20
"""More calls than a swap has: the last ones break nothing off."""


@pytest.fixture
def at(monkeypatch):
    """Lets our provider ask a fake."""

    def set_endpoint(azure):
        monkeypatch.setenv(arm.ENDPOINT, azure.url)
        return azure

    return set_endpoint


@pytest.fixture
def told():
    return []


def wanted(azure, revision=NEW, **more):
    settings = {REVISION: revision, "BENTOSHIP_BOOT": "…"}
    fields = {"release": revision[0] * 64, "settings": settings, "percent": 100, "timeout": 20, **more}
    place = {"site": SITE, "slot": "staging", "url": f"{azure.url}/staging"}
    return SlotSwapInputs(**place, revision=revision, examples=EXAMPLES, **fields)


def swapped(azure):
    return azure.revision("production"), azure.revision("staging")


def test_a_release_is_proved_in_the_slot_and_swapped(at, told):
    with at_fake(at) as azure:
        assert SlotSwap(told.append).create(wanted(azure)) == (f"{SITE}/swap", {})
        assert swapped(azure) == (NEW, OLD)
        assert azure.swaps == 1
    assert told == [
        "web app salary: the slot staging gets release bbbbbbbbbbbb",
        "web app salary: swapping staging and production",
    ]


def at_fake(at, **fields):
    class Set(FakeAzure):
        def __enter__(self):
            return at(super().__enter__())

    return Set(**fields)


def test_the_first_release_is_swapped_into_a_production_that_has_none(at):
    with at_fake(at, settings={"production": {}, "staging": {}}) as azure:
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, "")


def test_where_it_is_live_nothing_is_swapped(at):
    with at_fake(at, settings={"production": {REVISION: NEW}, "staging": {REVISION: OLD}}) as azure:
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)
        assert not any("PUT" in call or "slotsswap" in call or "restart" in call for call in azure.calls)


def test_going_back_is_a_swap_while_the_slot_still_has_the_release(at):
    with at_fake(at) as azure:
        SlotSwap().create(wanted(azure))
        azure.settings["staging"] = wanted(azure, OLD).settings
        azure.calls.clear()
        SlotSwap().create(wanted(azure, OLD))
        assert swapped(azure) == (OLD, NEW)
        assert not any(call.startswith("PUT") or "restart" in call for call in azure.calls)


def test_a_release_that_the_slot_has_no_more_is_deployed_there(at):
    with at_fake(at) as azure:
        SlotSwap().create(wanted(azure))
        SlotSwap().create(wanted(azure, "c" * 12 + "-000000"))
        SlotSwap().create(wanted(azure, OLD))
        assert swapped(azure) == (OLD, "c" * 12 + "-000000")


def test_an_answer_that_differs_swaps_nothing(at):
    with at_fake(at, answer={"salary": 2}) as azure:
        with pytest.raises(GateFailed, match="expected 1, got 2"):
            SlotSwap().create(wanted(azure))
        assert swapped(azure) == (OLD, NEW)
        assert azure.swaps == 0


def test_a_slot_that_is_not_ready_in_time_swaps_nothing(at):
    with at_fake(at, starting=10**6) as azure:
        with pytest.raises(UpdateFailed, match=r"/readyz of the slot answered 503, by nobody that we know after"):
            SlotSwap().create(wanted(azure, timeout=0.3))
        assert azure.swaps == 0


@pytest.mark.parametrize("is_done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_swap_that_was_broken_off_at_any_step_and_is_repeated_ends_at_the_new_release(at, step, is_done):
    with at_fake(at, refuse_from=step, refuse_after=is_done, slow=2) as azure:
        with suppress(UpdateFailed):
            SlotSwap().create(wanted(azure))
        reached = len(azure.calls)
        azure.refuse_from = 10**6
        for _ in range(2):
            SlotSwap().create(wanted(azure))
            assert swapped(azure) == (NEW, OLD)
            assert azure.swaps == 1
    assert reached >= min(step, STEPS - 1)
    assert reached < STEPS, "there are steps at which no swap was broken off"


def test_a_swap_whose_answer_got_lost_is_not_asked_for_twice(at):
    with at_fake(at, deaf_to="/slotsswap") as azure:
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)
        assert azure.swaps == 1


def test_a_swap_that_is_under_way_is_seen_through(at):
    with at_fake(at, settings={"production": {REVISION: OLD}, "staging": {REVISION: NEW}}, slow=3) as azure:
        azure.begin_swap()
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)
        assert azure.swaps == 1


PROGRAM = """\
import sys
from bentoship.provider.azure import SlotSwap, SlotSwapInputs
SlotSwap().create(SlotSwapInputs.model_validate_json(sys.stdin.read()))
"""


@pytest.mark.slow
def test_a_provider_that_is_killed_while_azure_swaps_leaves_nothing_to_be_swapped_back(at):
    with at_fake(at, slow=10**6) as azure:
        command = [sys.executable, "-c", PROGRAM]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            process.stdin.write(wanted(azure).model_dump_json())
            process.stdin.close()
            azure.wait_for("/slotsswap")
            process.kill()
        azure.end_swap()
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)
        assert azure.swaps == 1


def test_a_slot_that_somebody_else_changes_meanwhile_is_not_swapped(at):
    class Changed(FakeAzure):
        def serve(self, slot):
            self.settings["staging"] = {REVISION: "theirs"}
            return 200, NEW[:12]

    with Changed() as azure:
        at(azure)
        with pytest.raises(UpdateFailed, match="the slot staging was given another release meanwhile"):
            SlotSwap().create(wanted(azure))
        assert azure.swaps == 0


def test_a_part_of_the_traffic_goes_to_the_slot_and_then_all_of_it_by_a_swap(at):
    with at_fake(at) as azure:
        SlotSwap().create(wanted(azure, percent=10))
        assert swapped(azure) == (OLD, NEW)
        host = f"{azure.url}/staging".partition("://")[2]
        assert azure.rules == [{"name": "staging", "actionHostName": host, "reroutePercentage": 10}]
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)
        assert azure.rules == []


def test_a_part_of_the_traffic_is_taken_back(at):
    with at_fake(at) as azure:
        SlotSwap().create(wanted(azure, percent=10))
        SlotSwap().create(wanted(azure, OLD))
        assert swapped(azure) == (OLD, NEW)
        assert azure.rules == []


def test_nobody_is_sent_to_a_slot_that_starts_anew(at):
    with at_fake(at) as azure:
        SlotSwap().create(wanted(azure, percent=10))
        azure.calls.clear()
        SlotSwap().create(wanted(azure, "c" * 12 + "-000000"))
        writes = [call.partition(" ")[0] for call in azure.calls if call.startswith(("PUT", "PATCH"))]
        assert writes == ["PATCH", "PUT"]


def test_what_is_live_cannot_be_tried_out(at):
    with at_fake(at) as azure, pytest.raises(UpdateFailed, match="release aaaaaaaaaaaa is live already"):
        SlotSwap().create(wanted(azure, OLD, percent=10))


def test_what_somebody_else_swapped_is_seen(at):
    with at_fake(at) as azure:
        SlotSwap().create(wanted(azure))
        azure.settings["production"], azure.settings["staging"] = {REVISION: OLD}, {REVISION: NEW}
        assert SlotSwap().read(wanted(azure), {"slot": "staging"}) == {
            "slot": "staging",
            "revision": OLD,
            "percent": 100,
        }
        azure.rules = [{"reroutePercentage": 25}]
        assert SlotSwap().read(wanted(azure, percent=25), {}) == {"revision": NEW, "percent": 25}


def test_a_site_that_is_gone_is_gone(at):
    with at_fake(at, exists=False) as azure:
        assert SlotSwap().read(wanted(azure), {}) is None


def test_cancelling_ends_the_wait(at):
    kind = SlotSwap()
    kind.cancel()
    with at_fake(at, starting=10**6) as azure, pytest.raises(UpdateFailed, match="the update was cancelled"):
        kind.create(wanted(azure))


def test_what_azure_is_too_busy_for_is_asked_again(at):
    with at_fake(at, refusals=[(429, "TooManyRequests", "slow down"), (503, "ServerBusy", "soon")]) as azure:
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)


def test_what_azure_throttles_or_has_to_do_something_else_for_is_asked_for_as_long_as_there_is_patience(
    at, monkeypatch
):
    monkeypatch.setenv(CLOCK, "0.001")
    monkeypatch.setenv(LEAST, "0.001")
    busy = (409, "Conflict", "Cannot modify this site because another operation is in progress.")
    refusals = [(429, "TooManyRequests", "slow down")] * (ATTEMPTS + 1) + [busy] * (ATTEMPTS + 1)
    with at_fake(at, refusals=refusals) as azure:
        SlotSwap().create(wanted(azure, timeout=60_000))
        assert azure.refusals == []
        assert swapped(azure) == (NEW, OLD)


def test_a_conflict_that_stays_one_is_told_at_once(at):
    with at_fake(at, refusals=[(409, "Conflict", "the name is taken")]) as azure:
        with pytest.raises(UpdateFailed, match="the name is taken"):
            SlotSwap().create(wanted(azure))
        assert len(azure.calls) == 1


def test_a_slot_whose_start_takes_longer_than_azure_waits_is_waited_for(at):
    with at_fake(at, deaf_to="/restart") as azure:
        SlotSwap().create(wanted(azure))
        assert swapped(azure) == (NEW, OLD)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [("AuthorizationFailed", "docs/azure.md"), ("ExpiredAuthenticationToken", "log in to Azure again")],
)
def test_what_azure_refuses_is_a_sentence_with_a_remedy(at, code, remedy):
    with at_fake(at, refusals=[(403, code, "because")]) as azure, pytest.raises(UpdateFailed) as failure:
        SlotSwap().create(wanted(azure))
    assert f"web app salary: Azure answered {code}: because" in str(failure.value)
    assert remedy in failure.value.problems[0].remedy


def test_an_azure_that_cannot_be_reached_is_a_sentence(monkeypatch):
    monkeypatch.setenv(arm.ENDPOINT, "http://127.0.0.1:1")
    asked = RollingUpgradeInputs(scale_set=SCALE_SET, revision=NEW, timeout=0)
    with pytest.raises(UpdateFailed, match="there was no answer"):
        RollingUpgrade().create(asked)


def test_without_the_package_for_credentials_the_extra_is_named(tmp_path):
    (tmp_path / "azure").mkdir()
    (tmp_path / "azure" / "__init__.py").write_text("")
    script = (
        "import threading\n"
        "from bentoship.errors import BentoshipError\n"
        "from bentoship.provider.arm import Arm, Patience\n"
        "try: Arm(Patience('here', 1, threading.Event()))\n"
        "except BentoshipError as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(EngineMissing.__name__)
    assert "bentoship[azure]" in done.stdout


def pointing(name="new"):
    return PublicAddressInputs(address=ADDRESS, interface=f"{INTERFACES}/{name}", timeout=20)


@pytest.mark.parametrize("holder", ["", "old", "new"])
def test_an_address_moves_from_whoever_has_it(at, holder):
    with at_fake(at, holder=holder) as azure:
        assert PublicAddress().create(pointing()) == (f"{ADDRESS}/pointer", {})
        assert azure.holder == "new"


@pytest.mark.parametrize("is_done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("step", range(1, 7))
def test_a_move_that_was_broken_off_at_any_step_and_is_repeated_ends_at_the_new_machine(at, step, is_done):
    with at_fake(at, holder="old", refuse_from=step, refuse_after=is_done) as azure:
        try:
            PublicAddress().create(pointing())
        except UpdateFailed:
            assert azure.holder in {"old", "", "new"}
        azure.refuse_from = 10**6
        PublicAddress().create(pointing())
        assert azure.holder == "new"


def test_where_an_address_really_leads_is_seen(at):
    with at_fake(at, holder="other"):
        assert PublicAddress().read(pointing(), {"a": 1}) == {"a": 1, "interface": f"{INTERFACES}/other"}
    with at_fake(at, holder="NEW"):
        assert PublicAddress().read(pointing(), {}) == {"interface": f"{INTERFACES}/new"}
    with at_fake(at, exists=False):
        assert PublicAddress().read(pointing(), {}) is None


def test_an_address_that_goes_is_taken_from_its_machine_first(at):
    with at_fake(at, holder="new") as azure:
        PublicAddress().delete(pointing())
        assert azure.holder == ""
        PublicAddress().delete(pointing())


def upgraded(**more):
    return RollingUpgradeInputs(**{"scale_set": SCALE_SET, "revision": NEW, "timeout": 20, **more})


def test_an_upgrade_is_awaited_until_every_machine_is_new_and_ready(at, told):
    running = [("RollingForward", ""), ("Completed", "")]
    with at_fake(at, machines=[(True, "healthy"), (True, "healthy")], upgrades=running):
        assert RollingUpgrade(told.append).create(upgraded()) == (f"{SCALE_SET}/upgrade", {})
    assert told == ["scale set salary: 2 of 2 machines run the release and are ready"]


@pytest.mark.parametrize("machine", [(False, "healthy"), (True, "unhealthy")])
def test_a_machine_that_is_old_or_not_ready_is_waited_for(at, machine):
    with (
        at_fake(at, machines=[(True, "healthy"), machine], upgrades=[("Completed", "")]),
        pytest.raises(UpdateFailed, match="1 of 2 machines run the release and are ready after"),
    ):
        RollingUpgrade().create(upgraded(timeout=0))


def test_an_upgrade_that_fails_says_why(at):
    faulted = [("Faulted", "MaxUnhealthyUpgradedInstancePercentExceeded")]
    with at_fake(at, machines=[(False, "healthy")], upgrades=faulted), pytest.raises(UpdateFailed) as failure:
        RollingUpgrade().create(upgraded())
    assert "the rolling upgrade is faulted: MaxUnhealthyUpgradedInstancePercentExceeded" in str(failure.value)


def test_the_failure_of_an_upgrade_before_is_not_that_of_this_one(at):
    before_and_now = [("Faulted", "old story"), ("RollingForward", ""), ("Completed", "")]
    with at_fake(at, machines=[(True, "healthy")], upgrades=before_and_now):
        RollingUpgrade().create(upgraded())


def test_a_scale_set_that_is_gone_is_gone(at):
    with at_fake(at, exists=False):
        assert RollingUpgrade().read(upgraded(), {}) is None
    with at_fake(at):
        assert RollingUpgrade().read(upgraded(), {"a": 1}) == {"a": 1}
