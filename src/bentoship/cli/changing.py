"""Verbs that change a deployment, or show what would be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import click

from ..errors import BentoshipError
from . import printer
from .group import ENVIRONMENT, bentoship, events_option, json_option, only_option, the_project, yes_option
from .shown import (
    complain_of,
    destroyed_row,
    end_deployed,
    open_stream,
    planned_row,
    played_row,
    print_plan,
    pruned_row,
    rows_of,
    show_traffic,
)

if TYPE_CHECKING:
    from ..deployment import Canary
    from ..project import Project
    from .stream import Stream

TRIED = "5m"
"""How long a canary is tried unless `--for` says. No default of the option: `--for` without a canary is a mistake."""


@bentoship.command()
@ENVIRONMENT
@only_option
@json_option
def plan(environment: str, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show what `up` would change. Exits 0 for nothing, 1 for changes, 2 for an error."""
    from ..operations import plan as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        planned = operation.plan(the_project(), environment, only=only, tell=progress.tell)
    if as_json:
        rows = rows_of(planned.deployments, planned_row)
        printer.data({"environment": environment, "changed": planned.changed, "deployments": rows})
    else:
        print_plan(planned.deployments)
    failed = complain_of(planned.deployments)
    return 2 if failed else int(planned.changed)


@bentoship.command()
@ENVIRONMENT
@only_option
@click.option("--relock", is_flag=True, help="Renew bentofile.lock first.")
@click.option(
    "--canary", type=click.IntRange(1, 99), metavar="PERCENT", help="First try it with a share of the requests."
)
@click.option("--for", "duration", help=f"How long a canary is tried: 90s, 5m, 2h.  [default: {TRIED}]")
@events_option
@json_option
def up(
    environment: str,
    only: str | None,
    relock: bool,  # noqa: FBT001
    canary: int | None,
    duration: str | None,
    events: IO[str] | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Seal the service and make it live: beside the old release, through the gate, then the pointer."""
    from ..operations import up as operation  # noqa: PLC0415

    with open_stream(events, "up", environment, as_json=as_json) as stream, printer.Progress(stream) as progress:
        done = operation.up(
            the_project(),
            environment,
            only=only,
            relock=relock,
            canary=_canary(canary, duration),
            tell=progress.tell,
            watch=progress.watch,
        )
        return end_deployed(environment, done.deployments, stream, progress, as_json=as_json)


@bentoship.command()
@click.argument("source")
@click.argument("destination")
@only_option
@events_option
@json_option
def promote(source: str, destination: str, only: str | None, events: IO[str] | None, as_json: bool) -> int:  # noqa: FBT001
    """Make the release that is live in SOURCE live in DESTINATION, unchanged; refused with every reason against it."""
    from ..operations import promote as operation  # noqa: PLC0415

    with open_stream(events, "promote", destination, as_json=as_json) as stream, printer.Progress(stream) as progress:
        done = operation.promote(
            the_project(), source, destination, only=only, tell=progress.tell, watch=progress.watch
        )
        return end_deployed(destination, done, stream, progress, as_json=as_json)


@bentoship.command()
@ENVIRONMENT
@click.argument("release", required=False)
@only_option
@events_option
@json_option
def rollback(
    environment: str,
    release: str | None,
    only: str | None,
    events: IO[str] | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Make an earlier release live again: RELEASE (the first digits of its id), or the one before the live one."""
    from ..operations import rollback as operation  # noqa: PLC0415

    with open_stream(events, "rollback", environment, as_json=as_json) as stream, printer.Progress(stream) as progress:
        done = operation.rollback(
            the_project(), environment, release, only=only, tell=progress.tell, watch=progress.watch
        )
        return end_deployed(environment, done, stream, progress, as_json=as_json)


@bentoship.command()
@ENVIRONMENT
@only_option
@click.option("--go-on", "end", flag_value="go on", help="Make the canary live now.")
@click.option("--back", "end", flag_value="back", help="Give the stable release all the traffic now.")
@json_option
def traffic(environment: str, only: str | None, end: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show how the traffic is divided, and how each release answers; or end a canary."""
    from ..operations import traffic as operation  # noqa: PLC0415

    if end is None:
        return show_traffic(environment, operation.traffic(the_project(), environment, only=only), as_json=as_json)
    with open_stream(None, "traffic", environment) as stream, printer.Progress() as progress:
        done = operation.end_canary(
            the_project(), environment, go_on=end == "go on", only=only, tell=progress.tell, watch=progress.watch
        )
        return end_deployed(environment, done, stream, progress, as_json=as_json)


@bentoship.command()
@click.argument("environment", metavar="ENVIRONMENT", required=False)
@only_option
@click.option("--expired", is_flag=True, help="Only what has outlived its ttl; without ENVIRONMENT, in all of them.")
@yes_option
@events_option
@json_option
def destroy(
    environment: str | None,
    only: str | None,
    expired: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    events: IO[str] | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Show what goes and what stays, ask, remove the deployments of an environment, and list what is left."""
    from .. import environments  # noqa: PLC0415
    from ..operations import destroy as operation  # noqa: PLC0415

    if environment is None and (only or not expired):
        raise click.UsageError("Missing argument 'ENVIRONMENT'.")
    project = the_project()
    with open_stream(events, "destroy", environment or "", as_json=as_json) as stream:
        if environment:
            done = _destroy(project, environment, only, stream, expired=expired, yes=yes)
            if as_json:
                printer.data({"environment": environment, "deployments": rows_of(done, destroyed_row)})
            proved = operation.proved(done)
            return stream.end(complain_of(proved), proved)
        found = {name: _destroy_expired(project, name, stream, yes=yes) for name in environments.names(project)}
        rows = rows_of(found, lambda done: {"deployments": rows_of(done, destroyed_row)})
        if as_json:
            printer.data({"environments": [{"name": name, **row} for name, row in zip(found, rows, strict=True)]})
        codes = [
            complain_of({name: done} if isinstance(done, BentoshipError) else operation.proved(done))
            for name, done in found.items()
        ]
        stream.at("")
        return stream.end(max(codes, default=0))


@bentoship.command()
@ENVIRONMENT
@click.option("--keep", type=click.IntRange(1), metavar="N", required=True, help="How many releases to keep.")
@only_option
@json_option
def prune(environment: str, keep: int, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Keep the newest N releases, the live one and the one before it always; remove the older ones."""
    from ..operations import prune as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        done = operation.prune(the_project(), environment, keep, only=only, tell=progress.tell, watch=progress.watch)
    if as_json:
        files = [str(path) for path in done.files]
        printer.data({"environment": environment, "deployments": rows_of(done.deployments, pruned_row), "files": files})
    for pruned in done.deployments.values():
        if not isinstance(pruned, BentoshipError):
            gone = ", ".join(map(printer.short, pruned.removed)) or "none"
            progress.tell(f"{pruned.stack}: {len(pruned.kept)} releases kept, removed: {gone}")
    for path in done.files:
        progress.tell(f"removed {path}")
    return complain_of(done.deployments)


def _destroy_expired(
    project: Project, environment: str, stream: Stream, *, yes: bool
) -> Mapping[str, Any] | BentoshipError:
    """What became of each deployment; an environment that can't be read does not stop the others."""
    from ..operations import destroy as operation  # noqa: PLC0415

    stream.at(environment)
    try:
        done = _destroy(project, environment, None, stream, expired=True, yes=yes)
    except BentoshipError as error:
        stream.failed(error)
        return error
    stream.results(operation.proved(done))
    return done


def _destroy(
    project: Project, environment: str, only: str | None, stream: Stream, *, expired: bool, yes: bool
) -> Mapping[str, Any]:
    """Show, ask, remove; what became of each deployment of one environment."""
    from .. import environments  # noqa: PLC0415
    from ..operations import destroy as operation  # noqa: PLC0415

    named = [deployment.stack for deployment in environments.load(project, environment).deployments]
    stacks = named if only is None else [f"{environment}-{only}"]
    if not yes and not expired:
        _must_be_somebody(environment, stacks)
    with printer.Progress(stream) as progress:
        going = operation.survey(project, environment, only=only, expired=expired, tell=progress.tell)
    failed = [each for each in going.values() if isinstance(each, BentoshipError)]
    shown = [each for each in going.values() if not isinstance(each, BentoshipError)]
    for each in shown:
        progress.tell(printer.going_lines(each))
    if not failed and all(each.spared for each in shown):
        return {
            each.name: operation.Destroyed(each.name, each.target, each.stack, spared=each.spared) for each in shown
        }
    if not yes:
        _must_be_somebody(environment, stacks)
        _ask_for_the_name(environment)
    with printer.Progress(stream) as progress:
        done = operation.destroy(
            project, environment, only=only, expired=expired, tell=progress.tell, watch=progress.watch
        )
    for gone in done.values():
        if not isinstance(gone, BentoshipError) and not gone.spared:
            progress.tell(printer.gone_line(gone))
    return done


@bentoship.command()
@ENVIRONMENT
@only_option
@click.option(
    "--fault",
    "faults",
    metavar="FAULT",
    multiple=True,
    help="What goes wrong: 'iam.Role.create = quota', or a .yaml file with a list of such.",
)
@click.option(
    "--from", "source", metavar="ENVIRONMENT", help="Promote the new release from this environment, rehearsed too."
)
@click.option(
    "--parallel",
    type=click.IntRange(1),
    metavar="COUNT",
    help="Deployments to play at once; as many as there are cores, unless said.",
)
@json_option
def rehearse(
    environment: str,
    only: str | None,
    faults: tuple[str, ...],
    source: str | None,
    parallel: int | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Play the life of an environment on doubles of the clouds, while requests flow."""
    from ..operations import rehearse as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        played = operation.rehearse(
            the_project(),
            environment,
            only=only,
            source=source,
            faults=faults,
            parallel=parallel,
            tell=progress.tell,
            watch=progress.watch_notes,
            played=lambda name, step: progress.tell(printer.played_line(name, step)),
        )
    if as_json:
        printer.data({"environment": environment, "deployments": rows_of(played, played_row)})
    else:
        for each in played.values():
            if not isinstance(each, BentoshipError):
                click.echo(printer.verdict_line(each))
    failed = complain_of(played)
    return int(failed or any(not isinstance(each, BentoshipError) and not each.passed for each in played.values()))


def _canary(percent: int | None, duration: str | None) -> Canary | None:
    from ..deployment import Canary  # noqa: PLC0415
    from ..durations import seconds  # noqa: PLC0415
    from ..errors import InvalidConfiguration  # noqa: PLC0415

    if not percent:
        if duration:
            raise InvalidConfiguration("--for", "is about a canary, and none was asked for", "add --canary PERCENT")
        return None
    if not (watched := seconds("--for", duration or TRIED)):
        raise InvalidConfiguration("--for", "a canary needs some time to be watched", "write for example 30s or 5m")
    return Canary(percent=percent, seconds=watched)


def _must_be_somebody(environment: str, stacks: list[str]) -> None:
    if not printer.is_interactive():
        click.echo(f"This removes {', '.join(stacks)}.", err=True)
        raise BentoshipError(f"destroy {environment}", "there is nobody to ask", "add --yes if you mean it")


def _ask_for_the_name(environment: str) -> None:
    if click.prompt("Type the environment's name to go on", err=True) != environment:
        raise BentoshipError(f"destroy {environment}", "the name was not typed; nothing was removed")
