"""drift, on the local target: what somebody did by hand is told, and nothing is changed by telling."""

from __future__ import annotations

import pytest
from conftest_operations import versions

from bentoship.host import ports

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two_releases")]


def drift(shop, code):
    (found,) = shop.ask("drift", "dev", code=code)["deployments"]
    return found


def test_what_was_deployed_has_not_drifted(second_live):
    shop, _, second = second_live
    found = drift(shop, code=0)
    assert (found["live"], found["answered_by"], found["changes"]) == (second, second[:12], [])


def test_what_was_changed_by_hand_is_named_and_stays_until_it_is_put_right(second_live):
    shop, *_ = second_live
    elsewhere = shop.supervisor.ensure(ports.free_port())
    told = shop.run("drift", "dev", code=1).stdout
    assert "~ local:Traffic traffic (port)" in told
    assert f"{shop.url} does not answer" in told
    assert shop.supervisor.status().url == elsewhere
    shop.run("rollback", "dev", second_live[2])
    assert drift(shop, code=0)["changes"] == []


@pytest.mark.long
def test_another_release_that_answers_is_told(second_live):
    shop, first, second = second_live
    stopped = [release.id for release in shop.supervisor.status().releases]
    unpacked = shop.supervisor.directory / "releases" / second
    intruder = f"{first[:12]}-by-hand"
    shop.supervisor.start(intruder, unpacked, {"BENTOSHIP_RELEASE": first})
    shop.supervisor.route({intruder: 100})
    assert versions(shop) == ["two"]
    found = drift(shop, code=1)
    assert (found["live"], found["answered_by"]) == (second, first[:12])
    assert [(step["operation"], step["name"], step["properties"]) for step in found["changes"]] == [
        ("update", "traffic", ["percent"])
    ]
    shop.run("rollback", "dev", second)
    assert shop.supervisor.status().traffic == {stopped[0]: 100}
    shop.supervisor.stop(intruder)


def test_what_is_gone_is_told_without_starting_it(second_live):
    shop, *_ = second_live
    shop.supervisor.shut_down()
    found = drift(shop, code=1)
    assert {step["operation"] for step in found["changes"]} == {"delete"}
    assert (found["ready"], found["answered_by"]) == (False, None)
    assert shop.supervisor.status() is None
