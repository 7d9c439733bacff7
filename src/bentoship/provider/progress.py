"""What our provider says while it works, for the engine to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

Tell = Callable[[str], None]
_PATIENCE = 5
"""Seconds that the engine may take to hear one sentence."""


def to_engine(arguments: Sequence[str]) -> Tell:
    """Says a sentence to the engine, whose address is the last of the arguments that it starts a provider with."""
    if not arguments:
        return lambda _: None
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(arguments[-1]))

    def tell(sentence: str) -> None:
        with suppress(grpc.RpcError):  # what was done counts, not that it was told
            engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=sentence), timeout=_PATIENCE)

    return tell
