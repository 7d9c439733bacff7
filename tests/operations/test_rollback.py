"""rollback, on the local target: back to an earlier release, without building anything."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import psutil
import pytest
from conftest_operations import (
    PULUMI,
    CountingEngine,
    Customers,
    OvertakingEngine,
    history,
    live,
    shop_passphrase,
    supervisors,
    versions,
)

from bentoship.host import state

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two_releases")]


def archive(shop, release):
    return shop.root / ".bentoship" / "releases" / f"{release}.zip"


def test_back_without_a_build_and_without_a_lost_request(second_live, tmp_path):
    shop, first, _ = second_live
    counting, before = CountingEngine(tmp_path), history(shop)
    needed_by_builds = {shop.root / name: (shop.root / name).read_bytes() for name in ("service.py", "bentofile.lock")}
    for file in needed_by_builds:
        file.unlink()
    with Customers(shop.url, per_second=50) as customers:
        customers.wait_for("two", 50)
        told = shop.ask("rollback", "dev", PATH=counting.path)
        customers.wait_for("one", 50)
    for file, content in needed_by_builds.items():
        file.write_bytes(content)
    assert customers.failures == []
    (deployed,) = told["deployments"]
    assert (deployed["release"], deployed["url"]) == (first, shop.url)
    assert deployed["gate"] == {"passed": True, "examples": 1}
    *looked, asked = counting.operations()  # it looks where the newest entry is a rollback, which may be half done
    assert " up " in asked
    assert all(" preview " in each for each in looked)
    assert history(shop) == [(first, "rollback", "live"), *before]
    assert len(shop.supervisor.status().releases) == 1
    words = ("-C", "infra", "preview", "-s", "dev-local", "--non-interactive")
    assert "5 unchanged" in shop.run(PULUMI, *words, **shop_passphrase(shop)).stdout


def test_a_release_that_is_live_already_stays_and_the_history_with_it(second_live):
    shop, _, second = second_live
    before = history(shop)
    assert "nothing changed" in shop.run("rollback", "dev", second[:6]).stderr
    assert history(shop) == before


def test_a_release_that_is_not_known_is_told_with_those_that_are(second_live):
    shop, first, second = second_live
    for release, sentence in (
        ("abcdef", f"no kept release begins with abcdef; there are: {second[:12]}, "),
        ("abcdef", first[:12]),
        (first[:5], "give its first 6 digits or more"),
        ("newest", "give its first 6 digits or more"),
    ):
        assert sentence in shop.run("rollback", "dev", release, code=1).stderr


def test_a_release_that_is_not_on_this_machine_is_told_with_its_remedy(second_live):
    shop, first, _ = second_live
    before, file = history(shop), archive(shop, first)
    file.rename(file.with_suffix(".away"))
    assert "`bentoship build`" in shop.run("rollback", "dev", first, code=1).stderr
    file.with_suffix(".away").rename(file)
    assert versions(shop) == ["two"]
    assert history(shop) == before


def test_a_release_with_one_changed_byte_is_refused_and_the_live_one_serves_on(second_live):
    shop, first, _ = second_live
    file = archive(shop, first)
    sealed = file.read_bytes()
    touched = bytearray(sealed)
    touched[1000] ^= 1
    file.chmod(0o644)
    file.write_bytes(touched)
    assert "has sha256" in shop.run("rollback", "dev", first, code=1).stderr
    file.write_bytes(sealed)
    assert versions(shop, 3) == ["two"] * 3
    assert history(shop)[0] == (first, "rollback", "failed")


def test_a_clone_that_knows_only_the_state_goes_back_as_well(second_live):
    shop, first, _ = second_live
    (shop.root / "infra" / "Pulumi.dev-local.yaml").unlink()
    (shop.root / ".bentoship" / "intents" / "dev-local.json").unlink()
    shop.run("rollback", "dev", first)
    assert versions(shop) == ["one"]
    assert live(shop) == first


def test_a_plain_update_of_a_folder_that_was_overtaken_is_refused(second_live):
    shop, first, _ = second_live
    remembered = shop.root / ".bentoship" / "intents" / "dev-local.json"
    of_the_second = remembered.read_text()
    shop.run("rollback", "dev", first)
    after, of_the_first = history(shop), remembered.read_text()
    words = ("-C", "infra", "up", "-s", "dev-local", "--yes", "--non-interactive")
    remembered.write_text(of_the_second)  # as a folder has it that did not go back
    said = shop.run(PULUMI, *words, code=1, **shop_passphrase(shop)).stdout
    assert "dev-local: was changed since the last command that ended here (" in said
    assert "`bentoship up dev`" in said
    assert (versions(shop), history(shop)) == (["one"], after)
    remembered.write_text(of_the_first)
    assert "5 unchanged" in shop.run(PULUMI, *words, **shop_passphrase(shop)).stdout
    assert history(shop) == after


@pytest.mark.long
def test_an_update_that_another_machine_has_overtaken_changes_nothing(second_live, tmp_path):
    shop, first, _ = second_live
    before = history(shop)
    shop.change("three")
    overtaken = OvertakingEngine(shop, tmp_path, "rollback", "dev", first)
    said = shop.run("up", "dev", code=1, PATH=overtaken.path).stderr
    assert "dev-local: was changed by " in said
    assert "run the same command again" in said
    assert versions(shop) == ["one"]
    assert history(shop) == [(first, "rollback", "live"), *before]
    shop.run("up", "dev")
    assert versions(shop) == ["three"]
    third, *others = history(shop)
    assert third[1:] == ("build", "live")
    assert others == [(first, "rollback", "live"), *before]


def beside(state, first):
    return len(state.releases) == 2


def pointed(state, first):
    return any(revision.startswith(first[:12]) for revision in state.traffic)


@pytest.mark.parametrize(
    ("moment", "how", "elsewhere"),
    [
        pytest.param(beside, signal.SIGINT, False, marks=pytest.mark.long),
        pytest.param(pointed, signal.SIGKILL, False, marks=pytest.mark.long),
        pytest.param(pointed, signal.SIGKILL, True, marks=pytest.mark.long),
    ],
)
def test_interrupted_at_any_step_it_is_ended_by_the_same_command(second_live, moment, how, elsewhere):
    shop, first, _ = second_live
    before = history(shop)
    going = shop.start("rollback", "dev")
    while not moment(state.read(shop.supervisor.directory), first) and going.poll() is None:
        time.sleep(0.005)
    engines = psutil.Process(going.pid).children(recursive=True) if elsewhere else []
    for each in engines:  # a machine that is gone takes all with it
        with suppress(psutil.NoSuchProcess):
            each.kill()
    going.send_signal(how)
    going.communicate(timeout=60)
    if elsewhere:  # and another one has none of its files
        for path in (shop.root / ".bentoship" / "intents").iterdir():
            path.unlink()
    shop.run("rollback", "dev")
    assert versions(shop, 3) == ["one"] * 3
    assert [release.ready for release in shop.supervisor.status().releases] == [True]
    assert len(supervisors(shop)) == 1
    assert history(shop) == [(first, "rollback", "live"), *before]


@pytest.mark.long
def test_a_release_comes_back_with_the_variables_that_it_was_live_with(second_live):
    shop, first, second = second_live
    shop.configure(variables={"FACTOR": "2.0"})
    shop.run("up", "dev")
    with_variables = shop.supervisor.status().releases[0].id
    assert with_variables.startswith(second[:12])
    shop.run("rollback", "dev", first)
    (status,) = shop.supervisor.status().releases
    assert status.id.partition("-")[2] != with_variables.partition("-")[2]
    shop.run("rollback", "dev", second)
    assert [status.id for status in shop.supervisor.status().releases] == [with_variables]


@pytest.mark.long
def test_where_there_is_nothing_to_go_back_to_nothing_is_changed(shop):
    assert "is not up" in shop.run("rollback", "dev", code=1).stderr
    assert not (shop.root / "infra" / "Pulumi.dev-local.yaml").exists()
    shop.run("up", "dev")
    assert "no earlier release is kept" in shop.run("rollback", "dev", code=1).stderr
    assert versions(shop) == ["one"]
