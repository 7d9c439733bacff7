"""Write what the doubles know of a cloud's resource types: `python tools/schemas.py aws`.

Pulumi's SDKs for Python carry no schema, but their classes say it all: the class `<Type>Args` has the inputs, their
types and which of them are required, the resource class has the outputs. This derives from them, for the types and
functions that our targets use, one sorted JSON file a cloud with the SDK's version inside, so that a double needs no
SDK when it runs, and a review of a new SDK shows what changed.

A type is written as

    "string" "boolean" "integer" "number" "any" "asset"
    ["string"]                  a list
    {"map": "string"}           a map
    {"enum": ["a", "b"]}        one of these
    {"oneOf": [...]}            any of these
    {"ref": "ec2.InstanceEbsBlockDevice"}   an object; its properties are under "types"
    "object"                    an object among the outputs; what is in it isn't told
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pulumi
from pulumi import _types as pulumi_types

FOLDER = Path(__file__).parents[1] / "src" / "bentoship" / "rehearsal" / "schemas"
LONGEST_ENUM = 64
"""Longer lists, such as that of all instance types, are older than what the cloud offers; they are plain strings."""
SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}

CLOUDS: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "aws": (
        "pulumi-aws",
        "pulumi_aws",
        {
            "acm": "Certificate CertificateValidation",
            "autoscaling": "Group Policy",
            "cloudwatch": "Dashboard LogGroup MetricAlarm",
            "ec2": "Eip EipAssociation Instance InternetGateway LaunchTemplate NatGateway Route RouteTable"
            " RouteTableAssociation SecurityGroup Subnet Vpc VpcEndpoint",
            "elasticbeanstalk": "Application ApplicationVersion Environment",
            "iam": "InstanceProfile Role RolePolicy RolePolicyAttachment",
            "lb": "Listener ListenerRule LoadBalancer TargetGroup TargetGroupAttachment",
            "route53": "Record Zone",
            "s3": "Bucket BucketLifecycleConfiguration BucketObjectv2 BucketOwnershipControls BucketPolicy"
            " BucketPublicAccessBlock BucketServerSideEncryptionConfiguration BucketVersioning",
            "secretsmanager": "Secret SecretVersion",
            "ssm": "Parameter",
            "vpc": "SecurityGroupEgressRule SecurityGroupIngressRule",
        },
        {
            "": "get_availability_zones get_caller_identity get_partition get_region",
            "ec2": "get_ami get_instance_type_offerings get_subnet get_subnets get_vpc",
            "elasticbeanstalk": "get_hosted_zone get_solution_stack",
            "route53": "get_zone",
            "secretsmanager": "get_secret",
            "ssm": "get_parameter",
        },
    ),
    "gcp": (
        "pulumi-gcp",
        "pulumi_gcp",
        {
            "appengine": "EngineSplitTraffic FlexibleAppVersion StandardAppVersion",
            "certificatemanager": "Certificate CertificateMap CertificateMapEntry DnsAuthorization",
            "compute": "Address BackendService Firewall ForwardingRule GlobalAddress GlobalForwardingRule HealthCheck"
            " Instance Network RegionAutoscaler RegionInstanceGroupManager RegionInstanceTemplate Router RouterNat"
            " SSLPolicy Subnetwork TargetHttpProxy TargetHttpsProxy TargetInstance URLMap",
            "dns": "RecordSet",
            "monitoring": "AlertPolicy Dashboard UptimeCheckConfig",
            "projects": "IAMMember",
            "serviceaccount": "Account",
            "storage": "Bucket BucketIAMMember BucketObject",
        },
        {"compute": "get_image get_zones", "dns": "get_managed_zone"},
    ),
    "azure-native": (
        "pulumi-azure-native",
        "pulumi_azure_native",
        {
            "authorization": "RoleAssignment",
            "compute": "VirtualMachine VirtualMachineScaleSet",
            "managedidentity": "UserAssignedIdentity",
            "monitor": "AutoscaleSetting DiagnosticSetting MetricAlert",
            "network": "LoadBalancer NatGateway NetworkInterface NetworkSecurityGroup PublicIPAddress Subnet"
            " VirtualNetwork",
            "operationalinsights": "Workspace",
            "portal": "Dashboard",
            "resources": "ResourceGroup",
            "storage": "Blob BlobContainer StorageAccount",
            "web": "AppServicePlan WebApp WebAppFtpAllowed WebAppFtpAllowedSlot WebAppScmAllowed WebAppScmAllowedSlot"
            " WebAppSlot",
        },
        {},
    ),
}
"""Cloud -> SDK's distribution, its package, resource classes by module, look-up functions by module."""


def derive(cloud: str) -> dict[str, Any]:
    """The schema of `cloud`, from the SDK that is installed; ImportError when it isn't."""
    distribution, package, resources, functions = CLOUDS[cloud]
    shared: dict[str, Any] = {}
    found: dict[str, Any] = {"sdk": {"name": distribution, "version": version(distribution)}}
    found["resources"] = {kind.pulumi_type: _resource(kind, shared) for kind in _members(package, resources)}
    found["functions"] = dict(_function(function, shared) for function in _members(package, functions))
    return {**found, "types": shared}


def text(schema: Mapping[str, Any]) -> str:
    """The schema as it is kept: one property a line, sorted."""
    return _indented(schema) + "\n"


def _members(package: str, names: Mapping[str, str]) -> list[Any]:
    return [
        getattr(importlib.import_module(f"{package}.{module}" if module else package), name)
        for module, listed in names.items()
        for name in listed.split()
    ]


def _resource(kind: type, shared: dict[str, Any]) -> dict[str, Any]:
    module = importlib.import_module(kind.__module__)
    # Where a property of another type is called the same, the SDK says InitArgs.
    arguments = getattr(module, f"{kind.__name__}InitArgs", None) or getattr(module, f"{kind.__name__}Args")
    inputs = _properties(arguments, shared)
    outputs = {name: _type(hint, shared) for name, hint in pulumi_types.resource_types(kind).items()}
    return _without_empty(
        {
            "inputs": inputs,
            "required": _required(arguments),
            "outputs": {name: hint for name, hint in outputs.items() if name not in inputs},
            "computed": sorted(set(_always_there(kind)) & inputs.keys() - set(_required(arguments))),
            "secrets": _secrets(kind),
        }
    )


def _properties(arguments: type, shared: dict[str, Any]) -> dict[str, Any]:
    return {name: _type(hint, shared) for name, hint in pulumi_types.input_type_types(arguments).items()}


def _required(arguments: type) -> list[str]:
    names = pulumi_types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters  # type: ignore[misc]
    return sorted(
        names[name] for name, parameter in parameters.items() if parameter.default is parameter.empty and name in names
    )


def _always_there(kind: type) -> list[str]:
    hints = {
        name: str(member.fget.__annotations__.get("return", "Optional["))
        for name, member in inspect.getmembers(kind, lambda value: isinstance(value, property))
    }
    return [_camel(name) for name, hint in hints.items() if "Optional[" not in hint]


def _secrets(kind: type) -> list[str]:
    found = re.findall(r"additional_secret_outputs=\[([^]]*)]", inspect.getsource(kind))
    return sorted(re.findall(r'"(\w+)"', " ".join(found)))


def _function(function: Any, shared: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    module = importlib.import_module(function.__module__)
    source = inspect.getsource(function)
    token = re.findall(r"invoke\('([^']+)'", source)[0]
    names = {name: pulumi_name for pulumi_name, name in re.findall(r"__args__\['(\w+)'] = (\w+)", source)}
    hints = typing.get_type_hints(function, vars(module))
    # An argument that may be left out is written Optional[Optional[...]] there, which only the source still shows.
    written = inspect.getsource(getattr(module, f"{function.__name__}_output"))
    required = [
        pulumi_name
        for name, pulumi_name in names.items()
        if re.search(rf"\b{name}: pulumi\.Input\[Optional\[(?!Optional\[)", written)
    ]
    results = pulumi_types.output_type_types(hints["return"].__mro__[1])
    outputs = {name: _type(hint, shared) for name, hint in results.items()}
    inputs = {pulumi_name: _type(hints[name], shared) for name, pulumi_name in names.items()}
    return token, _without_empty({"inputs": inputs, "required": sorted(required), "outputs": outputs})


def _type(hint: Any, shared: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line a kind of type
    origin, inside = typing.get_origin(hint), _inside(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(inside, shared)
    if _is_a(origin, (list,)) or getattr(origin, "__name__", "") == "Sequence":
        return [_type(inside[0], shared)]
    if _is_a(origin, (dict,)) or getattr(origin, "__name__", "") == "Mapping":
        return {"map": _type(inside[1], shared)}
    if hint in SCALARS:
        return SCALARS[hint]
    if _is_a(hint, (pulumi.Asset, pulumi.Archive)):
        return "asset"
    if _is_a(hint, (enum.Enum,)):
        values = sorted(str(item.value) for item in hint)
        return {"enum": values} if len(values) <= LONGEST_ENUM else "string"
    if pulumi_types.is_input_type(hint):
        return {"ref": _remember(hint, shared)}
    return "object" if pulumi_types.is_output_type(hint) else "any"


def _inside(hint: Any) -> list[Any]:
    """What is inside a hint, without what only says that a value may come later."""
    later = ("Awaitable", "Output", "NoneType")
    names = [(item, getattr(typing.get_origin(item) or item, "__name__", "")) for item in typing.get_args(hint)]
    return [item for item, name in names if name not in later and not name.endswith("ArgsDict")]


def _union(inside: list[Any], shared: dict[str, Any]) -> Any:
    found = [_type(item, shared) for item in inside]
    unique = [item for index, item in enumerate(found) if item not in found[:index]]
    enums = [item for item in unique if isinstance(item, dict) and "enum" in item]
    if enums:
        return enums[0]  # `str | Enum` only means that the value may be written as either
    unique = [item for item in unique if item != "object"] or unique  # a look-up's result may be handed on as an input
    return unique[0] if len(unique) == 1 else {"oneOf": unique}


def _remember(hint: type, shared: dict[str, Any]) -> str:
    name = ".".join([*hint.__module__.split(".")[1:-1], hint.__name__.removesuffix("Args")])
    if name not in shared:
        shared[name] = {}  # a type may hold itself
        shared[name] = _without_empty({"properties": _properties(hint, shared), "required": _required(hint)})
    return name


def _is_a(kind: Any, parents: tuple[type, ...]) -> bool:
    return inspect.isclass(kind) and issubclass(kind, parents)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _without_empty(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value}


def _indented(value: Any, depth: int = 0) -> str:
    """JSON with one line for whatever fits on a line and holds no deeper object than a type."""
    if not isinstance(value, dict) or not value or (depth > 1 and _is_short(value)):
        return json.dumps(value, sort_keys=True)
    pad = " " * (depth + 1)
    lines = [f"{pad}{json.dumps(key)}: {_indented(value[key], depth + 1)}" for key in sorted(value)]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


def _is_short(value: dict[str, Any]) -> bool:
    return set(value) <= {"map", "enum", "oneOf", "ref"}


def main(words: list[str]) -> None:
    """Write the schema of each cloud that is named; with --print, print them instead."""
    for cloud in words:
        if cloud == "--print":
            continue
        found = text(derive(cloud))
        if "--print" in words:
            sys.stdout.write(found)
        else:
            (FOLDER / f"{cloud}.json").write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
