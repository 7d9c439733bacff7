"""Load a model in `service.py`: its bytes are checked before anything is made of them.

    >>> from bentoship.serving.models import load
    >>> load("models/salary.onnx").predict(rows)              # doctest: +SKIP

Every release carries this module, so that the same line works inside one and in the project. Beside the model lies
`<name of the model>.sha256`, as `sha256sum` writes it. A joblib file is a program, which runs while it is read: that
is why a file which isn't the one that was trained is refused, and not only noticed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SUFFIX = ".sha256"
_PICKLED = frozenset({".joblib", ".pkl", ".pickle"})
_NUMPY: dict[str, Any] = {
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
"""What a session calls the types of its inputs (onnxruntime.ai/docs/api/python, NodeArg.type)."""

_ERRORS = 3
"""Severity from which a session writes to stderr; warnings, such as one about a shape, would come with each request."""


class WrongModel(Exception):
    """A file of a model that isn't there, isn't the one that was trained, or can't be read."""


def load(path: Path | str, *, trusted: Sequence[str] = (), threads: int = 1) -> Any:
    """The model in `path`: an ONNX file as `Onnx`, a skops or joblib file as the object that was saved.

    `trusted` names the types that a skops file may have besides those that skops knows. `threads` is for ONNX: one
    answer is computed by that many, and one is best where every core has a process of its own. Raises WrongModel when
    the digest beside it is missing or another one, and for a type that isn't trusted.
    """
    path = Path(path)
    return parsed(path, checked(path), trusted=trusted, threads=threads)


def checked(path: Path) -> bytes:
    """The bytes of `path`, when they are those that the digest beside it names; raises WrongModel otherwise."""
    beside = digest_path(path)
    try:
        content, written = path.read_bytes(), beside.read_text(encoding="utf-8").split()
    except OSError as error:
        remedy = f"; write it when the model is trained, or: sha256sum {path.name} >{beside.name}"
        raise WrongModel(f"{error.filename} can't be read{remedy if str(beside) == error.filename else ''}") from None
    found = hashlib.sha256(content).hexdigest()
    if written[:1] != [found]:
        raise WrongModel(f"{path} has sha256 {found[:12]}…, and {beside.name} says another one; train it again")
    return content


def digest_path(path: Path) -> Path:
    """Where the digest of the model in `path` lies."""
    return path.with_name(path.name + SUFFIX)


def parsed(path: Path, content: bytes, *, trusted: Sequence[str] = (), threads: int = 1) -> Any:
    """The model that `content` is, by the suffix of `path`."""
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return Onnx(content, threads=threads)
    if suffix == ".skops":
        return _skops(path, content, trusted)
    if suffix in _PICKLED:
        import joblib  # noqa: PLC0415 -- comes with scikit-learn, which a release with ONNX doesn't need

        return joblib.load(io.BytesIO(content))
    raise WrongModel(f"{path} is of no known kind; the suffixes are .onnx, .skops, {', '.join(sorted(_PICKLED))}")


class Onnx:
    """A session of ONNX Runtime, with those methods of a scikit-learn model that a service calls.

    `rows` is an array of rows by features, or, for a model that was converted from columns with names, a data frame
    or a mapping of columns.
    """

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        import onnxruntime  # noqa: PLC0415 -- see above

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = _ERRORS
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._inputs = [(given.name, _NUMPY[given.type]) for given in self.session.get_inputs()]
        self._outputs = [answer.name for answer in self.session.get_outputs()]

    def predict(self, rows: Any) -> Any:
        """What scikit-learn's `predict` gives: one number or label a row, or several numbers."""
        (answers,) = self.session.run(self._outputs[:1], self._given(rows))
        return answers[:, 0] if answers.ndim > 1 and answers.shape[1] == 1 else answers

    def predict_proba(self, rows: Any) -> Any:
        """The probability of each class, rows by classes; AttributeError when the model has none."""
        if len(self._outputs) == 1:
            raise AttributeError("this model has no probabilities")
        return self.session.run(self._outputs[1:2], self._given(rows))[0]

    def _given(self, rows: Any) -> dict[str, Any]:
        if len(self._inputs) == 1:
            name, kind = self._inputs[0]
            return {name: _cast(rows, kind)}
        return {name: _cast(rows[name], kind).reshape(-1, 1) for name, kind in self._inputs}


def _cast(values: Any, kind: Any) -> Any:
    """`values` as the model takes them; ValueError for a fraction where it takes whole numbers: numpy cuts it off."""
    given = np.asarray(values)
    if given.dtype.kind == "f" and np.issubdtype(kind, np.integer) and not np.array_equal(given, np.trunc(given)):
        raise ValueError("the model takes whole numbers here, and was given others")
    return given.astype(kind, copy=False)


def _skops(path: Path, content: bytes, trusted: Sequence[str]) -> Any:
    import skops.io  # noqa: PLC0415 -- see above

    foreign = sorted(set(skops.io.get_untrusted_types(data=content)) - set(trusted))
    if foreign:
        raise WrongModel(f"{path} has types that aren't trusted: {', '.join(foreign)}; look at them, and name them")
    return skops.io.loads(content, trusted=list(trusted))
