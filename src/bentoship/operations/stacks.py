"""From a deployment to its Pulumi stack, and many of them at once."""

from __future__ import annotations

import fcntl
import getpass
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TypeVar

import psutil

from .. import rehearsal
from ..deployment import Deployment, Environment, now
from ..engine import backend, locks
from ..engine.install import CommandLine
from ..engine.stack import Stack, interrupt_all
from ..errors import BentoshipError, EngineMissing, InvalidConfiguration, StackLocked, UpdateInterrupted, of_the_machine
from ..project import PASSPHRASE_VARIABLES, Project

Result = TypeVar("Result")
Tell = Callable[[str], None]

_this_thread = threading.local()
"""Its `stop` is set when the command that a worker belongs to is interrupted."""

PARALLEL = 8
"""Engines at once; each takes about 150 MB with its provider and its program."""
_OF_URLS = "#%?"
"""What means something else in a URL than in a path, and Pulumi takes its folder for one."""
_LOOK = 0.5
"""Seconds between two looks for engines that have been started after an interrupt."""


def stack_of(project: Project, environment: Environment, deployment: Deployment, engine: CommandLine) -> Stack:
    """The Pulumi stack of a deployment."""
    return stack_named(project, environment, deployment.stack, engine)


def stack_named(project: Project, environment: Environment, name: str, engine: CommandLine) -> Stack:
    """The Pulumi stack called `name`, `<environment>-<deployment>`."""
    if not (project.infra / "Pulumi.yaml").is_file():
        raise InvalidConfiguration(
            str(project.infra), "has no Pulumi.yaml", "copy the folder infra/ of bentoship's own project"
        )
    _check_backend(project, environment)
    around, secrets_provider = project.engine_environment(), environment.secrets_provider
    if project.rehearses:
        around, secrets_provider = {**around, **rehearsal.environment(project)}, "passphrase"
    return Stack(name, project.engine_folder, engine, around, secrets_provider)


def _check_backend(project: Project, environment: Environment) -> None:
    """Raise InvalidConfiguration for a state that can't be kept as it is said.

    In a folder whose path the engine misreads; or shared, with a passphrase that would be made up here, or is empty.
    """
    url, _ = backend.named(project.infra)
    is_relative = url.startswith("file://.")
    if is_relative and any(letter in str(project.root) for letter in _OF_URLS) and not project.rehearses:
        fault = f"has one of {' '.join(_OF_URLS)} in it, which the folder of a state can't have"
        raise InvalidConfiguration(str(project.root), fault, "move the project, or name another backend")
    is_shared = bool(url) and not url.startswith("file://") and not project.rehearses
    if not is_shared or environment.secrets_provider != "passphrase":
        return
    if not any(os.environ.get(name) for name in PASSPHRASE_VARIABLES):
        fault = "is not set, or empty, and the state is shared: its secrets would be encrypted for this machine alone"
        remedy = "set it, or PULUMI_CONFIG_PASSPHRASE_FILE, to what all who deploy have; or choose a `secrets_provider`"
        if (project.home / "passphrase").exists():
            remedy += "; .bentoship/passphrase, which was made here for a state of this machine, can be that file"
        raise InvalidConfiguration(PASSPHRASE_VARIABLES[0], fault, remedy)


def need_sdk(deployment: Deployment) -> None:
    """Raise EngineMissing when the package of Pulumi is not here that the program is going to import for it."""
    sdk = deployment.target.sdk
    extra = sdk.removeprefix("pulumi_").partition("_")[0]
    if sdk and find_spec(sdk) is None:
        fault = f"{deployment.target_name} needs the package {sdk}, which is not installed"
        raise EngineMissing(f"deployment {deployment.name}", fault, f"pip install 'bentoship[{extra}]'")


def chosen(environment: Environment, only: str | None) -> Sequence[Deployment]:
    """The deployments that a command is about: all of them, or the one named `only`."""
    if only is None:
        return environment.deployments
    found = [deployment for deployment in environment.deployments if deployment.name == only]
    if not found:
        known = ", ".join(deployment.name for deployment in environment.deployments)
        raise InvalidConfiguration(
            f"environments/{environment.name}.yaml", f"has no deployment {only!r}", f"there are: {known}"
        )
    return found


def each(
    deployments: Sequence[Deployment], act: Callable[[Deployment], Result], tell: Tell, *, parallel: int = PARALLEL
) -> dict[str, Result | BentoshipError]:
    """What `act` came to for every deployment, by name; one that fails does not stop the others.

    `parallel` of them are acted on at once, the rest as these end.

    An interrupt is passed on to the engines, which end what they are at and release their locks; it is raised
    again when they have.
    """
    stop = threading.Event()
    workers = min(parallel, max(1, len(deployments)))
    with ThreadPoolExecutor(workers, initializer=_heed, initargs=(stop,)) as pool:
        futures: dict[str, Future[Result | BentoshipError]] = {
            deployment.name: pool.submit(_caught, act, deployment) for deployment in deployments
        }
        interrupted = _await_all(list(futures.values()), tell, stop)
        if interrupted:
            raise KeyboardInterrupt
    return {name: future.result() for name, future in futures.items()}


def pause(seconds: float, where: str) -> None:
    """Do nothing for so long; UpdateInterrupted as soon as the command is interrupted."""
    if stopping().wait(seconds):
        raise UpdateInterrupted(where, "was interrupted", "the same command carries on from here")


def stopping() -> threading.Event:
    """Set as soon as the command that this thread works for is interrupted."""
    found: threading.Event = _this_thread.stop
    return found


def _heed(stop: threading.Event) -> None:
    _this_thread.stop = stop


@contextmanager
def alone(project: Project, stack: str) -> Iterator[None]:
    """Be the only command of this machine at work on `stack`, from reading its ledger to writing it.

    Raises StackLocked that names the other one. The engine's own lock, which also holds against other machines,
    covers only its own run.
    """
    path = project.lock(stack)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackLocked(stack, f"is being changed by {file.read() or 'another command'}", "wait for it") from None
        file.truncate(0)
        file.write(f"{whoami()} (process {os.getpid()}) since {now()}")
        file.flush()
        yield


def whoami() -> str:
    """This user on this machine: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = f"user-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def with_lock(stack: Stack, act: Callable[[], Result], tell: Tell) -> Result:
    """Act; when the stack is locked by a process that is gone, or that lost its bentoship, take the lock over.

    Raises StackLocked when somebody is really at work.
    """
    try:
        return act()
    except StackLocked as error:
        if error.holder is None or not _is_abandoned(error.holder):
            raise
        tell(f"{stack.name}: taking over the lock of {error.holder.who}, which was killed")
        if not error.holder.is_gone:  # its number may be another process's by now
            _end(error.holder.pid)
        stack.unlock()
        return act()


def _await_all(futures: list[Future[Result]], tell: Tell, stop: threading.Event) -> bool:
    """Wait for all of them; answer whether there was an interrupt, which is passed on to every engine."""
    interrupted = False
    while True:
        try:
            _, waiting = wait_for(futures, timeout=_LOOK if interrupted else None)
            if not waiting:
                return interrupted
            interrupt_all()  # those that have started since
        except KeyboardInterrupt:
            tell("interrupted; the engine ends the step it is at (a second Ctrl-C does not wait for it)")
            stop.set()
            interrupt_all(again=interrupted)
            interrupted = True
            for future in futures:
                future.cancel()


def _caught(act: Callable[[Deployment], Result], deployment: Deployment) -> Result | BentoshipError:
    try:
        return act(deployment)
    except BentoshipError as error:
        return error
    except OSError as error:
        if told := of_the_machine(error):
            return told
        raise


def _is_abandoned(holder: locks.Holder) -> bool:
    """Whether the engine that holds the lock is gone, or was started by a bentoship that is gone."""
    if holder.is_gone:
        return True
    if not holder.is_here:
        return False
    try:
        parent = psutil.Process(holder.pid).environ().get("BENTOSHIP_PID", "")
    except psutil.Error:
        return False
    return parent.isdigit() and not psutil.pid_exists(int(parent))


def _end(pid: int, grace: float = 15) -> None:
    """End an engine that lost its bentoship: first as Ctrl-C would, so that it writes its state."""
    try:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGINT)
        process.wait(grace)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(grace)
