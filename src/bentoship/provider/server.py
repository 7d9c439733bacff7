"""Pulumi's provider protocol over gRPC, so that a provider is a few functions from values to values.

What the engine asks of us, and when, is in docs/design.md, "How the engine talks to a provider".
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from ..engine import plugin
from ..errors import BentoshipError, Problem
from .properties import from_struct, has_unknown, to_struct

Properties = Mapping[str, Any]
INPUTS = "__inputs"
"""Where `read` puts the inputs as they are now, when they have another form than the outputs of the same names."""


@dataclass(frozen=True)
class Difference:
    """What an update would do: the properties that differ, and those of them that force a replacement."""

    changed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    delete_first: bool = False
    """Delete the old resource before the new one is made, because both can't exist at once."""


@dataclass(frozen=True)
class Proposal:
    """What the engine offers a provider that makes up names for resources which have none."""

    seed: bytes = b""
    """Random bytes, the same ones for the same step of an update."""
    name: str | None = None
    """The name that the project's own configuration of automatic naming asks for."""
    is_disabled: bool = False
    """Whether that configuration forbids making up names."""


class HalfDone(BentoshipError):
    """The resource exists, but isn't what it should be: the engine keeps it in its state, and fails."""

    def __init__(self, identity: str, outputs: Properties, error: BentoshipError) -> None:
        problem = error.problems[0]
        super().__init__(problem.where, problem.fault, problem.remedy)
        self.identity, self.outputs = identity, outputs


class Provider(Protocol):
    """What a provider must be able to do. Errors that the user can mend are BentoshipErrors."""

    package: str
    version: str

    def configure(self, variables: Properties) -> None:
        """Take the provider's own configuration, once, before anything else."""

    def complete(self, token: str, name: str, inputs: Properties, old: Properties, proposal: Proposal) -> Properties:
        """The inputs with what the provider adds to them; `old` are those of the last time, if there was one."""

    def check(self, token: str, name: str, inputs: Properties) -> tuple[Properties, list[Problem]]:
        """The inputs completed, and what is wrong with them; `where` of a problem is the property's path."""

    def diff(self, token: str, old: Properties, new: Properties) -> Difference:
        """What would change if `new` were asked for where `old` is."""

    def preview(self, token: str, inputs: Properties, old: Properties | None = None) -> Properties:
        """The outputs as far as they are known before the resource is made, or changed from `old` outputs."""

    def create(self, token: str, name: str, inputs: Properties) -> tuple[str, Properties]:
        """Make the resource; its id and its outputs."""

    def read(self, token: str, identity: str, inputs: Properties, outputs: Properties) -> Properties | None:
        """The outputs as they are now, with INPUTS where those look otherwise; None when the resource is gone."""

    def update(self, token: str, identity: str, old: Properties, new: Properties) -> Properties:
        """Change the resource in place; its outputs."""

    def delete(self, token: str, identity: str, outputs: Properties) -> None:
        """Remove the resource; removing what is gone already is no error."""

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """What a look-up function answers."""

    def cancel(self) -> None:
        """The operation is being cancelled: what waits should stop waiting."""


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translates; decides nothing. Method names are those of the protocol."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:
        _answer(context, lambda: self._provider.configure(from_struct(request.args)))
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    def Check(self, request: Any, context: Any) -> Any:
        news, olds, proposal = from_struct(request.news), from_struct(request.olds), _proposal(request)

        def check() -> tuple[Properties, list[Problem]]:
            completed = self._provider.complete(request.type, request.name, news, olds, proposal)
            return self._provider.check(request.type, request.name, completed)

        inputs, problems = _answer(context, check)
        failures = [provider_pb2.CheckFailure(property=p.where, reason=_sentence(p)) for p in problems]
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        found = _answer(context, lambda: self._provider.diff(request.type, old, new))
        some = provider_pb2.DiffResponse.DIFF_SOME if found.changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some, diffs=found.changed, replaces=found.replaced, deleteBeforeReplace=found.delete_first
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = from_struct(request.properties)
        if request.preview or has_unknown(dict(inputs)):
            outputs = _answer(context, lambda: self._provider.preview(request.type, inputs))
            return provider_pb2.CreateResponse(properties=to_struct(outputs))
        identity, outputs = _answer(context, lambda: self._provider.create(request.type, request.name, inputs))
        return provider_pb2.CreateResponse(id=identity, properties=to_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        inputs, outputs = from_struct(request.inputs), from_struct(request.properties)
        now = _answer(context, lambda: self._provider.read(request.type, request.id, inputs, outputs))
        if now is None:
            return provider_pb2.ReadResponse()
        told = now.get(INPUTS, now)
        now = {key: value for key, value in now.items() if key != INPUTS}
        drifted = {key: told.get(key, value) for key, value in inputs.items()}
        return provider_pb2.ReadResponse(id=request.id, properties=to_struct(now), inputs=to_struct(drifted))

    def Update(self, request: Any, context: Any) -> Any:
        old, new = from_struct(request.olds), from_struct(request.news)
        if request.preview or has_unknown(dict(new)):
            outputs = _answer(context, lambda: self._provider.preview(request.type, new, old))
        else:
            outputs = _answer(context, lambda: self._provider.update(request.type, request.id, old, new))
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        _answer(context, lambda: self._provider.delete(request.type, request.id, from_struct(request.properties)))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        found = _answer(context, lambda: self._provider.invoke(request.tok, from_struct(request.args)))
        return provider_pb2.InvokeResponse(**{"return": to_struct(found)})

    def Cancel(self, request: Any, context: Any) -> Any:
        self._provider.cancel()
        return empty_pb2.Empty()


def serve(provider: Provider) -> None:
    """Serve `provider` until the engine ends us."""
    servicer = _Servicer(provider)
    plugin.serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server),
        workers=32,
        before_end=provider.cancel,
    )


def _sentence(problem: Problem) -> str:
    return f"{problem.fault}; {problem.remedy}" if problem.remedy else problem.fault


def _proposal(request: Any) -> Proposal:
    if not request.HasField("autonaming"):
        return Proposal(request.randomSeed)
    modes = provider_pb2.CheckRequest.AutonamingOptions
    return Proposal(
        request.randomSeed, request.autonaming.proposed_name or None, request.autonaming.mode == modes.DISABLE
    )


def _abort_half_done(context: Any, error: HalfDone) -> None:
    """The protocol's way to say so: the id and the outputs travel as a detail of the error."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.identity, properties=to_struct(error.outputs), reasons=[str(error)]
        )
    )
    code = grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, str(error))


def _answer(context: Any, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except HalfDone as error:
        _abort_half_done(context, error)
    except BentoshipError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    except Exception:  # noqa: BLE001 - a defect of ours: the engine shows the traceback, the process lives on
        context.abort(grpc.StatusCode.INTERNAL, traceback.format_exc())
