"""App Engine: versions of services, and how the traffic is split between them.

App Engine Admin API (apps.services.versions, apps.services.patch), "Quotas and limits" of App Engine standard, and
"app.yaml reference" of both environments; terraform-provider-google's appengine resources for what can't be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...errors import Problem
from ..rules import Calls, Name, Properties, Reference, Rules, Seconds, known
from .services import APP_ENGINE
from .storage import ACCOUNT, NO_ACCOUNT

STANDARD = "gcp:appengine/standardAppVersion:StandardAppVersion"
FLEXIBLE = "gcp:appengine/flexibleAppVersion:FlexibleAppVersion"
SPLIT = "gcp:appengine/engineSplitTraffic:EngineSplitTraffic"
MEMORY_MB = {
    "F1": 384,
    "F2": 768,
    "F4": 1536,
    "F4_1G": 3072,
    "B1": 384,
    "B2": 768,
    "B4": 1536,
    "B4_1G": 3072,
    "B8": 3072,
}
"""Memory of a class ("Instance classes", App Engine standard)."""
MOST_VERSIONS = 210
"""Versions of an application ("Quotas and limits", App Engine standard)."""
LONGEST_HOST = 63
SOURCE = re.compile(r"https://storage\.googleapis\.com/(?P<bucket>[^/]+)/(?P<name>.+)")
_SHARE = 1000
_VERSION = Name(
    63,
    "lowercase letters, digits and hyphens, and is neither default nor latest nor ah-…",
    r"(?!default$|latest$|ah-)[a-z\d]([a-z\d-]*[a-z\d])?",
    "app.yaml reference, version",
    property="versionId",
    automatic=0,
)
_SERVICE = (r"[a-z\d]([a-z\d-]{0,61}[a-z\d])?", "a name of at most 63 lowercase letters, digits and hyphens")
_SECURITY = ("SECURE_DEFAULT", "SECURE_NEVER", "SECURE_OPTIONAL", "SECURE_ALWAYS")
_COMMON: dict[str, tuple[str, ...]] = {
    "handlers[].securityLevel": _SECURITY,
    "handlers[].redirectHttpResponseCode": tuple(
        f"REDIRECT_HTTP_RESPONSE_CODE_{code}" for code in (301, 302, 303, 307)
    ),
    "inboundServices[]": (
        *("INBOUND_SERVICE_MAIL", "INBOUND_SERVICE_MAIL_BOUNCE", "INBOUND_SERVICE_XMPP_ERROR"),
        *("INBOUND_SERVICE_XMPP_MESSAGE", "INBOUND_SERVICE_XMPP_SUBSCRIBE", "INBOUND_SERVICE_XMPP_PRESENCE"),
        *("INBOUND_SERVICE_CHANNEL_PRESENCE", "INBOUND_SERVICE_WARMUP"),
    ),
}
_RUNS_AS = Reference("serviceAccount", ACCOUNT, NO_ACCOUNT, ("email",))


def _sources(inputs: Properties) -> Iterator[Problem]:
    """What is deployed lies in Cloud Storage, at an address of this form."""
    for path in ("deployment.zip.sourceUrl", "deployment.files[].sourceUrl"):
        for at, value in known(inputs, path):
            if not SOURCE.fullmatch(str(value)):
                yield Problem(at, f"{value!r} is no https://storage.googleapis.com/<bucket>/<object>")


def _one_scaling(inputs: Properties) -> Iterator[Problem]:
    """The classes and the kinds of scaling that go together ("Instance management", App Engine standard)."""
    kind, automatic = str(inputs.get("instanceClass") or "F1"), "automaticScaling" in inputs
    manual = "manualScaling" in inputs or "basicScaling" in inputs
    if kind not in MEMORY_MB:
        yield Problem("instanceClass", f"{kind!r} is not allowed", f"there are: {', '.join(MEMORY_MB)}")
    elif (kind.startswith("B") and automatic) or (kind.startswith("F") and manual):
        yield Problem(
            "instanceClass", f"{kind} does not go with this kind of scaling", "F scale automatically, B do not"
        )


def _idle(inputs: Properties) -> Iterator[Problem]:
    scaling = inputs.get("automaticScaling") or {}
    least, most = scaling.get("minIdleInstances"), scaling.get("maxIdleInstances")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem("automaticScaling.minIdleInstances", f"{least} is more than maxIdleInstances ({most})")


def _memory(inputs: Properties) -> Iterator[Problem]:
    """CPUs are 1 or even, memory is 0.9 to 6.5 GB for each, and 0.4 GB of it are the platform's."""
    resources = inputs.get("resources") or {}
    cpu, memory = resources.get("cpu", 1), resources.get("memoryGb", 0.6)
    if isinstance(cpu, int) and cpu != 1 and cpu % 2:
        yield Problem("resources.cpu", f"{cpu} is neither 1 nor an even number")
    if isinstance(cpu, int) and isinstance(memory, int | float):
        least, most = round(cpu * 0.9 - 0.4, 2), round(cpu * 6.5 - 0.4, 2)
        if not least <= memory <= most:
            yield Problem("resources.memoryGb", f"{memory} is outside of {least:g} to {most:g} for {cpu} CPUs")


def _shares(inputs: Properties) -> Iterator[Problem]:
    """Parts that are 1 together, with two decimals at most by IP and three otherwise."""
    split = inputs.get("split") or {}
    shares = split.get("allocations") or {}
    try:
        numbers = {name: float(value) for name, value in shares.items() if isinstance(value, str | int | float)}
    except ValueError:
        yield Problem("split.allocations", f"{shares!r} are not all numbers")
        return
    if len(numbers) == len(shares) and round(sum(numbers.values()) * _SHARE) != _SHARE:
        yield Problem("split.allocations", f"the parts are {sum(numbers.values()):g} together, and must be 1")
    by_ip = split.get("shardBy", "IP") == "IP"
    for name, value in numbers.items():
        if abs(round(value, 2 if by_ip else 3) - value) > 1 / _SHARE**2:
            yield Problem(f"split.allocations.{name}", f"{value} has more than {2 if by_ip else 3} decimals")
    if inputs.get("migrateTraffic") is True and len(shares) > 1:
        yield Problem("migrateTraffic", "traffic can only be migrated to a single version")


def _version(*checks: object, **more: object) -> Rules:
    base = "apps.services.versions"
    return Rules(
        Calls(APP_ENGINE, f"{base}.create", f"{base}.get", f"{base}.create", f"{base}.delete"),
        identity="apps/{project}/services/{service}/versions/{versionId}",
        outputs={"name": "{id}"},
        name=_VERSION,
        # Everything else is deployed anew under the same name, in place of what serves.
        replace=frozenset({"project", "service", "versionId"}),
        choices=_COMMON,
        conflicts=(("automaticScaling", "basicScaling", "manualScaling"), ("noopOnDestroy", "deleteServiceOnDestroy")),
        checks=(_sources, *checks),  # type: ignore[arg-type]
        references=(_RUNS_AS,),
        quota=f"Your app may not have more than {MOST_VERSIONS} versions. Please delete one of the existing versions "
        "before trying to create a new version., failedPrecondition",
        regional=False,
        **more,  # type: ignore[arg-type]
    )


RULES = {
    STANDARD: _version(
        _one_scaling,
        _idle,
        defaults={"project": "{project}", "deletionPolicy": "DELETE", "instanceClass": "F1", "noopOnDestroy": False},
        patterns={
            "runtime": (r"(python|nodejs|java|php|ruby|go)\d+", "a runtime such as python312"),
            "service": _SERVICE,
        },
        ranges={
            "automaticScaling.standardSchedulerSettings.targetCpuUtilization": (0.5, 0.95),
            "automaticScaling.standardSchedulerSettings.maxInstances": (0, 2_147_483_647),
            "automaticScaling.maxConcurrentRequests": (1, 1000),
        },
        seconds=Seconds(90, 90, 10),
    ),
    FLEXIBLE: _version(
        _memory,
        defaults={"project": "{project}", "deletionPolicy": "DELETE", "servingStatus": "SERVING"},
        patterns={"service": _SERVICE, "readinessCheck.appStartTimeout": (r"\d+s", "seconds such as 300s")},
        one_of=(("automaticScaling", "manualScaling"),),
        seconds=Seconds(420, 420, 60),
    ),
    SPLIT: Rules(
        Calls(APP_ENGINE, "apps.services.patch", "apps.services.get", "apps.services.patch", "apps.services.get"),
        identity="apps/{project}/services/{service}",
        defaults={"project": "{project}", "migrateTraffic": False},
        replace=frozenset({"project", "service"}),
        choices={"split.shardBy": ("IP", "COOKIE", "RANDOM", "UNSPECIFIED")},
        checks=(_shares,),
        regional=False,
        seconds=Seconds(10, 10, 0),
    ),
}
