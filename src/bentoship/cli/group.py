"""The command `bentoship` itself, and the options that many verbs take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import _version

if TYPE_CHECKING:
    from ..project import Project

Command = TypeVar("Command", bound=Callable[..., Any])
REHEARSES = "bentoship.rehearses"


def the_project() -> Project:
    """The project that the command is about."""
    from ..project import Project  # noqa: PLC0415

    context = click.get_current_context()
    folder: Path | None = context.find_root().params["folder"]
    return Project.find(folder, rehearse=bool(context.meta.get(REHEARSES)))


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(command)


def only_option(command: Command) -> Command:
    """`--only DEPLOYMENT`."""
    return click.option("--only", metavar="DEPLOYMENT", help="One deployment of the environment.")(command)


def yes_option(command: Command) -> Command:
    """`--yes`."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


def events_option(command: Command) -> Command:
    """`--events FILE`."""
    words = "Write there what happens as it happens, one JSON object a line; - is stdout."
    return click.option("--events", type=click.File("w", encoding="utf-8"), metavar="FILE", help=words)(command)


ENVIRONMENT = click.argument("environment", metavar="ENVIRONMENT")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version.__version__, prog_name="bentoship")
@click.option(
    "-C", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Work in this folder's project."
)
@click.pass_context
def bentoship(context: click.Context, folder: Path | None) -> None:  # noqa: ARG001 - read by the_project
    """Seal a BentoML service into one release and put that same release anywhere."""
    if context.obj is not None:
        context.obj["verb"] = context.invoked_subcommand
