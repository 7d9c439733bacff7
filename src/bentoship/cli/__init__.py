"""The command line: words to API calls. The only place that prints and picks exit codes.

0 for success; 1 with a sentence and a remedy; 2 for wrong usage; 130 after Ctrl-C. `plan` and `drift` answer 0 for
no change, 1 for changes and 2 for an error. Data goes to stdout, talk to stderr. A traceback is a defect of ours.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import NoReturn

import click

from ..errors import BentoshipError
from .commands import bentoship
from .printer import complain

OF_THE_MACHINE = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EROFS: "the file system can't be written to; work in a folder that can",
    errno.EACCES: "permission denied; work in a folder that is yours",
    errno.EEXIST: "is a file where a folder is needed; move it away",
    errno.ENOTDIR: "is a file where a folder is needed; move it away",
    errno.EISDIR: "is a folder where a file is needed; move it away",
    errno.EMFILE: "too many open files; raise the limit with `ulimit -n`",
}
"""Faults of the machine, whatever was being done; what they interrupt can be run again."""


def main() -> None:
    """Run the command that the arguments name, and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command."""
    state: dict[str, str] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):  # what runs below us is to end well, whoever asks
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup: the terminal may go
            signal.signal(number, _interrupt)
    try:
        code = bentoship.main(args=arguments, prog_name="bentoship", obj=state, standalone_mode=False)
    except BentoshipError as error:
        complain(error)
        return _failed(state)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; the same command carries on from here", err=True)
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _failed(state)
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        complain(BentoshipError(str(error.filename or "this machine"), OF_THE_MACHINE[error.errno]))
        return _failed(state)
    return code if isinstance(code, int) else 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _failed(state: dict[str, str]) -> int:
    return 2 if state.get("verb") in ("plan", "drift") else 1
