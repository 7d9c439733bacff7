"""onnx: a model's file and a file of examples in, an ONNX file out when both answer alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..deployment import DEFAULT_TOLERANCE
from ..errors import InvalidConfiguration, Problem
from ..tables import SUFFIXES, open_table

if TYPE_CHECKING:
    from ..models import Conversion

_ROWS_BY_FEATURES = 2
_MOST_TOLD = 10
"""Cells of one file that aren't numbers and are told."""


def convert(
    model: Path,
    examples: Path,
    *,
    output: Path | None = None,
    columns: Sequence[str] = (),
    tolerance: float = DEFAULT_TOLERANCE,
) -> Conversion:
    """Convert the model in `model` to ONNX, if it answers the rows of `examples` alike.

    `output` is beside the model unless said otherwise. `columns` are those of the examples that the model takes, in
    its order; by default the names that it was trained with, or else all. Raises InvalidConfiguration for files that
    can't be read as a model and its examples, BentoshipError when a package is missing.
    """
    from .. import models  # noqa: PLC0415 -- with numpy

    to = output or model.with_suffix(".onnx")
    if output is None and to == model:
        raise InvalidConfiguration(str(model), "is an ONNX file already", "name the model that it was made from")
    if to.resolve() == model.resolve():
        raise InvalidConfiguration("--output", "is the model itself", "name another file, or leave it out")
    loaded = _model(model)
    return models.to_onnx(loaded, _examples(loaded, examples, columns), to, tolerance=tolerance)


def _model(path: Path) -> Any:
    """The model in `path`, checked against its digest when it has one: it is the user's own, and just been trained."""
    from ..serving import models as loader  # noqa: PLC0415 -- with numpy

    try:
        content = loader.checked(path) if loader.digest_path(path).exists() else path.read_bytes()
        return loader.parsed(path, content)
    except loader.WrongModel as error:
        raise InvalidConfiguration("", str(error)) from None
    except OSError as error:
        raise InvalidConfiguration(
            str(path), f"can't be read ({error.strerror})", "train it, or check the path"
        ) from None
    except Exception as error:  # noqa: BLE001 -- a pickle runs whatever is in it
        fault = f"can't be loaded: {type(error).__name__}: {error}"
        raise InvalidConfiguration(str(path), fault, "use the packages that it was trained with") from None


def _examples(model: Any, path: Path, columns: Sequence[str]) -> Any:
    """The rows of `path` as the model takes them: a data frame when it was trained on one, else an array."""
    import numpy as np  # noqa: PLC0415 -- with the model

    if path.suffix == ".npy":
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InvalidConfiguration(str(path), f"can't be read: {error}") from None
        if rows.ndim != _ROWS_BY_FEATURES or rows.dtype.kind not in "biuf":
            fault = f"has {rows.ndim} dimensions of {rows.dtype}"
            raise InvalidConfiguration(str(path), fault, "save an array of numbers, rows by features")
        return rows
    table = open_table(path)
    if table.columns is None:
        known = ", ".join((".npy", *(suffix for suffix in SUFFIXES if suffix != ".jsonl")))
        raise InvalidConfiguration(str(path), "has no columns", f"the suffixes are {known}")
    trained = getattr(model, "feature_names_in_", None)
    names = list(columns) or list(table.columns if trained is None else trained)
    _require(path, table.columns, names, getattr(model, "n_features_in_", len(names)))
    rows = list(table.rows())
    if trained is None:
        return np.array(_numbers(path, rows, names))
    try:
        import pandas as pd  # noqa: PLC0415 -- the model was trained with it
    except ImportError:
        fault = "was trained on columns with names, and pandas, which has them, is not here"
        raise InvalidConfiguration("the model", fault, "pip install pandas") from None

    frame = pd.DataFrame([[row[name] for name in names] for row in rows], columns=names)
    return frame.apply(lambda column: pd.to_numeric(column, errors="coerce") if _is_numeric(column) else column)


def _require(path: Path, there: Sequence[str], names: Sequence[str], count: int) -> None:
    if missing := [name for name in names if name not in there]:
        raise InvalidConfiguration(str(path), f"has no column {', '.join(missing)}", f"it has {', '.join(there)}")
    if len(names) != count:
        fault = f"{len(names)} columns ({', '.join(names)}), and the model takes {count}"
        raise InvalidConfiguration(str(path), fault, "name them in its order: --columns a,b,c")


def _numbers(path: Path, rows: Sequence[Any], names: Sequence[str]) -> list[list[float]]:
    problems: list[Problem] = []
    numbers = [
        [_number(row[name], f"{path}, row {at}: {name}", problems) for name in names] for at, row in enumerate(rows, 1)
    ]
    if problems:
        raise InvalidConfiguration.of(problems[:_MOST_TOLD])
    return numbers


def _number(cell: Any, where: str, problems: list[Problem]) -> float:
    try:
        return math.nan if cell is None else float(cell)
    except (TypeError, ValueError):
        problems.append(Problem(where, f"{cell!r} is not a number"))
        return math.nan


def _is_numeric(column: Any) -> bool:
    """Whether all cells of a column of a data frame that aren't empty are numbers."""
    try:
        column.dropna().astype(float)
    except (TypeError, ValueError):
        return False
    return True
