"""promote, on the local target: the same bytes, or a refusal with its reason."""

from __future__ import annotations

import json

import httpx
import pytest
from conftest_operations import live

from bentoship.host import ports
from bentoship.host.control import Supervisor

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
        assert live(shop) == second
    finally:
        (shop.root / "service.py").write_bytes(source)
        Supervisor(shop.root / ".bentoship" / "local" / "staging-local").shut_down()
