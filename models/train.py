"""Train the sample model: hiring data in, `salary.joblib` out. The same data gives the same bytes.

Run it from anywhere: `python models/train.py`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import joblib
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline

HERE = Path(__file__).parent
DATA = HERE / "hiring.csv"
MODEL = HERE / "salary.joblib"

FEATURES = ("experience", "test_score", "interview_score")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(text: str) -> float:
    """The number that a cell of the data holds: digits, a word up to twelve, or nothing at all (not a number)."""
    if not text:
        return float("nan")
    return float(WORDS.index(text)) if text in WORDS else float(text)


def read(path: Path = DATA) -> tuple[np.ndarray, np.ndarray]:
    """The features (rows by 3) and the salaries (rows) of the data, both float64."""
    with path.open(newline="") as file:
        rows = [{key: number(value) for key, value in row.items()} for row in csv.DictReader(file)]
    return np.array([[row[key] for key in FEATURES] for row in rows]), np.array([row["salary"] for row in rows])


def pipeline() -> Pipeline:
    """A missing experience counts 0, a missing test score 10; then ordinary least squares."""
    fill = make_column_transformer(
        (SimpleImputer(strategy="constant", fill_value=0.0), [0]),
        (SimpleImputer(strategy="constant", fill_value=10.0), [1]),
        remainder="passthrough",
    )
    return make_pipeline(fill, LinearRegression())


def train(data: Path = DATA, model: Path = MODEL) -> Path:
    """Fit the pipeline on `data` and write it to `model`, whole or not at all."""
    fitted = pipeline().fit(*read(data))
    unfinished = model.with_suffix(".unfinished")
    joblib.dump(fitted, unfinished, compress=0)
    return unfinished.replace(model)


if __name__ == "__main__":
    print(train())
