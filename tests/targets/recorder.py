"""Pulumi without an engine and without a cloud: every resource that a target declares, as plain data."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import json
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor

from bentoship.deployment import Target, Workload

LOOK_UPS: Mapping[str, Mapping[str, Any]] = {
    "aws:elasticbeanstalk/getHostedZone:getHostedZone": {"id": "ZBEANSTALK"},
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
        "names": ["eu-central-1c", "eu-central-1a", "eu-central-1b"]
    },
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": {
        "locations": ["eu-central-1b", "eu-central-1a", "eu-central-1c"]
    },
    "aws:ssm/getParameter:getParameter": {"value": "ami-0123456789abcdef0"},
    "aws:elasticbeanstalk/getSolutionStack:getSolutionStack": {
        "name": "64bit Amazon Linux 2023 v4.9.0 running Python 3.12"
    },
    "aws:route53/getZone:getZone": {"zoneId": "ZLOOKEDUP"},
    "gcp:compute/getImage:getImage": {"selfLink": "https://www.googleapis.com/compute/v1/projects/p/global/images/i-1"},
    "gcp:compute/getZones:getZones": {"names": ["europe-west3-c", "europe-west3-a", "europe-west3-b"]},
}
"""What each look-up finds."""


class Cloud(pulumi.runtime.Mocks):
    """Makes whatever it is asked to make, and says of it what it was told, with an id, an ARN and a few addresses."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        name = args.name
        made_up = {
            "arn": f"arn:{name}",
            "arnSuffix": f"suffix/{name}",
            "name": name,
            "bucket": name,
            "cname": f"{name}.example.com",
            "dnsName": f"{name}.example.com",
            "zoneId": "ZBALANCER",
            "publicIp": "192.0.2.1",
            "latestVersion": 1,
            "loadBalancers": [f"arn:balancer-of-{name}"],
            "fqdn": f"{name}.example.com",
            "defaultHostName": f"{name}.example.com",
            "url": f"https://account.blob.core.windows.net/releases/{args.inputs.get('blobName')}",
            "ipAddress": "192.0.2.1",
            "vmId": f"number-of-{name}",
            "clientId": f"client-of-{name}",
            "principalId": f"principal-of-{name}",
            "domainValidationOptions": [
                {"resourceRecordName": "_proof", "resourceRecordType": "CNAME", "resourceRecordValue": "_value"}
            ],
            "pinned": args.inputs.get("value"),
            "passed": True,
            **(_of_google(name) if "gcp:" in args.typ else {}),
        }
        if args.typ == "gcp:compute/instance:Instance":
            made_up["networkInterfaces"] = args.inputs.pop("networkInterfaces")
            made_up["networkInterfaces"][0]["accessConfigs"][0]["natIp"] = "192.0.2.2"
        return f"{name}-id", {**made_up, **_answered(args.inputs)}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {**args.args, **LOOK_UPS[args.token]}


def _answered(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs as a cloud gives them back: Azure answers with more than it takes."""
    identity, names = inputs.get("identity"), inputs.get("dnsSettings")
    if identity:
        return {**inputs, "identity": {**identity, "userAssignedIdentities": {}}}
    if names:
        return {**inputs, "dnsSettings": {**names, "fqdn": f"{names['domainNameLabel']}.cloudapp.azure.com"}}
    return inputs


def _of_google(name: str) -> dict[str, Any]:
    return {
        "selfLink": f"https://www.googleapis.com/compute/v1/projects/p/{name}",
        "email": f"{name}@acme-models.iam.gserviceaccount.com",
        "member": f"serviceAccount:{name}@acme-models.iam.gserviceaccount.com",
        "address": "192.0.2.1",
        "instanceId": f"number-of-{name}",
        "instanceGroup": f"instances-of-{name}",
        "uptimeCheckId": f"check-of-{name}",
        "dnsResourceRecords": [{"name": "_proof", "type": "CNAME", "data": "_value"}],
        "code_bucket": "staging.acme-models.appspot.com",
        "default_hostname": "acme-models.ey.r.appspot.com",
        "url": f"https://{name}.example.com",
    }


class Recorder(MockMonitor):
    """Stands where the engine would, and writes down each registration with the options that it came with."""

    def __init__(self) -> None:
        super().__init__(Cloud())
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        self.requests.append(request)
        with _event_loop():
            return super().RegisterResource(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        with _event_loop():
            return super().Invoke(request)


@contextmanager
def _event_loop() -> Iterator[None]:
    """An event loop for this thread, which Pulumi would otherwise make and never close."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def record(target: Target, workload: Workload) -> dict[str, Any]:
    """The URL that `target` gives, and every resource that it declares for `workload`, sorted by type and name."""
    recorder = Recorder()
    # Pulumi keeps what it knows of a program in context variables: in a context of its own, nothing is left of it.
    url = contextvars.copy_context().run(_run, recorder, target, workload)
    resources = [_plain(request) for request in recorder.requests if request.type != "pulumi:pulumi:Stack"]
    return {"url": url, "resources": sorted(resources, key=lambda each: (each["type"], each["name"]))}


def _run(recorder: Recorder, target: Target, workload: Workload) -> str:
    urls: list[str] = []
    with _event_loop(), warnings.catch_warnings():
        # The SDK warns of old names of its own when it is imported; we use none of them.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="pulumi_(aws|gcp)")
        pulumi.runtime.set_mocks(recorder.mocks, project="bentoship", stack="dev-somewhere", monitor=recorder)
        pulumi.runtime.test(lambda: target.provision(workload).apply(urls.append))()
    return urls[0]


def _plain(request: Any) -> dict[str, Any]:
    inputs = rpc.deserialize_properties(request.object)
    options = {
        "ignore_changes": sorted(request.ignoreChanges),
        "retain_on_delete": request.retainOnDelete,
        "protect": request.protect,
        "depends_on": sorted(map(_short, request.dependencies)),
    }
    return {
        "type": request.type,
        "name": request.name,
        "parent": _short(request.parent),
        "provider": _provider(request),
        "options": {key: value for key, value in options.items() if value},
        "inputs": _readable(inputs),
    }


def _provider(request: Any) -> str:
    return _short(request.provider.rpartition("::")[0]) if request.provider else ""


def _short(urn: str) -> str:
    """`<type>::<name>` of a URN, without the stack and the parents."""
    parts = urn.split("::")
    return f"{parts[2].rpartition('$')[2]}::{parts[3]}" if len(parts) > 3 else ""


def _readable(value: Any, key: str = "") -> Any:
    match value:
        case pulumi.FileAsset():
            return {"file": Path(value.path).name}
        case {rpc._special_sig_key: rpc._special_secret_sig, "value": secret}:
            return {"secret": _readable(secret, key)}
        case dict():
            return {key: _readable(item, key) for key, item in sorted(value.items())}
        case list():
            return [_readable(item) for item in value]
        case str():
            return _readable_text(value, key)
        case _:
            return int(value) if isinstance(value, float) and value.is_integer() else value


def _readable_text(text: str, key: str) -> Any:
    if key in {"userData", "customData"} or text.startswith("#!"):
        return _without_script(text)
    if key == "BENTOSHIP_BOOT":
        return _without_script(zlib.decompress(base64.b64decode(text)).decode())
    return {"as JSON": json.loads(text)} if text.startswith("{") else text


def _without_script(text: str) -> str:
    """A boot script has tests of its own; here it is enough to see that it is one, and what it was told."""
    script = text if text.startswith("#!") else base64.b64decode(text).decode()
    (settings,) = re.findall(r"^SETTINGS = '(.*)'$", script, re.MULTILINE)
    return f"<boot script with {settings}>"
