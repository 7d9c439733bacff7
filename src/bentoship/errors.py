"""What can go wrong, as a tree.

    BentoshipError                a sentence and a remedy; the command line prints it and exits 1
    ├── InvalidConfiguration      environments/*.yaml, bentofile.yaml or models/examples.jsonl say something wrong
    ├── ReleaseError              a release can't be built, or isn't what it says it is
    │   ├── ServiceBroken         the user's service does not import, start or answer
    │   ├── LockError             the packages can't be locked or fetched
    │   ├── ExampleMismatch       the service does not give the answer that the user wrote down
    │   └── ReleaseTampered       the bytes of a release are not those that were sealed
    ├── GateFailed                a new release was not ready, or answered otherwise than its golden examples
    ├── HookFailed                a command of the project's own, before or after an `up`, failed
    ├── HostError                 this machine could not run the release
    └── EngineError               Pulumi is missing or failed
        ├── EngineMissing         no Pulumi command line, and no way to get one
        ├── StackLocked           somebody else is changing the stack
        ├── UpdateInterrupted     the engine was asked to stop half-way
        └── UpdateFailed          the engine ran and could not finish

Whatever is not in the tree is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

OF_THE_MACHINE = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EROFS: "the file system can't be written to; work in a folder that can",
    errno.EACCES: "permission denied; work in a folder that is yours",
    errno.EPERM: "belongs to another user; work in a folder that is yours, or give it back with chown",
    errno.EEXIST: "is a file where a folder is needed; move it away",
    errno.ENOTDIR: "is a file where a folder is needed; move it away",
    errno.EISDIR: "is a folder where a file is needed; move it away",
    errno.EMFILE: "too many open files; raise the limit with `ulimit -n`",
    errno.ENAMETOOLONG: "the name is too long",
}
"""Faults of the machine, whatever was being done; what they interrupt can be run again."""


@dataclass(frozen=True)
class Problem:
    """One fault: where it is, what is wrong, and what to do about it."""

    where: str
    fault: str
    remedy: str = ""

    def __str__(self) -> str:
        sentence = f"{self.where}: {self.fault}" if self.where else self.fault
        return f"{sentence}; {self.remedy}" if self.remedy else sentence


class BentoshipError(Exception):
    """One or more problems that the user can do something about, all told at once."""

    def __init__(self, where: str, fault: str, remedy: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(where, fault, remedy),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> BentoshipError:
        """The error that tells all `problems`, in their order; there must be at least one."""
        first, *others = problems
        error = cls(first.where, first.fault, first.remedy)
        error.problems = (first, *others)
        error.args = ("\n".join(map(str, error.problems)),)
        return error


def of_the_machine(error: BaseException) -> BentoshipError | None:
    """The sentence for a fault of the machine; None for any other error, which is a defect of ours."""
    if not isinstance(error, OSError) or error.errno not in OF_THE_MACHINE:
        return None
    return BentoshipError(str(error.filename or "this machine"), OF_THE_MACHINE[error.errno])


class InvalidConfiguration(BentoshipError):
    """A file of the project says something wrong."""


class ReleaseError(BentoshipError):
    """A release can't be built, or isn't what it says it is."""


class ServiceBroken(ReleaseError):
    """The user's service does not import, start or answer."""


class LockError(ReleaseError):
    """The packages of the service can't be locked or fetched."""


class ExampleMismatch(ReleaseError):
    """The service does not give the answer that the user wrote down."""


class ReleaseTampered(ReleaseError):
    """The bytes of a release are not those that were sealed."""


class GateFailed(BentoshipError):
    """A new release was not ready in time, or answered otherwise than its golden examples."""


class HookFailed(BentoshipError):
    """A command of the project's own, before or after an `up`, failed."""


class HostError(BentoshipError):
    """This machine could not run the release."""


class EngineError(BentoshipError):
    """Pulumi is missing or failed."""


class EngineMissing(EngineError):
    """There is no Pulumi command line here, and no way to get one."""


class StackLocked(EngineError):
    """Somebody else is changing the stack."""

    def __init__(self, where: str, fault: str, remedy: str = "", holder: Any = None) -> None:
        super().__init__(where, fault, remedy)
        self.holder = holder
        """Who holds the lock (engine.locks.Holder), if that is known."""


class UpdateInterrupted(EngineError):
    """The engine was asked to stop half-way, and did."""


class UpdateFailed(EngineError):
    """The engine ran and could not finish."""

    def __init__(self, where: str, fault: str, remedy: str = "", existing: Sequence[Any] = ()) -> None:
        super().__init__(where, fault, remedy)
        self.existing = existing
        """What could not be created because it is there (engine.events.Step)."""
