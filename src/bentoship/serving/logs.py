"""Logs as one JSON object a line on stdout, each with the release's id."""

from __future__ import annotations

import logging
import logging.config
import sys
import time
import traceback
from datetime import UTC, datetime
from json import dumps
from json.encoder import encode_basestring_ascii as quoted  # far quicker than dumps for one string

_LONGEST_PATH = 512
_WHOLE = 4096
"""Bytes that are written in one piece: PIPE_BUF of Linux. Every character of our lines is one."""
_FULL = 64 * 1024
"""Characters after which the buffered lines are written at once."""


class AccessLog:
    """A line for every request.

    They are written together, ten times a second: a write for each would cost as much as the answer of a small model.
    """

    def __init__(self, release: str) -> None:
        self._end = f', "release": {quoted(release)}, "request_id": '
        self._lines: list[str] = []
        self._size = 0
        self._second, self._until = "", 0

    def add(self, method: str, path: str, status: int, seconds: float, request_id: str, trace_id: str) -> None:
        """Note a request that took `seconds`; `trace_id` is empty when the client sent no trace context."""
        now = time.time()
        if now >= self._until:
            self._until = int(now) + 1
            self._second = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%S")
        stamp = f"{self._second}.{int(now % 1 * 1000):03d}+00:00"
        trace = f', "trace_id": "{trace_id}"' if trace_id else ""
        line = (
            f'{{"time": "{stamp}", "method": {quoted(method)}, "path": {quoted(path[:_LONGEST_PATH])}, '
            f'"status": {status}, "milliseconds": {seconds * 1000:.3f}{self._end}{quoted(request_id)}{trace}}}\n'
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size > _FULL:
            self.flush()

    def flush(self) -> None:
        """Write what has come together."""
        lines, self._lines, self._size = self._lines, [], 0
        piece: list[str] = []
        size = 0
        for line in lines:  # several processes write to one pipe, and what is longer than this may be torn (pipe(7))
            if size + len(line) > _WHOLE:
                _write(piece)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        _write(piece)


def _write(lines: list[str]) -> None:
    if lines:
        sys.stdout.write("".join(lines))
        sys.stdout.flush()


class JsonFormatter(logging.Formatter):
    """A record of Python's logging as one line of JSON, with the traceback inside."""

    def __init__(self, release: str = "") -> None:
        super().__init__()
        self.release = release

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "release": self.release,
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return dumps(line, ensure_ascii=False)


def configure(release: str) -> None:
    """Have everything that is logged come out as JSON on stdout: what the service itself logs, BentoML, uvicorn."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter, "release": release}},
            "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": sys.stdout}},
            "loggers": {
                "bentoml": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
                "uvicorn.error": {"level": "WARNING"},
            },
            "root": {"level": "WARNING", "handlers": ["stdout"]},
        }
    )
