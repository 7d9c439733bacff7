"""Every verb of the command line. What a verb does lies in operations/; imports wait until a verb needs them."""

from __future__ import annotations

import click

from . import changing, looking, releases  # noqa: F401 - each adds its verbs to the command
from .group import REHEARSES, bentoship

__all__ = ["bentoship"]


def _rehearse(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's own form
    context.meta[REHEARSES] = value


def _take_rehearse() -> None:
    """Every verb about an environment can act on doubles of the clouds."""
    words = "Act on doubles of the clouds, on this machine."
    for command in bentoship.commands.values():
        if any(parameter.name in ("environment", "environments", "destination") for parameter in command.params):
            option = click.Option(["--rehearse"], is_flag=True, expose_value=False, callback=_rehearse, help=words)
            command.params.append(option)


_take_rehearse()
