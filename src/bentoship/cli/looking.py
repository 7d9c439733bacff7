"""Verbs that look at what is there."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import BentoshipError
from . import printer
from .group import ENVIRONMENT, bentoship, json_option, only_option, the_project
from .shown import (
    complain_of,
    drifted_row,
    print_drift,
    rows_of,
)


@bentoship.command()
@ENVIRONMENT
@only_option
@json_option
def drift(environment: str, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show what has changed behind our back. Exits 0 for nothing, 1 for drift, 2 for an error."""
    from ..operations import drift as operation  # noqa: PLC0415

    with printer.Progress() as progress:
        found = operation.drift(the_project(), environment, only=only, tell=progress.tell)
    drifted = any(not isinstance(value, BentoshipError) and value.drifted for value in found.values())
    if as_json:
        rows = rows_of(found, drifted_row)
        printer.data({"environment": environment, "drifted": drifted, "deployments": rows})
    else:
        print_drift(found)
    failed = complain_of(found)
    return 2 if failed else int(drifted)


@bentoship.command()
@ENVIRONMENT
@only_option
@json_option
def status(environment: str, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show what is deployed, and whether it answers."""
    from ..operations import status as operation  # noqa: PLC0415

    found = operation.status(the_project(), environment, only=only)
    if as_json:
        printer.data({"environment": environment, "deployments": rows_of(found, vars)})
        return complain_of(found)
    rows = [
        (each.name, each.target, each.url or "-", printer.short(each.release), "ready" if each.ready else "not ready")
        for each in found.values()
        if not isinstance(each, BentoshipError)
    ]
    printer.table(("deployment", "target", "url", "release", "state"), rows)
    return complain_of(found)


@bentoship.command()
@ENVIRONMENT
@click.argument("release", required=False)
@only_option
@json_option
def history(environment: str, release: str | None, only: str | None, as_json: bool) -> int:  # noqa: FBT001
    """Show every attempt to deploy, newest first; or, of RELEASE (the first digits of its id), all that is known."""
    from ..operations import status as operation  # noqa: PLC0415
    from . import record  # noqa: PLC0415

    found = operation.history(the_project(), environment, release, only=only)
    entries = {name: value for name, value in found.items() if not isinstance(value, BentoshipError)}
    if as_json:
        rows = [
            {"name": name, **(printer.as_error(value) if isinstance(value, BentoshipError) else {"history": value})}
            for name, value in found.items()
        ]
        printer.data({"environment": environment, "deployments": rows})
    elif release is None:
        printer.table(record.HEADINGS, record.rows(entries))
    else:
        for name, value in entries.items():
            for entry in value:
                click.echo("\n".join(record.details(name, entry)))
    return complain_of(found)


@bentoship.command()
@click.argument("environments", nargs=-1, metavar="[ENVIRONMENT]...")
@only_option
@click.option("--release", "releases", metavar="RELEASE", multiple=True, help="Two of them, run here and compared.")
@click.option(
    "--requests", type=click.Path(path_type=Path), metavar="FILE", help="What is sent, in the form of examples.jsonl."
)
@click.option("--times", type=click.IntRange(1, 100_000), default=5, show_default=True, help="How often each is sent.")
@json_option
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
    project = the_project()
    with printer.Progress() as progress:
        if releases:
            found = operation.parity_of_releases(project, releases, requests=requests, times=times, tell=progress.tell)
        else:
            found = operation.parity(
                project, environments, only=only, requests=requests, times=times, tell=progress.tell
            )
    if as_json:
        places = rows_of(found.places, vars)
        printer.data({**vars(found), "agree": found.agree, "places": places})
    else:
        for line in comparison.lines(found):
            click.echo(line)
    return int(bool(complain_of(found.places)) or not found.agree)


@bentoship.command(name="open")
@ENVIRONMENT
@only_option
def open_(environment: str, only: str | None) -> None:
    """Open the URL of a deployment in a browser, and print it."""
    from ..operations.invoke import one  # noqa: PLC0415

    found = one(the_project(), environment, only=only, tell=lambda _: None)
    if found.url is None:
        raise BentoshipError(found.deployment.stack, "is not up", f"`bentoship up {environment}`")
    click.echo(found.url)
    click.launch(found.url)


@bentoship.command()
@ENVIRONMENT
@only_option
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@click.option(
    "-n", "--tail", type=click.IntRange(0, 1_000_000), default=100, show_default=True, help="The last N lines."
)
@click.option("--since", metavar="DURATION", help="Not older than this: 90s, 5m, 2h, 1d.")
@click.option("--search", metavar="REGEX", help="Only lines that match.")
def logs(environment: str, only: str | None, follow: bool, tail: int, since: str | None, search: str | None) -> None:  # noqa: FBT001
    """Show what the releases of a deployment have written."""
    from ..operations import logs as operation  # noqa: PLC0415

    lines = operation.logs(the_project(), environment, only=only, follow=follow, tail=tail, since=since, search=search)
    for line in lines:
        click.echo(line)


@bentoship.command()
@ENVIRONMENT
@click.argument("body", required=False)
@click.option("--path", metavar="ROUTE", help="Route of the endpoint; by default that of the first golden example.")
@only_option
def invoke(environment: str, body: str | None, path: str | None, only: str | None) -> None:
    """Ask a deployment: BODY as JSON, or its first golden example."""
    from ..operations import invoke as operation  # noqa: PLC0415

    printer.data(operation.invoke(the_project(), environment, body=body, path=path, only=only))


@bentoship.command()
@json_option
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
@json_option
def targets(as_json: bool) -> None:  # noqa: FBT001
    """List where deployments can go, and what each place must be told."""
    from ..operations.targets import describe  # noqa: PLC0415

    found = describe(the_project())
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
@json_option
def config(environment: str, as_json: bool) -> None:  # noqa: FBT001
    """Show the merged configuration of an environment, and which file said each value."""
    from .. import environments  # noqa: PLC0415

    found = environments.settings(the_project(), environment)
    if as_json:
        printer.data([vars(setting) for setting in found])
        return
    printer.table(("setting", "value", "said by"), [(each.path, str(each.value), each.source) for each in found])
