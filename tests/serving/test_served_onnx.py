"""A service loads its model with the launcher's own loader, inside a release that has no scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from launched import packages, serving, with_service
from sklearn.linear_model import LinearRegression

from bentoship.models import to_onnx

ROWS = np.random.default_rng(0).normal(size=(50, 2))
SERVICE = """
from pathlib import Path

import bentoml

from bentoship.serving.models import load


@bentoml.service(name="tiny")
class Tiny:
    def __init__(self) -> None:
        self.model = load(Path(__file__).parent / "model.onnx")

    @bentoml.api
    async def predict(self, row: list[float]) -> float:
        return float(self.model.predict([row])[0])
"""


@pytest.fixture
def release(unpacked, tmp_path):
    folder = with_service(unpacked, tmp_path / "release", SERVICE)
    model = LinearRegression().fit(ROWS, ROWS @ [1.0, 2.0])
    assert to_onnx(model, ROWS, folder / "app/src/model.onnx").agrees
    return folder


def test_a_converted_model_answers(release, unpacked, tmp_path):
    with serving(release, tmp_path / "state", BENTOSHIP_SITE_PACKAGES=packages(unpacked, "onnxruntime")) as served:
        assert served.post("/predict", {"row": [1.5, -2.0]}).json() == pytest.approx(-2.5)
