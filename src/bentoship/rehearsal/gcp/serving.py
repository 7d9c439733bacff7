"""Services of App Engine that run: each version's zip by its entrypoint, and the traffic split between versions.

"App Engine standard: quotas and limits", "Instance classes", "Splitting traffic", App Engine documentation.
"""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ...host import ports
from ...host.state import Wanted
from ...patience import patience
from ...release import limits
from ...release.unpack import unpack
from ..hosts.balancer import Balancer, HealthCheck
from ..hosts.machine import Machine, of_this_laptop
from ..hosts.plane import Plane
from ..metadata import ComputeEngineMachine
from ..refusal import refused
from ..world import Resource
from .appengine import MEMORY_MB, SOURCE, STANDARD
from .behaviours import stored
from .services import APP_ENGINE

_LOOK = 0.1
_MB = 1 << 20
_MESSAGE = (
    "Exceeded hard memory limit of {limit} MiB with {used} MiB after servicing 0 requests total. Consider setting a "
    "larger instance class in app.yaml."
)
_SOON = 120.0
Properties = Mapping[str, Any]


@dataclass(eq=False)
class Version:
    """One version, with one instance, on an address of its own."""

    machine: Machine
    front: Balancer
    url: str
    limit_mb: int
    log: list[str] = field(default_factory=list)
    watch: asyncio.Task[None] | None = None


@dataclass(eq=False)
class Service:
    """One service: its versions, and the address that the traffic comes to."""

    balancer: Balancer
    url: str
    versions: dict[str, Version] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)


class Serving:
    """All services of the rehearsed project."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self.services: dict[str, Service] = {}

    async def deploy(self, resource: Resource) -> None:
        """Build and start a version; raises Refused, as App Engine does, when it breaks a limit."""
        told = resource.properties
        folder = await asyncio.to_thread(self._built, resource)
        service = await self._service(str(told["service"]))
        name = str(told["versionId"])
        tells = ComputeEngineMachine(str(told.get("project")), name=name)
        machine = self._plane.machine("gcp", f"{told['service']}-{name}", tells)
        front = Balancer(self._plane.clock, _CHECK)
        port = await front.open(ports.LOCALHOST, 0)
        standard = resource.type == STANDARD
        memory = MEMORY_MB.get(str(told.get("instanceClass") or "F1"), 0) if standard else 0
        version = Version(machine, front, ports.url(ports.LOCALHOST, port), memory)
        service.versions[name] = version
        await machine.run(self._wanted(told, machine, folder, standard=standard))
        front.register(name, lambda: machine.url)
        service.balancer.register(name, lambda: machine.url, 0)
        if memory:
            version.watch = self._plane.start(self._limit(version))

    async def split(self, service_name: str, shares: Mapping[str, Any]) -> None:
        """Give the versions their parts of the requests, once each of them answers."""
        service = await self._service(service_name)
        service.shares = {name: float(share) for name, share in shares.items()}
        end = asyncio.get_running_loop().time() + patience(_SOON)
        while asyncio.get_running_loop().time() < end:
            health = service.balancer.health()
            if all(health.get(name) == "healthy" for name in service.shares):
                break
            await service.balancer.changed(_LOOK)
        weights = {name: round(1000 * service.shares.get(name, 0)) for name in service.versions}
        service.balancer.weigh(weights)

    async def remove(self, service_name: str, name: str) -> None:
        """End a version."""
        service = self.services.get(service_name)
        version = service.versions.pop(name, None) if service else None
        if service is None or version is None:
            return
        if version.watch:
            version.watch.cancel()
        await service.balancer.deregister(name)
        await version.front.close()
        await self._plane.stop(version.machine.name)

    async def end(self, service_name: str) -> None:
        """End a service with all its versions."""
        if (service := self.services.pop(service_name, None)) is None:
            return
        for name, version in service.versions.items():
            if version.watch:
                version.watch.cancel()
            await service.balancer.deregister(name)
            await version.front.close()
            await self._plane.stop(version.machine.name)
        await service.balancer.close()

    async def _service(self, name: str) -> Service:
        if name not in self.services:
            balancer = Balancer(self._plane.clock, _CHECK)
            file = self._plane.root / "app-engine" / name
            before = int(file.read_text()) if file.is_file() else 0
            port = await balancer.open(ports.LOCALHOST, before if before and ports.is_free(before) else 0)
            file.parent.mkdir(exist_ok=True)
            file.write_text(str(port))  # the address that was given out stays true
            self.services[name] = Service(balancer, ports.url(ports.LOCALHOST, port))
        return self.services[name]

    def _built(self, resource: Resource) -> Path:
        """The folder of a version's zip, which its address in Cloud Storage leads to; the same bytes, unpacked once."""
        told = resource.properties
        source = str(((told.get("deployment") or {}).get("zip") or {}).get("sourceUrl") or "")
        found = SOURCE.fullmatch(source)
        archive = stored(self._plane.world("gcp"), found["bucket"], found["name"]) if found else None
        if archive is None or not archive.is_file():
            raise _refused(f"The source file {source!r} does not exist., notFound", 404)
        if resource.type == STANDARD:
            _refuse_what_is_too_large(archive)
        data = archive.read_bytes()
        bundle = self._plane.root / "bundles" / f"{hashlib.sha256(data).hexdigest()}.zip"
        bundle.parent.mkdir(exist_ok=True)
        bundle.write_bytes(data)
        return unpack(bundle, self._plane.root / "bundles")

    def _wanted(self, told: Properties, machine: Machine, folder: Path, *, standard: bool) -> Wanted:
        state = machine.disk / "tmp"
        state.mkdir(parents=True, exist_ok=True)
        variables = {
            **of_this_laptop(),
            "BENTOSHIP_HOST": "127.0.0.1",
            "BENTOSHIP_STATE_DIR": str(state),
            "GAE_SERVICE": str(told["service"]),
            "GAE_VERSION": str(told["versionId"]),
            **({"GAE_ENV": "standard"} if standard else {}),
            **{name: str(value) for name, value in (told.get("envVariables") or {}).items()},
        }
        entrypoint = str((told.get("entrypoint") or {}).get("shell") or "")
        return Wanted(str(folder), variables, command=("sh", "-c", f"exec {entrypoint}"))

    async def _limit(self, version: Version) -> None:
        """End the instance, again and again, whenever it has more memory than its class gives it."""
        while True:
            used = await asyncio.to_thread(_resident_mb, version.machine.pid)
            if used > version.limit_mb:
                version.log.insert(0, _MESSAGE.format(limit=version.limit_mb, used=used))
                version.machine.end_process()
            await asyncio.sleep(_LOOK)


_CHECK = HealthCheck("/readyz", interval=1, healthy=1)


def _refuse_what_is_too_large(archive: Path) -> None:
    """Refuse what breaks a limit of the standard environment."""
    limit = limits.PLATFORMS["gcp/app_engine"]
    with zipfile.ZipFile(archive) as entries:
        files = {info.filename: info.file_size for info in entries.infolist() if not info.is_dir()}
    if limit.files and len(files) > limit.files:
        raise _refused(f"The version has {len(files):,} files, at most {limit.files:,} are allowed., invalidArgument")
    for name, size in files.items():
        if limit.file_bytes and size > limit.file_bytes:
            has = f"{name} has {limits.megabytes(size)}"
            raise _refused(f"{has}, a file may have {limits.megabytes(limit.file_bytes)}., invalidArgument")


def _refused(sentence: str, status: int = 400) -> Exception:
    return refused(APP_ENGINE, "apps.services.versions.create", sentence, "deployment.zip.sourceUrl", status)


def _resident_mb(pid: int | None) -> int:
    """Resident memory of a process and its children, in MB; 0 when it is gone."""
    try:
        process = psutil.Process(pid) if pid else None
        every = [process, *process.children(recursive=True)] if process else []
        return sum(each.memory_info().rss for each in every) // _MB
    except psutil.Error:
        return 0
