"""What a rehearsed cloud does when machines go wrong, seen from outside: who answers, and what runs."""

from __future__ import annotations

import httpx
import pytest
from stage import until, who

from bentoship.errors import UpdateFailed
from bentoship.rehearsal import faults
from bentoship.rehearsal.hosts import control
from bentoship.rehearsal.world import VARIABLE, main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def instances(stage):
    return {item.id for item in stage.world("aws").every() if item.short_type == "ec2.Instance"}


def answers(url):
    try:
        return httpx.post(f"{url}/predict", json={}, trust_env=False, timeout=30).status_code
    except httpx.TransportError:
        return None


@pytest.mark.long
def test_a_group_replaces_a_machine_that_dies_and_its_load_balancer_sends_nothing_there(stage):
    release = stage.release("one")
    stage.arm("machine = dies")
    url = stage.deploy("fleet", release).url
    # One of the first two machines died once it was ready; the refresh waited until two were in service.
    assert faults.left(stage.world("aws")) == ()
    until(lambda: len(instances(stage)) == 2 and len(stage.machines()) == 2)
    assert {answers(url) for _ in range(20)} == {200}
    assert who(url) == release.short


@pytest.mark.long
def test_a_new_release_whose_machine_hangs_is_gone_back_from(stage):
    one, two = stage.release("one"), stage.release("two")
    url = stage.deploy("fleet", one).url
    stage.arm("machine = hangs")
    with pytest.raises(UpdateFailed, match=r"AWS went back to the old machines: instance i-.* is not healthy"):
        stage.deploy("fleet", two)
    assert {who(url) for _ in range(10)} == {one.short}
    stage.deploy("fleet", two)
    assert {who(url) for _ in range(10)} == {two.short}


@pytest.mark.long
def test_a_role_that_takes_its_time_is_waited_for_and_a_machine_deleted_by_hand_is_made_anew(stage, monkeypatch):
    stage.arm("GetObject = permission * 3")
    release = stage.release("one")
    url = stage.deploy("machine", release).url
    (machine,) = stage.machines().values()
    assert sum("not yet: " in line and "403" in line for line in machine["console"]) == 3
    assert answers(url) == 200
    (instance,) = instances(stage)
    monkeypatch.setenv(VARIABLE, str(stage.world("aws").folder.parent))
    assert main(["aws", "delete", instance]) == f"{instance} is gone"
    assert stage.machines() == {}
    assert answers(url) != 200
    assert who(stage.deploy("machine", release).url) == release.short


@pytest.mark.long
def test_machines_come_back_after_the_process_that_runs_them_was_ended(stage):
    release = stage.release("one")
    fleet, beanstalk = stage.deploy("fleet", release).url, stage.deploy("beanstalk", release).url
    control.end(stage.project.home)
    assert answers(fleet) is None
    # Any command of a rehearsal starts it anew; this one finds nothing to change.
    assert not stage.deploy("fleet", release).changes
    until(lambda: answers(fleet) == 200 and answers(beanstalk) == 200)
    assert who(beanstalk) == release.short


@pytest.mark.long
def test_a_machine_that_answers_wrongly_or_late_does_so_at_the_address_of_the_deployment(stage):
    stage.arm("machine = wrong")
    one = stage.release("one")
    with pytest.raises(UpdateFailed, match="answered 500"):
        stage.deploy("beanstalk", one)
    # The machine stays as it is; the next deployment replaces it.
    stage.arm("machine = slow 0.3")
    two = stage.release("two")
    assert who(stage.deploy("beanstalk", two).url) == two.short
