"""Environments of Elastic Beanstalk that run: the source bundle by its Procfile, behind a load balancer or an address.

"Deploying applications to Elastic Beanstalk environments", "Immutable environment updates" and "Traffic-splitting
deployments", Elastic Beanstalk Developer Guide.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import BentoshipError
from ...host.state import Wanted
from ...release.unpack import unpack
from .. import kept
from ..hosts.balancer import Balancer, HealthCheck
from ..hosts.machine import of_this_laptop
from ..hosts.plane import Plane
from ..refusal import refused
from ..world import Resource
from . import account
from .balancing import BALANCER
from .behaviours import stored
from .compute import VERSION
from .instances import Instances
from .network import INSTANCE
from .services import ELASTIC_BEANSTALK

ENVIRONMENT_TAG = "elasticbeanstalk:environment-name"
LARGEST_BUNDLE = 500 * 1024 * 1024
"""Bytes ("Create an application source bundle", Elastic Beanstalk Developer Guide)."""
_LOOK = 0.1
_EB = "aws:elasticbeanstalk"
_WEB = re.compile(r"^web:\s*(?P<command>.+)$", re.MULTILINE)
Settings = Mapping[tuple[str, str], str]
Properties = Mapping[str, Any]


class _DeploymentError(Exception):
    """The machines of a deployment did not become healthy."""


@dataclass(eq=False)
class Environment:
    """One environment, from its creation to its end."""

    plane: Plane
    instances: Instances
    identity: str
    name: str
    region: str
    application: str
    port: int
    """Of this machine: where the environment answers."""
    label: str = ""
    """The version that gets the traffic."""
    status: Literal["Launching", "Updating", "Ready", "Terminating"] = "Launching"
    health: Literal["Grey", "Green", "Red"] = "Grey"
    events: list[dict[str, str]] = field(default_factory=list)
    settings: dict[tuple[str, str], str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """Given to its machines, too ("Tagging resources in your Elastic Beanstalk environments", Developer Guide)."""
    _balancer: Balancer | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def launch(self, properties: Properties) -> None:
        """Start it; raises Refused, as the provider does, when errors were logged before it was ready."""
        async with self._one_at_a_time:
            self.settings, self.tags = settings_of(properties), _tags_of(properties)
            await self._open()
            await self._deploy(str(properties.get("version") or ""), self.settings, "CreateEnvironment")

    async def resume(self, properties: Properties) -> None:
        """Run again what ran before this process did."""
        async with self._one_at_a_time:
            self.settings, self.tags = settings_of(properties), _tags_of(properties)
            self.label = str(properties.get("version") or "")
            await self._open()
            for member in self.members():
                await self.instances.end(member.id, self.region)
            fresh = [await self._start(self.label, self.settings, weight=100) for _ in range(self._size())]
            await self._settle(fresh)

    async def update(self, properties: Properties) -> None:
        """Move it to other settings and another version; raises Refused when it stays where it was."""
        async with self._one_at_a_time:
            new, label = settings_of(properties), str(properties.get("version") or "")
            before, self.status, self.tags = self.settings, "Updating", _tags_of(properties)
            try:
                self._behind().check = _check(new)
                if label != self.label:
                    await self._deploy(label, new, "UpdateEnvironment")
                elif _told(new) != _told(before):
                    await self._restart(new)
                self.settings = new
                self._keep_balancer()
                await self._resize()
            except _DeploymentError as error:
                self._note("ERROR", str(error))
                raise refused(ELASTIC_BEANSTALK, "UpdateEnvironment", str(error), "settings") from None
            finally:
                self.status = "Ready"
            await self._settle(self.members())

    async def end(self) -> None:
        """Terminate it and all that it made."""
        async with self._one_at_a_time:
            self.status = "Terminating"
            if self._balancer:
                await self._balancer.close()
            await asyncio.gather(*(self.instances.end(member.id, self.region) for member in self.members()))
            self.plane.world("aws").remove(BALANCER, self._balancer_arn, self.region)

    def members(self) -> list[Resource]:
        """Its machines."""
        every = self.plane.world("aws").every(INSTANCE, self.region)
        return [item for item in every if item.tags.get(ENVIRONMENT_TAG) == self.name]

    @property
    def address(self) -> str:
        """Where it answers: what stands in place of its name in the DNS."""
        return f"127.0.0.1:{self.port}"

    def outputs(self) -> Properties:
        """What is known of it now."""
        members = [member.id for member in self.members()]
        balancers = [] if self._is_single() else [self._balancer_arn]
        return {
            "cname": self.address,
            "endpointUrl": self.address,
            "instances": members,
            "loadBalancers": balancers,
        }

    @property
    def _balancer_arn(self) -> str:
        number = account.identity("awseb", self.identity)
        return f"arn:aws:elasticloadbalancing:{self.region}:{account.ACCOUNT}:loadbalancer/app/{number}/{number[-16:]}"

    def _keep_balancer(self) -> None:
        """Have the load balancer in the world that the settings ask for, or none."""
        world, arn = self.plane.world("aws"), self._balancer_arn
        if self._is_single():
            world.remove(BALANCER, arn, self.region)
            return
        tags = {**self.tags, ENVIRONMENT_TAG: self.name}
        made = {"arn": arn, "dnsName": self.address, "loadBalancerType": "application", "tagsAll": tags}
        world.put(Resource(BALANCER, arn, arn, self.region, made))

    async def _open(self) -> None:
        self._keep_balancer()
        self._balancer = Balancer(self.plane.clock, _check(self.settings))
        await self._balancer.open("127.0.0.1", self.port)

    async def _deploy(self, label: str, settings: Settings, call: str) -> None:
        """New machines beside the old ones; the old ones go when the new ones are healthy, else the new ones do."""
        old = self.members()
        splits = old and settings.get((f"{_EB}:command", "DeploymentPolicy")) == "TrafficSplitting"
        self._note("INFO", f"Environment update is starting: version {label}.")
        fresh: list[Resource] = []
        try:
            for _ in range(self._size()):
                fresh.append(await self._start(label, settings, weight=0 if old else 100))  # noqa: PERF401
            await self._until_healthy(fresh)
            if splits:
                await self._evaluate(old, fresh, settings)
        except (_DeploymentError, BentoshipError) as error:
            await self._give_up(fresh, label, str(error), call)
        self._weigh(fresh, 100)
        self._weigh(old, 0)
        self.label, self.status, self.health = label, "Ready", "Green"
        await asyncio.gather(*(self._stop(member) for member in old))
        self._note("INFO", f"New application version {label} was deployed to running EC2 instances.")

    async def _give_up(self, fresh: Sequence[Resource], label: str, reason: str, call: str) -> None:
        """Stay on the old version, if there is one, and be ready all the same."""
        self._note("ERROR", f"During an aborted deployment, some instances may have deployed {label}: {reason}")
        self._note("ERROR", "Failed to deploy application.")
        await asyncio.gather(*(self._stop(member) for member in fresh))
        self.status, self.health = "Ready", "Green" if self.label else "Red"
        told = "; ".join(event["Message"] for event in self.events[:2] if event["Severity"] == "ERROR")
        raise refused(ELASTIC_BEANSTALK, call, f"{told}", "version")

    async def _evaluate(self, old: Sequence[Resource], fresh: Sequence[Resource], settings: Settings) -> None:
        """Give the new machines their part of the traffic for a while; go on while they are healthy."""
        percent = int(settings.get((f"{_EB}:trafficsplitting", "NewVersionPercent"), "10"))
        minutes = float(settings.get((f"{_EB}:trafficsplitting", "EvaluationTime"), "5"))
        self._note("INFO", f"{percent} % of the traffic go to the new version for {minutes:g} minutes.")
        self._weigh(fresh, percent * max(1, len(old)))
        self._weigh(old, (100 - percent) * max(1, len(fresh)))
        end = asyncio.get_running_loop().time() + 60 * minutes * self.plane.clock.scale
        while asyncio.get_running_loop().time() < end:
            if trouble := self._trouble(fresh):
                raise _DeploymentError(trouble)
            await self._look()

    async def _restart(self, settings: Settings) -> None:
        """New variables restart the service on each machine in turn; the machines stay."""
        for member in self.members():
            await self._behind().deregister(member.id)
            await self._run(member, self.label, settings)
            self._register(member, 100)
            await self._settle([member])

    async def _resize(self) -> None:
        members = self.members()
        for _ in range(self._size() - len(members)):
            await self._start(self.label, self.settings, weight=100)
        for member in members[self._size() :]:
            await self._stop(member)

    async def _start(self, label: str, settings: Settings, weight: int) -> Resource:
        identity = f"i-{account.unique()}"
        member = Resource(
            INSTANCE,
            identity,
            identity,
            self.region,
            {
                "id": identity,
                "versionLabel": label,
                "iamInstanceProfile": settings.get(("aws:autoscaling:launchconfiguration", "IamInstanceProfile"), ""),
                "launchTime": account.now(),
                "tagsAll": {**self.tags, ENVIRONMENT_TAG: self.name},
            },
        )
        self.plane.world("aws").put(member)
        self.instances.bare(member)
        await self._run(member, label, settings)
        self._register(member, weight)
        return member

    def _register(self, member: Resource, weight: int) -> None:
        machine = self.plane.machines[member.id]
        self._behind().register(member.id, lambda: machine.url, weight)

    async def _settle(self, members: Sequence[Resource]) -> None:
        """Be ready, and as well as the machines get."""
        self.status = "Ready"
        try:
            await self._until_healthy(members)
        except _DeploymentError as error:
            self.health = "Red"
            self._note("WARN", str(error))
        else:
            self.health = "Green"

    async def _run(self, member: Resource, label: str, settings: Settings) -> None:
        """Do on a machine what the platform's agent does: fetch the bundle, unpack it, run what Procfile says."""
        machine = self.plane.machines[member.id]
        folder = await asyncio.to_thread(self._unpacked, label)
        machine.print(f"running {label}, sha256 {folder.name}")
        state = machine.disk / "var/app/state"
        state.mkdir(parents=True, exist_ok=True)
        variables = {
            **of_this_laptop(),
            "BENTOSHIP_STATE_DIR": str(state),
            **_told(settings),
            **self._secrets(member, settings),
        }
        await machine.run(Wanted(str(folder), variables, command=_procfile(folder)))

    def _secrets(self, member: Resource, settings: Settings) -> dict[str, str]:
        """What an instance would be told of its secrets: a rehearsal has none, and makes up their values."""
        namespace = f"{_EB}:application:environmentsecrets"
        found = {name: arn for (space, name), arn in settings.items() if space == namespace}
        for name, arn in found.items():
            action = "secretsmanager:GetSecretValue" if ":secretsmanager:" in arn else "ssm:GetParameter"
            if not self.instances.may(member, action, arn):
                raise _DeploymentError(f"{name} could not be fetched: the role may not {action} on {arn}")
        return {name: kept.value(self.plane.root, name, arn) for name, arn in found.items()}

    def _unpacked(self, label: str) -> Path:
        """The folder of a version's bundle: the same bytes are unpacked once."""
        version = self.plane.world("aws").get(VERSION, f"{self.application}/{label}", self.region)
        if version is None:
            raise _DeploymentError(f"there is no application version {label}")
        told = version.properties
        archive = stored(self.plane.world("aws"), str(told["bucket"]), str(told["key"]))
        data = archive.read_bytes() if archive.is_file() else b""
        if not data:
            raise _DeploymentError(f"the source bundle of {label} is not there")
        if len(data) > LARGEST_BUNDLE:
            raise _DeploymentError(f"the source bundle has {len(data):,} bytes, allowed are {LARGEST_BUNDLE:,}")
        bundle = self.plane.root / "bundles" / f"{hashlib.sha256(data).hexdigest()}.zip"
        bundle.parent.mkdir(exist_ok=True)
        if not bundle.exists():
            unfinished = bundle.with_suffix(f".{account.unique()}")  # each of its machines may be at it
            unfinished.write_bytes(data)
            unfinished.replace(bundle)
        return unpack(bundle, self.plane.root / "bundles")

    async def _stop(self, member: Resource) -> None:
        await self._behind().deregister(member.id)
        await self.instances.end(member.id, self.region)

    async def _until_healthy(self, members: Sequence[Resource]) -> None:
        seconds = float(self._option(f"{_EB}:command", "Timeout", "600"))
        end = asyncio.get_running_loop().time() + self.plane.patience(seconds)
        names = {member.id for member in members}
        while not names <= {name for name, state in self._behind().health().items() if state == "healthy"}:
            if trouble := self._trouble(members):
                raise _DeploymentError(trouble)
            if asyncio.get_running_loop().time() > end:
                raise _DeploymentError("the new instances did not pass their health checks in time")
            await self._look()

    def _trouble(self, members: Sequence[Resource]) -> str | None:
        for member in members:
            machine = self.plane.machines[member.id]
            if not machine.is_alive:
                return f"instance {member.id} was terminated"
            if machine.deaths > 1 and machine.failure:
                return f"instance {member.id}: {machine.failure}"
            if self._behind().health().get(member.id) == "unhealthy":
                return f"instance {member.id} fails its health check"
        return None

    def _weigh(self, members: Sequence[Resource], weight: int) -> None:
        self._behind().weigh({member.id: weight for member in members})

    def _behind(self) -> Balancer:
        if self._balancer is None:
            raise RuntimeError(f"environment {self.name} is not open")
        return self._balancer

    def _is_single(self) -> bool:
        """Whether one instance stands for itself, without a load balancer."""
        return self._option(f"{_EB}:environment", "EnvironmentType", "LoadBalanced") == "SingleInstance"

    def _size(self) -> int:
        if self._is_single():
            return 1
        return int(self._option("aws:autoscaling:asg", "MinSize", "1"))

    def _option(self, namespace: str, name: str, otherwise: str) -> str:
        return self.settings.get((namespace, name), otherwise)

    def _note(self, severity: str, message: str) -> None:
        event = {"EventDate": account.now(), "Severity": severity, "Message": message}
        self.events.insert(0, {**event, "EnvironmentName": self.name, "ApplicationName": self.application})
        del self.events[100:]

    async def _look(self) -> None:
        await self._behind().changed(_LOOK)


_URL_OPTION = "Application Healthcheck URL"


def settings_of(properties: Properties) -> dict[tuple[str, str], str]:
    """The option settings of an environment's properties."""
    return {(item["namespace"], item["name"]): str(item["value"]) for item in properties.get("settings") or ()}


def _tags_of(properties: Properties) -> dict[str, str]:
    return dict(properties.get("tagsAll") or {})


def _told(settings: Settings) -> dict[str, str]:
    """The environment properties: what the service sees as variables."""
    spaces = (f"{_EB}:application:environment", f"{_EB}:application:environmentsecrets")
    return {name: value for (space, name), value in settings.items() if space in spaces}


def _check(settings: Settings) -> HealthCheck:
    process = f"{_EB}:environment:process:default"
    path = settings.get((process, "HealthCheckPath")) or settings.get((f"{_EB}:application", _URL_OPTION)) or "/"
    return HealthCheck(path, float(settings.get((process, "HealthCheckInterval"), "15")))


def _procfile(folder: Path) -> tuple[str, ...]:
    """What the platform runs as `web` ("Configuring the WSGI server with a Procfile", Developer Guide)."""
    file = folder / "Procfile"
    found = _WEB.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    if found is None:
        raise _DeploymentError("the source bundle has no Procfile with a process called web")
    return ("sh", "-c", f"exec {found['command']}")
