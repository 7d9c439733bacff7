from __future__ import annotations

from concurrent import futures

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from bentoship.provider.progress import to_engine


class Engine(engine_pb2_grpc.EngineServicer):
    """An engine that writes down what it is told."""

    def __init__(self):
        self.heard = []

    def Log(self, request, context):  # noqa: N802 - the protocol's name
        self.heard.append((request.severity, request.message))
        return empty_pb2.Empty()


@pytest.fixture
def engine():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    listening = Engine()
    engine_pb2_grpc.add_EngineServicer_to_server(listening, server)
    listening.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield listening
    server.stop(grace=0).wait()


def test_the_engine_hears_what_a_provider_says(engine):
    to_engine(["-v=9", engine.address])("half of it is done")
    assert engine.heard == [(engine_pb2.INFO, "half of it is done")]


@pytest.mark.parametrize("arguments", [[], ["127.0.0.1:9"]])
def test_nobody_to_listen_is_no_failure(arguments):
    to_engine(arguments)("half of it is done")
