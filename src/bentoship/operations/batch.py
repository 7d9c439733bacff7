"""batch: a file of rows goes through a sealed release on this machine, and comes out as a file of answers.

No deployment is needed and none is touched. The release is unpacked and started as every host does it, asked row by
row, many at a time, and stopped.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import hdrs

from ..errors import HostError
from ..project import Project
from ..release import Release, build, open_release
from ..release.running import last_words, of_this_machine, running
from ..release.unpack import unpack
from ..tables import Table, open_table
from . import endpoint
from .journal import Journal, Making, finished, journal
from .sealed import sealed_file
from .stacks import Tell

Progress = Callable[[int, int], object]
"""Hears how many rows are answered, and how many there are."""
_AT_ONCE = 64
"""Requests in progress. Enough for some processes, and for the batches of an endpoint that takes several at once."""
_TRIES = 3
_PAUSE = 0.2
"""Seconds between two tries of one request."""
_LATE: Collection[Any] = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""What is answered to who has waited too long, perhaps only since so many others were asked at once."""
_CARRY_ON = "the same command carries on after the rows that are answered"


@dataclass(frozen=True)
class Batch:
    """What became of a file of rows."""

    output: Path
    release: str
    route: str
    rows: int
    refused: int
    """Rows that have an error in place of an answer."""
    carried_on: int
    """Rows that an earlier command had answered already."""


@dataclass(frozen=True)
class _Host:
    """The release that is asked."""

    url: str
    process: subprocess.Popen[bytes]
    work: Path


def batch(
    project: Project,
    file: Path,
    *,
    release: str | None = None,
    route: str | None = None,
    output: Path | None = None,
    workers: str = "cores",
    tell: Tell = lambda _: None,
    progress: Progress = lambda _done, _rows: None,
) -> Batch:
    """Send the rows of `file` (CSV, JSON lines, Parquet) through a release, and write their answers to `output`.

    The release is the one whose id begins with `release`, or else the project's own, sealed now. `route` is that of
    the first golden example unless said otherwise; `workers` is how many processes answer. `output` gets one JSON
    object a row, in their order: `row` (from 1) and `answer`, or `row`, `status` and `error` where the service refused
    it. What was interrupted is carried on by the same call.

    Raises InvalidConfiguration for a file that can't be requests, or an output that was begun with another input,
    release or endpoint; HostError when the release can't run here.
    """
    table = open_table(file)
    sealed = open_release(sealed_file(project, release)) if release else build(project.root, tell=tell)
    with _unpacked(project.batches, sealed) as (folder, work):
        asked = endpoint.find(folder, route or sealed.examples[0].path)
        request = endpoint.requests_of(table, asked)
        to = output or file.with_suffix(".answers.jsonl")
        making = Making(file.name, table.sha256, table.count, sealed.id, asked.route)
        refused = finished(to, making)
        if refused is not None:
            return Batch(to, sealed.id, asked.route, table.count, refused, table.count)
        if unsent := endpoint.left_out(table, asked):
            tell(f"not sent, since {asked.route} has no such field: {', '.join(unsent)}")
        with journal(to, making) as answers:
            before = answers.rows
            if before < table.count:
                variables = {**of_this_machine(folder), "SERVING_WORKERS": workers, "BENTOSHIP_RELEASE": sealed.id}
                variables["PYTHONPYCACHEPREFIX"] = str(folder.with_name("bytecode"))
                variables["BENTOSHIP_DRAIN_SECONDS"] = "1"  # what is in progress when it has to end is asked again
                with running(folder, variables, work, keep=_is_worth_keeping) as (url, process):
                    host = _Host(url, process, work)
                    asyncio.run(_ask_all(host, asked.route, table, request, answers, progress))
            answers.finish()
            return Batch(to, sealed.id, asked.route, table.count, answers.refused, before)


@contextmanager
def _unpacked(place: Path, release: Release) -> Iterator[tuple[Path, Path]]:
    """The release, unpacked, and a folder to write to; releases that no command runs any more are removed."""
    own = place / release.id
    own.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held, tempfile.TemporaryDirectory(prefix="bentoship-batch-") as work:
        with _locked(place, fcntl.LOCK_EX):
            own.mkdir(exist_ok=True)
            held.enter_context(_locked(own, fcntl.LOCK_SH))
            _remove_unused(place)
        yield unpack(release.path, own, release.id), Path(work)


def _remove_unused(place: Path) -> None:
    for folder in place.iterdir():
        with suppress(BlockingIOError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)


def _is_worth_keeping(line: bytes) -> bool:
    """Whether a line of the log isn't about a request: those stand in the output."""
    return b'"request_id"' not in line


async def _ask_all(
    host: _Host,
    route: str,
    table: Table,
    request: Callable[[Any], bytes],
    answers: Journal,
    progress: Progress,
) -> None:
    """Ask for every row that has no answer yet, many at a time; write their answers down in the order of the rows."""
    waiting: deque[asyncio.Task[dict[str, Any]]] = deque()
    patience = aiohttp.ClientTimeout(total=None)  # the service has one
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(host.url, headers=headers, timeout=patience) as session:
        asker = _Asker(session, route, host)

        async def write_next() -> None:
            answers.add(await waiting.popleft())
            progress(answers.rows, table.count)

        progress(answers.rows, table.count)
        try:
            for row in table.rows(answers.rows):
                if len(waiting) == _AT_ONCE:
                    await write_next()
                waiting.append(asyncio.create_task(asker.ask(request(row))))
            while waiting:
                await write_next()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


class _Asker:
    """Asks the release, and asks again when it is busy, is late or its process went away."""

    def __init__(self, session: aiohttp.ClientSession, route: str, host: _Host) -> None:
        self._session, self._route, self._host = session, route, host
        self._alone = asyncio.Lock()

    async def ask(self, body: bytes) -> dict[str, Any]:
        """The answer to one request, or the error in its place."""
        with suppress(aiohttp.ClientError):
            answer = await self._once(body)
            if answer.get("status") not in _LATE:
                return answer
        return await self._again(body)

    async def _again(self, body: bytes) -> dict[str, Any]:
        """What becomes of a request that was lost, or waited too long behind others.

        One request that ends its process takes others with it. So all of them are asked one by one, and it is by itself
        when it does so again.
        """
        answer = {"error": f"no answer; asked {_TRIES} times, and the process that was to answer went away each time"}
        for _ in range(_TRIES - 1):
            async with self._alone:
                await asyncio.sleep(_PAUSE)
                if self._host.process.poll() is not None:
                    code, words = self._host.process.returncode, last_words(self._host.work)
                    raise HostError("the release", f"ended with exit code {code}; its last line: {words}", _CARRY_ON)
                with suppress(aiohttp.ClientError):
                    answer = await self._once(body)
                    if answer.get("status") not in _LATE:
                        break
        return answer

    async def _once(self, body: bytes) -> dict[str, Any]:
        while True:
            async with self._session.post(self._route, data=body) as response:
                content = await response.read()
            # The launcher, which refuses at its limit, says when to come again; a service's own 429 is an answer.
            if response.status != HTTPStatus.TOO_MANY_REQUESTS or hdrs.RETRY_AFTER not in response.headers:
                return _told(response.status, response.content_type, content)
            await asyncio.sleep(_PAUSE)


def _told(status: int, media_type: str, content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content) if media_type == "application/json" else content.decode()
    except ValueError:
        return {"status": status, "error": f"answered with {media_type} that can't be written as JSON"}
    if status < HTTPStatus.BAD_REQUEST:
        return {"answer": body}
    # BentoML tells its own errors as a list of one, and those of pydantic as a mapping with the details.
    first = body[0] if isinstance(body, list) and len(body) == 1 else body
    return {"status": status, **(first if isinstance(first, dict) and "error" in first else {"error": first})}
