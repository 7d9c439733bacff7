"""A private home for the engine, in which the doubles are the providers of the clouds."""

from __future__ import annotations

import fcntl
import os
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

from ..project import REHEARSE, Project
from . import clock, kept, world
from .cloud import Cloud
from .hosts import control

CLOUDS = ("aws", "azure-native", "gcp")
"""The clouds that have a double, as Pulumi calls their packages."""
_PLUGIN = """#!/bin/sh
# Written by bentoship: the engine starts this as the provider of the package `{cloud}`.
exec "${{BENTOSHIP_PYTHON:-python3}}" -m bentoship.rehearsal {cloud} "$@"
"""
_NO_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "rehearsal",
    "AWS_SECRET_ACCESS_KEY": "rehearsal",
    "AWS_SESSION_TOKEN": "rehearsal",
    "AWS_EC2_METADATA_DISABLED": "true",
    # A profile of the user's own is not there in a rehearsal, and boto3 complains of one that isn't.
    "AWS_PROFILE": "rehearsal",
    "AWS_DEFAULT_PROFILE": "rehearsal",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "GOOGLE_APPLICATION_CREDENTIALS": os.devnull,
    "GOOGLE_OAUTH_ACCESS_TOKEN": "rehearsal",
    "CLOUDSDK_CONFIG": os.devnull,
    "ARM_CLIENT_ID": "rehearsal",
    "ARM_CLIENT_SECRET": "rehearsal",
    "ARM_TENANT_ID": "rehearsal",
    "AZURE_CONFIG_DIR": os.devnull,
}
"""So that nothing that runs in a rehearsal can reach a real account by mistake."""


def folder(project: Project) -> Path:
    """Where a project's rehearsals are kept: the engine's home and state, the worlds, and what runs in them."""
    return Project(project.root, rehearses=True).home


def environment(project: Project) -> dict[str, str]:
    """The variables with which the engine deploys `project` onto the doubles, and the releases run behind them."""
    link_program(project)
    return {**running(folder(project)), REHEARSE: "1"}


def link_program(project: Project) -> None:
    """Have the engine find the Pulumi project as it is, beside settings of stacks that are the rehearsal's own."""
    links = Project(project.root, rehearses=True).engine_folder
    links.mkdir(parents=True, exist_ok=True, mode=0o700)
    theirs = {path.name: path for path in project.infra.iterdir() if not path.match("Pulumi.*.yaml")}
    with (links.parent / "infra.lock").open("w") as lock:  # stacks are made ready side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in links.iterdir():
            if path.is_symlink() and path.readlink() != theirs.get(path.name):
                path.unlink()
        for name, path in theirs.items():
            if not (links / name).is_symlink():
                (links / name).symlink_to(path)


def running(root: Path) -> dict[str, str]:
    """As `make`, with the process that runs machines started, unless it runs."""
    variables = make(root)
    kept.remember(root)
    url = control.ensure(root, variables)
    endpoints = {"AWS_ENDPOINT_URL": url, "BENTOSHIP_AZURE_ENDPOINT": url, **_google(url)}
    return {**variables, control.VARIABLE: url, **endpoints}


def _google(url: str) -> dict[str, str]:
    """Where Google's APIs are, for whoever asks them as Pulumi's provider would."""
    paths = {"APP_ENGINE": "v1", "COMPUTE": "compute/v1", "LOGGING": "v2", "STORAGE": "storage/v1"}
    told = {f"GOOGLE_{product}_CUSTOM_ENDPOINT": f"{url}/{path}/" for product, path in paths.items()}
    return {**told, "GOOGLE_MONITORING_CUSTOM_ENDPOINT": f"{url}/"}


def make(root: Path) -> dict[str, str]:
    """Make, or complete, a rehearsal's folder; the variables for the engine. A clock that is set already stays."""
    root = root.absolute()
    for name in ("home", "state", "worlds"):
        (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in CLOUDS:
        _write_plugin(root / "home", name)
    of_aws = root / "home" / "aws-config"
    world.write_whole(of_aws, "[profile rehearsal]\n", mode=0o600)
    return {
        "PULUMI_HOME": str(root / "home"),
        "PULUMI_BACKEND_URL": f"file://{quote(str(root / 'state'))}",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        world.VARIABLE: str(root / "worlds"),
        clock.VARIABLE: os.environ.get(clock.VARIABLE, str(clock.DEFAULT_SCALE)),
        **_NO_ACCOUNT,
        "AWS_CONFIG_FILE": str(of_aws),
        **{name: _without_proxy(os.environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")},
    }


def _without_proxy(said: str) -> str:
    """What is not asked through a proxy: what the user says, and this machine, where the doubles are."""
    return ",".join(filter(None, [said, "127.0.0.1", "localhost"]))


def worlds(project: Project) -> list[world.World]:
    """What exists in the clouds that have a double."""
    return [world.World.of(name, folder(project) / "worlds") for name in CLOUDS]


def load(name: str) -> Cloud:
    """The double's cloud; KeyError when there is none."""
    if name not in CLOUDS:
        raise KeyError(name)
    found: Cloud = import_module(f".{name.replace('-', '_')}", __package__).CLOUD
    return found


def _write_plugin(home: Path, cloud: str) -> None:
    from .schema import load as schema  # noqa: PLC0415 - reads a large file

    path = home / "plugins" / f"resource-{cloud}-v{schema(cloud).version}" / f"pulumi-resource-{cloud}"
    world.write_whole(path, _PLUGIN.format(cloud=cloud), mode=0o755)
