"""TCP ports of this machine: a free one, and who holds one that is taken."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import psutil

LOCALHOST = "127.0.0.1"


def free_port(host: str = LOCALHOST) -> int:
    """A port of `host` that nobody listens on now; somebody may take it before the caller does."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int, host: str = LOCALHOST) -> bool:
    """Whether a server could listen on `host`:`port` now."""
    try:
        socket.create_server((host, port)).close()
    except OSError:
        return False
    return True


def holder(port: int) -> str | None:
    """The process that listens on `port`, as `name (pid 123)`; None when this user may not know."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            if _listens_on(connection, port) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def listens(pid: int, port: int) -> bool:
    """Whether process `pid` or one below it listens on `port`; True when this user may not know."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        sockets = [connection for member in family for connection in member.net_connections(kind="tcp")]
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
    return any(_listens_on(connection, port) for connection in sockets)


def url(host: str, port: int) -> str:
    """The URL under which this machine reaches a server that listens on `host`:`port`."""
    reachable = {"0.0.0.0": LOCALHOST, "": LOCALHOST, "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _listens_on(connection: Any, port: int) -> bool:
    # psutil has a class for the sockets of one process and another for those of all.
    return connection.status == psutil.CONN_LISTEN and bool(connection.laddr) and connection.laddr.port == port
