"""`python -m bentoship.targets`: what a place lists that is left of workloads. Asked and answered in JSON.

A process of its own: it acts with the environment of the engine, which in a rehearsal leads to doubles.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import BentoshipError, Problem
from . import find, misfits


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What is `left` of the `workloads`, or the `problems` that kept the place from telling."""
    try:
        target = find(asked["target"], Path(asked["own"])).model_validate(asked["fields"])
        return {"left": [found for name in asked["workloads"] for found in target.left(name) or ()]}
    except BentoshipError as error:
        return {"problems": [asdict(problem) for problem in error.problems]}
    except ValidationError as error:
        fault = f"was deployed with fields that it does not have so any more: {misfits(error)}"
        remedy = "look with the version of bentoship that deployed it"
        return {"problems": [asdict(Problem(str(asked["target"]), fault, remedy))]}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
