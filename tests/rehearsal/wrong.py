"""Wrong inputs, and what Pulumi's own mocks say to them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNDER_MOCKS = """\
import importlib, json, re, sys
import pulumi

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs

    def call(self, args):
        return {}

async def declare(token, inputs):
    _, module, name = token.split(":")
    kind = getattr(importlib.import_module(sys.argv[1] + "." + module.split("/")[0]), name)
    arguments = {re.sub("[A-Z]", lambda found: "_" + found[0].lower(), key): value for key, value in inputs.items()}
    try:
        resource = kind("thing", **arguments)
    except TypeError:
        return "refused"
    return "passes" if await resource.urn.future() else "lost"

async def every():
    pulumi.runtime.set_mocks(Mocks())
    return [await declare(token, inputs) for token, inputs in json.load(sys.stdin)]

import asyncio
print(json.dumps(asyncio.run(every())))
"""


@dataclass(frozen=True)
class Wrong:
    """A wrong input, where it is, and whether the mocks let it pass."""

    kind: str
    path: str
    token: str
    inputs: dict[str, Any]
    mocks: str
    """passes, or refused: the SDK's own constructor knows its arguments and which are required."""


def ask_mocks(package: str, table: Sequence[Wrong]) -> list[str]:
    """`passes` or `refused` for each of the table, all asked in one process of the SDK `package`."""
    asked = json.dumps([[wrong.token, wrong.inputs] for wrong in table])
    command = [sys.executable, "-W", "ignore", "-c", UNDER_MOCKS, package]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found
