"""What goes around every answer when it is configured, and costs nothing when it isn't: CORS, OpenTelemetry."""

from __future__ import annotations

from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer
from starlette.middleware.cors import CORSMiddleware

from .asgi import App


def around(app: App, *, allows_sites: bool) -> App:
    """`app`, within the layers that the service's configuration asks for; `app` itself when it asks for none.

    When `app` `allows_sites` by itself, as the deployment says, what the service says of that doesn't count.
    """
    outer: Any = app
    if BentoMLContainer.http.cors.enabled.get() and not allows_sites:
        options: dict[str, Any] = BentoMLContainer.access_control_options.get()
        outer = CORSMiddleware(outer, **options)
    if BentoMLContainer.tracing.sample_rate.get():
        outer = _traced(outer)
    answer: App = outer
    return answer


def _traced(app: Any) -> Any:
    """A span for every request, as `tracing` of the service says, below the one that `traceparent` names."""
    from bentoml._internal.context import trace_context  # noqa: PLC0415 -- for those who trace
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415

    def remember(span: Any, _scope: Any) -> None:
        if span.context is not None:
            trace_context.request_id = span.context.span_id

    return OpenTelemetryMiddleware(
        app,
        excluded_urls=BentoMLContainer.tracing_excluded_urls.get(),
        server_request_hook=remember,
        tracer_provider=BentoMLContainer.tracer_provider.get(),
    )
