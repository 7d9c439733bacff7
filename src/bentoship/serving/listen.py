"""The sockets that a release listens on."""

from __future__ import annotations

import socket

from .settings import Settings


def bind(settings: Settings) -> list[socket.socket]:
    """The sockets of this release: bound, and not yet listening. Raises OSError for an address that is taken."""
    ports = [settings.port, *([settings.metrics_port] if settings.metrics_port else [])]
    return [_bound(settings.host, port) for port in ports]


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        error.filename = f"{host}:{port}"
        raise
    # Copies in all processes share this: whoever made another one would else have accepting wait in every process.
    listener.settimeout(0)
    return listener
