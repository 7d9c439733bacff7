"""Several processes, and what is lost when one is killed or all are ended: nothing that can be helped."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

import httpx
import psutil
import pytest
from launched import PATIENCE, Served, serving

CLIENTS = 8


class Load(threading.Thread):
    """A client that asks without pause, on one connection while it is kept, until nobody listens any more."""

    def __init__(self, served: Served) -> None:
        super().__init__(daemon=True)
        self.served = served
        self.outcomes: Counter[str] = Counter()
        self.stop = threading.Event()
        self.started = threading.Event()

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            while not self.stop.is_set():
                outcome = self.ask(client)
                self.outcomes[outcome] += 1
                self.started.set()
                if outcome == "refused":
                    return

    def ask(self, client: httpx.Client) -> str:
        try:
            return str(client.post(f"{self.served.url}/double", json={"number": 1}).status_code)
        except httpx.ConnectError:
            return "refused"
        except httpx.TransportError as error:
            return repr(error)


def loads(served: Served) -> list[Load]:
    clients = [Load(served) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        assert client.started.wait(PATIENCE)
    return clients


def outcomes(clients: list[Load]) -> Counter[str]:
    for client in clients:
        client.join(PATIENCE)
    return sum((client.outcomes for client in clients), Counter())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_under_load_loses_no_request(unpacked, tmp_path, workers) -> None:
    with serving(unpacked, tmp_path / "state", SERVING_WORKERS=workers) as served:
        clients = loads(served)
        served.process.send_signal(signal.SIGTERM)
        seen = outcomes(clients)
        assert served.process.wait(PATIENCE) == 0
    assert seen.keys() == {"200", "refused"}
    assert seen["refused"] == CLIENTS


def test_a_process_that_is_killed_costs_its_own_requests_and_is_back(unpacked, tmp_path) -> None:
    with serving(unpacked, tmp_path / "state", SERVING_WORKERS="2") as served:
        before = processes(served)
        assert len(before) == 2
        clients = loads(served)
        os.kill(before[0], signal.SIGKILL)
        while len(now := processes(served)) < 2 or set(now) == set(before):
            assert served.get("/readyz").status_code == 200
        for client in clients:
            client.stop.set()
        seen = outcomes(clients)
        assert answering(served, set(now)) == set(now)
        assert "another one is started" in served.log.read_text()
        metrics = served.get("/metrics").text
    lost = seen.total() - seen["200"]
    assert lost <= CLIENTS
    assert 'endpoint="/double"' in metrics


def test_processes_end_with_the_one_that_looks_after_them(unpacked, tmp_path) -> None:
    with serving(unpacked, tmp_path / "state", SERVING_WORKERS="2") as served:
        children = psutil.Process(served.process.pid).children()
        served.process.kill()
        _, alive = psutil.wait_procs(children, timeout=PATIENCE)
        assert not alive


def processes(served: Served) -> list[int]:
    return [process.pid for process in psutil.Process(served.process.pid).children()]


def answering(served: Served, wanted: set[int]) -> set[int]:
    """The ids of the processes that answer, asked until all of `wanted` have done so."""
    seen: set[int] = set()
    while seen != wanted:
        seen.add(served.post("/double", {"number": -1}).json()["process"])
    return seen
