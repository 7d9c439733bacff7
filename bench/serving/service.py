"""The service that is measured: a model in, one number out. `bentoml serve` and the release's runtime both run it."""

from __future__ import annotations

import os

import bentoml
import numpy as np
from pydantic import BaseModel

from models import load, load_batch


class Features(BaseModel):
    a: float
    b: float
    c: float


class Prediction(BaseModel):
    value: float


@bentoml.service(name="measured")
class OneByOne:
    def __init__(self) -> None:
        self.predict_rows = load(os.environ["BENCH_MODEL"])

    @bentoml.api
    async def predict(self, features: Features, /) -> Prediction:
        row = np.array([[features.a, features.b, features.c]])
        return Prediction(value=self.predict_rows(row))


@bentoml.service(name="measured")
class Together:
    def __init__(self) -> None:
        self.predict_rows = load_batch(os.environ["BENCH_MODEL"])

    @bentoml.api(batchable=True)
    def predict(self, rows: list[Features]) -> list[Prediction]:
        values = self.predict_rows(np.array([[row.a, row.b, row.c] for row in rows]))
        return [Prediction(value=value) for value in values]


Measured = Together if os.environ["BENCH_MODEL"].endswith("-batch") else OneByOne
