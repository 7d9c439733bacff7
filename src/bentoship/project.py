"""Where things are: the one place that knows the folders of a project."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidConfiguration

BENTOFILE = "bentofile.yaml"
_PASSPHRASE_VARIABLES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


@dataclass(frozen=True)
class Project:
    """A folder with a bentofile.yaml, and what bentoship keeps in it."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The project that `start` (default: the current folder) lies in; InvalidConfiguration when it is in none."""
        start = (start or Path.cwd()).absolute()
        for folder in (start, *start.parents):
            if (folder / BENTOFILE).is_file():
                return cls(folder)
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
    def home(self) -> Path:
        """What this machine keeps: sealed releases, the local state, what runs here. Never committed."""
        return self.root / ".bentoship"

    def local(self, stack: str) -> Path:
        """Where the local target keeps one stack: the supervisor's state, logs and unpacked releases."""
        return self.home / "local" / stack

    def archive(self, release_id: str) -> Path:
        """Where the sealed zip of a release lies, if it is on this machine."""
        return self.home / "releases" / f"{release_id}.zip"

    def engine_environment(self) -> dict[str, str]:
        """The environment variables with which the engine finds our passphrase, unless the user has set one.

        The passphrase is made at random on first use, and readable by the user alone.
        """
        (self.home / "state").mkdir(parents=True, exist_ok=True)
        if any(name in os.environ for name in _PASSPHRASE_VARIABLES):
            return {}
        path = self.home / "passphrase"
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(32))
        return {"PULUMI_CONFIG_PASSPHRASE_FILE": str(path)}


def _write_secret(path: Path, text: str) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    with suppress(FileExistsError):  # of two that make one at once, the second keeps the first one's
        os.link(unfinished, path)
    unfinished.unlink()
