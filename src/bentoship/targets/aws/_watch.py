"""Alarms, and one page that shows what they watch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from ...deployment import ReleaseRef
from ._fields import AwsTarget
from ._shared import Place

MINUTE = 60
_HEAD = 2
"""Height of the line that names the release, in CloudWatch's units."""


@dataclass(frozen=True)
class Metric:
    """One number that CloudWatch has, minute by minute."""

    namespace: str
    name: str
    statistic: str
    """Sum, Average, Maximum …, or a percentile such as p99."""
    dimensions: Mapping[str, pulumi.Input[str]]


def alarm(
    place: Place, target: AwsTarget, what: str, meaning: str, metric: Metric, threshold: float, minutes: int
) -> aws.cloudwatch.MetricAlarm:
    """An alarm that goes off when `metric` has been above `threshold` in each of the last `minutes`.

    No data is no alarm: a service that nobody asks is well.
    """
    percentile = metric.statistic.startswith("p")
    return aws.cloudwatch.MetricAlarm(
        f"{place.name}-{what}",
        alarm_description=meaning,
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=metric.dimensions,
        statistic=None if percentile else metric.statistic,
        extended_statistic=metric.statistic if percentile else None,
        comparison_operator="GreaterThanThreshold",
        threshold=threshold,
        period=MINUTE,
        evaluation_periods=minutes,
        treat_missing_data="notBreaching",
        alarm_actions=[target.alarm_topic] if target.alarm_topic else None,
        ok_actions=[target.alarm_topic] if target.alarm_topic else None,
        opts=place.options(),
    )


def dashboard(place: Place, release: ReleaseRef, metrics: Mapping[str, Metric]) -> aws.cloudwatch.Dashboard:
    """One page in CloudWatch that names the release, with a graph for each of `metrics`, by title."""
    body = pulumi.Output.all(*[pulumi.Output.from_input(dict(metric.dimensions)) for metric in metrics.values()]).apply(
        lambda dimensions: _page(place.region, release, list(metrics.items()), dimensions)
    )
    return aws.cloudwatch.Dashboard(place.name, dashboard_name=place.name, dashboard_body=body, opts=place.options())


def _page(
    region: str,
    release: ReleaseRef,
    metrics: Sequence[tuple[str, Metric]],
    dimensions: Sequence[Mapping[str, str]],
) -> str:
    live = f"**{release.bento}**, release `{release.short}` ({release.id})"
    head = {"x": 0, "y": 0, "width": 24, "height": _HEAD}
    widgets: list[dict[str, Any]] = [{"type": "text", **head, "properties": {"markdown": live}}]
    for number, ((title, metric), known) in enumerate(zip(metrics, dimensions, strict=True)):
        words = [word for pair in sorted(known.items()) for word in pair]
        graph = {
            "title": title,
            "region": region,
            "view": "timeSeries",
            "stat": metric.statistic,
            "period": MINUTE,
            "metrics": [[metric.namespace, metric.name, *words]],
        }
        place = {"x": 12 * (number % 2), "y": _HEAD + 6 * (number // 2), "width": 12, "height": 6}
        widgets.append({"type": "metric", **place, "properties": graph})
    return json.dumps({"widgets": widgets}, sort_keys=True)
