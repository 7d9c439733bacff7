"""Endpoints that take and give JSON, answered without BentoML's layers and exactly as BentoML answers them.

What BentoML does anew for each request, such as writing the JSON schema of a type to look one word up in it, is done
here once. Files, streams, tasks, and endpoints that ask for the context, are left to BentoML.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from _bentoml_impl.serde import JSONSerde
from _bentoml_sdk.io_models import ARGS, KWARGS, IORootModel, is_file_type
from bentoml._internal.utils import get_original_func
from bentoml._internal.utils.uri import join_paths
from bentoml.exceptions import BentoMLException
from pydantic import BaseModel, PydanticUserError, ValidationError
from starlette.responses import JSONResponse, Response

from .asgi import JSON, UNREADABLE, error
from .batches import Batches, Limits
from .bento import Bento, Factory

_UNEXPECTED = error("An unexpected error has occurred, please check the server log.")
_UNAUTHORIZED = error("Authorization error")
_MOST_FAULTS = 1000
"""Faults of one request that are still listed: a list of them is bigger than the request."""
_SERVER_ERROR = 500
_NEVER_TEXT = frozenset({"object", "array", "number", "integer", "boolean", "tensor", "dataframe"})
_log = logging.getLogger("bentoml.serve")


@dataclass(slots=True)
class Answer:
    """What an endpoint answers; `response` instead of the rest when only BentoML knows how to send it."""

    status: int
    content_type: bytes
    body: bytes
    response: Response | None = None


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Render = Callable[[Any], Awaitable[Answer] | Answer]


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the service, bound to its instance."""

    route: str
    parse: Callable[[bytes], Arguments]
    call: Callable[..., Awaitable[Any]]
    render: Render

    async def answer(self, body: bytes) -> Answer:
        """What the service says to `body`; every failure but a cancellation becomes BentoML's answer to it."""
        try:
            args, kwargs = self._read(body)
            answer = self.render(await self.call(*args, **kwargs))
            return answer if isinstance(answer, Answer) else await answer
        except ValidationError as fault:
            return _invalid(fault)
        except _Unreadable as fault:
            return Answer(400, JSON, error(f"the request can't be read: {fault}"))
        except BentoMLException as fault:
            return _refused(fault)
        except Exception:  # noqa: BLE001 -- whatever the user's service raises is logged
            _log.exception("the endpoint %s failed", self.route)
            return Answer(500, JSON, _UNEXPECTED)

    def _read(self, body: bytes) -> Arguments:
        try:
            return self.parse(body)
        except ValidationError:
            raise  # which is a ValueError too
        except UNREADABLE as fault:
            raise _Unreadable(str(fault)) from None


class _Unreadable(Exception):
    """A request that can't be made into arguments."""


def bound(bento: Bento) -> dict[str, Endpoint]:
    """The endpoints of `bento`, which has started up, that can be answered here; by path.

    There are none when the service has middlewares of its own, or a command: those see every request.
    """
    service = bento.service
    if service.middlewares or service.has_custom_command():
        return {}
    endpoints = {}
    for name, method in service.apis.items():
        if _is_plain(method):
            with contextlib.suppress(PydanticUserError):  # a type without a JSON schema; BentoML may still answer
                endpoint = _bind(bento, name, method)
                endpoints[endpoint.route] = endpoint
    return endpoints


def _is_plain(method: Any) -> bool:
    special = method.is_task or method.is_stream or method.ctx_param
    if method.batchable and not _takes_one(method.input_spec):
        return False
    files = method.input_spec.multipart_fields or method.output_spec.multipart_fields
    return not (special or files or {ARGS, KWARGS} & set(method.input_spec.model_fields))


def _takes_one(spec: Any) -> bool:
    return getattr(spec, "__root_input__", False) or len(spec.model_fields) == 1


def _bind(bento: Bento, name: str, method: Any) -> Endpoint:
    local = getattr(bento.instance, name).local
    function = functools.partial(method.func, bento.instance)
    is_async = inspect.iscoroutinefunction(get_original_func(local))
    call = function if is_async else _in_thread(bento.factory, function)
    if method.batchable:
        call = _in_batches(bento.factory, name, method, call)
    route = join_paths(bento.service.path_prefix, method.route)
    return Endpoint(route, _parser(method.input_spec), call, _renderer(method.output_spec))


def _in_thread(factory: Factory, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Run `function` in one of the service's threads, of which there are as many as its `threads` says."""
    return functools.partial(factory._to_thread, function)  # noqa: SLF001 -- the same threads as everything else


def _in_batches(factory: Factory, name: str, method: Any, call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    limits = Limits(method.max_batch_size, method.max_latency_ms / 1000, *method.batch_dim)
    batches = Batches(call, limits, factory.counted(name))

    async def one(*args: Any, **kwargs: Any) -> Any:
        (value,) = (*args, *kwargs.values())
        return await batches(value)

    return one


def _parser(spec: Any) -> Callable[[bytes], Arguments]:
    if issubclass(spec, IORootModel):
        return _root_parser(spec)
    is_ordinary = spec.model_validate_json.__func__ is BaseModel.model_validate_json.__func__  # type: ignore[attr-defined]
    validate = spec.__pydantic_validator__.validate_json if is_ordinary else spec.model_validate_json
    if getattr(spec, "__root_input__", False):
        return lambda body: ((validate(body or b"{}"),), {})
    names = tuple(spec.model_fields)

    def keywords(body: bytes) -> Arguments:
        model = validate(body or b"{}")
        return (), {name: getattr(model, name) for name in names}

    return keywords


def _root_parser(spec: Any) -> Callable[[bytes], Arguments]:
    is_text = spec.model_json_schema().get("type") == "string"
    validate = spec.__pydantic_validator__.validate_python

    def root(body: bytes) -> Arguments:
        value = (body or b"{}") if is_text else json.loads(body or b"{}")
        return (validate({"root": value}).root,), {}

    return root


def _renderer(spec: Any) -> Render:
    """How an answer of the type `spec` is written; results that aren't plain data are left to BentoML."""
    serde = JSONSerde()

    async def special(result: Any) -> Answer:
        response = result if isinstance(result, Response) else await spec.to_http_response(result, serde)
        return Answer(response.status_code, b"", b"", response)

    content_type = Response(media_type=spec.mime_type()).headers["content-type"].encode()
    plain = _root_writer(spec) if issubclass(spec, IORootModel) else _model_writer()

    special_kinds: dict[type, bool] = {}

    def render(result: Any) -> Awaitable[Answer] | Answer:
        kind = type(result)
        if kind not in special_kinds:
            special_kinds[kind] = issubclass(kind, Response) or is_file_type(kind)
        return special(result) if special_kinds[kind] else Answer(200, content_type, plain(result))

    return render


def _model_writer() -> Callable[[Any], bytes]:
    ordinary: dict[type, bool] = {}

    def write(model: Any) -> bytes:
        kind = type(model)
        if kind not in ordinary:
            own = getattr(kind, "model_dump_json", None) is not BaseModel.model_dump_json
            ordinary[kind] = not own and not getattr(kind, "multipart_fields", ())
        if ordinary[kind]:
            return bytes(model.__pydantic_serializer__.to_json(model))
        text: str = model.model_dump_json(exclude=set(getattr(model, "multipart_fields", ())))
        return text.encode()

    return write


def _root_writer(spec: Any) -> Callable[[Any], bytes]:
    never_text = spec.model_json_schema().get("type") in _NEVER_TEXT

    def write(result: Any) -> bytes:
        model = result if isinstance(result, IORootModel) else spec(result)
        if not never_text and isinstance(text := model.model_dump(), str | bytes):
            return text.encode() if isinstance(text, str) else text
        return json.dumps(model.model_dump(mode="json")).encode()

    return write


def _invalid(fault: ValidationError) -> Answer:
    count = fault.error_count()
    content: dict[str, Any] = {"error": f"{count} validation error for {fault.title}"}
    if count <= _MOST_FAULTS:
        content["detail"] = fault.errors(include_context=False, include_input=False)
    return Answer(400, JSON, bytes(JSONResponse(content).body))


def _refused(fault: BentoMLException) -> Answer:
    """What BentoML makes of its own errors, to the letter."""
    status = int(fault.error_code)  # a status, though some write a number
    if status in {401, 403}:
        return Answer(status, JSON, _UNAUTHORIZED)
    if status >= _SERVER_ERROR:
        _log.error("the endpoint failed", exc_info=fault)
        return Answer(status, JSON, _UNEXPECTED)
    return Answer(status, JSON, bytes(JSONResponse([{"error": str(fault)}]).body))
