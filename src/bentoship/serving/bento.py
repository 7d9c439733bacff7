"""The BentoML service of this release, and its own application, without the layers that the launcher replaces."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import re
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_impl.tasks import Sqlite3Store
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.context import server_context
from bentoml.exceptions import BentoMLException
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware  # noqa: TC002 -- see TC001
from starlette.requests import Request  # noqa: TC002
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute  # noqa: TC002 -- see TC001

from .asgi import UNREADABLE, App
from .page import Page
from .settings import THREADS, Settings

_REPLACED = {
    "RunnerTrafficMetricsMiddleware",  # labels by raw path, so that unknown URLs fill the memory
    "AccessLogMiddleware",  # no JSON
    "TimeoutMiddleware",  # never cancels its timers
    "MaxConcurrencyMiddleware",
    "OpenTelemetryMiddleware",  # goes around everything, and only when tracing is configured
    "CORSMiddleware",  # goes around everything
}
_PARSING = "from_http_request"
_TRACKER = re.compile(r"<(script|noscript)>(?:(?!</\1>).)*googletagmanager.*?</\1>", re.DOTALL)
_ONLY_OURS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
"""What a browser may load for the page: nothing from anywhere else, whatever a later BentoML writes into it."""


@dataclass(frozen=True)
class Bento:
    """A loaded service. Its model is loaded later, when `app` starts up."""

    service: Any
    factory: Factory
    app: App

    @property
    def instance(self) -> Any:
        """The object whose methods answer; there is one from start-up to shut-down."""
        return self.factory._service_instance  # noqa: SLF001 -- BentoML has no other name for it

    @property
    def page_path(self) -> str | None:
        """Where our page for people is; None when there is none, or perhaps an application of the service's own."""
        has_root = any(not path.strip("/") for _, path, _ in self.service.mount_apps)
        if self.factory.page.settings.page != "form" or has_root or self.service.has_custom_command():
            return None
        paths: Any = self.app
        return next((route.path for route in paths.routes if getattr(route, "name", "") == "index"), None)

    @property
    def prefix(self) -> str:
        """What the paths of all endpoints begin with: `path_prefix` of the service, or nothing."""
        found = (self.service.path_prefix or "").strip("/")
        return f"/{found}" if found else ""

    @property
    def timeout(self) -> float:
        """Seconds that a request may take: `traffic.timeout` of the service."""
        return float(self.factory.timeout or 0) or 60.0

    @property
    def max_concurrency(self) -> int:
        """Requests that one process may have in progress: `traffic.max_concurrency`, or 0."""
        # Not BentoML's own number, which is divided by the processes that `bentoml serve` would start.
        return int((self.service.config.get("traffic") or {}).get("max_concurrency") or 0)


class Factory(ServiceAppFactory):  # type: ignore[misc]  # BentoML's types aren't published
    """BentoML's application of a service, with 400 instead of 500 for a request that can't be read."""

    page: Page
    _threads: ThreadPoolExecutor | None = None

    @property
    def routes(self) -> list[BaseRoute]:
        """BentoML's own; probes and metrics are at the root as well, where every platform asks for them."""
        found: list[BaseRoute] = super().routes
        return [*found, *self.get_system_routes("")] if (self.service.path_prefix or "").strip("/") else found

    async def _to_thread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `function` gives, in one of the service's `threads`.

        A request that is given up waits no longer, but its thread can't be stopped. While it computes it counts, as it
        doesn't with BentoML's own: another one would be beside it at a model that perhaps bears but one.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(int(self.service.config.get("threads") or 1), THREADS)
        call = functools.partial(contextvars.copy_context().run, _unstopped, function, args, kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def let_threads_go(self) -> None:
        """Have no endpoint begin any more, and wait for none that has."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def middlewares(self) -> list[Middleware]:
        """Those that the launcher doesn't bring itself."""
        return [layer for layer in super().middlewares if getattr(layer.cls, "__name__", "") not in _REPLACED]

    def counted(self, name: str) -> Callable[[int], object]:
        """What is to be told how many requests are in a batch of the endpoint `name`; BentoML's own metric."""
        if not self.enable_metrics:
            return lambda _: None
        labels = {"runner_name": self.service.name, "worker_index": server_context.worker_index, "method_name": name}
        labels |= {"service_version": server_context.bento_version, "service_name": server_context.bento_name}
        histogram: Any = self.adaptive_batch_size_hist.labels(**labels)
        observe: Callable[[int], object] = histogram.observe
        return observe

    async def index_page(self, request: Request) -> Response:
        """Our page, or BentoML's, without the tracker that it loads from elsewhere into every visitor's browser."""
        if self.page.settings.page == "off":
            return PlainTextResponse("Not Found", 404)
        if self.page.settings.page == "form":
            return self.page.answer(request)
        file = await super().index_page(request)
        page = Path(file.path).read_text(encoding="utf-8")  # noqa: ASYNC240 -- three kilobytes
        return HTMLResponse(_TRACKER.sub("", page), headers={"content-security-policy": _ONLY_OURS})

    async def api_endpoint(self, name: str, request: Request) -> Response:
        """Answer a request to the endpoint `name`."""
        try:
            response: Response = await super().api_endpoint(name, request)
            return response
        except (BentoMLException, ValidationError):
            raise
        except (*UNREADABLE, HTTPException) as error:
            if not _while_parsing(error):
                raise
            return JSONResponse({"error": f"the request can't be read: {error}"}, status_code=400)


def _unstopped(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `function` gives. No future takes a StopIteration; BentoML looks for the word in that of a generator."""
    try:
        return function(*args, **kwargs)
    except StopIteration as end:
        raise RuntimeError("StopIteration") from end


def load(folder: Path, settings: Settings) -> Bento:
    """The service of the Bento in `folder`, which answers in the name of the release of `settings`.

    Changes into the Bento's folder for good, so that the service may read its files by relative names. Raises
    whatever the service's own module raises.
    """
    service: Any = bentoml.load(str(folder), standalone_load=True)
    server_context.service_type = "entry_service"
    server_context.service_name = service.name
    server_context.bento_name = service.bento.tag.name if service.bento else service.name
    server_context.bento_version = settings.release or "sealed"
    server_context.worker_index = 1
    service.inject_config()
    if service.needs_task_db():
        Sqlite3Store.init_db(BentoMLContainer.result_store_file.get())  # `bentoml serve` does so in its parent
    # is_main is what makes BentoML refuse pickled requests.
    factory = Factory(service, is_main=True)
    factory.page = Page(service, folder, settings)
    return Bento(service, factory, factory())


def _while_parsing(error: Exception) -> bool:
    return any(frame.f_code.co_name == _PARSING for frame, _ in traceback.walk_tb(error.__traceback__))
