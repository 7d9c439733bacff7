"""Small projects to build in tests: a service without a model, and the same packages as the sample.

They share the sample's lock, so that the packages are fetched once for all tests of a machine.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent

SERVICE = '''
import asyncio
import os
from http import HTTPStatus
from pathlib import Path

import bentoml



class Busy(bentoml.exceptions.BentoMLException):
    error_code = HTTPStatus.TOO_MANY_REQUESTS


FACTOR = int((Path(__file__).parent / "factor.txt").read_text())


@bentoml.service(name="tiny")
class Tiny:
    @bentoml.api
    async def double(self, number: float) -> dict:
        if number > 1e9:
            raise Busy("not so much")
        return {"number": number * FACTOR, "process": os.getpid() if number < 0 else 0}

    @bentoml.api
    async def wait(self, folder: str) -> str:
        """Tell the pipe `begun` that the request is here, and answer what comes out of the pipe `answer`."""
        await asyncio.to_thread((Path(folder) / "begun").write_text, "begun")
        return await asyncio.to_thread((Path(folder) / "answer").read_text)
'''

EXAMPLES = (
    {"path": "/double", "body": {"number": 2}, "answer": {"number": 4, "process": 0}},
    {"path": "/double", "body": {"number": 0.1}},
)


def lines(examples) -> str:
    return "".join(json.dumps(example) + "\n" for example in examples)


def bentofile(**changes) -> str:
    python = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["python"]
    content = {"service": "service:Tiny", "include": ["service.py", "factor.txt"], "python": python}
    return yaml.safe_dump({**content, **changes}, sort_keys=False)


def tiny(folder: Path, files: dict[str, str] | None = None) -> Path:
    """A project in `folder` that can be built; `files` adds to it or replaces parts of it, None leaves one out."""
    content = {
        "service.py": SERVICE,
        "factor.txt": "2\n",
        "bentofile.yaml": bentofile(),
        "bentofile.lock": (ROOT / "bentofile.lock").read_text(),
        "models/examples.jsonl": lines(EXAMPLES),
        **(files or {}),
    }
    for name, text in content.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder


def sample(folder: Path) -> Path:
    """A copy of the sample in `folder`, without its trained model."""
    for name in ("service.py", "bentofile.yaml", "bentofile.lock", "models"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.joblib"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    return folder
