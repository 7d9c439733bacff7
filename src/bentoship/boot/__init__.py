"""What makes a bare machine the service: a boot script for three clouds, and the systemd unit that it writes.

boot.py is a program of its own: it runs where nothing of bentoship is installed, on any Python from 3.9 on, and
imports the standard library alone. Here it is filled in for one release.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files

from ..errors import InvalidConfiguration, Problem

LARGEST = 16_384
"""Bytes of user data that EC2 takes, before base64 ("Run commands when you launch an EC2 instance", EC2 User Guide).
Azure takes 65,535 ("Custom data and cloud-init on Azure Virtual Machines"), Compute Engine 262,144 in one metadata
value ("About VM metadata")."""
DOWNLOAD_TIMEOUT = 900.0
_ADDRESS = re.compile(r"(s3|gs)://[^/?#]+/[^?#]+|https://[a-z0-9]+\.blob\.[a-z0-9.]+/[^/?#]+/[^?#]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""What systemd drops (env_value_is_valid of its source): control characters other than tab and newline."""
_NEEDLESS = (
    re.compile(r'(?<=:\n) +""".*"""\n(?= )'),  # docstrings of functions that do something
    re.compile(r"^ *# .*\n", re.MULTILINE),
    re.compile(r"  # .*"),
    re.compile(r"^\n(?=\n)", re.MULTILINE),
)


STOP_SECONDS = 45
"""What systemd gives a service that drains for 30 seconds."""
_NUMBER = r"\d+(\.\d+)?"


@dataclass(frozen=True)
class Settings:
    """What one machine must be told to become the service. Nothing in it may be secret: user data can be read."""

    release: str
    """Id of the release: the sha256 of its archive, in hexadecimal."""
    archive: str
    """s3://bucket/key, gs://bucket/object or https://account.blob.core.windows.net/container/blob."""
    port: int
    """Where the release listens, above 1023: it runs without privileges."""
    variables: Mapping[str, str] = field(default_factory=dict)
    ready_timeout: float = 120.0
    """Seconds that the release may take until /readyz answers 200."""
    region: str = ""
    """AWS: the region of the bucket, which its signature names."""
    client_id: str = ""
    """Azure: client id of the user-assigned identity that may read the blob."""
    download_timeout: float = DOWNLOAD_TIMEOUT
    """Seconds to keep trying to fetch the archive: a new role can take minutes until every part of a cloud knows it."""


def render(settings: Settings) -> str:
    """The boot script for `settings`: the same text for the same settings, on any machine.

    InvalidConfiguration when systemd would not take a variable, or when the variables make the script longer than
    the 16,384 bytes that EC2 takes.
    """
    _check(settings)
    unit = _without_comments(_source("bentoship.service")).replace("@STOP@", _stop_seconds(settings.variables))
    script = _shortened(_source("boot.py")).replace('"@UNIT@"', f'"""{unit}"""')
    script = script.replace('"@SETTINGS@"', repr(json.dumps(asdict(settings), sort_keys=True)))
    if problems := [*_problems(settings.variables), *_too_long(script)]:
        raise InvalidConfiguration.of(problems)
    return script


def _stop_seconds(variables: Mapping[str, str]) -> str:
    """How long systemd waits for the end: what the release may linger, drain for, and some more."""
    linger = variables.get("SERVING_LINGER_SECONDS", "")
    return f"{STOP_SECONDS + (float(linger) if re.fullmatch(_NUMBER, linger) else 0):.0f}"


def _check(settings: Settings) -> None:
    """What a target got wrong is a defect of the target, found before a machine is."""
    if not _ADDRESS.fullmatch(settings.archive):
        raise ValueError(f"{settings.archive!r} is no address of an object in S3, Cloud Storage or Blob Storage")
    if settings.archive.startswith("s3:") and not settings.region:
        raise ValueError("an object in S3 needs the region of its bucket")
    if settings.archive.startswith("https:") and not settings.client_id:
        raise ValueError("a blob needs the client id of an identity that may read it")


def _problems(variables: Mapping[str, str]) -> Iterator[Problem]:
    """What systemd leaves out of a service's environment, with a line in its log and nothing else."""
    for name, value in variables.items():
        if _CONTROL.search(value):
            fault = "has a control character, which systemd does not pass on"
            yield Problem(f"variables.{name}", fault, "write it another way, such as base64")


def _too_long(script: str) -> Iterator[Problem]:
    if (size := len(script.encode())) > LARGEST:
        fault = f"make the boot script {size:,} bytes long, and a machine takes at most {LARGEST:,}"
        remedy = f"shorten them by {size - LARGEST:,} bytes, or put long values into a file of the service"
        yield Problem("variables", fault, remedy)


def _shortened(program: str) -> str:
    """The same program without what only its source needs, which leaves room for variables.

    By patterns, not by a compressor or a parser: those of another version would make another script of the same
    settings, and so replace every machine.
    """
    for needless in _NEEDLESS:
        program = needless.sub("", program)
    return re.sub(r"^(?: {4})+", lambda indent: " " * (len(indent[0]) // 4), program, flags=re.MULTILINE)


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _without_comments(unit: str) -> str:
    return "".join(line for line in unit.splitlines(keepends=True) if line.strip() and not line.startswith("#"))
