from __future__ import annotations

import os
import socket

from bentoship.host import ports


def test_a_free_port_can_be_listened_on_and_then_is_no_longer_free():
    port = ports.free_port()
    assert ports.is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not ports.is_free(port)


def test_the_holder_of_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert f"(pid {os.getpid()})" in ports.holder(port)
        assert ports.listens(os.getpid(), port)
    assert ports.holder(port) is None
    assert not ports.listens(os.getpid(), port)


def test_a_url_is_one_that_this_machine_can_reach():
    assert ports.url("0.0.0.0", 80) == "http://127.0.0.1:80"  # noqa: S104
    assert ports.url("::1", 80) == "http://[::1]:80"
    assert ports.url("10.0.0.1", 80) == "http://10.0.0.1:80"
