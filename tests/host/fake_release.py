"""A release that starts in a blink and does what its variables say; run by the run.sh that `unpacked` writes.

ANSWER            text of every answer
START_DELAY       seconds until it listens
FAIL              exit code that it ends with instead of listening; prints three lines before
UNREADY           any: /readyz answers 503 for ever
IGNORE_SIGTERM    any: only SIGKILL ends it
GRANDCHILD        any: starts a process of its own, as workers are
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from aiohttp import web


def unpacked(directory: Path) -> Path:
    """A folder like that of an unpacked release."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "run.sh").write_text(f'exec "{sys.executable}" "{__file__}"\n')
    return directory


async def ready(_: web.Request) -> web.Response:
    return web.Response(status=503 if "UNREADY" in os.environ else 200)


async def live(_: web.Request) -> web.Response:
    return web.Response()


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(float(request.query["seconds"]))
    return answer()


async def echo(request: web.Request) -> web.StreamResponse:
    """Send the body back piece by piece, as it comes."""
    response = web.StreamResponse(headers={"X-Echo-Length": request.headers.get("Content-Length", "chunked")})
    await response.prepare(request)
    async for chunk in request.content.iter_any():
        await response.write(chunk)
    return response


async def mirror(request: web.Request) -> web.Response:
    """Send the body back in one piece, so that an answer is whole or not there."""
    return web.Response(body=await request.read())


async def half(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent, and die."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"the first half")
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)
    return response


async def headers(request: web.Request) -> web.Response:
    return web.json_response({"target": request.raw_path, "headers": [list(item) for item in request.headers.items()]})


async def shout(request: web.Request) -> web.Response:
    for number in range(int(request.query["lines"])):
        print(f"line {number} {request.query.get('word', '')}", flush=True)  # noqa: T201
    return answer()


async def zeros(request: web.Request) -> web.Response:
    return web.Response(body=bytes(int(request.query["bytes"])))


async def zipped(request: web.Request) -> web.Response:
    """Unpack the body, as its header says, and send it back packed."""
    response = web.Response(body=await request.read())
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def missing(_: web.Request) -> web.Response:
    return web.Response(status=404, text="no such route\n")


async def anything(_: web.Request) -> web.Response:
    return answer()


def answer() -> web.Response:
    return web.Response(text=os.environ.get("ANSWER", "hello"), headers={"X-Pid": str(os.getpid())})


async def application() -> web.Application:
    await asyncio.sleep(float(os.environ.get("START_DELAY", "0")))
    app = web.Application(client_max_size=1 << 30)
    routes = {"/readyz": ready, "/livez": live, "/slow": slow, "/echo": echo, "/half": half, "/headers": headers}
    routes["/mirror"] = mirror
    for path, handler in {**routes, "/shout": shout, "/zeros": zeros, "/zipped": zipped, "/missing": missing}.items():
        app.router.add_route("*", path, handler)
    app.router.add_route("*", "/odd{rest:.*}", headers)
    app.router.add_route("*", "/", anything)
    return app


def main() -> None:
    if "FAIL" in os.environ:
        print("loading the model\nthe model is broken\ngiving up", flush=True)  # noqa: T201
        raise SystemExit(int(os.environ["FAIL"]))
    if "GRANDCHILD" in os.environ:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if "IGNORE_SIGTERM" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    web.run_app(
        application(),
        host=os.environ["BENTOSHIP_HOST"],
        port=int(os.environ["PORT"]),
        print=None,
        access_log=None,
        keepalive_timeout=75,
        handle_signals="IGNORE_SIGTERM" not in os.environ,
    )


if __name__ == "__main__":
    main()
