"""Commands of the project around an `up` or a promotion: before it, after it, and when it has failed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from ..deployment import ReleaseRef
from ..errors import BentoshipError, HookFailed, UpdateInterrupted
from ..project import REHEARSE
from .attempt import Attempt, Deployed
from .stacks import stopping

_GRACE = 5.0
"""Seconds that a hook has to end after it was told to."""
_LOOK = 0.2
"""Seconds between two looks whether a command that runs is to be ended."""
_LONGEST = 10_000
"""Letters of an error that are handed on; a variable may have 128 KiB (execve(2))."""


def around(attempt: Attempt, release: ReleaseRef, go_live: Callable[[], Deployed]) -> Deployed:
    """Go live between the commands that the environment's file names.

    Raises HookFailed when `before_up` fails, and then nothing has been touched; and when `after_up` fails, which undoes
    nothing. `on_failure` is run when the release did not go live, unless that was interrupted; its own failure is told.
    """
    hooks = attempt.deployment.hooks
    try:
        if (code := _run(attempt, release, "before_up", hooks.before_up)) != 0:
            raise HookFailed(attempt.stack.name, f"before_up ended with exit code {code}, and nothing was touched")
        done = go_live()
    except UpdateInterrupted:
        raise
    except BentoshipError as error:
        if (code := _run(attempt, release, "on_failure", hooks.on_failure, {"ERROR": str(error)[:_LONGEST]})) != 0:
            attempt.tell(f"{attempt.stack.name}: on_failure ended with exit code {code}")
        raise
    facts = {"URL": done.url, "CHANGES": str(len(done.changes))}
    if (code := _run(attempt, release, "after_up", hooks.after_up, facts)) != 0:
        fault = f"release {release.short} is live at {done.url}, but after_up ended with exit code {code}"
        raise HookFailed(attempt.stack.name, fault, "run it again by hand, or `up`, which runs it again")
    return done


def _run(
    attempt: Attempt, release: ReleaseRef, name: str, command: str | None, facts: Mapping[str, str] | None = None
) -> int:
    """The exit code of one command, 0 where there is none; what it prints is told line by line.

    Raises UpdateInterrupted when bentoship was, having ended the command and what it started.
    """
    if command is None:
        return 0
    stop = stopping()
    with subprocess.Popen(
        ["sh", "-c", command],
        cwd=attempt.project.root,
        env={**os.environ, **_facts(attempt, release, {"HOOK": name, **(facts or {})})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that all of it can be ended
    ) as process:
        over = threading.Event()
        threading.Thread(target=_end_when, args=(stop, process.pid, over), daemon=True).start()
        try:
            for line in process.stdout or ():  # until all that it started has ended, too
                attempt.tell(f"{attempt.stack.name}: {name}: {line.rstrip()}")
        finally:
            over.set()
    if stop.is_set():
        raise UpdateInterrupted(attempt.stack.name, f"was interrupted in {name}", "the same command begins again")
    return process.returncode


def _facts(attempt: Attempt, release: ReleaseRef, more: Mapping[str, str]) -> dict[str, str]:
    deployment = attempt.deployment
    facts = {
        "ENVIRONMENT": deployment.environment,
        "DEPLOYMENT": deployment.name,
        "STACK": deployment.stack,
        "TARGET": deployment.target_name,
        "RELEASE": release.id,
        "BENTO": release.bento,
        **more,
    }
    rehearses = {REHEARSE: "1"} if attempt.project.rehearses else {}
    return {**{f"BENTOSHIP_{name}": value for name, value in facts.items()}, **rehearses}


def _end_when(stop: threading.Event, group: int, over: threading.Event) -> None:
    while not stop.wait(_LOOK):
        if over.is_set():
            return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        if over.wait(_GRACE):
            return
