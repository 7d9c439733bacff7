"""Verbs about releases and models, without a deployment."""

from __future__ import annotations

from pathlib import Path

import click

from . import printer
from .group import bentoship, json_option, the_project


@bentoship.command()
@click.option("--relock", is_flag=True, help="Renew bentofile.lock first.")
@json_option
def build(relock: bool, as_json: bool) -> None:  # noqa: FBT001
    """Seal the service into a release; print its id."""
    from .. import release  # noqa: PLC0415

    with printer.Progress() as progress:
        sealed = release.build(the_project().root, relock=relock, tell=progress.tell)
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
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--release", metavar="ID", help="First digits of its id; by default the project's own, sealed now.")
@click.option("--route", metavar="ROUTE", help="Endpoint to ask; by default that of the first golden example.")
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="By default FILE with the suffix .answers.jsonl."
)
@click.option("--workers", metavar="N", default="cores", show_default=True, help="Processes that answer.")
@json_option
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
            the_project(),
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
@json_option
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
@json_option
def verify(file: Path, as_json: bool) -> None:  # noqa: FBT001
    """Recompute everything about a sealed release; name what was touched."""
    from .. import release as releases  # noqa: PLC0415

    found = releases.verify(file)
    if as_json:
        printer.data({"id": found.id, "path": found.path, "files": found.files, "bytes": found.bytes, "intact": True})
    else:
        click.echo(f"{found.id}: intact, {found.files} files, {found.bytes} bytes")
