"""Cloud Monitoring: policies, dashboards, and checks from outside.

Cloud Monitoring API (projects.alertPolicies, projects.uptimeCheckConfigs, projects.dashboards).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ...errors import Problem
from ..rules import Calls, Properties, Rules
from .services import MONITORING

_SECONDS = (r"\d+(\.\d+)?s", "seconds such as 60s")
_ALIGNERS = (
    *("ALIGN_NONE", "ALIGN_DELTA", "ALIGN_RATE", "ALIGN_INTERPOLATE", "ALIGN_NEXT_OLDER", "ALIGN_MIN", "ALIGN_MAX"),
    *("ALIGN_MEAN", "ALIGN_COUNT", "ALIGN_SUM", "ALIGN_STDDEV", "ALIGN_COUNT_TRUE", "ALIGN_COUNT_FALSE"),
    *("ALIGN_FRACTION_TRUE", "ALIGN_PERCENTILE_99", "ALIGN_PERCENTILE_95", "ALIGN_PERCENTILE_50"),
    *("ALIGN_PERCENTILE_05", "ALIGN_PERCENT_CHANGE"),
)
_REDUCERS = (
    *("REDUCE_NONE", "REDUCE_MEAN", "REDUCE_MIN", "REDUCE_MAX", "REDUCE_SUM", "REDUCE_STDDEV", "REDUCE_COUNT"),
    *("REDUCE_COUNT_TRUE", "REDUCE_COUNT_FALSE", "REDUCE_FRACTION_TRUE", "REDUCE_PERCENTILE_99"),
    *("REDUCE_PERCENTILE_95", "REDUCE_PERCENTILE_50", "REDUCE_PERCENTILE_05"),
)
_THRESHOLD = "conditions[].conditionThreshold"


def _calls(collection: str) -> Calls:
    base = f"projects.{collection}"
    return Calls(MONITORING, f"{base}.create", f"{base}.get", f"{base}.patch", f"{base}.delete")


def _page(inputs: Properties) -> Iterator[Problem]:
    """A dashboard is JSON with a name and one layout."""
    text = inputs.get("dashboardJson")
    if not isinstance(text, str):
        return
    try:
        page = json.loads(text)
    except json.JSONDecodeError as error:
        yield Problem("dashboardJson", f"is no JSON ({error.msg})")
        return
    layouts = [name for name in ("gridLayout", "mosaicLayout", "rowLayout", "columnLayout") if name in page]
    if "displayName" not in page or len(layouts) != 1:
        yield Problem("dashboardJson", "needs a displayName and exactly one layout")


RULES = {
    "gcp:monitoring/alertPolicy:AlertPolicy": Rules(
        _calls("alertPolicies"),
        identity="projects/{project}/alertPolicies/{digits19}",
        outputs={"name": "{id}"},
        defaults={"project": "{project}", "deletionPolicy": "DELETE", "enabled": True},
        replace=frozenset({"project"}),
        choices={
            "combiner": ("AND", "OR", "AND_WITH_MATCHING_RESOURCE"),
            f"{_THRESHOLD}.comparison": tuple(f"COMPARISON_{word}" for word in ("GT", "GE", "LT", "LE", "EQ", "NE")),
            f"{_THRESHOLD}.aggregations[].perSeriesAligner": _ALIGNERS,
            f"{_THRESHOLD}.aggregations[].crossSeriesReducer": _REDUCERS,
        },
        patterns={
            f"{_THRESHOLD}.duration": (r"(0|[1-9]\d*0)s", "a multiple of 60 seconds such as 120s"),
            f"{_THRESHOLD}.filter": (r"(?s).*metric\.type.*", "a filter that names a metric.type"),
            f"{_THRESHOLD}.aggregations[].alignmentPeriod": _SECONDS,
            "notificationChannels[]": (r"projects/[^/]+/notificationChannels/\d+", "the name of a channel"),
        },
        regional=False,
    ),
    "gcp:monitoring/dashboard:Dashboard": Rules(
        _calls("dashboards"),
        identity="projects/{number}/dashboards/{uuid}",
        defaults={"project": "{project}", "deletionPolicy": "DELETE"},
        replace=frozenset({"project"}),
        checks=(_page,),
        regional=False,
    ),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": Rules(
        _calls("uptimeCheckConfigs"),
        identity="projects/{project}/uptimeCheckConfigs/{uptimeCheckId}",
        outputs={"name": "{id}"},
        defaults={
            "project": "{project}",
            "deletionPolicy": "DELETE",
            "period": "300s",
            "uptimeCheckId": "check-{letters10}",
        },
        replace=frozenset({"project", "monitoredResource", "resourceGroup", "checkerType"}),
        choices={"period": ("60s", "300s", "600s", "900s")},
        ranges={"httpCheck.port": (1, 65535)},
        patterns={"timeout": (r"([1-9]|[1-5]\d|60)(\.\d+)?s", "1s to 60s")},
        one_of=(("httpCheck", "tcpCheck", "syntheticMonitor"),),
        regional=False,
    ),
}
