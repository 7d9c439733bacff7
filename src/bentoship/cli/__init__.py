"""The command line: words to API calls. The only place that prints and picks exit codes.

0 for success; 1 with a sentence and a remedy; 2 for wrong usage; 130 after Ctrl-C. `plan` and `drift` answer 0 for
no change, 1 for changes and 2 for an error. Data goes to stdout, talk to stderr. A traceback is a defect of ours.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from typing import NoReturn

import click

from ..errors import BentoshipError, of_the_machine
from .commands import bentoship
from .printer import complain


def main() -> None:
    """Run the command that the arguments name, and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command."""
    state: dict[str, str] = {}
    _get_ready()
    try:
        code = bentoship.main(args=arguments, prog_name="bentoship", obj=state, standalone_mode=False)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - a defect must not look like a plan's changes
        return _told(error, 2 if state.get("verb") in ("plan", "drift") else 1)
    return code if isinstance(code, int) else 0


def _get_ready() -> None:
    for stream in (sys.stdout, sys.stderr):  # an answer may have letters that the terminal has not
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):  # what runs below us is to end well, whoever asks
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup: the terminal may go
            signal.signal(number, _interrupt)


def _told(error: BaseException, failed: int) -> int:
    """Say what has ended a command; its exit code, which is `failed` for most."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("interrupted; the same command carries on from here", err=True)
        return 130
    if isinstance(error, BrokenPipeError):  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif told := error if isinstance(error, BentoshipError) else of_the_machine(error):
        complain(told)
    elif not isinstance(error, SystemExit):  # which is click's word for a closed pipe
        traceback.print_exception(error)
    return failed


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
