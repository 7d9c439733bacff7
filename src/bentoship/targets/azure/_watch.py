"""Logs, alerts, and one page that shows what they watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi_azure_native as azure

from ...deployment import ReleaseRef
from ._fields import AzureTarget
from ._shared import Place

if TYPE_CHECKING:
    import pulumi

BUSY_PERCENT, IDLE_PERCENT = 60, 30
"""The CPU above which an instance is added, and below which one goes."""
_KINDS = {"Total": 1, "Average": 4}
"""How the portal writes an aggregation (Microsoft.Portal, MonitorChartPart)."""


@dataclass(frozen=True)
class Metric:
    """One number that Azure Monitor has of one resource, minute by minute."""

    resource: pulumi.Input[str]
    space: str
    """Namespace: the resource's type."""
    name: str
    aggregation: str
    """Total or Average."""


def workspace(place: Place, days: int) -> azure.operationalinsights.Workspace:
    """Where logs go, and stay for so many days."""
    return azure.operationalinsights.Workspace(
        place.name,
        sku=azure.operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
        retention_in_days=days,
        **place.here,
        opts=place.options(),
    )


def log(place: Place, what: str, resource: pulumi.Input[str], to: pulumi.Input[str], logs: Sequence[str]) -> None:
    """Send the categories `logs` of a resource to the workspace `to`."""
    azure.monitor.DiagnosticSetting(
        f"{place.name}-{what}",
        name="bentoship",
        resource_uri=resource,
        workspace_id=to,
        logs=[azure.monitor.DiagnosticsLogSettingsArgs(category=name, enabled=True) for name in logs],
        opts=place.options(),
    )


def alert(
    place: Place,
    target: AzureTarget,
    what: str,
    meaning: str,
    metric: Metric,
    threshold: float,
    minutes: int,
    *,
    below: bool = False,
) -> None:
    """An alert that goes off when `metric` of the last `minutes` (1, 5, 15 or 30) is above or below `threshold`."""
    criterion = azure.monitor.MetricCriteriaArgs(
        criterion_type="StaticThresholdCriterion",
        name=what,
        metric_namespace=metric.space,
        metric_name=metric.name,
        time_aggregation=metric.aggregation,
        operator="LessThan" if below else "GreaterThan",
        threshold=threshold,
        # What nobody has asked yet has no such metric, and its alert could not be made.
        skip_metric_validation=True,
    )
    azure.monitor.MetricAlert(
        f"{place.name}-{what}",
        description=meaning,
        enabled=True,
        severity=2,
        scopes=[metric.resource],
        evaluation_frequency="PT1M",
        window_size=f"PT{minutes}M",
        criteria=azure.monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
            odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", all_of=[criterion]
        ),
        actions=[azure.monitor.MetricAlertActionArgs(action_group_id=target.action_group)]
        if target.action_group
        else None,
        # A rule watches from everywhere: its location is global.
        **{**place.here, "location": "global"},
        opts=place.options(),
    )


def dashboard(place: Place, release: ReleaseRef, metrics: Mapping[str, Metric]) -> None:
    """One page in the portal: which release is meant to be live, and a graph for each of `metrics`, by title."""
    parts = [_note(f"## {place.name}\n\nrelease **{release.short}** of {release.bento}"), *map(_graph, metrics.items())]
    azure.portal.Dashboard(
        place.name,
        properties=azure.portal.DashboardPropertiesWithProvisioningStateArgs(
            lenses=[
                azure.portal.DashboardLensArgs(
                    order=0, parts=[_placed(number, part) for number, part in enumerate(parts)]
                )
            ]
        ),
        **{**place.here, "tags": {**place.tags, "hidden-title": place.name}},
        opts=place.options(),
    )


def scale_by_cpu(
    place: Place, resource: pulumi.Input[str], busy: Metric, least: int, most: int
) -> azure.monitor.AutoscaleSetting:
    """Between `least` and `most` instances of `resource`, by the metric of its CPU; one more or fewer at a time."""
    capacity = azure.monitor.ScaleCapacityArgs(minimum=str(least), maximum=str(most), default=str(least))
    profile = azure.monitor.AutoscaleProfileArgs(
        name="cpu",
        capacity=capacity,
        rules=[
            _scaling(busy, "GreaterThan", BUSY_PERCENT, "Increase", 5),
            _scaling(busy, "LessThan", IDLE_PERCENT, "Decrease", 10),
        ],
    )
    return azure.monitor.AutoscaleSetting(
        place.name,
        target_resource_uri=resource,
        # It would be off by default.
        enabled=True,
        profiles=[profile],
        **place.here,
        opts=place.options(),
    )


def _scaling(busy: Metric, operator: str, threshold: int, direction: str, cooldown: int) -> azure.monitor.ScaleRuleArgs:
    trigger = azure.monitor.MetricTriggerArgs(
        metric_name=busy.name,
        metric_namespace=busy.space,
        metric_resource_uri=busy.resource,
        time_grain="PT1M",
        statistic="Average",
        time_window="PT5M",
        time_aggregation="Average",
        operator=operator,
        threshold=threshold,
    )
    action = azure.monitor.ScaleActionArgs(
        direction=direction, type="ChangeCount", value="1", cooldown=f"PT{cooldown}M"
    )
    return azure.monitor.ScaleRuleArgs(metric_trigger=trigger, scale_action=action)


def _placed(number: int, metadata: azure.portal.DashboardPartMetadataArgs) -> azure.portal.DashboardPartsArgs:
    place = azure.portal.DashboardPartsPositionArgs(x=6 * (number % 2), y=4 * (number // 2), col_span=6, row_span=4)
    return azure.portal.DashboardPartsArgs(position=place, metadata=metadata)


def _note(text: str) -> azure.portal.DashboardPartMetadataArgs:
    return azure.portal.DashboardPartMetadataArgs(
        type="Extension/HubsExtension/PartType/MarkdownPart",
        inputs=[],
        settings={"content": {"settings": {"content": text, "title": "", "subtitle": ""}}},
    )


def _graph(titled: tuple[str, Metric]) -> azure.portal.DashboardPartMetadataArgs:
    title, metric = titled
    shown: dict[str, Any] = {
        "resourceMetadata": {"id": metric.resource},
        "name": metric.name,
        "namespace": metric.space,
        "aggregationType": _KINDS[metric.aggregation],
        "metricVisualization": {"displayName": title},
    }
    chart = {"options": {"chart": {"metrics": [shown], "title": title, "visualization": {"chartType": 2}}}}
    return azure.portal.DashboardPartMetadataArgs(
        type="Extension/HubsExtension/PartType/MonitorChartPart", inputs=[], settings={"content": chart}
    )
