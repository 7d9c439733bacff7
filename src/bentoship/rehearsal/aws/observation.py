"""CloudWatch: logs, alarms and dashboards.

CloudWatch Logs API reference (CreateLogGroup, PutRetentionPolicy), CloudWatch API reference (PutMetricAlarm,
PutDashboard); terraform-provider-aws internal/service/{logs,cloudwatch} for what can't be changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import Problem
from ..rules import Calls, Name, Properties, Rules
from . import checks
from .services import CLOUDWATCH, LOGS

RETENTION_DAYS = (
    0,
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""CloudWatch Logs API reference, PutRetentionPolicy; 0 keeps them for ever."""


def _retention(inputs: Properties) -> Iterator[Problem]:
    days = inputs.get("retentionInDays")
    if isinstance(days, int) and days not in RETENTION_DAYS:
        yield Problem("retentionInDays", f"{days} is not allowed", f"there are: {', '.join(map(str, RETENTION_DAYS))}")


RULES = {
    "aws:cloudwatch/logGroup:LogGroup": Rules(
        Calls(LOGS, "CreateLogGroup", "DescribeLogGroups", "PutRetentionPolicy", "DeleteLogGroup"),
        identity="{name}",
        outputs={"arn": "arn:aws:logs:{region}:{account}:log-group:{name}", "logGroupClass": "STANDARD"},
        defaults={"retentionInDays": 0, "skipDestroy": False},
        name=Name(
            512, "letters, digits and ._-/#", r"[.\-_/#A-Za-z0-9]+", "CloudWatch Logs API reference, CreateLogGroup"
        ),
        replace=frozenset({"name", "namePrefix", "logGroupClass"}),
        conflicts=(("name", "namePrefix"),),
        checks=(checks.tags, _retention),
        exists="ResourceAlreadyExistsException: The specified log group already exists",
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Rules(
        Calls(CLOUDWATCH, "PutMetricAlarm", "DescribeAlarms", "PutMetricAlarm", "DeleteAlarms"),
        identity="{name}",
        outputs={"arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"},
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        name=Name(255, "printable characters", r"[^\x00-\x1f]+", "CloudWatch API reference, PutMetricAlarm"),
        replace=frozenset({"name"}),
        choices={
            "comparisonOperator": (
                "GreaterThanOrEqualToThreshold",
                "GreaterThanThreshold",
                "GreaterThanUpperThreshold",
                "LessThanLowerOrGreaterThanUpperThreshold",
                "LessThanLowerThreshold",
                "LessThanOrEqualToThreshold",
                "LessThanThreshold",
            ),
            "statistic": ("Average", "Maximum", "Minimum", "SampleCount", "Sum"),
            "treatMissingData": ("breaching", "ignore", "missing", "notBreaching"),
        },
        patterns={
            "period": (r"10|20|30|\d*[1-9]\d*", "10, 20, 30 or a multiple of 60 seconds"),
            "extendedStatistic": (r"(p|tm|tc|ts|wm|pr|tm|iqm|TM|TC|TS|WM|PR|IQM).*", "a percentile such as p99"),
        },
        conflicts=(("statistic", "extendedStatistic"), ("metricName", "metricQueries")),
        any_of=(("metricName", "metricQueries", "evaluationCriteria"),),
        checks=(checks.tags,),
    ),
    "aws:cloudwatch/dashboard:Dashboard": Rules(
        Calls(CLOUDWATCH, "PutDashboard", "GetDashboard", "PutDashboard", "DeleteDashboards"),
        identity="{dashboardName}",
        outputs={"dashboardArn": "arn:aws:cloudwatch::{account}:dashboard/{dashboardName}"},
        name=Name(
            255,
            "letters, digits, hyphens and underscores",
            r"[\w-]+",
            "CloudWatch API reference, PutDashboard",
            property="dashboardName",
            automatic=0,
        ),
        replace=frozenset({"dashboardName"}),
        regional=False,
    ),
}
