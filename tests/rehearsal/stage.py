"""A project on the doubles, with releases that start in half a second: what a rehearsal does, step by step."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from bentoship import environments, rehearsal
from bentoship.deployment import ReleaseRef
from bentoship.engine import install
from bentoship.errors import BentoshipError
from bentoship.host import ports
from bentoship.operations.attempt import Attempt, Deployed, deploy, new_entry
from bentoship.operations.destroy import Destroyed, destroy
from bentoship.operations.rehearse import STORED
from bentoship.operations.stacks import alone, stack_of
from bentoship.project import Project
from bentoship.rehearsal import home
from bentoship.rehearsal.hosts import control
from bentoship.rehearsal.world import World
from projects import ROOT
from small_release import small_release

AWS = {"region": "eu-central-1", "http": True}
AZURE = {"subscription": "11111111-2222-4333-8444-555555555555", "region": "westeurope"}
GOOGLE = {"project": "acme-models", "region": "europe-west3"}
THREE = {"scale": {"min_replicas": 2, "max_replicas": 3}}
DEPLOYMENTS: Mapping[str, Mapping[str, object]] = {
    "beanstalk": {"target": "aws/elastic_beanstalk", **AWS},
    "balanced": {"target": "aws/elastic_beanstalk", **AWS, **THREE},
    "machine": {"target": "aws/ec2", **AWS},
    "fleet": {"target": "aws/ec2", **AWS, **THREE},
    "engine": {"target": "gcp/app_engine", **GOOGLE},
    "instance": {"target": "gcp/compute_engine", **GOOGLE, "http": True},
    "instances": {"target": "gcp/compute_engine", **GOOGLE, "http": True, **THREE},
    "app": {"target": "azure/web_app", **AZURE, "scale": {"max_replicas": 2}},
    "apps": {"target": "azure/web_app", **AZURE, **THREE},
    "vm": {"target": "azure/virtual_machine", **AZURE, "http": True},
    "vmss": {"target": "azure/virtual_machine", **AZURE, "http": True, **THREE},
}
ENVIRONMENT = "staging"
SOURCE = "dev"
"""The environment that releases are promoted from: this machine."""


class Stage:
    """To be closed: what runs is ended then."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("Pulumi.*-*.yaml"))
        (folder / "environments").mkdir()
        (folder / "bentofile.yaml").write_text("service: server:Server\n")
        self._open(folder)
        self.say({**DEPLOYMENTS, "local": {"target": "local", "port": ports.free_port()}})
        self.say({"local": {"target": "local", "port": ports.free_port()}}, SOURCE)

    @classmethod
    def at(cls, folder: Path) -> Stage:
        """The one that another process has made in `folder`."""
        there = cls.__new__(cls)
        there._open(folder)
        return there

    def _open(self, folder: Path) -> None:
        self.project = Project(folder, rehearses=True)

    def say(self, deployments: Mapping[str, Mapping[str, object]], environment: str = ENVIRONMENT) -> None:
        """Write an environment's file."""
        file = self.project.environments / f"{environment}.yaml"
        file.write_text(json.dumps({"deployments": deployments}))

    def close(self) -> None:
        control.end(self.project.home)

    def release(self, word: str) -> ReleaseRef:
        return small_release(self.project.root / ".bentoship" / "releases", word).ref()

    def deploy(self, name: str, ref: ReleaseRef, *, environment: str = ENVIRONMENT, watch=lambda _: None) -> Deployed:
        loaded = environments.load(self.project, environment)
        (deployment,) = (each for each in loaded.deployments if each.name == name)
        engine = install.ensure()
        stack = stack_of(self.project, loaded, deployment, engine)
        attempt = Attempt(self.project, stack, deployment, lambda _: None, watch)
        with alone(self.project, stack.name):
            return deploy(attempt, ref, new_entry(ref.id, engine.version))

    def destroy(self, name: str, environment: str = ENVIRONMENT) -> Destroyed:
        (done,) = destroy(self.project, environment, only=name).values()
        if isinstance(done, BentoshipError):
            raise done
        return done

    @property
    def worlds(self) -> list[World]:
        return home.worlds(self.project)

    def world(self, cloud: str) -> World:
        return World.of(cloud, home.folder(self.project) / "worlds")

    def arm(self, *words: str) -> None:
        rehearsal.arm(self.project, words)

    def made(self) -> list[str]:
        """What exists beyond what the accounts had before, as `type id`."""
        every = [item for world in self.worlds for item in world.every()]
        return [f"{item.short_type} {item.id}" for item in every if not item.given]

    def known(self, name: str) -> set[tuple[str, str]]:
        """Type and id of what the engine's state of a deployment has."""
        (state,) = (self.project.home / "state").rglob(f"stacks/**/{ENVIRONMENT}-{name}.json")
        resources = json.loads(state.read_text())["checkpoint"]["latest"].get("resources", [])
        return {(each["type"], each.get("id", "")) for each in resources}

    def orphans(self, name: str) -> list[str]:
        """What exists of the types of a deployment and isn't in its state, as `type id`; it must be the only one.

        An object of a release that isn't kept any more stays on purpose.
        """
        known = self.known(name)
        types = {kind for kind, _ in known} - STORED
        every = [item for world in self.worlds for item in world.every() if item.type in types and not item.given]
        return [f"{item.short_type} {item.id}" for item in every if (item.type, item.id) not in known]

    def machines(self) -> dict[str, dict]:
        return httpx.get(f"{control.address(self.project.home)}/hosts", trust_env=False).json()["machines"]


def who(url: str) -> str:
    """The release that answers at `url`."""
    answer = httpx.post(f"{url}/predict", json={"experience": 2}, trust_env=False, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"salary": 1.0})
    return answer.headers["x-bentoship-release"]


def until(seen, within=60):
    """Look until it is so: what is awaited are processes of others, which tell nobody."""
    end = time.monotonic() + within
    while not seen():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
