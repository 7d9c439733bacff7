"""Builds the Bento, inside the vendored packages. Run as a script, with Python's standard library and those only.

It says what happened in the file that its order names, as one JSON object.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any


def main() -> None:
    """Read the order (a JSON file named on the command line), carry it out, and write the answer."""
    order: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.path.insert(0, order["site_packages"])
    project = Path(order["project"])
    try:
        answer = build(project, order["version"])
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever the user's service raises is told to them
        answer = {"fault": fault(error), **place(error, project)}
        traceback.print_exc()
    Path(order["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def build(project: Path, version: str) -> dict[str, Any]:
    """Build the Bento of `project`, copy the models that it names out of BentoML's store, and describe it."""
    import bentoml.bentos  # noqa: PLC0415 -- main has just said where it is
    from bentoml.models import BentoModel  # noqa: PLC0415

    bento = bentoml.bentos.build_bentofile(str(project / "bentofile.yaml"), version=version, build_ctx=str(project))
    folder = Path(bento.path)
    foreign = [str(model.tag) for model in bento.info.all_models if model.registry != "bentoml"]
    if foreign:
        raise ValueError(f"models that are fetched when the service starts can't be sealed: {', '.join(foreign)}")
    if bento.info.all_models:
        (folder / "models").mkdir()
    for model in bento.info.all_models:
        BentoModel(model.tag).resolve(folder / "models")
    return {"path": str(folder), "name": bento.info.name, "service": bento.info.service, "bentoml": bentoml.__version__}


def fault(error: BaseException) -> str:
    """The last line of the traceback of what went wrong first."""
    return traceback.format_exception_only(origin(error))[-1].strip()


def origin(error: BaseException) -> BaseException:
    """The error that began it: BentoML wraps those of the user's service."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error


def place(error: BaseException, project: Path) -> dict[str, Any]:
    """File and line of the user's own code where it went wrong, nothing when it wasn't there."""
    first = origin(error)
    if isinstance(first, SyntaxError) and first.filename and Path(first.filename).is_relative_to(project):
        return {"file": str(Path(first.filename).relative_to(project)), "line": first.lineno}
    lines = [*frames(first.__traceback__, project), *frames(error.__traceback__, project)]
    return {"file": lines[0][0], "line": lines[0][1]} if lines else {}


def frames(trace: TracebackType | None, project: Path) -> list[tuple[str, int]]:
    """File and line of the frames of the user's own code, innermost first."""
    found = [(Path(frame.filename), frame.lineno or 0) for frame in reversed(traceback.extract_tb(trace))]
    return [(str(path.relative_to(project)), line) for path, line in found if path.is_relative_to(project)]


if __name__ == "__main__":
    main()
