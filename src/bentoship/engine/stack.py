"""One Pulumi stack, driven through the command line.

Why not the Automation API: its `up` starts the command line five times (select, config, up, outputs twice,
history), and importing it costs half a second. `pulumi up --json` streams the same engine events, the stack's
outputs among them, in one call; docs/performance.md has the figures.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import EngineError, StackLocked, UpdateFailed, UpdateInterrupted
from . import adoption, backend, locks
from .events import Event, Step, read_event
from .install import PYTHON, CommandLine
from .state import State, read_state

NO_STACK = "no stack named"
OnEvent = Callable[[Event], None]
_STOPPING = ("--continue-on-error=false",)
"""Whatever PULUMI_CONTINUE_ON_ERROR says: an update that goes on writes outputs that it does not know, among them the
ledger."""
_GOING_ON = ("--continue-on-error",)
"""What can be removed is removed, and all that can't is told at once."""
_EXISTS = re.compile(
    r"already[ .]?(exist|own|taken|associated)|create already existing|Duplicate|Exists: |conflicts with another"
    r"|would result in a conflict",
    re.IGNORECASE,
)
"""How the clouds say that what is to be created is there."""

_running: dict[subprocess.Popen[str], bool] = {}
"""The engines that this process has started and that have not ended, and whether they have been asked to stop."""


@dataclass(frozen=True)
class Outcome:
    """What an operation of the engine came to."""

    changes: Mapping[str, int]
    """Number of resources by what was done to them: create, update, delete, replace, same."""
    steps: tuple[Step, ...]
    """The resources that changed, or would change."""
    outputs: Mapping[str, Any]
    seconds: float

    @property
    def changing(self) -> set[str]:
        """The operations that changed something, or would: create, update, delete."""
        return {step.operation for step in self.steps} - {"same", "refresh", "read"}

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be."""
        return bool(self.changing)


@dataclass
class _Run:
    """What has been seen of a running operation so far."""

    steps: dict[str, Step] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    existing: dict[str, Step] = field(default_factory=dict)
    """What could not be created because it is there, by its URN."""

    def take(self, event: Event) -> None:
        if event.step is not None and event.step.is_stack and event.step.done:
            self.outputs = event.step.outputs
        if event.step is not None and not event.step.is_stack and event.step.operation != "refresh":
            self.steps[event.step.urn] = event.step
        if event.changes is not None:
            self.changes = event.changes
        if event.error:
            self.errors.append(event.error)
        if event.urn in self.steps and _EXISTS.search(event.error):
            self.existing[event.urn] = self.steps[event.urn]


@dataclass(frozen=True)
class Stack:
    """A stack of the Pulumi project in `folder`."""

    name: str
    folder: Path
    command_line: CommandLine
    environment: Mapping[str, str]
    """Environment variables for the engine, beyond our own."""
    secrets_provider: str = "passphrase"

    def outputs(self) -> Mapping[str, Any] | None:
        """The outputs of the last update; None when the stack doesn't exist."""
        said = self._ask_if_there("output", "--json", "--show-secrets")
        found: Mapping[str, Any] | None = json.loads(said) if said is not None else None
        return found

    def others(self) -> list[str]:
        """The names of all stacks of the project."""
        done = self._ask("stack", "ls", "--json")
        if done.returncode:
            raise self._error(done.stderr, "stack ls")
        return [str(each["name"]).rpartition("/")[2] for each in json.loads(done.stdout)]

    def state(self) -> State | None:
        """What the stack is made of; None when it doesn't exist."""
        said = self._ask_if_there("export")
        return read_state(said) if said is not None else None

    def create(self) -> None:
        """Create the stack, empty."""
        self._forget_salt()
        done = self._ask("stack", "init", self.name, "--no-select", "--secrets-provider", self.secrets_provider)
        if done.returncode and "already exists" not in done.stderr:
            raise self._error(done.stderr)

    def remove(self) -> None:
        """Forget the stack, which must be empty by now."""
        done = self._ask("stack", "rm", self.name, "--yes", "--preserve-config")
        if done.returncode and NO_STACK not in done.stderr:
            raise self._error(done.stderr)
        self._settings_file.unlink(missing_ok=True)

    def unlock(self) -> None:
        """Take the lock away from a holder that is gone."""
        self._ask("cancel", "--yes", "--stack", self.name)

    def configure(self, values: Mapping[str, str]) -> None:
        """Say `values` as the stack's configuration; the file is written whole or not at all."""
        unfinished = self._settings_file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(self._configured(values), encoding="utf-8")
        unfinished.replace(self._settings_file)

    def preview(self, values: Mapping[str, str], on_event: OnEvent = lambda _: None) -> Outcome:
        """What an update would do if `values` were the configuration; changes nothing, not even that file."""
        with self._settings_with(values) as file:
            return self._operate("preview", ["--refresh", "--config-file", file], on_event)

    def up(
        self,
        on_event: OnEvent = lambda _: None,
        values: Mapping[str, str] | None = None,
        adoptable: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Look at what is there, then make it what the program says, with `values` added to its configuration.

        What is to be created, is there already and is of a type in `adoptable` is taken into the state: a killed
        attempt made it. The values are the inputs that are the objects' ids.

        UpdateFailed when that can't be finished. The stack's configuration file stays as it is: `configure` it once
        the update has succeeded, so that a plain `pulumi up` never repeats what was refused.
        """
        adopted = set[str]()
        with self._settings_with(values or {}) as file:
            options = ["--yes", "--skip-preview", "--refresh", *_STOPPING, "--config-file", file]
            while True:
                try:
                    return self._operate("up", options, on_event)
                except UpdateFailed as failure:
                    found = {step.urn: adoption.resource(step, adoptable or {}) for step in failure.existing}
                    if not found or None in found.values() or adopted & found.keys():
                        raise
                    self._adopt([each for each in found.values() if each])
                    adopted |= found.keys()

    def drift(self, on_event: OnEvent = lambda _: None) -> Outcome:
        """What is otherwise than the last operation left it: steps that update, or delete. Changes nothing."""
        with self._settings_with({}) as file:
            return self._operate("refresh", ["--preview-only", "--config-file", file], on_event)

    def destroy(self, on_event: OnEvent = lambda _: None) -> Outcome:
        """Remove every resource of the stack."""
        return self._operate("destroy", ["--yes", "--skip-preview", "--refresh", *_GOING_ON], on_event)

    @property
    def _settings_file(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    def _forget_salt(self) -> None:
        """Drop the salt of a stack of this name whose state is gone: a new stack gets a new one.

        Unless it still encrypts something: then the engine's complaint about the passphrase is the right answer.
        """
        if not self._settings_file.exists():
            return
        text = self._settings_file.read_text(encoding="utf-8")
        if "secure:" not in text:
            settings = yaml.safe_load(text) or {}
            settings.pop("encryptionsalt", None)
            self._settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")

    @contextmanager
    def _settings_with(self, values: Mapping[str, str]) -> Iterator[str]:
        """A configuration file of its own that says `values`; gone afterwards."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as settings:
            settings.write(self._configured(values))
            settings.flush()
            yield settings.name

    def _configured(self, values: Mapping[str, str]) -> str:
        settings: dict[str, Any] = {}
        if self._settings_file.exists():
            settings = yaml.safe_load(self._settings_file.read_text(encoding="utf-8")) or {}
        config = dict(settings.get("config") or {}) | {f"bentoship:{key}": value for key, value in values.items()}
        return yaml.safe_dump({**settings, "config": config}, sort_keys=True)

    def _environment(self) -> dict[str, str]:
        ours = {
            "BENTOSHIP_PYTHON": PYTHON,
            "BENTOSHIP_PID": str(os.getpid()),
            "PATH": os.pathsep.join([str(self.command_line.path.parent), str(Path(PYTHON).parent), os.environ["PATH"]]),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
            # Where the stack's own file is not here, as in a fresh clone, its state says how its secrets are encrypted;
            # without this they would be encrypted anew, with the passphrase of whoever comes.
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        }
        return {**os.environ, **ours, **self.environment}

    def _adopt(self, resources: Sequence[Mapping[str, Any]]) -> None:
        """Write `resources` into the state; the next update looks at them before anything else."""
        done = self._ask("stack", "export", "--stack", self.name)
        if done.returncode == 0:
            with_them = adoption.state_with(done.stdout, resources)
            done = self._ask("stack", "import", "--stack", self.name, given=with_them)
        if done.returncode:
            raise self._error(done.stderr)

    def _ask_if_there(self, *words: str) -> str | None:
        """What the engine says about the stack; None when it doesn't exist."""
        done = self._ask("stack", *words, "--stack", self.name)
        if "EOF" in done.stderr and backend.mend(self.folder, self.environment):
            done = self._ask("stack", *words, "--stack", self.name)
        if done.returncode == 0:
            return done.stdout
        if NO_STACK in done.stderr:
            return None
        raise self._error(done.stderr)

    def _ask(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(self.command_line.path), "--non-interactive", "--color", "never", *words]
        around = self._environment()
        return subprocess.run(
            command, cwd=self.folder, env=around, input=given, capture_output=True, text=True, check=False
        )

    def _operate(self, verb: str, options: list[str], on_event: OnEvent) -> Outcome:
        begin = time.monotonic()
        command = [str(self.command_line.path), "--non-interactive", "--color", "never", verb, "--json"]
        run, complaints = _Run(), list[str]()
        with subprocess.Popen(
            [*command, "--stack", self.name, *options],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: `interrupt_all` passes it on once, so that the engine ends well
        ) as process:
            _running[process] = False
            collector = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
            collector.start()
            unheard: Exception | None = None
            for event in filter(None, map(read_event, process.stdout or ())):
                run.take(event)
                try:
                    on_event(event)
                except Exception as error:  # noqa: BLE001 - an engine that nobody reads dies in the middle of a step
                    unheard = unheard or error
            collector.join()
        interrupted = _running.pop(process)
        if unheard:
            raise unheard
        if process.returncode and interrupted:
            raise UpdateInterrupted(self.name, "was interrupted", "the same command carries on from here")
        if process.returncode:
            raise self._failure(verb, run, "".join(complaints))
        return Outcome(run.changes, tuple(run.steps.values()), run.outputs, time.monotonic() - begin)

    def _failure(self, verb: str, run: _Run, complaint: str) -> EngineError:
        errors = [error for error in dict.fromkeys(run.errors) if error != "update failed"] or run.errors
        if errors:
            existing = tuple(run.existing.values())
            return UpdateFailed(self.name, "\n".join(errors), _remedy(existing), existing)
        return self._error(complaint, verb)

    def _error(self, complaint: str, verb: str = "") -> EngineError:
        if holder := locks.holder(complaint):
            gone = f"if that process is gone for good: `pulumi -C infra cancel -s {self.name}`"
            if "PULUMI_BACKEND_URL" in self.environment:  # a rehearsal's, whose stacks have the names of the real ones
                gone = "if that process hangs, end it, and run the same command again"
            fault = f"is being changed by {holder.who} since {holder.since}"
            return StackLocked(self.name, fault, f"wait for it; {gone}", holder)
        sentence = " ".join(complaint.split()).removeprefix("error: ") or "the engine ended without a word"
        return EngineError(f"pulumi {verb} {self.name}".replace("  ", " "), sentence)


def _remedy(existing: Sequence[Step]) -> str:
    """What to do about objects that nobody remembers: the answer to whoever made them got lost."""
    if not existing:
        return ""
    named = ", ".join(f"{step.type} {step.name}" for step in existing)
    way_out = "if an attempt whose answer got lost made it, delete it in the cloud and run the same command again"
    return f"{named}: there already, and not in this stack's state; {way_out}"


def interrupt_all(*, again: bool = False) -> None:
    """Ask every running engine to end the step it is at, write its state and release its lock.

    One that was asked before is asked `again` only when told so: the second time, the engine doesn't wait.
    """
    for process, asked in tuple(_running.items()):
        if again or not asked:
            _running[process] = True
            process.send_signal(signal.SIGINT)
