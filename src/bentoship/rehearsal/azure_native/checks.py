"""Rules of Azure that need a look at more than one value."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from ...errors import Problem
from ..rules import Check, Properties, is_told, known

MOST_TAGS, LONGEST_TAG_NAME, LONGEST_TAG_VALUE = 50, 512, 256
"""("Use tags to organize your Azure resources", Limitations)."""
LONGEST_CUSTOM_DATA = 65_535
"""Bytes before they are encoded ("Custom data and cloud-init on Azure Virtual Machines")."""
_SSH_KEY = re.compile(r"(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]+={0,2}( .*)?")
_DURATION = re.compile(r"P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?")


def tags(inputs: Properties) -> Iterator[Problem]:
    """Tags that Azure takes on no resource."""
    found = inputs.get("tags")
    if not isinstance(found, dict):
        return
    if len(found) > MOST_TAGS:
        yield Problem("tags", f"there are {len(found)}, allowed are {MOST_TAGS}")
    for name, value in found.items():
        if not 1 <= len(name) <= LONGEST_TAG_NAME or set(name) & set("<>%&\\?/"):
            yield Problem(f"tags.{name}", f"a name has 1 to {LONGEST_TAG_NAME} characters and none of <>%&\\?/")
        if isinstance(value, str) and len(value) > LONGEST_TAG_VALUE:
            yield Problem(f"tags.{name}", f"a value has at most {LONGEST_TAG_VALUE} characters, this one {len(value)}")


def custom_data(path: str) -> Check:
    """What a machine starts with: base64, and not too long."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for at, value in known(inputs, path):
            try:
                size = len(base64.b64decode(str(value), validate=True))
            except binascii.Error:
                yield Problem(at, "InvalidParameter: Custom data in OSProfile must be in Base64 encoding")
                continue
            if size > LONGEST_CUSTOM_DATA:
                yield Problem(at, f"CustomDataTooLarge: {size} bytes, allowed are {LONGEST_CUSTOM_DATA}")

    return check


def login(path: str) -> Check:
    """A Linux machine has a password, or no password and a key (REST reference, LinuxConfiguration)."""
    linux = f"{path}.linuxConfiguration"

    def check(inputs: Properties) -> Iterator[Problem]:
        has_password = is_told(inputs, f"{path}.adminPassword")
        keys = list(known(inputs, f"{linux}.ssh.publicKeys[].keyData"))
        if is_told(inputs, path) and not has_password and not keys:
            yield Problem(
                f"{linux}.ssh",
                "InvalidParameter: Authentication using either SSH or by user name and password "
                "must be enabled in Linux profile.",
            )
        for at, value in keys:
            if not _SSH_KEY.fullmatch(str(value)):
                yield Problem(
                    at, "InvalidParameter: The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid."
                )
        for at, value in known(inputs, f"{path}.adminUsername"):
            if value in {"admin", "administrator", "root", "user", "test", "guest"}:
                yield Problem(at, f"InvalidParameter: The Admin Username specified is not allowed: {value!r}")

    return check


def rolling(inputs: Properties) -> Iterator[Problem]:
    """A rolling upgrade needs to know the health of machines, and no fewer may be ill than are upgraded at once."""
    policy = inputs.get("upgradePolicy")
    if not isinstance(policy, dict) or policy.get("mode") != "Rolling":
        return
    if not is_told(inputs, "virtualMachineProfile.networkProfile.healthProbe.id") and not is_told(
        inputs, "virtualMachineProfile.extensionProfile.extensions"
    ):
        yield Problem(
            "upgradePolicy.mode",
            "InvalidParameter: Rolling upgrades need a health probe, or the extension Application Health",
        )
    told = policy.get("rollingUpgradePolicy") or {}
    batch, ill = told.get("maxBatchInstancePercent", 20), told.get("maxUnhealthyInstancePercent", 20)
    if isinstance(batch, int) and isinstance(ill, int) and ill < batch:
        yield Problem(
            "upgradePolicy.rollingUpgradePolicy.maxUnhealthyInstancePercent",
            f"InvalidParameter: {ill} is less than maxBatchInstancePercent ({batch})",
        )


def inside_balancer(inputs: Properties) -> Iterator[Problem]:
    """The parts of a load balancer name one another by ids that end with the other's name."""
    parts = {
        "frontendIPConfiguration": "frontendIPConfigurations",
        "probe": "probes",
        "backendAddressPool": "backendAddressPools",
    }
    for reference, kind in parts.items():
        names = {str(item.get("name")) for item in inputs.get(kind) or [] if isinstance(item, dict)}
        for at, value in known(inputs, f"loadBalancingRules[].{reference}.id"):
            if str(value).rpartition("/")[2] not in names:
                yield Problem(at, f"InvalidResourceReference: Resource {value} referenced by the rule was not found.")


def network(path: str) -> Check:
    """An address range that is none, or that has bits beyond its prefix."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for at, value in known(inputs, path):
            try:
                ipaddress.ip_network(str(value))
            except ValueError as error:
                yield Problem(at, f"InvalidCIDRNotation: {error}")

    return check


def duration(*paths: str) -> Check:
    """A length of time as ISO 8601 has it."""

    def check(inputs: Properties) -> Iterator[Problem]:
        for path in paths:
            for at, value in known(inputs, path):
                if not _DURATION.fullmatch(str(value)):
                    yield Problem(at, f"{value!r} is no duration such as PT5M", "ISO 8601")

    return check


def priorities(inputs: Properties) -> Iterator[Problem]:
    """Two rules of a direction can't have one priority ("Network security groups", Security rules)."""
    seen: set[tuple[Any, Any]] = set()
    for index, rule in enumerate(inputs.get("securityRules") or []):
        key = (rule.get("direction"), rule.get("priority"))
        if key in seen:
            yield Problem(f"securityRules[{index}].priority", f"SecurityRuleConflict: {key[1]} is taken in {key[0]}")
        seen.add(key)


def linux_plan(inputs: Properties) -> Iterator[Problem]:
    """A plan for Linux says so twice ("Create an App Service plan", ARM reference: reserved)."""
    if str(inputs.get("kind", "")).startswith("linux") and inputs.get("reserved") is not True:
        yield Problem("reserved", "a plan for Linux has to be reserved, or it becomes one for Windows")


def linux_site(inputs: Properties) -> Iterator[Problem]:
    """A site whose stack App Service does not have, and a start command that Oryx's quoting would break."""
    for at, value in known(inputs, "siteConfig.linuxFxVersion"):
        if not re.fullmatch(r"PYTHON\|3\.(9|1[0-4])|DOCKER\|.+", str(value)):
            yield Problem(at, f"LinuxFxVersion has an invalid value: {value!r}", "az webapp list-runtimes --os linux")
    for at, value in known(inputs, "siteConfig.appCommandLine"):
        if "'" in str(value) or "\n" in str(value):
            yield Problem(at, "App Service puts the command between single quotes: it can have none, and one line only")
