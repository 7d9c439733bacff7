from __future__ import annotations

import subprocess

import pytest

from bentoship.deployment import Example
from bentoship.operations.curl import curl_line
from fake_service import FakeService, as_json

ASKED = Example(path="/predict", body={"name": "O'Hara"}, answer=1)


@pytest.mark.parametrize("token", ["", "the-token-0123456789"])
def test_the_line_asks_what_the_gate_asked_and_never_spells_the_token(monkeypatch, token):
    monkeypatch.setenv("BENTOSHIP_TOKEN", token)
    with FakeService(reply=lambda _path, _body: as_json(1), token=token) as service:
        line = curl_line(service.url, [ASKED])
        assert subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout == "1"
        assert service.asked == [("/predict", {"name": "O'Hara"})]
    assert not token or token not in line
