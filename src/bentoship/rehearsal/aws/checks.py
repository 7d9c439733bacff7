"""Rules of AWS that need a look at more than one value."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from collections.abc import Iterator
from typing import Any

from ...errors import Problem
from ..rules import Check, Properties, is_told, known

USER_DATA_LIMIT = 16_384
"""Bytes before they are encoded (EC2 User Guide, "Run commands at launch with user data input")."""
MOST_TAGS, LONGEST_TAG_KEY, LONGEST_TAG_VALUE = 50, 128, 256
"""EC2 User Guide, "Tag your Amazon EC2 resources", tag restrictions; the other services hold the same."""


def tags(inputs: Properties) -> Iterator[Problem]:
    """Tags that no service takes."""
    found = inputs.get("tags")
    if not isinstance(found, dict):
        return
    if len(found) > MOST_TAGS:
        yield Problem("tags", f"there are {len(found)}, allowed are {MOST_TAGS}")
    for key, value in found.items():
        if not 1 <= len(key) <= LONGEST_TAG_KEY or key.lower().startswith("aws:"):
            yield Problem(f"tags.{key}", f"a key has 1 to {LONGEST_TAG_KEY} characters and no prefix aws:")
        if isinstance(value, str) and len(value) > LONGEST_TAG_VALUE:
            yield Problem(f"tags.{key}", f"a value has at most {LONGEST_TAG_VALUE} characters, this one {len(value)}")


def user_data(path: str, *, encoded: bool) -> Check:
    """User data that EC2 refuses: too long, or not base64 where it has to be."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for at, value in known(inputs, path):
            data = _decoded(value) if encoded else str(value).encode()
            if data is None:
                yield Problem(at, "InvalidUserData.Malformed: Invalid BASE64 encoding of user data.")
            elif len(data) > USER_DATA_LIMIT:
                yield Problem(
                    at,
                    f"InvalidUserData.Malformed: User data is limited to {USER_DATA_LIMIT} bytes, this has {len(data)}",
                )

    return check


def policy(path: str, longest: int, code: str = "MalformedPolicyDocument") -> Check:
    """A policy that isn't JSON, says nothing, or is too long (IAM User Guide, "IAM and AWS STS quotas")."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for at, value in known(inputs, path):
            document = _json(value)
            if not isinstance(document, dict):
                yield Problem(at, f"{code}: This policy contains invalid Json")
            elif not document.get("Statement"):
                yield Problem(at, f"{code}: Missing required field Statement")
            elif (size := len("".join(str(value).split()))) > longest:
                yield Problem(at, f"LimitExceeded: {size} characters without white space, allowed are {longest}")

    return check


def network(path: str) -> Check:
    """An address range that is none, or that has bits beyond its prefix."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for at, value in known(inputs, path):
            try:
                ipaddress.ip_network(str(value))
            except ValueError as error:
                yield Problem(at, f"is not an address range in CIDR notation: {error}")

    return check


def bucket_name(inputs: Properties) -> Iterator[Problem]:
    """What a bucket may not be called (S3 User Guide, "General purpose bucket naming rules")."""
    for at, value in known(inputs, "bucket"):
        name = str(value)
        reserved = name.startswith(("xn--", "sthree-", "amzn-s3-demo-")) or name.endswith(
            ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
        )
        if reserved or ".." in name or name.replace(".", "").isdigit():
            yield Problem(at, f"InvalidBucketName: The specified bucket is not valid: {name!r}")


def sizes(inputs: Properties) -> Iterator[Problem]:
    """An auto-scaling group whose sizes contradict each other."""
    least, most, wanted = (inputs.get(name) for name in ("minSize", "maxSize", "desiredCapacity"))
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem("minSize", f"ValidationError: Min size ({least}) is greater than max size ({most})")
    if isinstance(wanted, int) and isinstance(least, int) and isinstance(most, int) and not least <= wanted <= most:
        yield Problem("desiredCapacity", f"ValidationError: {wanted} is not between {least} and {most}")


def two_subnets(inputs: Properties) -> Iterator[Problem]:
    """An application load balancer in fewer than two zones."""
    found = inputs.get("subnets")
    is_application = inputs.get("loadBalancerType", "application") == "application"
    if is_application and isinstance(found, list) and len(found) < 2:  # noqa: PLR2004 - two zones
        yield Problem(
            "subnets",
            "ValidationError: At least two subnets in two different Availability Zones must be specified",
        )


def listener(inputs: Properties) -> Iterator[Problem]:
    """A listener with TLS needs a certificate, one without takes none (ELB API reference, CreateListener)."""
    secure = inputs.get("protocol") in ("HTTPS", "TLS")
    if secure and not is_told(inputs, "certificateArn"):
        yield Problem("certificateArn", "CertificateNotFound: A certificate must be specified for HTTPS listeners")
    if not secure and is_told(inputs, "certificateArn") and inputs.get("protocol") is not None:
        yield Problem("certificateArn", "InvalidConfigurationRequest: only an HTTPS listener takes a certificate")


def ports(inputs: Properties) -> Iterator[Problem]:
    """A security group rule names its ports, unless it is for every protocol."""
    if inputs.get("ipProtocol") in ("tcp", "udp", "6", "17"):
        for name in ("fromPort", "toPort"):
            if not is_told(inputs, name):
                yield Problem(name, "missing required property", "rules for tcp and udp name their ports")


def _decoded(value: Any) -> bytes | None:
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error:
        return None


def _json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return None
