"""promote, on the local target: the same bytes, or a refusal with its reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest_operations import live

from bentoship.deployment import Gated
from bentoship.host import ports
from bentoship.host.control import Supervisor
from bentoship.ledger import Entry
from bentoship.operations import promote

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two_releases")]


def test_what_is_live_goes_elsewhere_unchanged_and_is_refused_with_every_reason_against_it(second_live):
    shop, _, second = second_live
    port = ports.free_port()

    def staging(**keys):
        content = {"deployments": {"local": {"target": "local", "port": port}}, **keys}
        (shop.root / "environments" / "staging.yaml").write_text(json.dumps(content))

    staging(soak="1d")
    assert "`soak` asks for 86400 s" in shop.run("promote", "dev", "staging", code=1).stderr
    staging()
    assert "staging-local: is not up" in shop.run("promote", "staging", "dev", code=1).stderr
    assert "can't be promoted to itself" in shop.run("promote", "dev", "dev", code=1).stderr

    archive = shop.root / ".bentoship" / "releases" / f"{second}.zip"
    sealed = archive.read_bytes()
    touched = bytearray(sealed)
    touched[1000] ^= 1
    archive.chmod(0o644)
    archive.write_bytes(touched)
    assert "has sha256" in shop.run("promote", "dev", "staging", code=1).stderr
    archive.write_bytes(sealed)

    source = (shop.root / "service.py").read_bytes()
    (shop.root / "service.py").unlink()  # whoever builds needs it
    try:
        (deployed,) = shop.ask("promote", "dev", "staging")["deployments"]
        assert (deployed["release"], deployed["gate"]["passed"]) == (second, True)
        answer = httpx.post(f"http://127.0.0.1:{port}/double", json={"number": 2})
        assert answer.json()["version"] == "two"
        (entry,) = shop.ask("history", "staging")["deployments"][0]["history"]
        assert (entry["release"], entry["source"]) == (second, "promotion from dev")
        assert (entry["gate"]["passed"], entry["versions"]["bentoml"]) == (True, "1.4.39")
        assert live(shop) == second
        told = shop.ask("parity", "dev", "staging", "--times", "3")
        assert (told["agree"], told["requests"]) == (True, 1)
        assert [(each["name"], each["releases"]) for each in told["places"]] == [
            ("dev-local", [second[:12]]),
            ("staging-local", [second[:12]]),
        ]
        assert [each["statuses"] for each in told["places"]] == [{"200": 3}] * 2
    finally:
        (shop.root / "service.py").write_bytes(source)
        Supervisor(shop.root / ".bentoship" / "local" / "staging-local").shut_down()


GATED = Gated(at="2026-11-21T10:00:00+00:00", passed=True, asked=1, met=1)


@pytest.mark.parametrize(
    ("gate", "seconds", "fault"),
    [
        (GATED, {"live": 3.0}, None),
        (None, {}, None),  # an earlier version wrote no more than that it is live
        (None, {"live": 3.0}, "without a gate"),
        (GATED.model_copy(update={"passed": False, "met": 0}), {"live": 3.0}, "met 0 of 1 golden examples"),
    ],
)
def test_what_the_record_says_of_the_gate_decides(gate, seconds, fault):
    entry = Entry(release=64 * "0", at="2026-11-21T10:00:00+00:00", by="anna@here", gate=gate, seconds=seconds)
    problems = promote._against_record("dev-local", entry, soak=0)
    assert [fault in problem.fault for problem in problems] == ([True] if fault else [])


@pytest.mark.parametrize(("canary", "faults"), [(3590.0, 1), (60.0, 0)])
def test_a_canary_is_no_part_of_the_time_for_which_a_release_has_been_live(canary, faults):
    begun = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    entry = Entry(release=64 * "0", at=begun, by="anna@here", gate=GATED, seconds={"live": 3.0, "canary": canary})
    assert len(promote._against_record("dev-local", entry, soak=600)) == faults
