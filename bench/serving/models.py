"""The models that are measured, trained on the same data and kept in one folder (BENCH_MODELS)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np

NAMES = ("linear", "forest", "linear-onnx", "forest-onnx", "forest-batch")
"""`-onnx` has ONNX Runtime compute; `-batch` has BentoML's services take the rows of several requests at once."""


def train(folder: Path) -> None:
    """Write every model into `folder`."""
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(0)
    rows = random.normal(size=(1000, 3))
    values = rows @ [1.0, 2.0, 3.0] + random.normal(size=1000)
    for name, model in (("linear", LinearRegression()), ("forest", RandomForestRegressor(100, random_state=0))):
        fitted = model.fit(rows, values)
        joblib.dump(fitted, folder / f"{name}.joblib")
        (folder / f"{name}.onnx").write_bytes(to_onnx(fitted, rows[:1].astype(np.float32)).SerializeToString())


def load(name: str) -> Callable[[np.ndarray], float]:
    """What answers one row with the model `name`."""
    kind, _, way = name.partition("-")
    if way == "onnx":
        return _onnx(Path(os.environ["BENCH_MODELS"]) / f"{kind}.onnx")
    predict = load_batch(name)
    return lambda rows: float(predict(rows)[0])


def load_batch(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """What answers several rows with the model `name`."""
    model: Any = joblib.load(Path(os.environ["BENCH_MODELS"]) / f"{name.partition('-')[0]}.joblib")
    return model.predict


def _onnx(path: Path) -> Callable[[np.ndarray], float]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    given = session.get_inputs()[0].name
    return lambda rows: float(session.run(None, {given: rows.astype(np.float32)})[0].ravel()[0])
