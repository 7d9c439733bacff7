"""A service called tiny with one endpoint of every kind: what the launcher and `bentoml serve` are compared on."""

import asyncio
import io
import time
from collections.abc import Generator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
import pandas as pd
from bentoml.validators import DataframeSchema, DType, Shape
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse

TAGS = Field(default=[])


class Point(BaseModel):
    x: float = Field(ge=0)
    y: float = 1.0
    label: str | None = None


class Sum(BaseModel):
    total: float
    label: str | None = None


@bentoml.service(name="tiny", threads=2, traffic={"timeout": 60})
class Tiny:
    @bentoml.api
    async def model(self, point: Point, /) -> Sum:
        return Sum(total=point.x + point.y, label=point.label)

    @bentoml.api
    def model_in_thread(self, point: Point, /) -> Sum:
        return Sum(total=point.x + point.y, label=point.label)

    @bentoml.api
    async def keywords(self, x: float, y: int = Field(default=2, ge=0), tags: list[str] = TAGS) -> dict:
        return {"total": x + y, "tags": tags}

    @bentoml.api
    def nested(self, points: list[Point]) -> list[Sum]:
        return [Sum(total=point.x + point.y) for point in points]

    @bentoml.api
    async def text(self, text: str, /) -> str:
        return text.upper()

    @bentoml.api
    async def number(self, value: float = 1.5) -> float:
        return value * 2

    @bentoml.api(route="/a/route/of/its/own")
    async def routed(self, value: int) -> int:
        return value

    @bentoml.api
    async def nothing(self) -> None:
        """Answers null."""

    @bentoml.api
    async def anything(self, value=None):
        return value

    @bentoml.api
    def rows(self, rows: np.ndarray) -> np.ndarray:
        return rows * 2

    @bentoml.api
    async def shaped(self, rows: Annotated[np.ndarray, Shape((2, 2)), DType("float32")], /) -> np.ndarray:
        return rows.sum(axis=0)

    @bentoml.api
    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame * 2

    @bentoml.api
    async def columns(self, frame: Annotated[pd.DataFrame, DataframeSchema(orient="records", columns=["a"])], /) -> int:
        return int(frame["a"].sum())

    @bentoml.api
    def file_size(self, file: Path) -> int:
        return len(file.read_bytes())

    @bentoml.api
    def file(self, ctx: bentoml.Context, content: str) -> Path:
        path = Path(ctx.temp_dir) / "answer.txt"
        path.write_text(content)
        return path

    @bentoml.api
    def stream(self, count: int) -> Generator[str, None, None]:
        for number in range(count):
            yield f"{number}\n"

    @bentoml.api
    def with_context(self, ctx: bentoml.Context, value: int) -> int:
        ctx.response.status_code = 202
        ctx.response.headers["x-own"] = ctx.request.headers.get("x-given", "none")
        return value

    @bentoml.api
    async def own_response(self, value: int):
        return PlainTextResponse(f"<{value}>", status_code=203)

    @bentoml.api(batchable=True)
    def batch(self, rows: np.ndarray) -> np.ndarray:
        return rows + 1

    @bentoml.api(batchable=True)
    async def batch_of_texts(self, texts: list[str], /) -> list[int]:
        return [len(text) for text in texts]

    @bentoml.api(batchable=True, max_batch_size=2)
    def batch_of_two(self, rows: list[Point]) -> list[Sum]:
        if len(rows) > 2:
            raise RuntimeError("more than two")
        return [Sum(total=row.x + row.y, label=row.label) for row in rows]

    @bentoml.api(batchable=True, batch_dim=(1, 0))
    def batch_of_columns(self, rows: np.ndarray) -> np.ndarray:
        return rows.sum(axis=0)

    @bentoml.api(batchable=True)
    def batch_of_frames(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame * 2

    @bentoml.api(batchable=True)
    def failing_batch(self, hows: list[str]) -> list[str]:
        if "refuses" in hows:
            raise bentoml.exceptions.InvalidArgument("not like that")
        if "answers nothing" in hows:
            return None
        raise RuntimeError("a secret")

    @bentoml.task
    def task(self, value: int) -> int:
        return value + 1

    @bentoml.api
    async def context_without_asking(self) -> str:
        return Tiny.context.request.headers["x-given"]

    @bentoml.api
    async def fails(self, how: str) -> str:
        if how == "refuses":
            raise bentoml.exceptions.InvalidArgument("not like that")
        if how == "forbids":
            raise bentoml.exceptions.BentoMLException("no", error_code=HTTPStatus.FORBIDDEN)
        if how == "is busy":
            raise bentoml.exceptions.ServiceUnavailable("later")
        raise RuntimeError("a secret")

    @bentoml.api
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @bentoml.api
    def slow_in_thread(self, seconds: float) -> str:
        time.sleep(seconds)
        return "done"

    @bentoml.api
    def image(self, ctx: bentoml.Context) -> Annotated[Path, bentoml.validators.ContentType("image/png")]:
        path = Path(ctx.temp_dir) / "dot.png"
        path.write_bytes(io.BytesIO(b"\x89PNG").getvalue())
        return path
