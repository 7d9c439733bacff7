"""A made-up cloud on disk: what exists in it, one JSON file an object, so that a later process sees it.

    <folder>/<cloud>/eu-central-1/elasticbeanstalk.Environment/e-abcdefgh12.json
    <folder>/<cloud>/store/<bucket>/<key>           the bytes of stored objects
    <folder>/<cloud>/faults.json                    what is still to go wrong (faults.py)

The engine starts one provider process for each provider of a program, and they may run at the same time as a later
command: each file is written whole or not at all, and whoever looks first and writes then holds the lock.
`python -m bentoship.rehearsal.world` changes it behind the engine's back.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..engine.state import short_type
from ..errors import InvalidConfiguration

VARIABLE = "BENTOSHIP_REHEARSAL"
"""Names the folder of the rehearsal's worlds."""
LONGEST_FILE_NAME = 200
_LOCKS: dict[Path, threading.RLock] = {}
_USAGE = """\
usage: python -m bentoship.rehearsal.world CLOUD list
       python -m bentoship.rehearsal.world CLOUD change ID PROPERTY=JSON...
       python -m bentoship.rehearsal.world CLOUD delete ID
(the folder is that of the environment variable BENTOSHIP_REHEARSAL)"""


@dataclass(frozen=True)
class Resource:
    """Something that exists in the cloud."""

    type: str
    """Pulumi's token, such as aws:s3/bucket:Bucket."""
    id: str
    key: str
    """What is unique in its region and its type; mostly the id."""
    region: str
    """Empty for what exists once in an account, such as a role."""
    properties: Mapping[str, Any]
    finished: bool = True
    """False when its creation broke off half-way."""
    given: bool = False
    """Whether it was there before any stack, as the default network of a real account is."""

    @property
    def short_type(self) -> str:
        """Module and class, as the SDK for Python calls it: s3.Bucket."""
        return short_type(self.type)

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags or labels, with the defaults of the provider that made it."""
        names = ("tagsAll", "tags", "effectiveLabels", "labels", "userLabels")
        found: Any = next(filter(None, map(self.properties.get, names)), {})
        if isinstance(found, list):  # an auto-scaling group has a list of keys and values
            return {item["key"]: item["value"] for item in found}
        return dict(found)


@dataclass(frozen=True)
class World:
    """What exists in one cloud."""

    folder: Path

    @classmethod
    def of(cls, cloud: str, folder: Path | None = None) -> World:
        """The world of `cloud`, in `folder` or in the one that the environment names."""
        named = os.environ.get(VARIABLE)
        if folder is None and not named:
            raise InvalidConfiguration(
                VARIABLE, "is not set", "a rehearsal is started by bentoship, which sets it to a folder"
            )
        found = cls((folder or Path(str(named))) / cloud)
        found.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return found

    @property
    def store(self) -> Path:
        """The folder of stored objects: their bytes, by bucket and key."""
        return self.folder / "store"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else looks and writes meanwhile, neither in this process nor in another; may be nested."""
        lock = _LOCKS.setdefault(self.folder.absolute(), threading.RLock())
        with lock, (self.folder / "lock").open("a") as file:
            if not _is_held(self.folder):
                fcntl.flock(file, fcntl.LOCK_EX)
            with _holding(self.folder):
                yield

    def put(self, resource: Resource) -> None:
        """Let `resource` exist, as it is."""
        path = self._path(resource.type, resource.key, resource.region)
        write_whole(path, json.dumps(asdict(resource), indent=1, sort_keys=True))

    def get(self, token: str, key: str, region: str) -> Resource | None:
        """The resource as it is now; None when there is none."""
        return _read(self._path(token, key, region))

    def remove(self, token: str, key: str, region: str) -> None:
        """Let it be gone; that it was gone already is no error."""
        self._path(token, key, region).unlink(missing_ok=True)

    def every(self, token: str = "", region: str | None = None) -> list[Resource]:
        """All that exists, or all of one type, or all in one region; what is there once in an account is in each."""
        kind = short_type(token) if token else "*"
        found = (_read(path) for path in sorted(self.folder.glob(f"*/{kind}/*.json")))
        wanted = (None, "", region)
        return [item for item in found if item and (region is None or item.region in wanted)]

    def finished(self, token: str) -> list[Resource]:
        """All of one type but those whose creation broke off half-way."""
        return [item for item in self.every(token) if item.finished]

    def tagged(self, tags: Mapping[str, str]) -> list[Resource]:
        """What carries all of `tags`: what a stack has left, or still has."""
        return [item for item in self.every() if tags.items() <= item.tags.items()]

    def change(self, identity: str, properties: Mapping[str, Any]) -> Resource:
        """Change what has this id behind the engine's back; KeyError when nothing has."""
        with self.locked():
            old = self._only(identity)
            new = replace(old, properties={**old.properties, **properties})
            self.put(new)
            return new

    def delete(self, identity: str) -> Resource:
        """Remove what has this id behind the engine's back; KeyError when nothing has."""
        with self.locked():
            old = self._only(identity)
            self.remove(old.type, old.key, old.region)
            return old

    def forget(self) -> None:
        """Empty the world: nothing exists, nothing is stored, nothing is to go wrong."""
        with self.locked():
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != "lock":
                    path.unlink()

    def _only(self, identity: str) -> Resource:
        for item in self.every():
            if item.id == identity:
                return item
        raise KeyError(identity)

    def _path(self, token: str, key: str, region: str) -> Path:
        name = quote(key, safe="")
        if len(name) > LONGEST_FILE_NAME:
            name = f"{name[: LONGEST_FILE_NAME - 17]}-{sha256(key.encode()).hexdigest()[:16]}"
        return self.folder / (region or "global") / short_type(token) / f"{name}.json"


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write the file so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.chmod(mode)
    unfinished.replace(path)


_held = threading.local()


def _is_held(folder: Path) -> bool:
    return folder.absolute() in getattr(_held, "folders", ())


@contextmanager
def _holding(folder: Path) -> Iterator[None]:
    before = getattr(_held, "folders", ())
    _held.folders = (*before, folder.absolute())
    try:
        yield
    finally:
        _held.folders = before


def _read(path: Path) -> Resource | None:
    try:
        return Resource(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def main(words: list[str]) -> str:
    """What `python -m bentoship.rehearsal.world` answers; InvalidConfiguration with the usage when it can't."""
    try:
        cloud, verb, *others = words
        world = World.of(cloud)
        if verb == "list" and not others:
            return "\n".join(f"{item.region or 'global':15} {item.short_type:40} {item.id}" for item in world.every())
        identity, *changes = others
        if verb == "change" and changes:
            return str(dict(world.change(identity, dict(map(_change, changes))).properties))
        if verb == "delete" and not changes:
            from .hosts import control  # noqa: PLC0415 - which knows this module

            gone = world.delete(identity)
            control.deleted_by_hand(world, gone)
            return f"{gone.id} is gone"
    except KeyError as error:
        raise InvalidConfiguration(str(error.args[0]), "there is nothing with this id", "see `list`") from None
    except ValueError:
        pass
    raise InvalidConfiguration("bentoship.rehearsal.world", "does not understand that", _USAGE)


def _change(word: str) -> tuple[str, Any]:
    name, value = re.split("=", word, maxsplit=1)
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except InvalidConfiguration as problem:
        sys.exit(str(problem))
