"""Where things are: the one place that knows the folders of a project."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import InvalidConfiguration

BENTOFILE = "bentofile.yaml"
REHEARSE = "BENTOSHIP_REHEARSE"
"""Environment variable: 1 has every command act on doubles of the clouds."""
PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def cache() -> Path:
    """The folder in which this machine keeps what every project shares: engines and wheels."""
    return Path(os.environ.get("BENTOSHIP_CACHE_DIR") or platformdirs.user_cache_path("bentoship"))


@dataclass(frozen=True)
class Project:
    """A folder with a bentofile.yaml, and what bentoship keeps in it."""

    root: Path
    rehearses: bool = False
    """Whether the clouds are doubles on this machine; what is kept of those lies apart."""

    @classmethod
    def find(cls, start: Path | None = None, *, rehearse: bool = False) -> Project:
        """The project that `start` (default: the current folder) lies in; InvalidConfiguration when it is in none.

        It rehearses when asked to, or when BENTOSHIP_REHEARSE is set to 1.
        """
        start = (start or Path.cwd()).absolute()
        for folder in (start, *start.parents):
            if (folder / BENTOFILE).is_file():
                return cls(folder, rehearse or _asks_for_rehearsal())
        raise InvalidConfiguration(
            str(start),
            f"there is no {BENTOFILE} here or in any folder above",
            "go to the folder of your BentoML service, or name it with -C",
        )

    @property
    def environments(self) -> Path:
        """The folder of the environment files."""
        return self.root / "environments"

    @property
    def infra(self) -> Path:
        """The Pulumi project."""
        return self.root / "infra"

    @property
    def engine_folder(self) -> Path:
        """Where the engine finds the Pulumi project, and keeps the settings of stacks."""
        return self.home / "infra" if self.rehearses else self.infra

    @property
    def own_targets(self) -> Path:
        """The folder of the project's own targets; it need not be there."""
        return self.infra / "targets"

    @property
    def home(self) -> Path:
        """What this machine keeps: sealed releases, the local state, what runs here. Never committed."""
        return self._kept / "rehearsal" if self.rehearses else self._kept

    @property
    def _kept(self) -> Path:
        return self.root / ".bentoship"

    def local(self, stack: str) -> Path:
        """Where the local target keeps one stack: the supervisor's state, logs and unpacked releases."""
        return self.home / "local" / stack

    def intent(self, stack: str) -> Path:
        """What the program was last asked, with success, to make of a stack."""
        return self.home / "intents" / f"{stack}.json"

    def offered(self, stack: str) -> Path:
        """What the program is being asked to make of a stack; it stays when that is interrupted."""
        return self.home / "intents" / f"{stack}.offered.json"

    def going(self, stack: str) -> Path:
        """What is being removed of a stack; it stays until nothing is left."""
        return self.home / "going" / f"{stack}.json"

    def lock(self, stack: str) -> Path:
        """Held by the command that is at work on a stack on this machine."""
        return self.home / "locks" / f"{stack}.lock"

    def archive(self, release_id: str) -> Path:
        """Where the sealed zip of a release lies, if it is on this machine."""
        name = f"{release_id}.zip"
        made_up = self.variants / name
        return made_up if self.rehearses and made_up.exists() else self._kept / "releases" / name

    @property
    def batches(self) -> Path:
        """Where releases are unpacked that answer a file of rows, each below its id."""
        return self.home / "batches"

    @property
    def variants(self) -> Path:
        """Where a rehearsal keeps the releases that it makes up."""
        return self.home / "releases"

    def engine_environment(self) -> dict[str, str]:
        """The environment variables with which the engine finds our passphrase, unless the user has set one.

        The passphrase is made at random on first use, and readable by the user alone.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if self.home.stat().st_mode & 0o077:
            self.home.chmod(0o700)  # what services are told can be private
        (self.home / "state").mkdir(exist_ok=True)
        if any(name in os.environ for name in PASSPHRASE_VARIABLES):
            return {}
        path = self.home / "passphrase"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
        return {"PULUMI_CONFIG_PASSPHRASE_FILE": str(path)}


def _asks_for_rehearsal() -> bool:
    said = os.environ.get(REHEARSE, "")
    if said not in ("", "0", "1"):
        raise InvalidConfiguration(REHEARSE, f"is {said!r}", "say 1 to rehearse, or 0 to deploy")
    return said == "1"


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a file that only this user can read, whole or not at all; one that is there stays unless `replace`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if replace:
        unfinished.replace(path)
        return
    with suppress(FileExistsError):  # of two that make one at once, the second keeps the first one's
        os.link(unfinished, path)
    unfinished.unlink()
