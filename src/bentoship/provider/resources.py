"""Our resource types as Pulumi programs use them."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    """The stable URL of a local deployment."""

    url: pulumi.Output[str]

    def __init__(
        self, name: str, directory: Path, port: int, host: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(
            "local:Router", name, {"directory": str(directory), "port": port, "host": host, "url": None}, opts
        )


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
            "variables": dict(variables),
            "ready_timeout": ready_timeout,
            "url": None,
        }
        super().__init__("local:Service", name, inputs, opts)


class Traffic(_Ours):
    """The pointer of a local deployment: percent of the requests by revision."""

    def __init__(
        self,
        name: str,
        router: Router,
        directory: Path,
        percent: Mapping[str, int],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"router": router.id, "directory": str(directory), "percent": dict(percent)}
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
