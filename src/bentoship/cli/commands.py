"""Every verb of the command line. What a verb does lies in operations/; imports wait until a verb needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from .. import _version
from ..errors import BentoshipError
from . import printer

if TYPE_CHECKING:
    from ..deployment import Canary
    from ..engine.events import Step
    from ..project import Project
    from .stream import Stream

Command = TypeVar("Command", bound=Callable[..., Any])
REHEARSES = "bentoship.rehearses"


def _project() -> Project:
    from ..project import Project  # noqa: PLC0415

    context = click.get_current_context()
    folder: Path | None = context.find_root().params["folder"]
    return Project.find(folder, rehearse=bool(context.meta.get(REHEARSES)))


def _json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(command)


def _only_option(command: Command) -> Command:
    return click.option("--only", metavar="DEPLOYMENT", help="One deployment of the environment.")(command)


def _yes_option(command: Command) -> Command:
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


def _events_option(command: Command) -> Command:
    words = "Write there what happens as it happens, one JSON object a line; - is stdout."
    return click.option("--events", type=click.File("w", encoding="utf-8"), metavar="FILE", help=words)(command)


ENVIRONMENT = click.argument("environment", metavar="ENVIRONMENT")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version.__version__, prog_name="bentoship")
@click.option(
    "-C", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Work in this folder's project."
)
@click.pass_context
def bentoship(context: click.Context, folder: Path | None) -> None:  # noqa: ARG001 - read by _project
    """Seal a BentoML service into one release and put that same release anywhere."""
    if context.obj is not None:
        context.obj["verb"] = context.invoked_subcommand


@bentoship.command()
@click.option("--relock", is_flag=True, help="Renew bentofile.lock first.")
@_json_option
def build(relock: bool, as_json: bool) -> None:  # noqa: FBT001
    """Seal the service into a release; print its id."""
    from .. import release  # noqa: PLC0415

    with printer.Progress() as progress:
        sealed = release.build(_project().root, relock=relock, tell=progress.tell)
    fits = dict(sealed.fits)
    if as_json:
        names = ("id", "path", "bytes", "files", "python")
        printer.data({name: getattr(sealed, name) for name in names} | {"fits": fits})
        return
    for target, reason in fits.items():
        if reason is not True:
            progress.tell(f"not for {target}: {reason}")
    click.echo(sealed.id)


@bentoship.command()
@ENVIRONMENT
@_only_option
@_json_option
def plan(environment: str, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show what `up` would change. Exits 0 for nothing, 1 for changes, 2 for an error."""
    from ..operations import plan as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        planned = operation.plan(_project(), environment, only=only, tell=progress.tell)
    if as_json:
        rows = _rows(planned.deployments, _planned)
        printer.data({"environment": environment, "changed": planned.changed, "deployments": rows})
    else:
        _print_plan(planned.deployments)
    failed = _complain(planned.deployments)
    return 2 if failed else int(planned.changed)


@bentoship.command()
@ENVIRONMENT
@_only_option
@click.option("--relock", is_flag=True, help="Renew bentofile.lock first.")
@click.option(
    "--canary", type=click.IntRange(1, 99), metavar="PERCENT", help="First try it with a share of the requests."
)
@click.option("--for", "duration", default="5m", show_default=True, help="How long a canary is tried: 90s, 5m, 2h.")
@_events_option
@_json_option
def up(
    environment: str,
    only: str | None,
    relock: bool,  # noqa: FBT001
    canary: int | None,
    duration: str,
    events: IO[str] | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Seal the service and make it live: beside the old release, through the gate, then the pointer."""
    from ..operations import up as operation  # noqa: PLC0415

    with _stream(events, "up", environment, as_json=as_json) as stream, printer.Progress(stream) as progress:
        done = operation.up(
            _project(),
            environment,
            only=only,
            relock=relock,
            canary=_canary(canary, duration),
            tell=progress.tell,
            watch=progress.watch,
        )
        return _end_deployed(environment, done.deployments, stream, progress, as_json=as_json)


@bentoship.command()
@click.argument("source")
@click.argument("destination")
@_only_option
@_events_option
@_json_option
def promote(source: str, destination: str, only: str | None, events: IO[str] | None, as_json: bool) -> int:  # noqa: FBT001
    """Make the release that is live in SOURCE live in DESTINATION, unchanged; refused with every reason against it."""
    from ..operations import promote as operation  # noqa: PLC0415

    with _stream(events, "promote", destination, as_json=as_json) as stream, printer.Progress(stream) as progress:
        done = operation.promote(_project(), source, destination, only=only, tell=progress.tell, watch=progress.watch)
        return _end_deployed(destination, done, stream, progress, as_json=as_json)


@bentoship.command()
@ENVIRONMENT
@click.argument("release", required=False)
@_only_option
@_events_option
@_json_option
def rollback(
    environment: str,
    release: str | None,
    only: str | None,
    events: IO[str] | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Make an earlier release live again: RELEASE (the first digits of its id), or the one before the live one."""
    from ..operations import rollback as operation  # noqa: PLC0415

    with _stream(events, "rollback", environment, as_json=as_json) as stream, printer.Progress(stream) as progress:
        done = operation.rollback(_project(), environment, release, only=only, tell=progress.tell, watch=progress.watch)
        return _end_deployed(environment, done, stream, progress, as_json=as_json)


@bentoship.command()
@ENVIRONMENT
@_only_option
@click.option("--go-on", "end", flag_value="go on", help="Make the canary live now.")
@click.option("--back", "end", flag_value="back", help="Give the stable release all the traffic now.")
@_json_option
def traffic(environment: str, only: str | None, end: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show how the traffic is divided, and how each release answers; or end a canary."""
    from ..operations import traffic as operation  # noqa: PLC0415

    if end is None:
        return _show_traffic(environment, operation.traffic(_project(), environment, only=only), as_json=as_json)
    with _stream(None, "traffic", environment) as stream, printer.Progress() as progress:
        done = operation.end_canary(
            _project(), environment, go_on=end == "go on", only=only, tell=progress.tell, watch=progress.watch
        )
        return _end_deployed(environment, done, stream, progress, as_json=as_json)


@bentoship.command()
@ENVIRONMENT
@_only_option
@_json_option
def drift(environment: str, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show what has changed behind our back. Exits 0 for nothing, 1 for drift, 2 for an error."""
    from ..operations import drift as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        found = operation.drift(_project(), environment, only=only, tell=progress.tell)
    drifted = any(not isinstance(value, BentoshipError) and value.drifted for value in found.values())
    if as_json:
        rows = _rows(found, _drifted)
        printer.data({"environment": environment, "drifted": drifted, "deployments": rows})
    else:
        _print_drift(found)
    failed = _complain(found)
    return 2 if failed else int(drifted)


@bentoship.command()
@ENVIRONMENT
@_only_option
@_json_option
def status(environment: str, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show what is deployed, and whether it answers."""
    from ..operations import status as operation  # noqa: PLC0415

    found = operation.status(_project(), environment, only=only)
    if as_json:
        printer.data({"environment": environment, "deployments": _rows(found, vars)})
        return _complain(found)
    rows = [
        (each.name, each.target, each.url or "-", printer.short(each.release), "ready" if each.ready else "not ready")
        for each in found.values()
        if not isinstance(each, BentoshipError)
    ]
    printer.table(("deployment", "target", "url", "release", "state"), rows)
    return _complain(found)


@bentoship.command()
@ENVIRONMENT
@click.argument("release", required=False)
@_only_option
@_json_option
def history(environment: str, release: str | None, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show every attempt to deploy, newest first; or, of RELEASE (the first digits of its id), all that is known."""
    from ..operations import status as operation  # noqa: PLC0415
    from . import record  # noqa: PLC0415

    found = operation.history(_project(), environment, release, only=only)
    entries = {name: value for name, value in found.items() if not isinstance(value, BentoshipError)}
    if as_json:
        rows = [{"name": name, "history": value} for name, value in entries.items()]
        printer.data({"environment": environment, "deployments": rows})
    elif release is None:
        printer.table(record.HEADINGS, record.rows(entries))
    else:
        for name, value in entries.items():
            for entry in value:
                click.echo("\n".join(record.details(name, entry)))
    return _complain(found)


@bentoship.command()
@click.argument("environments", nargs=-1, metavar="[ENVIRONMENT]...")
@_only_option
@click.option("--release", "releases", metavar="RELEASE", multiple=True, help="Two of them, run here and compared.")
@click.option(
    "--requests", type=click.Path(path_type=Path), metavar="FILE", help="What is sent, in the form of examples.jsonl."
)
@click.option("--times", type=click.IntRange(1, 100_000), default=5, show_default=True, help="How often each is sent.")
@_json_option
def parity(
    environments: tuple[str, ...],
    only: str | None,
    releases: tuple[str, ...],
    requests: Path | None,
    times: int,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Send the same requests everywhere; exits 1 when one doesn't answer, or answers differ beyond the tolerance.

    To every deployment of the environments; or, with --release twice, to two sealed releases that run here meanwhile.
    The golden examples are sent unless --requests names others.
    """
    from ..operations import parity as operation  # noqa: PLC0415
    from . import comparison  # noqa: PLC0415

    if bool(environments) == bool(releases) or len(releases) == 1:
        raise click.UsageError("name one environment or more, or give --release twice")
    project = _project()
    with printer.Progress() as progress:
        if releases:
            found = operation.parity_of_releases(project, releases, requests=requests, times=times, tell=progress.tell)
        else:
            found = operation.parity(
                project, environments, only=only, requests=requests, times=times, tell=progress.tell
            )
    if as_json:
        places = _rows(found.places, vars)
        printer.data({**vars(found), "agree": found.agree, "places": places})
    else:
        for line in comparison.lines(found):
            click.echo(line)
    return int(bool(_complain(found.places)) or not found.agree)


@bentoship.command(name="open")
@ENVIRONMENT
@_only_option
def open_(environment: str, only: str | None) -> None:
    """Open the URL of a deployment in a browser, and print it."""
    from ..operations.invoke import one  # noqa: PLC0415

    found = one(_project(), environment, only=only, tell=lambda _: None)
    if found.url is None:
        raise BentoshipError(found.deployment.stack, "is not up", f"`bentoship up {environment}`")
    click.echo(found.url)
    click.launch(found.url)


@bentoship.command()
@ENVIRONMENT
@_only_option
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@click.option(
    "-n", "--tail", type=click.IntRange(0, 1_000_000), default=100, show_default=True, help="The last N lines."
)
@click.option("--since", metavar="DURATION", help="Not older than this: 90s, 5m, 2h, 1d.")
@click.option("--search", metavar="REGEX", help="Only lines that match.")
def logs(environment: str, only: str | None, follow: bool, tail: int, since: str | None, search: str | None) -> None:  # noqa: FBT001
    """Show what the releases of a deployment have written."""
    from ..operations import logs as operation  # noqa: PLC0415

    lines = operation.logs(_project(), environment, only=only, follow=follow, tail=tail, since=since, search=search)
    for line in lines:
        click.echo(line)


@bentoship.command()
@ENVIRONMENT
@click.argument("body", required=False)
@click.option("--path", metavar="ROUTE", help="Route of the endpoint; by default that of the first golden example.")
@_only_option
def invoke(environment: str, body: str | None, path: str | None, only: str | None) -> None:
    """Ask a deployment: BODY as JSON, or its first golden example."""
    from ..operations import invoke as operation  # noqa: PLC0415

    printer.data(operation.invoke(_project(), environment, body=body, path=path, only=only))


@bentoship.command()
@click.argument("environment", metavar="ENVIRONMENT", required=False)
@_only_option
@click.option("--expired", is_flag=True, help="Only what has outlived its ttl; without ENVIRONMENT, in all of them.")
@_yes_option
@_events_option
@_json_option
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
    project = _project()
    with _stream(events, "destroy", environment or "", as_json=as_json) as stream:
        if environment:
            done = _destroy(project, environment, only, stream, expired=expired, yes=yes)
            if as_json:
                printer.data({"environment": environment, "deployments": _rows(done, _destroyed)})
            proved = operation.proved(done)
            return stream.end(_complain(proved), proved)
        found = {name: _destroy_expired(project, name, stream, yes=yes) for name in environments.names(project)}
        rows = _rows(found, lambda done: {"deployments": _rows(done, _destroyed)})
        if as_json:
            printer.data({"environments": [{"name": name, **row} for name, row in zip(found, rows, strict=True)]})
        codes = [
            _complain({name: done} if isinstance(done, BentoshipError) else operation.proved(done))
            for name, done in found.items()
        ]
        return stream.end(max(codes, default=0))


@bentoship.command()
@ENVIRONMENT
@click.option("--keep", type=click.IntRange(1), metavar="N", required=True, help="How many releases to keep.")
@_only_option
@_json_option
def prune(environment: str, keep: int, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Keep the newest N releases, the live one and the one before it always; remove the older ones."""
    from ..operations import prune as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        done = operation.prune(_project(), environment, keep, only=only, tell=progress.tell, watch=progress.watch)
    if as_json:
        files = [str(path) for path in done.files]
        printer.data({"environment": environment, "deployments": _rows(done.deployments, _pruned), "files": files})
    for pruned in done.deployments.values():
        if not isinstance(pruned, BentoshipError):
            gone = ", ".join(map(printer.short, pruned.removed)) or "none"
            progress.tell(f"{pruned.stack}: {len(pruned.kept)} releases kept, removed: {gone}")
    for path in done.files:
        progress.tell(f"removed {path}")
    return _complain(done.deployments)


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
    from ..operations.stacks import chosen  # noqa: PLC0415

    stacks = [deployment.stack for deployment in chosen(environments.load(project, environment), only)]
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
@_only_option
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
@_json_option
def rehearse(
    environment: str,
    only: str | None,
    faults: tuple[str, ...],
    source: str | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Play the life of an environment on doubles of the clouds, while requests flow."""
    from ..operations import rehearse as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        played = operation.rehearse(
            _project(),
            environment,
            only=only,
            source=source,
            faults=faults,
            tell=progress.tell,
            watch=progress.watch_notes,
            played=lambda name, step: progress.tell(printer.played_line(name, step)),
        )
    if as_json:
        printer.data({"environment": environment, "deployments": _rows(played, _played)})
    else:
        for each in played.values():
            if not isinstance(each, BentoshipError):
                click.echo(printer.verdict_line(each))
    failed = _complain(played)
    return int(failed or any(not isinstance(each, BentoshipError) and not each.passed for each in played.values()))


@bentoship.command()
@_json_option
def doctor(as_json: bool) -> int:  # noqa: FBT001
    """Tell what is here, what is missing and how to get it."""
    from .. import doctor as checks  # noqa: PLC0415

    findings = checks.run(click.get_current_context().find_root().params["folder"])
    if as_json:
        printer.data([vars(finding) for finding in findings])
    else:
        for finding in findings:
            mark, colour = {"ok": ("✓", "green"), "warning": ("!", "yellow")}.get(finding.state, ("-", "red"))
            remedy = f"\n    {finding.remedy}" if finding.remedy else ""
            click.echo(f"{click.style(mark, fg=colour)} {finding.check}: {finding.message}{remedy}")
    return int(any(finding.state == "missing" for finding in findings))


@bentoship.command()
@_json_option
def targets(as_json: bool) -> None:  # noqa: FBT001
    """List where deployments can go, and what each place must be told."""
    from ..operations.targets import describe  # noqa: PLC0415

    found = describe(_project())
    if as_json:
        printer.data(found)
        return
    for target in found:
        click.echo(f"{click.style(target['name'], bold=True)}: {target['meaning']}")
        for field in target["fields"]:
            default = "required" if field["required"] else f"default {field['default']}"
            click.echo(f"    {field['name']}: {field['meaning']} ({default})")


@bentoship.command()
@ENVIRONMENT
@_json_option
def config(environment: str, as_json: bool) -> None:  # noqa: FBT001
    """Show the merged configuration of an environment, and which file said each value."""
    from .. import environments  # noqa: PLC0415

    found = environments.settings(_project(), environment)
    if as_json:
        printer.data([vars(setting) for setting in found])
        return
    printer.table(("setting", "value", "said by"), [(each.path, str(each.value), each.source) for each in found])


@bentoship.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--release", metavar="ID", help="First digits of its id; by default the project's own, sealed now.")
@click.option("--route", metavar="ROUTE", help="Endpoint to ask; by default that of the first golden example.")
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="By default FILE with the suffix .answers.jsonl."
)
@click.option("--workers", metavar="N", default="cores", show_default=True, help="Processes that answer.")
@_json_option
def batch(
    file: Path,
    release: str | None,
    route: str | None,
    output: Path | None,
    workers: str,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Send the rows of FILE (.csv, .jsonl, .parquet) through a release, here. Exits 1 when a row is refused."""
    from ..operations import batch as operation  # noqa: PLC0415

    with printer.Progress() as progress, printer.rows(progress) as show:
        done = operation.batch(
            _project(),
            file,
            release=release,
            route=route,
            output=output,
            workers=workers,
            tell=progress.tell,
            progress=show,
        )
    if as_json:
        printer.data(vars(done))
    else:
        progress.tell(f"{done.rows:,} rows, {done.refused:,} refused, by release {printer.short(done.release)}")
        click.echo(done.output)
    return int(bool(done.refused))


@bentoship.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--examples",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="Rows to compare the answers on: .csv, .parquet or .npy.",
)
@click.option(
    "--columns", metavar="A,B,C", default="", help="Columns of the examples that the model takes, in its order."
)
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="By default MODEL with the suffix .onnx."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-6,
    show_default=True,
    help="Largest relative difference of two answers.",
)
@_json_option
def onnx(
    model: Path,
    examples: Path,
    columns: str,
    output: Path | None,
    tolerance: float,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Convert a scikit-learn MODEL to ONNX, if both give the same answers. Exits 1 when they don't."""
    from ..operations import onnx as operation  # noqa: PLC0415

    names = [name.strip() for name in columns.split(",") if name.strip()]
    done = operation.convert(model, examples, output=output, columns=names, tolerance=tolerance)
    if as_json:
        printer.data({**vars(done), "differences": [vars(each) for each in done.differences], "agrees": done.agrees})
    else:
        click.echo(f"{done.path if done.agrees else model}: {done}")
    return int(not done.agrees)


@bentoship.group()
def release() -> None:
    """Look at sealed releases."""


@release.command()
@click.argument("file", type=click.Path(path_type=Path))
@_json_option
def verify(file: Path, as_json: bool) -> None:  # noqa: FBT001
    """Recompute everything about a sealed release; name what was touched."""
    from .. import release as releases  # noqa: PLC0415

    found = releases.verify(file)
    if as_json:
        printer.data({"id": found.id, "path": found.path, "files": found.files, "bytes": found.bytes, "intact": True})
    else:
        click.echo(f"{found.id}: intact, {found.files} files, {found.bytes} bytes")


def _rows(found: Mapping[str, Any], row: Callable[[Any], Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": name, **printer.as_error(value)} if isinstance(value, BentoshipError) else dict(row(value))
        for name, value in found.items()
    ]


def _canary(percent: int | None, duration: str) -> Canary | None:
    from ..deployment import Canary  # noqa: PLC0415
    from ..durations import seconds  # noqa: PLC0415

    return Canary(percent=percent, seconds=seconds("--for", duration)) if percent else None


def _show_traffic(environment: str, found: Mapping[str, Any], *, as_json: bool) -> int:
    if as_json:
        rows = _rows(found, lambda divided: {**vars(divided), "shares": [_share(each) for each in divided.shares]})
        printer.data({"environment": environment, "deployments": rows})
        return _complain(found)
    lines = [
        (name, *map(str, _share(share).values()))
        for name, divided in found.items()
        if not isinstance(divided, BentoshipError)
        for share in divided.shares
    ]
    printer.table(("deployment", "release", "role", "percent", "requests", "failed", "p95 ms"), lines)
    return _complain(found)


def _share(share: Any) -> dict[str, Any]:
    answers = share.answers
    p95 = answers.percentile(95) if answers else None
    return {
        "release": printer.short(share.release),
        "role": share.role,
        "percent": share.percent,
        "requests": answers.count if answers else None,
        "failed": answers.failed if answers else None,
        "p95_milliseconds": round(p95, 1) if p95 is not None else None,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"operation": step.operation, "type": step.type, "name": step.name, "properties": list(step.diffs)}


def _planned(planned: Any) -> dict[str, Any]:
    return {**vars(planned), "changes": [_step(step) for step in planned.changes]}


def _drifted(drift: Any) -> dict[str, Any]:
    return {**vars(drift), "changes": [_step(step) for step in drift.changes], "drifted": drift.drifted}


def _deployed(deployed: Any) -> dict[str, Any]:
    names = ("name", "target", "stack", "url", "release", "gate")
    return {name: getattr(deployed, name) for name in names}


def _played(played: Any) -> dict[str, Any]:
    return {**vars(played), "passed": played.passed}


def _pruned(pruned: Any) -> dict[str, Any]:
    return {name: getattr(pruned, name) for name in ("name", "target", "stack", "kept", "removed")}


def _destroyed(destroyed: Any) -> dict[str, Any]:
    return {**vars(destroyed), "removed": [_step(step) for step in destroyed.removed]}


def _complain(found: Mapping[str, Any]) -> int:
    failed = [(name, value) for name, value in found.items() if isinstance(value, BentoshipError)]
    for name, error in failed:
        printer.complain(error, name)
    return int(bool(failed))


def _print_plan(found: Mapping[str, Any]) -> None:
    for planned in found.values():
        if isinstance(planned, BentoshipError):
            continue
        move = f"release {printer.short(planned.live)} -> {printer.short(planned.release)}"
        click.echo(f"{planned.stack}: {move if planned.live != planned.release else 'no new release'}")
        for step in planned.changes:
            click.echo(f"  {printer.step_line(step)}")
        if not planned.changes:
            click.echo("  nothing changes")


def _print_drift(found: Mapping[str, Any]) -> None:
    for drift in found.values():
        if isinstance(drift, BentoshipError):
            continue
        if drift.live is None:
            click.echo(f"{drift.stack}: is not up")
            continue
        click.echo(f"{drift.stack}: release {printer.short(drift.live)} is live, says the history")
        for step in drift.changes:
            click.echo(f"  {printer.step_line(step)}")
        if not drift.answers:
            answer = f"answers as release {drift.answered_by}" if drift.answered_by else "does not answer"
            click.echo(f"  {drift.url} {answer if drift.ready or not drift.answered_by else 'is not ready'}")
        if not drift.drifted:
            click.echo("  nothing has changed, and that release answers")


def _stream(file: IO[str] | None, verb: str, environment: str, *, as_json: bool = False) -> Stream:
    from .stream import Stream  # noqa: PLC0415

    stream = Stream(file, verb, environment)
    if as_json and stream.takes_stdout:
        raise click.UsageError("--json and --events - both want stdout; name a file for the events")
    return stream


def _end_deployed(
    environment: str, found: Mapping[str, Any], stream: Stream, progress: printer.Progress, *, as_json: bool
) -> int:
    """Tell what a command that moves the pointer came to, in every form that was asked for; its exit code."""
    if as_json:
        printer.data({"environment": environment, "deployments": _rows(found, _deployed)})
    else:
        _print_deployed(found, progress, url=not stream.takes_stdout)
    return stream.end(_complain(found), found)


def _print_deployed(found: Mapping[str, Any], progress: printer.Progress, *, url: bool) -> None:
    from ..operations.curl import curl_line  # noqa: PLC0415

    for deployed in found.values():
        if isinstance(deployed, BentoshipError):
            continue
        changed = "is live" if deployed.changes else "was live already; nothing changed"
        examples = deployed.gate["examples"]
        progress.tell(
            f"{deployed.stack}: release {printer.short(deployed.release)} {changed} ({deployed.seconds:.1f} s)"
        )
        if deployed.gate["passed"]:
            plural = "" if examples == 1 else "s"
            progress.tell(f"  gate passed: ready, {examples} golden example{plural} answered as sealed")
        else:
            progress.tell("  not gated: this target declares no gate")
        progress.tell(f"  try it:  {curl_line(deployed.url, deployed.examples)}")
        if url:
            click.echo(deployed.url)


def _must_be_somebody(environment: str, stacks: list[str]) -> None:
    if not printer.is_interactive():
        click.echo(f"This removes {', '.join(stacks)}.", err=True)
        raise BentoshipError(f"destroy {environment}", "there is nobody to ask", "add --yes if you mean it")


def _ask_for_the_name(environment: str) -> None:
    if click.prompt("Type the environment's name to go on", err=True) != environment:
        raise BentoshipError(f"destroy {environment}", "the name was not typed; nothing was removed")


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
