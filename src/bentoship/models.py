"""scikit-learn to ONNX, when both give the same answers; and the digest that is kept beside a model.

`models/train.py` calls this, or `bentoship onnx` does. Of a forest, ONNX Runtime computes one row in microseconds where
scikit-learn takes milliseconds, most of which it spends on checks and threads and not on trees.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .deployment import DEFAULT_TOLERANCE
from .errors import BentoshipError, InvalidConfiguration
from .serving import models as loader

METHODS = ("predict", "predict_proba")
TOLD = 5
"""Examples that differ and are told one by one; of the others, the number."""
_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Versions of the operators, fixed so that a model gives the same bytes each time; runtimes from 2023 on have them."""
_INSTALL = "pip install 'bentoship[onnx]'"
_TREES = {"TreeEnsembleRegressor": 0, "TreeEnsembleClassifier": 1}
"""Operators for trees, and which of their outputs has numbers."""
_NUMBERS = ("float64", "float32")
_ROUNDS = 5
_ROUND_SECONDS = 0.02


@dataclass(frozen=True)
class Difference:
    """One example that the two models answer differently."""

    example: int
    """Its number, from 1."""
    method: str
    expected: Any
    """What scikit-learn answers."""
    got: Any
    """What ONNX Runtime answers."""

    def __str__(self) -> str:
        return f"example {self.example}: {self.method} gives {self.expected} in scikit-learn and {self.got} in ONNX"


@dataclass(frozen=True)
class Conversion:
    """What became of a conversion."""

    path: Path
    """The ONNX file; it is there only when the answers agree."""
    examples: int
    tolerance: float
    numbers: str
    """The type that the ONNX model computes with: float64, or float32 where the operators have no other."""
    largest: float
    """The largest difference of two numbers, relative to the larger of 1 and scikit-learn's."""
    differing: int
    """How many answers differ by more than the tolerance."""
    differences: tuple[Difference, ...] = ()
    """The first of them."""
    fault: str = ""
    """Why there is nothing to compare: what the converter or the runtime says."""
    before: float = 0.0
    """Seconds that scikit-learn takes for one row."""
    after: float = 0.0
    """Seconds that ONNX Runtime takes for one row."""

    @property
    def agrees(self) -> bool:
        """Whether every example is answered alike, so that the ONNX file was written."""
        return not self.fault and not self.differing

    def __str__(self) -> str:
        if self.fault:
            return f"not converted, the model stays as it is: {self.fault}"
        if self.differing:
            heading = f"not converted, the model stays as it is ({self.numbers}, tolerance {self.tolerance:g}):"
            more = self.differing - len(self.differences)
            return "\n  ".join([heading, *map(str, self.differences), *([f"and {more} more"] if more else [])])
        return (
            f"{self.examples} examples agree within {self.tolerance:g} ({self.numbers}, largest difference "
            f"{self.largest:.1g}); one row takes {self.after * 1e6:.0f} µs instead of {self.before * 1e6:.0f} µs"
        )


def to_onnx(model: Any, examples: Any, path: Path, *, tolerance: float = DEFAULT_TOLERANCE) -> Conversion:
    """Write the fitted scikit-learn `model` as ONNX to `path`, with its digest, if it answers `examples` alike.

    `examples` is an array of rows by features, or a data frame, such as what the model was trained on: the more rows,
    and the more unusual ones, the more the comparison is worth. Numbers agree when they differ by at most `tolerance`
    times the larger of 1 and scikit-learn's; labels must be equal. It is tried with float64, then with float32; and
    where whole numbers are labels to the model, and fractions not the same to it, with these left whole.

    When the answers don't agree nothing is written, and an ONNX file of an earlier model is removed from `path`, since
    a service would go on answering with it. Raises InvalidConfiguration for a model without `predict` or no examples,
    BentoshipError when skl2onnx or onnxruntime aren't installed.
    """
    _require(model, examples)
    content, best = _best(
        _tried(model, examples, kinds, path, tolerance, numbers)
        for kinds, numbers in product(("iuf", "f") if _has_whole(examples) else ("f",), _NUMBERS)
    )
    if best.agrees:
        _write_model(path, content)
        return best
    for stale in (path, loader.digest_path(path)):
        stale.unlink(missing_ok=True)
    return best


def write_digest(path: Path) -> Path:
    """Write the sha256 of the model in `path` beside it, as `sha256sum` does; return where."""
    beside = loader.digest_path(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _write_whole(beside, f"{digest}  {path.name}\n".encode())


def _require(model: Any, examples: Any) -> None:
    if not hasattr(model, "predict"):
        raise InvalidConfiguration(type(model).__name__, "has no predict, so there is nothing to compare")
    if not len(examples):
        raise InvalidConfiguration("the examples", "there are none, and without them nothing can be compared")
    try:
        import onnxruntime  # noqa: F401, PLC0415 -- an extra
        import skl2onnx  # noqa: F401, PLC0415 -- an extra
    except ImportError as error:
        raise BentoshipError("onnx", f"needs a package that is not here ({error.name})", _INSTALL) from None


def _best(tried: Iterable[tuple[bytes, Conversion]]) -> tuple[bytes, Conversion]:
    """The first that agrees, or else the one that comes nearest."""
    seen = []
    for each in tried:
        if each[1].agrees:
            return each
        seen.append(each)
    return min(seen, key=lambda each: (bool(each[1].fault), each[1].differing))


def _has_whole(examples: Any) -> bool:
    """Whether some columns with names have nothing but whole numbers: perhaps just in these examples."""
    return hasattr(examples, "columns") and any(examples[name].dtype.kind in "iu" for name in examples.columns)


def _tried(
    model: Any, examples: Any, kinds: str, path: Path, tolerance: float, numbers: str
) -> tuple[bytes, Conversion]:
    """The ONNX file that takes columns of these `kinds` (numpy's) as `numbers`, and how it compares."""
    rows = _of_type(examples, kinds, numbers)
    try:
        content = _converted(model, rows[:1])
        onnx = loader.Onnx(content)
        compared = [_compare(model, onnx, method, examples, rows, tolerance) for method in _methods(model)]
    except Exception as error:  # noqa: BLE001 -- a converter and a runtime, each with errors of many kinds
        fault = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        return b"", Conversion(path, len(examples), tolerance, numbers, 0.0, 0, fault=fault)
    differing = sum(one.differing for one in compared)
    before, after = (0.0, 0.0) if differing else _seconds(model, onnx, examples[:1], rows[:1])
    return content, Conversion(
        path,
        len(examples),
        tolerance,
        numbers,
        max(one.largest for one in compared),
        differing,
        tuple(difference for one in compared for difference in one.differences)[:TOLD],
        before=before,
        after=after,
    )


def _methods(model: Any) -> list[str]:
    return [method for method in METHODS if hasattr(model, method)]


def _of_type(examples: Any, kinds: str, numbers: str) -> Any:
    """The examples with numbers of that type; columns of text, and of other kinds, stay as they are."""
    if not hasattr(examples, "columns"):
        return examples.astype(numbers)
    return examples.astype({name: numbers for name in examples.columns if examples[name].dtype.kind in kinds})


def _converted(model: Any, first: Any) -> bytes:
    from skl2onnx import to_onnx as convert  # noqa: PLC0415 -- an extra
    from sklearn.base import is_classifier  # noqa: PLC0415 -- comes with the model

    # Probabilities as rows by classes, which is how scikit-learn gives them, and not as a mapping a row.
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the converter uses of scikit-learn is its own affair
        onnx = convert(model, first, options=options, target_opset=_OPSETS)
    _cast_trees(onnx.graph)
    content: bytes = onnx.SerializeToString()
    return content


def _cast_trees(graph: Any) -> None:
    """Have trees that are given float64 hand on float64.

    The operators for trees compare and add up in float64 then, but give float32 (github.com/onnx/onnx,
    docs/Operators-ml.md, TreeEnsembleRegressor). The converter overlooks that, and no session takes what it makes.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415 -- comes with the converter

    if all(given.type.tensor_type.elem_type != TensorProto.DOUBLE for given in graph.input):
        return
    declared = {value.name: value.type.tensor_type.elem_type for value in (*graph.output, *graph.value_info)}
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        graph.node.append(node)
        number = _TREES.get(node.op_type)
        if number is not None and declared.get(node.output[number], TensorProto.DOUBLE) == TensorProto.DOUBLE:
            name, narrow = node.output[number], f"{node.output[number]}_float32"
            graph.node[-1].output[number] = narrow
            graph.node.append(helper.make_node("Cast", [narrow], [name], to=TensorProto.DOUBLE))


@dataclass(frozen=True)
class _Compared:
    """How the answers of one method compare."""

    largest: float
    differing: int
    differences: tuple[Difference, ...]


def _compare(model: Any, onnx: Any, method: str, examples: Any, rows: Any, tolerance: float) -> _Compared:
    expected, got = np.asarray(getattr(model, method)(examples)), np.asarray(getattr(onnx, method)(rows))
    if expected.shape != got.shape:
        raise ValueError(f"{method} gives {expected.shape} in scikit-learn and {got.shape} in ONNX")
    if expected.dtype.kind != "f":
        away = (expected != got).astype(float)
        limit = 0.0
    else:
        away = np.abs(expected - got) / np.maximum(1.0, np.abs(expected))
        away = np.where((expected == got) | (np.isnan(expected) & np.isnan(got)), 0.0, away)
        limit = tolerance
    wrong = np.flatnonzero(~(away.reshape(len(examples), -1) <= limit).all(axis=1))
    told = (Difference(int(row) + 1, method, expected[row].tolist(), got[row].tolist()) for row in wrong[:TOLD])
    return _Compared(float(away.max()), len(wrong), tuple(told))


def _seconds(model: Any, onnx: Any, example: Any, row: Any) -> tuple[float, float]:
    """What one row takes in scikit-learn and in ONNX Runtime, in seconds: the best of some rounds, taken in turn."""
    taken = [(_timed(lambda: model.predict(example)), _timed(lambda: onnx.predict(row))) for _ in range(_ROUNDS)]
    before, after = zip(*taken, strict=True)
    return min(before), min(after)


def _timed(call: Callable[[], Any]) -> float:
    begin, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < _ROUND_SECONDS:
        call()
        calls += 1
    return spent / calls


def _write_model(path: Path, content: bytes) -> None:
    """Write model and digest; interrupted between the two, they don't match, and the loader says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(path, content)
    write_digest(path)


def _write_whole(path: Path, content: bytes) -> Path:
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(content)
    return unfinished.replace(path)
