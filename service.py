"""The sample service: what a new colleague should be offered, from years of experience and two scores."""

from __future__ import annotations

from pathlib import Path

import bentoml
import joblib
import numpy as np
from pydantic import BaseModel, Field

MODEL = Path(__file__).parent / "models" / "salary.joblib"


class Candidate(BaseModel):
    experience: float | None = Field(default=None, ge=0, description="years; unknown counts 0")
    test_score: float | None = Field(default=None, ge=0, le=10, description="0 to 10; unknown counts 10")
    interview_score: float = Field(ge=0, le=10, description="0 to 10")


class Offer(BaseModel):
    salary: float = Field(description="dollars a year")


@bentoml.service(name="salary")
class Salary:
    def __init__(self) -> None:
        self.model = joblib.load(MODEL)

    @bentoml.api
    async def predict(self, candidate: Candidate, /) -> Offer:
        row = [candidate.experience, candidate.test_score, candidate.interview_score]
        return Offer(salary=float(self.model.predict(np.array([row], dtype=float))[0]))
