"""A service of App Engine: its versions, each of one release and configuration, and the split of the traffic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import pulumi
import pulumi_gcp as gcp

from ...deployment import ReleaseRef, Workload
from ...errors import InvalidConfiguration
from ...provider.resources import (
    AppEngineApplication,
    AppEngineDefault,
    AppEngineService,
    AppEngineVersion,
    Gate,
    IamGrants,
)
from ._fitting import refuse_what_does_not_fit, too_large
from ._shared import Identity, Place, Releases, identity, keep_releases, name_of, open_place
from ._sizes import CLASSES, flexible_size, smallest_class
from ._watch import app_engine_figures, watch
from .app_engine import AppEngine, service_name

START = "sh ./run.sh"
DEPLOY_SECONDS = {"standard": 600, "flexible": 1800}
"""What a version may take to be found by its address and to have an instance, beyond its own `ready_timeout`."""
_ROLES = {"logs": "roles/logging.logWriter", "builds": "roles/artifactregistry.writer"}
_STUB = {
    "main.py": "# Google's Python runtime looks for a program; nothing ever starts this one.\n",
    "index.html": "<!doctype html><title>default</title>\n",
}
"""What the service `default` answers when nobody else has put anything there: a page, without any instance."""
Version: TypeAlias = gcp.appengine.StandardAppVersion | gcp.appengine.FlexibleAppVersion


def provision(target: AppEngine, workload: Workload) -> pulumi.Output[str]:
    """Versions beside those that serve, proof and gate for the newest, then the split of the traffic."""
    deployed = _deployed(target, workload)
    refuse_what_does_not_fit(target, workload, deployed)
    if target.flavour == "standard" and (warning := too_large(workload, CLASSES[instance_class(target, workload)])):
        pulumi.log.warn(warning)
    place = open_place("AppEngine", target, workload)
    service = service_name(workload.name, target.project)
    releases = keep_releases(place, workload)
    application = AppEngineApplication(
        f"{place.name}-application", project=target.project, region=target.region, opts=place.ours()
    )
    runner = identity(place, "app", {"reads": releases.bucket.name, "stages": application.code_bucket}, _ROLES)
    known = IamGrants(f"{place.name}-grants", account=runner.email, opts=place.ours(depends_on=runner.given))
    runner = replace(runner, given=[known])
    first = _default(place, releases, application, runner)
    versions = {kept.id: _version(place, target, workload, service, releases, runner, kept, first) for kept in deployed}
    newest = workload.serving[0]
    gate = _gate(place, target, workload, service, versions[newest.id], newest)
    split = gcp.appengine.EngineSplitTraffic(
        place.name,
        service=service,
        migrate_traffic=target.gradual and len(workload.serving) == 1,
        split=gcp.appengine.EngineSplitTrafficSplitArgs(
            shard_by="RANDOM" if len(workload.serving) > 1 else "IP",
            allocations={
                version_name(target, workload, each): _share(workload.traffic[each.id]) for each in workload.serving
            },
        ),
        opts=place.options(depends_on=[gate, *versions.values()]),
    )
    # It is destroyed before the versions, and they go with it: App Engine deletes none that has traffic.
    owned = AppEngineService(
        f"{place.name}-service",
        application=application,
        project=target.project,
        service=service,
        opts=place.ours(depends_on=[split]),
    )
    host = pulumi.Output.concat(f"{service}-dot-", application.default_hostname)
    watch(place, target, newest, host, app_engine_figures(target, service))
    return owned.url


def version_name(target: AppEngine, workload: Workload, release: ReleaseRef) -> str:
    """A name for one release as it is configured here: whatever is part of a version gives another name.

    Anything that changed under the same name would be deployed in place of code that serves.
    """
    shape = [
        workload.revision(release),
        target.flavour,
        target.instance_class or "",
        target.network or "",
        target.subnetwork or "",
        target.disk_gb,
        workload.scale.model_dump(),
        workload.ready_timeout,
    ]
    return f"r{release.short}-{hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:4]}"


def _deployed(target: AppEngine, workload: Workload) -> Sequence[ReleaseRef]:
    """The releases that are versions: those with traffic, and of the others the newest, as many as are kept."""
    serving = workload.serving
    if target.flavour == "flexible":  # each version is machines that run, whether anybody asks them or not
        return serving
    others = [release for release in workload.releases if release not in serving]
    return [*serving, *others[: max(0, target.kept_versions - len(serving))]]


def _default(place: Place, releases: Releases, application: AppEngineApplication, runner: Identity) -> AppEngineDefault:
    pages = {
        name: gcp.storage.BucketObject(
            f"{place.name}-{name.replace('.', '-')}",
            bucket=releases.bucket.name,
            name=f"default/{name}",
            content=content,
            opts=place.options(),
        )
        for name, content in _STUB.items()
    }
    return AppEngineDefault(
        f"{place.name}-default",
        application=application,
        project=place.project,
        account=runner.email,
        files={name: _address(releases, page.name) for name, page in pages.items()},
        opts=place.ours(depends_on=runner.given),
    )


def _version(
    place: Place,
    target: AppEngine,
    workload: Workload,
    service: str,
    releases: Releases,
    runner: Identity,
    release: ReleaseRef,
    first: AppEngineDefault,
) -> Version:
    make = _standard if target.flavour == "standard" else _flexible
    options = place.options(depends_on=[releases.objects[release.id], *runner.given, first])
    # Named by release and configuration too, so that the new one is made while the old one serves.
    version = version_name(target, workload, release)
    name = f"{place.name}-{release.short}-{version.rpartition('-')[2]}"
    source = _address(releases, name_of(release))
    return make(name, target, workload, service, version, source, runner, release, options)


def _standard(
    name: str,
    target: AppEngine,
    workload: Workload,
    service: str,
    version: str,
    source: pulumi.Input[str],
    runner: Identity,
    release: ReleaseRef,
    options: pulumi.ResourceOptions,
) -> gcp.appengine.StandardAppVersion:
    part = gcp.appengine
    scale = workload.scale
    return part.StandardAppVersion(
        name,
        service=service,
        version_id=version,
        runtime=f"python{release.python.replace('.', '')}",
        entrypoint=part.StandardAppVersionEntrypointArgs(shell=START),
        deployment=part.StandardAppVersionDeploymentArgs(
            # An estimate from above, which the limit is for every release that is taken at all.
            zip=part.StandardAppVersionDeploymentZipArgs(source_url=source, files_count=10_000)
        ),
        instance_class=instance_class(target, workload),
        automatic_scaling=part.StandardAppVersionAutomaticScalingArgs(
            # Counts for the version with traffic alone, while `min_instances` would hold those that are kept as well.
            min_idle_instances=scale.min_replicas,
            max_idle_instances=scale.max_replicas,
            standard_scheduler_settings=part.StandardAppVersionAutomaticScalingStandardSchedulerSettingsArgs(
                max_instances=scale.max_replicas
            ),
        ),
        handlers=[
            part.StandardAppVersionHandlerArgs(
                url_regex=".*",
                security_level="SECURE_ALWAYS",
                redirect_http_response_code="REDIRECT_HTTP_RESPONSE_CODE_301",
                script=part.StandardAppVersionHandlerScriptArgs(script_path="auto"),
            )
        ],
        inbound_services=["INBOUND_SERVICE_WARMUP"],
        env_variables=_variables(workload, release),
        service_account=runner.email,
        opts=options,
    )


def _flexible(
    name: str,
    target: AppEngine,
    workload: Workload,
    service: str,
    version: str,
    source: pulumi.Input[str],
    runner: Identity,
    release: ReleaseRef,
    options: pulumi.ResourceOptions,
) -> gcp.appengine.FlexibleAppVersion:
    part = gcp.appengine
    scale, size = workload.scale, flexible_size(workload.scale)
    network = target.network and part.FlexibleAppVersionNetworkArgs(name=target.network, subnetwork=target.subnetwork)
    return part.FlexibleAppVersion(
        name,
        service=service,
        version_id=version,
        runtime="python",
        flexible_runtime_settings=part.FlexibleAppVersionFlexibleRuntimeSettingsArgs(
            operating_system="ubuntu22", runtime_version=release.python
        ),
        entrypoint=part.FlexibleAppVersionEntrypointArgs(shell=START),
        deployment=part.FlexibleAppVersionDeploymentArgs(
            zip=part.FlexibleAppVersionDeploymentZipArgs(source_url=source),
            cloud_build_options=part.FlexibleAppVersionDeploymentCloudBuildOptionsArgs(app_yaml_path="app.flex.yaml"),
        ),
        resources=part.FlexibleAppVersionResourcesArgs(cpu=size.cpu, memory_gb=size.memory_gb, disk_gb=target.disk_gb),
        automatic_scaling=part.FlexibleAppVersionAutomaticScalingArgs(
            min_total_instances=scale.min_replicas,
            max_total_instances=scale.max_replicas,
            cool_down_period="120s",
            cpu_utilization=part.FlexibleAppVersionAutomaticScalingCpuUtilizationArgs(target_utilization=0.6),
        ),
        liveness_check=part.FlexibleAppVersionLivenessCheckArgs(path="/livez", initial_delay="300s"),
        readiness_check=part.FlexibleAppVersionReadinessCheckArgs(
            path="/readyz", app_start_timeout=f"{min(1800, max(300, int(workload.ready_timeout)))}s"
        ),
        network=network or None,
        env_variables=_variables(workload, release),
        service_account=runner.email,
        serving_status="SERVING",
        opts=pulumi.ResourceOptions.merge(
            options, pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="60m"))
        ),
    )


def _variables(workload: Workload, release: ReleaseRef) -> dict[str, pulumi.Input[str]]:
    ours = {"BENTOSHIP_RELEASE": release.id}
    if taken := ours.keys() & workload.variables.keys():
        raise InvalidConfiguration(f"variables.{min(taken)}", "is bentoship's own", "call it something else")
    return {**ours, **{name: pulumi.Output.secret(value) for name, value in workload.variables.items()}}


def _gate(
    place: Place, target: AppEngine, workload: Workload, service: str, version: Version, release: ReleaseRef
) -> Gate:
    """The version is asked on an address of its own, before it gets any traffic."""
    name = version_name(target, workload, release)
    shape = f"{release.short}-{name.rpartition('-')[2]}"
    started = AppEngineVersion(
        f"{place.name}-started-{shape}",
        project=target.project,
        service=service,
        version=name,
        memory_mb=CLASSES[instance_class(target, workload)] if target.flavour == "standard" else 0,
        timeout=workload.ready_timeout + DEPLOY_SECONDS[target.flavour],
        opts=place.ours(depends_on=[version]),
    )
    # The configuration of a version is more than its variables.
    revision = f"{workload.revision(release)}-{name.rpartition('-')[2]}"
    return Gate(f"{place.name}-gate-{shape}", release, revision, started.url, workload.ready_timeout, opts=place.ours())


def instance_class(target: AppEngine, workload: Workload) -> str:
    """The class of App Engine standard's instances: the one that is named, or the smallest with the memory."""
    return target.instance_class or smallest_class(workload.scale)


def _address(releases: Releases, name: pulumi.Input[str]) -> pulumi.Output[str]:
    return pulumi.Output.concat("https://storage.googleapis.com/", releases.bucket.name, "/", name)


def _share(percent: int) -> str:
    """A part of the whole, as the API takes it: 1, or 0.1."""
    return f"{percent / 100:g}"
