"""The same service without BentoML: bare Starlette, FastAPI, Flask."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from pydantic import BaseModel

from models import load


class Features(BaseModel):
    a: float
    b: float
    c: float


class Prediction(BaseModel):
    value: float


predict_rows = load(os.environ["BENCH_MODEL"])


def _rows(features: Features) -> np.ndarray:
    return np.array([[features.a, features.b, features.c]])


def starlette() -> Any:
    """As little as is possible: the body is validated, and that is all."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def predict(request: Any) -> Response:
        features = Features.model_validate_json(await request.body())
        answer = Prediction(value=predict_rows(_rows(features)))
        return Response(answer.model_dump_json(), media_type="application/json")

    return Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/readyz", lambda _: Response())])


def fastapi() -> Any:
    """As FastAPI's documentation writes it."""
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> None:
        """Ready."""

    async def predict(features: Features) -> Prediction:
        return Prediction(value=predict_rows(_rows(features)))

    predict.__annotations__ = {"features": Features, "return": Prediction}
    app.post("/predict")(predict)
    return app


def flask() -> Any:
    """As Flask's documentation writes it; gunicorn runs it."""
    from flask import Flask, Response, request

    app = Flask(__name__)

    @app.get("/readyz")
    def ready() -> str:
        return ""

    @app.post("/predict")
    def predict() -> Response:
        features = Features.model_validate_json(request.get_data())
        answer = Prediction(value=predict_rows(_rows(features)))
        return Response(answer.model_dump_json(), mimetype="application/json")

    return app
