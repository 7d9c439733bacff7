from __future__ import annotations

import pytest
from pydantic import ValidationError

from bentoship.targets.local import Local


def test_by_default_only_this_machine_reaches_it():
    assert (Local().host, Local().port) == ("127.0.0.1", 3000)


@pytest.mark.parametrize("port", [0, 65536, -1, "http", 1.5])
def test_a_port_is_a_port(port):
    with pytest.raises(ValidationError):
        Local(port=port)
