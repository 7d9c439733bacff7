"""Prometheus metrics by route and release, under BentoML's own names; never by raw path, of which there is no end."""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.context import server_context

OTHER = "other"
"""The route of every request to a path that is none of the service's."""
_NAMESPACE = "bentoml_service"


class Metrics:
    """What this process has answered. The files behind it are shared with the other processes of the release."""

    def __init__(self) -> None:
        client: Any = BentoMLContainer.metrics_client.get()
        common = ["endpoint", "service_name", "service_version", "runner_name"]
        self._total = client.Counter(
            namespace=_NAMESPACE,
            name="request_total",
            documentation="Requests answered",
            labelnames=[*common, "http_response_code"],
        )
        self._duration = client.Histogram(
            namespace=_NAMESPACE,
            name="request_duration_seconds",
            documentation="Seconds from the first to the last byte of a request",
            labelnames=[*common, "http_response_code"],
            buckets=BentoMLContainer.duration_buckets.get(),
        )
        self._in_progress = client.Gauge(
            namespace=_NAMESPACE,
            name="request_in_progress",
            documentation="Requests in progress, looked at once a second",
            labelnames=["service_name", "service_version"],
            multiprocess_mode="livesum",
        ).labels(server_context.bento_name, server_context.bento_version)
        self._bounds: tuple[float, ...] = tuple(BentoMLContainer.duration_buckets.get())
        self._tallies: dict[tuple[str, int], _Tally] = {}

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count a request to `route` that was answered with `status` after `seconds`."""
        tally = self._tallies.get((route, status))
        if tally is None:
            labels = self._labels(route, status)
            child = self._duration.labels(*labels)
            tally = _Tally(self._total.labels(*labels), child, [0] * len(child._buckets))  # noqa: SLF001 -- see _Tally
            self._tallies[route, status] = tally
        tally.buckets[bisect_left(self._bounds, seconds)] += 1
        tally.seconds += seconds

    def set_in_progress(self, count: int) -> None:
        """Say how many requests are being answered."""
        self._in_progress.set(count)

    def publish(self) -> None:
        """Write what has been counted since the last time to where it is read from."""
        for tally in self._tallies.values():
            tally.publish()

    @staticmethod
    def _labels(route: str, status: int) -> tuple[str, ...]:
        context = server_context
        return route, context.bento_name, context.bento_version, context.service_name or "", str(status)


@dataclass(slots=True)
class _Tally:
    """Requests of one route and status since they were last published.

    A histogram's own `observe` finds its bucket one by one and writes to a file twice, which costs 3 microseconds a
    request. What comes together in a second is written at once; prometheus_client has no public word for that.
    """

    total: Any
    duration: Any
    buckets: list[int]
    seconds: float = 0.0

    def publish(self) -> None:
        count = sum(self.buckets)
        if not count:
            return
        for number, bucket in zip(self.buckets, self.duration._buckets, strict=True):  # noqa: SLF001
            if number:
                bucket.inc(number)
        self.duration._sum.inc(self.seconds)  # noqa: SLF001
        self.total.inc(count)
        self.buckets, self.seconds = [0] * len(self.buckets), 0.0


def forget(process: int) -> None:
    """Remove what a process that is gone has left of figures that are those of living ones."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client import multiprocess  # noqa: PLC0415 -- reads that variable

        reaper: Any = multiprocess
        reaper.mark_process_dead(process)


def is_enabled() -> bool:
    """Whether the service wants metrics at all."""
    return bool(BentoMLContainer.api_server_config.metrics.enabled.get())
