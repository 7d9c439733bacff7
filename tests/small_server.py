"""The server inside the release of small_release.py; the standard library alone."""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RELEASE = os.environ.get("BENTOSHIP_RELEASE", "")[:12]
TOKEN = os.environ.get("SERVING_TOKENS")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        is_known = TOKEN is None or self.headers["Authorization"] == f"Bearer {TOKEN}"
        self.answer({"salary": 1.0} if is_known else {}, 200 if is_known else 401)

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("X-Bentoship-Release", RELEASE), ("Content-Type", "application/json")):
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Say nothing: a client that has gone is none of our business."""


if __name__ == "__main__":
    server = Server((os.environ.get("BENTOSHIP_HOST", "0.0.0.0"), int(os.environ["PORT"])), Handler)  # noqa: S104
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
