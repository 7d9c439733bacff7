"""Find Pulumi's command line, or get it: PATH, our cache, the official installer, its published Go module."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from packaging.version import InvalidVersion, Version

from ..errors import EngineMissing
from ..project import cache as shared_cache

BUILT_VERSION = "3.259.0"
"""The newest command line whose Go module a proxy serves whole; tools/pulumi/go.mod names the same."""
OLDEST = Version("3.238.0")
"""Since this version an update that fails half-way reports every failed step (pulumi/pulumi CHANGELOG)."""
TOO_NEW = Version("4")
GO_MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_SYMBOL = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_LANGUAGE_HOST = """#!/bin/sh
# Written by bentoship: the language host for a Pulumi command line built from its Go module.
exec "${BENTOSHIP_PYTHON:-python3}" -m bentoship.engine.language_host "$@"
"""

_FIND_PROJECT = """\
# The passphrase is that of the project that we are in, or that -C names.
place=$PWD previous=
for word in "$@"; do
  case $previous in -C | --cwd) place=$(cd "$word" 2>/dev/null && pwd) || place=$PWD ;; esac
  case $word in -C=* | --cwd=*) place=$(cd "${word#*=}" 2>/dev/null && pwd) || place=$PWD ;; esac
  previous=$word
done
while [ ! -f "$place/.bentoship/passphrase" ] && [ -n "${place%/}" ]; do place=${place%/*}; done
if [ -f "$place/.bentoship/passphrase" ] && \
  [ -z "${PULUMI_CONFIG_PASSPHRASE+set}${PULUMI_CONFIG_PASSPHRASE_FILE+set}" ]; then
  export PULUMI_CONFIG_PASSPHRASE_FILE="$place/.bentoship/passphrase"
fi
"""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class CommandLine:
    """A Pulumi command line that is fit for use."""

    path: Path
    version: str
    source: str
    """Where it came from: PATH, cache, installer or Go module."""


def cache() -> Path:
    """The folder in which this machine keeps the command lines that bentoship installed, by version."""
    return shared_cache() / "pulumi"


def find() -> CommandLine | None:
    """The command line on PATH or in the cache, whichever is usable first; None when there is neither."""
    return _on_path() or _cached(_built_root(), "cache") or _newest_installed()


def ensure(tell: Tell = lambda _: None) -> CommandLine:
    """The command line, installed if it must be.

    Tries what is cheap first: the official installer fails within a second where there is no internet, and
    building from the Go module takes minutes. Raises EngineMissing with everything that was tried.
    """
    if found := find():
        return found
    tried: list[str] = []
    for attempt in (_official_installer, _go_module):
        try:
            return attempt(tell)
        except _NotThisWayError as reason:
            tried.append(str(reason))
    raise EngineMissing(
        "pulumi",
        "no Pulumi command line on PATH or in the cache, and none could be installed: " + "; ".join(tried),
        "install Pulumi 3.238 or later from its web page, or Go 1.26 so that bentoship can build it",
    )


def expose(command_line: CommandLine, folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Put a `pulumi` into `folder` that starts `command_line` with the defaults in `environment`.

    Whoever works in this virtual environment then types plain `pulumi` and means the same engine as bentoship does,
    and in each project its own passphrase. Variables that are set already win.
    """
    everything = {"BENTOSHIP_PYTHON": PYTHON, "PULUMI_SKIP_UPDATE_CHECK": "true", **environment}
    values = {name: shlex.quote(value) for name, value in sorted(everything.items())}
    defaults = "".join(f"{name}=${{{name}:-{value}}}; export {name}\n" for name, value in values.items())
    script = folder / "pulumi"
    start = f'exec {shlex.quote(str(command_line.path))} "$@"'
    _write_executable(script, f"#!/bin/sh\n# Written by bentoship.\n{defaults}{_FIND_PROJECT}{start}\n")
    return script


class _NotThisWayError(Exception):
    """One way of getting the command line is closed; the sentence says why."""


def _on_path() -> CommandLine | None:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = (shutil.which("pulumi", path=folder) for folder in folders)
    theirs = (Path(path) for path in found if path and not _is_ours(Path(path)))
    return next((usable for path in theirs if (usable := _usable(path, "PATH"))), None)


def _is_ours(path: Path) -> bool:
    # A script that `expose` wrote leads back to the cache; following it would hide which binary is meant.
    with path.open("rb") as file:
        return b"Written by bentoship" in file.read(64)


def _cached(root: Path, source: str) -> CommandLine | None:
    path, memory = root / "bin" / "pulumi", root / "version"
    if not path.exists():
        return None
    with suppress(OSError, ValueError):
        binary, version = memory.read_text(encoding="utf-8").splitlines()
        if binary == _binary(path):
            return _fit(path, version, source)
    found = _usable(path, source)
    if found:
        with suppress(OSError):  # a cache that can only be read is asked each time
            _write(memory, f"{_binary(path)}\n{found.version}\n")
    return found


def _binary(path: Path) -> str:
    """What a binary is known by: asking it for its version takes as long as everything else before the engine."""
    there = path.stat()
    return f"{platform.machine()} {there.st_size} {there.st_mtime_ns}"


def _newest_installed() -> CommandLine | None:
    found = filter(None, (_cached(root, "cache") for root in cache().glob("v*")))
    return max(found, key=lambda each: Version(each.version), default=None)


def _usable(path: Path, source: str) -> CommandLine | None:
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [path, "version"], capture_output=True, text=True, env=environment, timeout=30, check=False
        )
        return _fit(path, answer.stdout.strip().removeprefix("v"), source)
    except (OSError, subprocess.TimeoutExpired, InvalidVersion):
        return None


def _fit(path: Path, said: str, source: str) -> CommandLine | None:
    version = Version(said)
    return CommandLine(path, str(version), source) if OLDEST <= version < TOO_NEW else None


def _official_installer(tell: Tell) -> CommandLine:
    from pulumi.automation import PulumiCommand  # noqa: PLC0415 - half a second, and rarely needed
    from semver import VersionInfo  # noqa: PLC0415

    tell(f"pulumi {BUILT_VERSION}: asking the official installer")
    final = cache() / f"v{BUILT_VERSION}-official"
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix="installing-") as temporary:
        root = Path(temporary) / "pulumi"
        try:
            PulumiCommand.install(root=str(root), version=VersionInfo.parse(BUILT_VERSION))
        except Exception as error:
            raise _NotThisWayError("the official installer could not download it (no internet?)") from error
        if _cached(final, "installer") is None:  # what was left there is of no use
            shutil.rmtree(final, ignore_errors=True)
        with suppress(OSError):  # another one was faster, and what it brought is the same
            root.rename(final)
    found = _cached(final, "installer")
    if found is None:
        raise _NotThisWayError("what the official installer brought does not run here")
    return found


def _built_root() -> Path:
    return cache() / f"v{BUILT_VERSION}"


def _go_module(tell: Tell) -> CommandLine:
    go = shutil.which("go")
    if go is None:
        raise _NotThisWayError("Go, which could build it, is not on PATH")
    root = _built_root()
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as temporary:
        folder = Path(temporary)
        for name in ("go.mod", "go.sum"):
            (folder / name).write_bytes(_go_file(name))
        _build(go, folder, tell)
        _write_executable(folder / "bin" / "pulumi-language-python", _LANGUAGE_HOST)
        (root / "bin").mkdir(parents=True, exist_ok=True)
        # Two that build at once end alike: each rename is whole, and the binaries are the same.
        for name in ("pulumi-language-python", "pulumi"):
            (folder / "bin" / name).replace(root / "bin" / name)
    found = _cached(root, "Go module")
    if found is None:
        raise _NotThisWayError("what was built from the Go module does not run here")
    return found


def _go_file(name: str) -> bytes:
    # In a checkout the files lie under tools/pulumi; in an installed package, beside this module.
    here = Path(__file__)
    for path in (here.parent / "go" / name, here.parents[3] / "tools" / "pulumi" / name):
        if path.is_file():
            return path.read_bytes()
    raise _NotThisWayError(f"this installation lacks the {name} that names Pulumi's Go module")


def _build(go: str, folder: Path, tell: Tell) -> None:
    tell(f"pulumi {BUILT_VERSION}: building it from its Go module, once for this machine (3 minutes on 2 cores)")
    flags = ["-trimpath", "-tags", "osusergo,grpcnotrace", "-ldflags", f"-s -w -X {_VERSION_SYMBOL}=v{BUILT_VERSION}"]
    command = [go, "build", "-mod=readonly", *flags, "-o", str(folder / "bin" / "pulumi"), GO_MODULE]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    with _heartbeat("still building pulumi", tell):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise _NotThisWayError(f"building it from its Go module failed ({last[0]})")


class _heartbeat:  # noqa: N801 - reads as a statement
    """Says every 15 seconds that a long step still runs, and since when."""

    def __init__(self, sentence: str, tell: Tell) -> None:
        self._sentence, self._tell, self._ended = sentence, tell, threading.Event()

    def __enter__(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _run(self) -> None:
        begin = time.monotonic()
        while not self._ended.wait(15):
            self._tell(f"{self._sentence} ({time.monotonic() - begin:.0f} s)")


def _write_executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, text, mode=0o755)


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text)
    unfinished.chmod(mode)
    unfinished.replace(path)


PYTHON = sys.executable
"""The interpreter that the engine's helpers (language host, providers) run with."""
