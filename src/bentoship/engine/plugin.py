"""A plugin of the engine: a process that serves one of its gRPC protocols until the engine ends it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent import futures

import grpc

MAX_MESSAGE = 400 * 1024 * 1024
"""Bytes; what Pulumi's own SDKs allow (sdk/python/lib/pulumi/runtime/_grpc_settings.py)."""
_LOOK = 1.0
"""Seconds between two looks for the engine."""


def serve(register: Callable[[grpc.Server], None], workers: int, before_end: Callable[[], None] = lambda: None) -> None:
    """Serve what `register` adds to the server, with `workers` calls at once. Does not return.

    The first line on stdout is the port, as the protocol asks. The engine interrupts a plugin when it is done with it;
    a Ctrl-C is its own to handle, since it puts every plugin into a process group of its own.
    """
    options = [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=workers), options=options)
    register(server)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=_end_with_engine, args=(ended, os.getppid()), daemon=True).start()
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201 - the protocol
    server.start()
    ended.wait()
    before_end()
    server.stop(grace=0.5).wait()
    os._exit(0)  # a call that still waits for something must not keep this process alive


def _end_with_engine(ended: threading.Event, engine: int) -> None:
    while not ended.wait(_LOOK):
        if os.getppid() != engine:  # an engine that was killed can't tell us
            ended.set()
