"""A plan, an app and its staging slot, which know of no release; and the swap, which alone does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_azure_native as azure

from ...boot import Settings
from ...boot import web_app as boot
from ...deployment import ReleaseRef, Workload
from ...errors import InvalidConfiguration
from ...provider.resources import Gate, SlotSwap
from ._plans import cheapest, fitting, tier
from ._shared import SECRETS_USER, Place, Releases, grant, keep_releases, open_place
from ._watch import Metric, alert, dashboard, log, scale_by_cpu, workspace
from .web_app import WebApp

SLOT = "staging"
LOGS = ("AppServiceConsoleLogs", "AppServiceHTTPLogs", "AppServicePlatformLogs")
PYTHONS = ("3.11", "3.12", "3.13")
"""What App Service has as built-in Linux images ("Configure a Linux Python app for Azure App Service")."""
START_SECONDS = 600
"""What a slot may take, beyond the release's own start, to get a container and to fetch and unpack a release."""
SWAP_SECONDS = 900
LONGEST_START = 1800
"""The most that WEBSITES_CONTAINER_START_TIME_LIMIT can be, in seconds ("Environment variables and app settings")."""
_SITES, _PLANS = "Microsoft.Web/sites", "Microsoft.Web/serverfarms"


def provision(target: WebApp, workload: Workload) -> pulumi.Output[str]:
    """The plan, the app and its slot; the releases; the swap; the gate on what was asked to be live."""
    release, percent = _newest(workload)
    place = open_place("WebApp", target, workload)
    releases = keep_releases(place, workload)
    ready = [*releases.before(release), *_secrets(place, target, releases)]
    plan = _plan(place, target, workload)
    like = _site(place, workload, plan, releases)
    # Another Python in the app's configuration would meet the release that is live: that Python gets an app of its own.
    name = f"{place.name}-py{release.python.replace('.', '')}"
    app = azure.web.WebApp(name, **like, opts=place.options())
    slot = azure.web.WebAppSlot(
        f"{place.name}-{SLOT}", name=app.name, slot=SLOT, **like, opts=place.options(deleted_with=app)
    )
    closed = _close(place, app, slot)
    logs = workspace(place, target.log_retention_days)
    log(place, "logs", app.id, logs.id, LOGS)
    log(place, f"{SLOT}-logs", slot.id, logs.id, LOGS)
    _monitor(place, target, plan, app, release)
    front, back = (each.default_host_name.apply(_url) for each in (app, slot))
    revision = workload.revision(release)
    patience = workload.ready_timeout + START_SECONDS
    swap = SlotSwap(
        f"{place.name}-swap",
        site=app.id,
        slot=SLOT,
        url=back,
        release=release,
        revision=revision,
        settings=_settings(workload, release, releases),
        percent=percent,
        timeout=patience + SWAP_SECONDS,
        opts=place.ours(depends_on=[slot, *closed, *ready]),
    )
    whole = percent == 100  # noqa: PLR2004 - all of the traffic
    gate = Gate(
        f"{place.name}-gate-{revision}" if whole else f"{place.name}-gate-{revision}-{SLOT}",
        release,
        revision,
        front if whole else back,
        patience,
        opts=place.ours(depends_on=[swap]),
    )
    return pulumi.Output.all(front, gate.passed).apply(lambda known: str(known[0]))


def _url(host: str) -> str:
    """App Service has a certificate for each of its hosts; those of a rehearsal are addresses of this machine."""
    return f"http://{host}" if host.startswith("127.0.0.1:") else f"https://{host}"


def _newest(workload: Workload) -> tuple[ReleaseRef, int]:
    """The release that the slot gets, and its part of the traffic."""
    new, *others = workload.serving
    if len(others) > 1:
        fault = "a web app splits the traffic between two releases, that of the app and that of its slot"
        raise InvalidConfiguration("traffic", fault, "use two releases")
    if new.python not in PYTHONS:
        remedy = f"seal the release with one of {', '.join(PYTHONS)}"
        raise InvalidConfiguration("python", f"App Service has no image with Python {new.python}", remedy)
    return new, workload.traffic[new.id]


def _secrets(place: Place, target: WebApp, releases: Releases) -> list[pulumi.Resource]:
    if target.key_vault is None:
        return []
    return [grant(place, "reads-secrets", releases.identity, SECRETS_USER, target.key_vault)]


def _plan(place: Place, target: WebApp, workload: Workload) -> azure.web.AppServicePlan:
    scale = workload.scale
    size = fitting(target.sku or cheapest(scale), scale)
    zonal = scale.min_replicas > 1 and target.zone_redundant and not size.startswith("S")
    scales = scale.max_replicas > scale.min_replicas
    plan = azure.web.AppServicePlan(
        place.name,
        kind="linux",
        # A plan without this is one for Windows, whatever its kind says.
        reserved=True,
        sku=azure.web.SkuDescriptionArgs(name=size, tier=tier(size), capacity=scale.min_replicas),
        zone_redundant=zonal,
        **place.here,
        # How many instances run is then decided by the load.
        opts=place.options(ignore_changes=["sku.capacity"] if scales else []),
    )
    if scales:
        busy = Metric(plan.id, _PLANS, "CpuPercentage", "Average")
        scale_by_cpu(place, plan.id, busy, scale.min_replicas, scale.max_replicas)
    return plan


def _site(place: Place, workload: Workload, plan: azure.web.AppServicePlan, releases: Releases) -> dict[str, Any]:
    """What the app and its slot are, word for word the same: what differs would move with a swap, or break it.

    No settings: those of the slot are written by the swap, those of the app come from the slot. An update of the app
    that named any would put an old release's settings back.
    """
    config = azure.web.SiteConfigArgs(
        linux_fx_version=f"PYTHON|{workload.serving[0].python}",
        app_command_line=boot.START_COMMAND,
        always_on=True,
        health_check_path="/readyz",
        http20_enabled=True,
        min_tls_version="1.2",
        scm_min_tls_version="1.2",
        ftps_state="Disabled",
        web_sockets_enabled=True,
    )
    return {
        "kind": "app,linux",
        "reserved": True,
        "server_farm_id": plan.id,
        "https_only": True,
        "client_affinity_enabled": False,
        "identity": azure.web.ManagedServiceIdentityArgs(
            type="UserAssigned", user_assigned_identities=[releases.identity.id]
        ),
        "key_vault_reference_identity": releases.identity.id,
        "site_config": config,
        **place.here,
    }


def _close(place: Place, app: azure.web.WebApp, slot: azure.web.WebAppSlot) -> list[pulumi.Resource]:
    """No passwords: neither for FTP nor for the deployment engine, neither of the app nor of the slot."""
    of_app = {"name": app.name, "resource_group_name": place.group, "allow": False}
    of_slot = {**of_app, "slot": SLOT}
    # They go with what they close: Azure has no call that removes them.
    with_app, with_slot = place.options(deleted_with=app), place.options(deleted_with=app, depends_on=[slot])
    return [
        azure.web.WebAppFtpAllowed(f"{place.name}-ftp", **of_app, opts=with_app),
        azure.web.WebAppScmAllowed(f"{place.name}-scm", **of_app, opts=with_app),
        azure.web.WebAppFtpAllowedSlot(f"{place.name}-{SLOT}-ftp", **of_slot, opts=with_slot),
        azure.web.WebAppScmAllowedSlot(f"{place.name}-{SLOT}-scm", **of_slot, opts=with_slot),
    ]


def _settings(workload: Workload, release: ReleaseRef, releases: Releases) -> pulumi.Output[Mapping[str, str]]:
    """All settings of the slot, which a swap hands over to the app; in the stack's state they are secret."""
    limit = min(LONGEST_START, int(workload.ready_timeout) + START_SECONDS)
    platform = {
        "WEBSITES_CONTAINER_START_TIME_LIMIT": str(limit),
        # By default any answer at all counts as warm.
        "WEBSITE_WARMUP_PATH": "/readyz",
        "WEBSITE_WARMUP_STATUSES": "200",
        "WEBSITE_SWAP_WARMUP_PING_PATH": "/readyz",
        "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
        "WEBSITE_HEALTHCHECK_MAXPINGFAILURES": "3",
        # Nothing is built there: what was sealed is what runs.
        "SCM_DO_BUILD_DURING_DEPLOYMENT": "false",
    }
    return pulumi.Output.secret(
        pulumi.Output.all(releases.blobs[release.id].url, releases.identity.client_id).apply(
            lambda known: {
                **platform,
                **_of_release(workload, release, archive=str(known[0]), client_id=str(known[1])),
            }
        )
    )


def _of_release(workload: Workload, release: ReleaseRef, archive: str, client_id: str) -> dict[str, str]:
    told = Settings(release.id, archive, boot.PORT, {}, workload.ready_timeout, client_id=client_id)
    return boot.app_settings(told, workload.revision(release), workload.variables)


def _monitor(
    place: Place,
    target: WebApp,
    plan: azure.web.AppServicePlan,
    app: azure.web.WebApp,
    release: ReleaseRef,
) -> None:
    requests = Metric(app.id, _SITES, "Requests", "Total")
    errors = Metric(app.id, _SITES, "Http5xx", "Total")
    slow = Metric(app.id, _SITES, "HttpResponseTime", "Average")
    healthy = Metric(app.id, _SITES, "HealthCheckStatus", "Average")
    busy = Metric(plan.id, _PLANS, "CpuPercentage", "Average")
    alert(place, target, "errors", "The service answers with 5xx", errors, 10, minutes=5)
    alert(place, target, "slow", "Requests take too long", slow, target.latency_alarm_seconds, minutes=5)
    alert(place, target, "unhealthy", "An instance is not ready", healthy, 100, minutes=5, below=True)
    dashboard(
        place,
        release,
        {
            "Requests": requests,
            "Errors of the service": errors,
            "Requests take, seconds": slow,
            "Instances that are ready, percent": healthy,
            "CPU, percent": busy,
        },
    )
