"""Our resource types as Pulumi programs use them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi

from .. import _version
from ..deployment import ReleaseRef


class _Ours(pulumi.CustomResource):
    def __init__(
        self, token: str, name: str, inputs: Mapping[str, object], options: pulumi.ResourceOptions | None
    ) -> None:
        ours = pulumi.ResourceOptions(version=_version.__version__)
        super().__init__(f"bentoship:{token}", name, dict(inputs), pulumi.ResourceOptions.merge(ours, options))


class Router(_Ours):
    """The supervisor of a local deployment."""

    def __init__(
        self, name: str, directory: Path, port: int, host: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("local:Router", name, {"directory": str(directory), "port": port, "host": host}, opts)


class Service(_Ours):
    """One release running on this machine, on a private address."""

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        router: Router,
        directory: Path,
        release: ReleaseRef,
        revision: str,
        archive: Path,
        variables: Mapping[str, str],
        ready_timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "router": router.id,
            "directory": str(directory),
            "release": release.id,
            "revision": revision,
            "archive": str(archive),
            "variables": pulumi.Output.secret(dict(variables)),
            "ready_timeout": ready_timeout,
            "url": None,
        }
        super().__init__("local:Service", name, inputs, opts)


class Traffic(_Ours):
    """The pointer of a local deployment: the stable URL, and percent of the requests there by revision."""

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        router: Router,
        directory: Path,
        percent: Mapping[str, int],
        port: int,
        host: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        place = {"router": router.id, "directory": str(directory), "port": port, "host": host}
        inputs = {**place, "percent": dict(percent), "url": None}
        super().__init__("local:Traffic", name, inputs, opts)


class Gate(_Ours):
    """A release that is ready and answers as it did when it was sealed; creating it fails otherwise."""

    passed: pulumi.Output[bool]
    asked: pulumi.Output[int]
    results: pulumi.Output[str | None]
    """What it has seen: deployment.Gated as JSON; None from a gate that an earlier version has passed."""

    def __init__(
        self,
        name: str,
        release: ReleaseRef,
        revision: str,
        url: pulumi.Input[str],
        ready_timeout: float,
        machine: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "release": release.id,
            "revision": revision,
            "machine": machine,
            "url": url,
            "examples": _examples(release),
            "ready_timeout": ready_timeout,
            "passed": None,
            "asked": None,
            "ready_seconds": None,
            "results": None,
        }
        super().__init__("index:Gate", name, inputs, opts)


class Pin(_Ours):
    """A value that was looked up once and stays."""

    pinned: pulumi.Output[str]

    def __init__(
        self, name: str, subject: str, value: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("index:Pin", name, {"subject": subject, "value": value, "pinned": None}, opts)


class BeanstalkVersion(_Ours):
    """The version that an environment of Elastic Beanstalk really runs, healthy; creating it fails otherwise."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        environment: pulumi.Input[str],
        label: pulumi.Input[str],
        timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"region": region, "environment": environment, "label": label, "timeout": timeout}
        super().__init__("aws:BeanstalkVersion", name, inputs, opts)


class InstanceRefresh(_Ours):
    """The launch template that every machine of an auto-scaling group really runs."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        group: pulumi.Input[str],
        template: pulumi.Input[str],
        version: pulumi.Input[str],
        alarms: Sequence[pulumi.Input[str]],
        warmup: int,
        timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "region": region,
            "group": group,
            "template": template,
            "version": version,
            "alarms": list(alarms),
            "warmup": warmup,
            "timeout": timeout,
        }
        super().__init__("aws:InstanceRefresh", name, inputs, opts)


class SlotSwap(_Ours):
    """The release that a web app on Azure gives its traffic to, proved in a slot; creating it fails otherwise."""

    def __init__(
        self,
        name: str,
        *,
        site: pulumi.Input[str],
        slot: str,
        url: pulumi.Input[str],
        release: ReleaseRef,
        revision: str,
        settings: pulumi.Input[Mapping[str, str]],
        percent: int,
        timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "site": site,
            "slot": slot,
            "url": url,
            "release": release.id,
            "revision": revision,
            "settings": settings,
            "percent": percent,
            "examples": _examples(release),
            "timeout": timeout,
        }
        super().__init__("azure:SlotSwap", name, inputs, opts)


class PublicAddress(_Ours):
    """The machine on Azure that a fixed address leads to."""

    def __init__(
        self,
        name: str,
        *,
        address: pulumi.Input[str],
        interface: pulumi.Input[str],
        timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "azure:PublicAddress", name, {"address": address, "interface": interface, "timeout": timeout}, opts
        )


class RollingUpgrade(_Ours):
    """A scale set on Azure whose machines all run its newest model, and are ready."""

    def __init__(
        self,
        name: str,
        *,
        scale_set: pulumi.Input[str],
        revision: str,
        timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"scale_set": scale_set, "revision": revision, "timeout": timeout}
        super().__init__("azure:RollingUpgrade", name, inputs, opts)


class AppEngineApplication(_Ours):
    """The application of a project: made where there is none, used where there is one, never removed."""

    code_bucket: pulumi.Output[str]
    default_hostname: pulumi.Output[str]

    def __init__(self, name: str, *, project: str, region: str, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {"project": project, "region": region, "code_bucket": None, "default_hostname": None}
        super().__init__("gcp:AppEngineApplication", name, inputs, opts)


class AppEngineDefault(_Ours):
    """The service `default` of an application: whatever is there, or a page; never removed."""

    def __init__(
        self,
        name: str,
        *,
        application: AppEngineApplication,
        project: str,
        account: pulumi.Input[str],
        files: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"project": project, "application": application.id, "account": account, "files": dict(files)}
        super().__init__("gcp:AppEngineDefault", name, inputs, opts)


class IamGrants(_Ours):
    """What a service account has been given; creating it waits until all of Google Cloud knows of that."""

    def __init__(self, name: str, *, account: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gcp:IamGrants", name, {"account": account}, opts)


class AppEngineVersion(_Ours):
    """A version of App Engine that has started, on an address of its own; creating it fails otherwise."""

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        service: str,
        version: str,
        memory_mb: int,
        timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "project": project,
            "service": service,
            "version": version,
            "memory_mb": memory_mb,
            "timeout": timeout,
            "url": None,
        }
        super().__init__("gcp:AppEngineVersion", name, inputs, opts)


class AppEngineService(_Ours):
    """A service of App Engine, which goes with all its versions."""

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        application: AppEngineApplication,
        project: str,
        service: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"project": project, "service": service, "application": application.default_hostname, "url": None}
        super().__init__("gcp:AppEngineService", name, inputs, opts)


class GroupRollout(_Ours):
    """The instance template that every machine of a managed instance group really runs."""

    def __init__(
        self,
        name: str,
        *,
        project: str,
        region: str,
        group: pulumi.Input[str],
        template: pulumi.Input[str],
        size: int,
        patience: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "project": project,
            "region": region,
            "group": group,
            "template": template,
            "size": size,
            "patience": patience,
        }
        super().__init__("gcp:GroupRollout", name, inputs, opts)


def _examples(release: ReleaseRef) -> str:
    return json.dumps([example.model_dump() for example in release.examples], sort_keys=True)
