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

    def __init__(
        self,
        name: str,
        release: ReleaseRef,
        revision: str,
        url: pulumi.Input[str],
        ready_timeout: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        examples = json.dumps([example.model_dump() for example in release.examples], sort_keys=True)
        inputs = {
            "release": release.id,
            "revision": revision,
            "url": url,
            "examples": examples,
            "ready_timeout": ready_timeout,
            "passed": None,
            "asked": None,
            "ready_seconds": None,
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
