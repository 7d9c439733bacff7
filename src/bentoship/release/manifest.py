"""What a release says of itself: MANIFEST.json, the last file in the zip. It can't contain the release's own id."""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field, ValidationError

from ..deployment import Example, Frozen, ReleaseRef
from ..errors import ReleaseError
from .writing import sha256

NAME = "MANIFEST.json"
FORMAT = 1
"""Counts up when an older Bentoship could not read a release any more."""
_ID = re.compile(r"[0-9a-f]{64}")
_REBUILD = "build it again, or fetch it again from where it was kept"


@dataclass(frozen=True)
class FileFacts:
    """One file of a release: the sha256 of its bytes, their number, and whether it may be executed."""

    sha256: str
    size: int
    executable: bool = False


class Manifest(Frozen):
    """Everything that a release says of itself."""

    format: int = Field(description="version of this format")
    bento: str = Field(description="name of the Bento")
    service: str = Field(description="where the service is, such as service:Salary")
    bentoml: str = Field(description="version of BentoML inside")
    python: str = Field(description="Python minor that it runs on")
    platform: str = Field(description="platform that its wheels are for")
    lock: str = Field(description="sha256 of bentofile.lock")
    examples: tuple[Example, ...]
    fits: dict[str, bool | str] = Field(description="target: true, or why it can't go there")
    body: str = Field(description="sha256 of all bytes of the zip before this file's own header")
    files: dict[str, FileFacts]

    def dump(self) -> bytes:
        """The bytes of MANIFEST.json: the same for the same content."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
        return f"{text}\n".encode()


@dataclass(frozen=True)
class Release:
    """A sealed release: a file, and what it says of itself."""

    id: str
    """sha256 of the file, in hexadecimal."""
    path: Path
    bytes: int
    """Size of the file."""
    files: int
    """How many files are in it."""
    python: str
    """Python minor that it runs on, such as 3.12."""
    bento: str
    """Name of the Bento inside."""
    bentoml: str
    """Version of BentoML inside."""
    fits: Mapping[str, bool | str]
    """For every target: True, or a sentence that says why the release can't go there."""
    examples: tuple[Example, ...]
    """The golden examples, each with its answer."""

    def ref(self) -> ReleaseRef:
        """The release as a deployment knows it: everything but its bytes."""
        return ReleaseRef(id=self.id, bento=self.bento, python=self.python, examples=self.examples)


def store(project: Path) -> Path:
    """Where the releases of `project` lie, each as `<id>.zip`."""
    return project / ".bentoship" / "releases"


def id_in_name(path: Path) -> str | None:
    """The id that the name of a release's file claims, None when the name isn't an id."""
    return path.stem if path.suffix == ".zip" and _ID.fullmatch(path.stem) else None


def open_release(path: Path) -> Release:
    """The release in the file `path`, as its manifest describes it; `verify` checks whether that is true.

    Raises ReleaseError when there is no such file, or when it isn't a release.
    """
    manifest, files = read(path)
    return release(path, id_in_name(path) or sha256(path), manifest, files)


def release(path: Path, identity: str, manifest: Manifest, files: int) -> Release:
    """The release `identity` that lies in `path`, made of `files` files."""
    return Release(
        id=identity,
        path=path,
        bytes=path.stat().st_size,
        files=files,
        python=manifest.python,
        bento=manifest.bento,
        bentoml=manifest.bentoml,
        fits=MappingProxyType(dict(manifest.fits)),
        examples=manifest.examples,
    )


def read(path: Path) -> tuple[Manifest, int]:
    """The manifest of the release in `path`, and how many files it has; raises ReleaseError when it can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return parse(archive.read(NAME), path), len(archive.namelist())
    except FileNotFoundError:
        raise ReleaseError(str(path), "there is no such release", "build it, or check the path") from None
    except KeyError:
        raise ReleaseError(str(path), f"is a zip without {NAME}, so it is no release", _REBUILD) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        struct.error,
    ) as error:
        raise ReleaseError(str(path), f"is no whole zip file: {_reason(error)}", _REBUILD) from None
    except OSError as error:
        raise ReleaseError(str(path), f"can't be read ({error.strerror})") from error


def parse(content: bytes, path: Path) -> Manifest:
    """The manifest that `content` spells; raises ReleaseError that names the release `path` when it is none."""
    try:
        values: Any = json.loads(content)
        found = values.get("format") if isinstance(values, dict) else None
        if isinstance(found, int) and found > FORMAT:
            fault = f"was sealed by a newer Bentoship (format {found}, this one reads {FORMAT})"
            raise ReleaseError(str(path), fault, "upgrade Bentoship")
        return Manifest.model_validate(values)
    except (ValueError, ValidationError) as error:
        raise ReleaseError(str(path), f"has a {NAME} that can't be read: {_reason(error)}", _REBUILD) from None


def sidecar(path: Path) -> dict[str, Any]:
    """What was measured when the release in `path` was sealed, and isn't part of it: nothing when nobody wrote it down.

    `memory_mb`: resident memory of the serving process after its examples; `seconds`: how long sealing took;
    `sealed_at`: when, as ISO 8601 in UTC.
    """
    try:
        content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
