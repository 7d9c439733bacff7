"""What a release keeps of what it was asked, and how it bears too much: `make bench-endurance`. Needs wrk, on Linux.

Memory: after many requests, after as many unknown URLs, and with idle connections, in parts of what it was after a
short while. Overload: a forest, whose endpoint takes eight requests at once, is first asked by eight who wait for their
answers; then three times as many requests as it answered come in a second, whether or not there are answers.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp

from run import BODY, Contender, begin, contenders, fire, prepared, stop

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "500000"))
URLS = int(os.environ.get("BENCH_URLS", "100000"))
IDLE = 1000
AT_ONCE = 8
TIMES = 3
SECONDS = 10
UNKNOWN = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "/nothing/%s/" .. number)
end
done = function(summary, latency, requests)
  io.write(string.format("found %%d %%d %%f %%f %%d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


def main() -> None:
    with prepared() as (common, folder):
        with serving("linear", common, folder) as one:
            keep(one, folder)
        with serving("forest", {**common, "SERVING_MAX_CONCURRENCY": str(AT_ONCE)}, folder) as one:
            overload(one)


@contextmanager
def serving(model: str, common: dict[str, str], folder: Path):
    """Our runtime with a model, warm."""
    (one,) = (each for each in contenders(model, common, folder) if each.name == "this runtime")
    try:
        begin(one)
        fire(one, one.script, AT_ONCE, SECONDS)
        yield one
    finally:
        stop(one)


def keep(one: Contender, folder: Path) -> None:
    """What it keeps in memory of what it has done."""
    first = one.megabytes()
    print(f"memory: {first:.1f} MB after {SECONDS} s", flush=True)
    asked = 0
    while asked < REQUESTS:
        asked += fire(one, one.script, 16, SECONDS).requests
    tell(one, first, f"{asked} requests")
    before, script, seen = one.megabytes(), folder / "unknown.lua", 0
    while seen < URLS:
        script.write_text(UNKNOWN % seen)
        seen += fire(one, script, 16, SECONDS).requests
    tell(one, before, f"{seen} unknown URLs")
    before = one.megabytes()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        for _ in range(IDLE):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", one.port)))
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n")
            idle.recv(4096)
        tell(one, before, f"{IDLE} idle connections")


def tell(one: Contender, before: float, after: str) -> None:
    print(f"memory: {one.megabytes():.1f} MB, {one.megabytes() / before - 1:+.1%}, after {after}", flush=True)


def overload(one: Contender) -> None:
    """How long those wait that are let in, and those that are turned away, when too many come."""
    usual = fire(one, one.script, AT_ONCE, SECONDS)
    capacity = usual.requests / usual.seconds
    print(f"capacity: {capacity:.0f} requests/s, p99 {usual.p99:.1f} ms, {AT_ONCE} at once")
    waited = asyncio.run(come(one, TIMES * capacity))
    for status, seconds in sorted(waited.items()):
        p50, p99 = (statistics.quantiles(seconds, n=100)[at] * 1000 for at in (49, 98))
        ratio = f", {p99 / usual.p99:.2f} of the p99 at capacity" if status == 200 else ""
        print(f"{TIMES} times as many: {len(seconds)} answers {status}, p50 {p50:.1f} ms, p99 {p99:.1f} ms{ratio}")


async def come(one: Contender, per_second: float) -> dict[int, list[float]]:
    """Seconds until the answer by its status, of requests that come evenly."""
    waited: dict[int, list[float]] = {}
    connector, headers = aiohttp.TCPConnector(limit=0), {"content-type": "application/json"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{one.port}", connector=connector, headers=headers) as session:

        async def ask() -> None:
            since = time.monotonic()
            async with session.post("/predict", data=BODY) as answer:
                await answer.read()
            waited.setdefault(answer.status, []).append(time.monotonic() - since)

        begun, asking = time.monotonic(), []
        for number in range(int(per_second * SECONDS)):
            await asyncio.sleep(max(0.0, begun + number / per_second - time.monotonic()))
            asking.append(asyncio.create_task(ask()))
        await asyncio.gather(*asking)
    return waited


if __name__ == "__main__":
    sys.exit(main())
