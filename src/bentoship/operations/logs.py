"""logs: what the releases of a deployment have written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from .. import environments
from ..durations import seconds
from ..errors import BentoshipError, InvalidConfiguration
from ..host.logs import FOLDER, Filter
from ..host.logs import follow as follow_lines
from ..host.logs import tail as tail_lines
from ..project import Project
from .stacks import chosen


def logs(
    project: Project,
    name: str,
    *,
    only: str | None = None,
    follow: bool = False,
    tail: int = 100,
    since: str | None = None,
    search: str | None = None,
) -> Iterator[str]:
    """The last `tail` lines of a deployment; with `follow`, also those that are still to come."""
    oldest, pattern = _oldest(since), _pattern(search)
    deployment = chosen(environments.load(project, name), only)[0]
    if deployment.target_name != "local":
        raise BentoshipError(deployment.stack, f"the logs of {deployment.target_name} lie with the platform")
    folder = project.local(deployment.stack) / FOLDER
    wanted = Filter(pattern=pattern, since=oldest)
    lines = follow_lines(folder, tail, wanted) if follow else tail_lines(folder, tail, wanted)
    yield from map(str, lines)


def _oldest(since: str | None) -> datetime | None:
    if since is None:
        return None
    ago = seconds("--since", since)
    try:
        return datetime.now(UTC) - timedelta(seconds=ago)
    except (OverflowError, ValueError):
        return datetime.min.replace(tzinfo=UTC)  # longer ago than anything


def _pattern(search: str | None) -> str | None:
    try:
        re.compile(search or "")
    except (re.error, OverflowError) as error:
        raise InvalidConfiguration("--search", f"is not a regular expression ({error})") from None
    return search
