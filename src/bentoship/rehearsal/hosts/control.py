"""The way to the process that runs a rehearsal's machines: find it, start it, tell it, end it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from ...errors import HostError, Problem
from ...host.lock import sole
from ..cloud import Behaviour
from ..refusal import Refused
from ..world import Resource, World

VARIABLE = "BENTOSHIP_REHEARSAL_HOSTS"
"""Names the address of the process; where it is not set, doubles remember and nothing runs."""
MODULE = "bentoship.rehearsal.hosts"
FILE = "hosts.json"
"""In the rehearsal's folder: where the process listens, and its number."""
START_TIMEOUT = 90.0
"""Seconds until it answers; it may have to wait for an earlier one to end, and machines start again with it."""
LONGEST = 1800.0
"""Seconds that one change may take: some wait for releases that need their own time, whatever the clock says."""
_ANSWER_TIMEOUT = 5.0


def ensure(root: Path, variables: Mapping[str, str]) -> str:
    """The address of the process for the rehearsal in `root`; it is started with `variables` when it isn't there.

    Raises HostError when it does not start.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / "hosts.start").open("w") as lock:  # two commands at once start one process
        fcntl.flock(lock, fcntl.LOCK_EX)
        return address(root) or _start(root.absolute(), variables)


def address(root: Path) -> str | None:
    """Where the process answers; None when there is none."""
    try:
        url = str(json.loads((root / FILE).read_text(encoding="utf-8"))["url"])
        found = httpx.get(f"{url}/hosts", timeout=_ANSWER_TIMEOUT, trust_env=False).json()
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    return url if found.get("root") == str(root.absolute()) else None


def end(root: Path) -> None:
    """End the process and all that it runs; nothing to do when there is none."""
    if url := address(root):
        httpx.delete(f"{url}/hosts", timeout=LONGEST, trust_env=False)
        with sole(root):  # which it holds to its end
            (root / FILE).unlink(missing_ok=True)


def deleted_by_hand(world: World, resource: Resource) -> None:
    """Have whatever ran because of a resource end, which somebody has removed from `world` behind the engine's back."""
    if url := address(world.folder.parent.parent):
        _post(url, world.folder.name, "deleted", resource)


def hosted(cloud: str) -> Behaviour:
    """The behaviour of a resource type that runs something: the process is told, and its answer is the outputs."""
    return Behaviour(
        created=lambda _, resource: _tell(cloud, "created", resource),
        updated=lambda _, old, new: _tell(cloud, "updated", old, new),
        read=lambda _, resource: _tell(cloud, "read", resource),
        deleted=lambda _, resource: _ignore(_tell(cloud, "deleted", resource)),
    )


def both(first: Behaviour, second: Behaviour) -> Behaviour:
    """One behaviour after the other; the second one's outputs win."""

    def created(world: World, resource: Resource) -> Mapping[str, Any]:
        return {**first.created(world, resource), **second.created(world, resource)}

    def updated(world: World, old: Resource, new: Resource) -> Mapping[str, Any]:
        return {**first.updated(world, old, new), **second.updated(world, old, new)}

    def read(world: World, resource: Resource) -> Mapping[str, Any]:
        return {**first.read(world, resource), **second.read(world, resource)}

    def deleted(world: World, resource: Resource) -> None:
        first.deleted(world, resource)
        second.deleted(world, resource)

    return Behaviour(created, updated, read, deleted)


def _tell(cloud: str, verb: str, *resources: Resource) -> Mapping[str, Any]:
    url = os.environ.get(VARIABLE)
    return _post(url, cloud, verb, *resources) if url else {}


def _post(url: str, cloud: str, verb: str, *resources: Resource) -> Mapping[str, Any]:
    body = [asdict(resource) for resource in resources]
    try:
        answer = httpx.post(f"{url}/hosts/{cloud}/{verb}", json=body, timeout=LONGEST, trust_env=False)
    except httpx.HTTPError as error:
        remedy = "run the command again: it starts them anew"
        raise HostError("the rehearsal's machines", f"don't answer ({error!r})", remedy) from error
    if answer.status_code != httpx.codes.OK:
        raise HostError("the rehearsal's machines", f"answered {answer.status_code} to {verb}", "look into hosts.log")
    found: Mapping[str, Any] = answer.json()
    if "refused" in found:
        raise Refused.of(Problem(**problem) for problem in found["refused"])
    return found


def _ignore(_: object) -> None:
    """For what has nothing to answer."""


def _start(root: Path, variables: Mapping[str, str]) -> str:
    log = root / "hosts.log"
    reader, writer = os.pipe()
    with log.open("a") as output, os.fdopen(reader, "r", encoding="utf-8") as report:
        try:
            subprocess.run(  # it goes on in a child of its own
                [sys.executable, "-P", "-m", MODULE, str(root), "--report", str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={**os.environ, **variables},
                pass_fds=[writer],
                check=False,
            )
        finally:
            os.close(writer)
        ready, _, _ = select.select([report], [], [], START_TIMEOUT)
        url = report.readline().strip() if ready else ""
    if not url:
        raise HostError("the rehearsal's machines", "did not start", f"look into {log}")
    return url
