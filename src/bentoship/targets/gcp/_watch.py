"""What is watched: the same few figures on each target, as alerts, as a dashboard, and by an uptime check.

Names of metrics and their labels: "Google Cloud metrics", Cloud Monitoring documentation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_gcp as gcp

from ...deployment import ReleaseRef
from ._fields import GcpTarget
from ._shared import Place
from .app_engine import AppEngine

MINUTE = 60
ERRORS_A_MINUTE = 10
"""How many answers with 5xx a minute, two minutes long, are an alert."""
_MILLISECONDS = 1000
_RESOLVED_AFTER = 30 * MINUTE


@dataclass(frozen=True)
class Alert:
    """When a figure is an alert."""

    name: str
    above: float
    minutes: int
    meaning: str


@dataclass(frozen=True)
class Figure:
    """One number that Cloud Monitoring has, minute by minute."""

    title: str
    metric: str
    of: str
    """Which series: the rest of a filter, such as `resource.type="gae_app"`."""
    each: str
    """How a minute of one series becomes a number, such as ALIGN_RATE."""
    together: str = "REDUCE_SUM"
    """How many series become one."""
    by: tuple[str, ...] = ()
    """Labels that stay apart."""
    alert: Alert | None = None

    @property
    def filter(self) -> str:
        """The filter as the API takes it."""
        return f'metric.type="{self.metric}" AND {self.of}'


@dataclass(frozen=True)
class Figures:
    """What one target shows, and how it is asked from outside."""

    shown: Sequence[Figure]
    port: int = 443
    secure: bool = True
    more: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    """Names that are known only once they exist; figures have them in braces: `{group}`."""


def app_engine_figures(target: AppEngine, service: str) -> Figures:
    """Requests, errors, latency and instances of a service of App Engine; its versions are its releases."""
    of = f'resource.type="gae_app" AND resource.labels.module_id="{service}"'
    http, system = "appengine.googleapis.com/http/server", "appengine.googleapis.com/system"
    version = ("resource.labels.version_id",)
    if target.flavour == "standard":
        running = Figure("Instances, by release", f"{system}/instance_count", of, "ALIGN_MEAN", by=version)
    else:
        used = "appengine.googleapis.com/flex/cpu/utilization"
        running = Figure("CPU utilisation, by release", used, of, "ALIGN_MEAN", "REDUCE_MEAN", version)
    return Figures(
        (
            Figure("Requests a second, by release", f"{http}/response_count", of, "ALIGN_RATE", by=version),
            _errors(f"{http}/response_count", f"{of} AND metric.labels.response_code>=500"),
            _latency(f"{http}/response_latencies", of, target),
            running,
        )
    )


def balanced_figures(target: GcpTarget, url_map: pulumi.Input[str], group: pulumi.Input[str], port: int) -> Figures:
    """Requests, errors and latency at the load balancer, and the machines of its group."""
    of = 'resource.type="https_lb_rule" AND resource.labels.url_map_name="{url_map}"'
    http = "loadbalancing.googleapis.com/https"
    size = 'resource.type="instance_group" AND resource.labels.instance_group_name="{group}"'
    return Figures(
        (
            Figure("Requests a second", f"{http}/request_count", of, "ALIGN_RATE"),
            _errors(f"{http}/request_count", f"{of} AND metric.labels.response_code_class=500"),
            _latency(f"{http}/total_latencies", of, target),
            Figure("Instances", "compute.googleapis.com/instance_group/size", size, "ALIGN_MEAN"),
        ),
        port=port,
        secure=port == 443,  # noqa: PLR2004 - the port of HTTPS
        more={"url_map": url_map, "group": group},
    )


def machine_figures(machine: pulumi.Input[str], port: int) -> Figures:
    """One machine. Nothing in front of it counts requests, so errors and latency are those of the uptime check."""
    of = 'resource.type="gce_instance" AND resource.labels.instance_id="{machine}"'
    compute = "compute.googleapis.com/instance"
    return Figures(
        (
            Figure("CPU utilisation", f"{compute}/cpu/utilization", of, "ALIGN_MEAN", "REDUCE_MEAN"),
            Figure("Seconds since its start", f"{compute}/uptime_total", of, "ALIGN_MAX", "REDUCE_MAX"),
        ),
        port=port,
        secure=False,
        more={"machine": machine},
    )


def watch(
    place: Place, target: GcpTarget, release: ReleaseRef, host: pulumi.Input[str], figures: Figures
) -> gcp.monitoring.Dashboard:
    """A check from outside, an alert for each figure that has one, and one page that shows them and the release."""
    check = _uptime_check(place, host, figures)
    outside = 'resource.type="uptime_url" AND metric.labels.check_id="{check}"'
    asked = "monitoring.googleapis.com/uptime_check"
    gone = Alert("gone", 1, 1, "The service does not answer from outside")
    shown = [
        *figures.shown,
        Figure("Failed checks", f"{asked}/check_passed", outside, "ALIGN_NEXT_OLDER", "REDUCE_COUNT_FALSE", alert=gone),
        Figure("Slowest check, ms", f"{asked}/request_latency", outside, "ALIGN_MAX", "REDUCE_MAX"),
    ]
    names = pulumi.Output.all(check=check.uptime_check_id, **figures.more)
    for figure in shown:
        if figure.alert:
            _alert(place, target, figure, figure.alert, names)
    page = names.apply(lambda known: _page(place.name, release, shown, known))
    return gcp.monitoring.Dashboard(place.name, dashboard_json=page, opts=place.options())


def _errors(metric: str, of: str) -> Figure:
    alert = Alert("errors", ERRORS_A_MINUTE, 2, "The service answers with 5xx")
    return Figure("Errors a minute", metric, of, "ALIGN_DELTA", alert=alert)


def _latency(metric: str, of: str, target: GcpTarget) -> Figure:
    alert = Alert("slow", target.latency_alert_seconds * _MILLISECONDS, 5, "The slowest 1 % of requests take too long")
    return Figure("Slowest 1 % of requests, ms", metric, of, "ALIGN_PERCENTILE_99", "REDUCE_MAX", alert=alert)


def _uptime_check(place: Place, host: pulumi.Input[str], figures: Figures) -> gcp.monitoring.UptimeCheckConfig:
    monitoring = gcp.monitoring
    return monitoring.UptimeCheckConfig(
        place.name,
        display_name=place.name,
        period=f"{MINUTE}s",
        timeout="10s",
        http_check=monitoring.UptimeCheckConfigHttpCheckArgs(
            path="/readyz", port=figures.port, use_ssl=figures.secure, validate_ssl=figures.secure
        ),
        monitored_resource=monitoring.UptimeCheckConfigMonitoredResourceArgs(
            type="uptime_url", labels={"project_id": place.project, "host": host}
        ),
        user_labels=dict(place.labels),
        opts=place.options(),
    )


def _alert(
    place: Place, target: GcpTarget, figure: Figure, alert: Alert, names: pulumi.Output[dict[str, str]]
) -> gcp.monitoring.AlertPolicy:
    """A policy that is an incident when the figure has been above its threshold for so many minutes.

    No data is no incident: a service that nobody asks is well.
    """
    monitoring = gcp.monitoring
    return monitoring.AlertPolicy(
        f"{place.name}-{alert.name}",
        display_name=f"{place.name}: {alert.meaning}",
        combiner="OR",
        conditions=[
            monitoring.AlertPolicyConditionArgs(
                display_name=alert.meaning,
                condition_threshold=monitoring.AlertPolicyConditionConditionThresholdArgs(
                    filter=names.apply(figure.filter.format_map),
                    comparison="COMPARISON_GT",
                    threshold_value=alert.above,
                    duration=f"{MINUTE * alert.minutes}s",
                    aggregations=[
                        monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                            alignment_period=f"{MINUTE}s",
                            per_series_aligner=figure.each,
                            cross_series_reducer=figure.together,
                        )
                    ],
                ),
            )
        ],
        alert_strategy=monitoring.AlertPolicyAlertStrategyArgs(auto_close=f"{_RESOLVED_AFTER}s"),
        documentation=monitoring.AlertPolicyDocumentationArgs(
            content=f"{alert.meaning}. The dashboard {place.name} shows since when.", mime_type="text/markdown"
        ),
        notification_channels=[target.notification_channel] if target.notification_channel else None,
        user_labels=dict(place.labels),
        opts=place.options(),
    )


def _page(name: str, release: ReleaseRef, figures: Sequence[Figure], names: dict[str, str]) -> str:
    live = f"**{release.bento}**, release `{release.short}` ({release.id})"
    widgets = [{"title": "Release", "text": {"content": live, "format": "MARKDOWN"}}]
    widgets += [_graph(figure, names) for figure in figures]
    return json.dumps({"displayName": name, "gridLayout": {"columns": "2", "widgets": widgets}}, sort_keys=True)


def _graph(figure: Figure, names: dict[str, str]) -> dict[str, Any]:
    aggregation: dict[str, Any] = {
        "alignmentPeriod": f"{MINUTE}s",
        "perSeriesAligner": figure.each,
        "crossSeriesReducer": figure.together,
    }
    if figure.by:
        aggregation["groupByFields"] = list(figure.by)
    series = {"timeSeriesFilter": {"filter": figure.filter.format_map(names), "aggregation": aggregation}}
    return {"title": figure.title, "xyChart": {"dataSets": [{"plotType": "LINE", "timeSeriesQuery": series}]}}
