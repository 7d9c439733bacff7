"""Logs, alerts, autoscale, dashboards.

REST references of Microsoft.Insights, Microsoft.OperationalInsights and Microsoft.Portal.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Problem
from ..rules import Calls, Name, Properties, Reference, Rules, Seconds, known
from . import checks
from .naming import HYPHENS, in_group, named
from .services import INSIGHTS, LOGS, PORTAL

WORKSPACE = "azure-native:operationalinsights:Workspace"
_WINDOWS = ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D")
"""How far an alert can look back (REST reference, Metric Alerts)."""


def _capacity(inputs: Properties) -> Iterator[Problem]:
    """The bounds of autoscale are whole numbers in text, the least of them first."""
    for at, value in known(inputs, "profiles[].capacity"):
        bounds = [value.get(name) for name in ("minimum", "default", "maximum")]
        if not all(isinstance(bound, str) and bound.isdigit() for bound in bounds):
            continue
        if sorted(map(int, bounds)) != list(map(int, bounds)):
            yield Problem(at, f"BadRequest: minimum, default and maximum are {', '.join(map(str, bounds))}")


RULES = {
    WORKSPACE: in_group(
        LOGS,
        "Workspaces",
        "Microsoft.OperationalInsights/workspaces",
        named(63, "workspaceName", HYPHENS, shortest=4),
        outputs={"customerId": "{uuid}"},
        ranges={"retentionInDays": (7, 730)},
        seconds=Seconds(20, 5, 10),
    ),
    "azure-native:monitor:DiagnosticSetting": Rules(
        Calls(
            INSIGHTS,
            "DiagnosticSettings_CreateOrUpdate",
            "DiagnosticSettings_Get",
            "DiagnosticSettings_CreateOrUpdate",
            "DiagnosticSettings_Delete",
        ),
        identity="{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
        outputs={"type": "Microsoft.Insights/diagnosticSettings"},
        name=Name(
            260,
            "characters without *<>%&:\\?+/",
            r"[^*<>%&:\\?+/]+",
            "Naming rules and restrictions for Azure resources",
            automatic=10_000,
            suffix=False,
        ),
        replace=frozenset({"resourceUri", "name"}),
        any_of=(("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId"),),
        references=(Reference("workspaceId", WORKSPACE, "ResourceNotFound: The resource '{value}' was not found."),),
        regional=False,
    ),
    "azure-native:monitor:MetricAlert": in_group(
        INSIGHTS,
        "MetricAlerts",
        "Microsoft.Insights/metricAlerts",
        named(260, "ruleName", ("characters without *#&+:<>?@%{}\\/|", r"[^*#&+:<>?@%{}\\/|]+")),
        choices={"windowSize": _WINDOWS, "evaluationFrequency": _WINDOWS[:5]},
        ranges={"severity": (0, 4)},
        patterns={"location": (r"global|[a-z0-9]+", "global, or a region")},
    ),
    "azure-native:monitor:AutoscaleSetting": in_group(
        INSIGHTS,
        "AutoscaleSettings",
        "Microsoft.Insights/autoscalesettings",
        named(260, "autoscaleSettingName", HYPHENS),
        checks=(
            _capacity,
            checks.duration(
                "profiles[].rules[].metricTrigger.timeGrain",
                "profiles[].rules[].metricTrigger.timeWindow",
                "profiles[].rules[].scaleAction.cooldown",
            ),
        ),
    ),
    "azure-native:portal:Dashboard": in_group(
        PORTAL,
        "Dashboards",
        "Microsoft.Portal/dashboards",
        named(160, "dashboardName", HYPHENS, shortest=3),
        seconds=Seconds(2, 2, 1),
    ),
}
