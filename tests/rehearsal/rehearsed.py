"""What tests of the rehearsal share: a small Pulumi project on the doubles, and the provider's process by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from bentoship.engine.stack import Stack
from bentoship.provider.properties import from_struct, to_struct
from bentoship.rehearsal import clock, home
from bentoship.rehearsal.clock import Clock
from bentoship.rehearsal.double import Double
from bentoship.rehearsal.world import World

REGION = "eu-central-1"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
PROJECT = 'name: rehearsed\nruntime: python\nbackend: {url: "file:///nowhere"}\nconfig: {"aws:region": eu-central-1}\n'
"""The backend of the project is not the rehearsal's: it must never be touched."""


class Rehearsed:
    """A Pulumi project of one stack in a folder of its own, over a world of its own."""

    def __init__(self, folder: Path, command_line, name: str = "dev") -> None:
        self.infra = folder / "infra"
        self.infra.mkdir(parents=True, exist_ok=True)
        (self.infra / "Pulumi.yaml").write_text(PROJECT)
        variables = home.make(folder / "rehearsal")
        self.world = World.of("aws", folder / "rehearsal" / "worlds")
        around = {**variables, clock.VARIABLE: "0", "PULUMI_CONFIG_PASSPHRASE": "for this test"}
        self.stack = Stack(name, self.infra, command_line, around)

    def program(self, text: str) -> None:
        (self.infra / "__main__.py").write_text(f"TRUST = {TRUST!r}\nimport pulumi\nimport pulumi_aws as aws\n{text}")

    def made(self, kind: str) -> list:
        """What a stack made of this type, such as iam.Role."""
        return [item for item in self.world.every() if item.short_type == kind and not item.given]


def double(folder: Path, region: str = REGION, cloud: str = "aws", **variables) -> Double:
    """A double in this process, with a clock that stands still."""
    made = Double(home.load(cloud), World.of(cloud, folder), Clock(0))
    made.configure({"region": region, **variables})
    return made


@contextmanager
def provider(folder: Path, cloud: str = "aws", **told: str):
    """The provider as the engine knows it: a process that answers over gRPC."""
    command = [sys.executable, "-m", "bentoship.rehearsal", cloud, "127.0.0.1:1"]
    around = {"BENTOSHIP_REHEARSAL": str(folder), clock.VARIABLE: "0", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=around, process_group=0) as process:
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            stub.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": REGION, **told})))
            yield stub
        process.terminate()


def check(stub, token: str, inputs: dict, name: str = "thing"):
    """The completed inputs, and the failures as a table of reasons by path."""
    urn = f"urn:pulumi:dev::rehearsed::{token}::{name}"
    answer = stub.Check(
        provider_pb2.CheckRequest(urn=urn, type=token, name=name, news=to_struct(inputs), randomSeed=b"seed")
    )
    return from_struct(answer.inputs), {failure.property: failure.reason for failure in answer.failures}


def create(stub, token: str, inputs: dict, name: str = "thing"):
    urn = f"urn:pulumi:dev::rehearsed::{token}::{name}"
    return stub.Create(
        provider_pb2.CreateRequest(urn=urn, type=token, name=name, properties=to_struct(inputs), preview=False)
    )
