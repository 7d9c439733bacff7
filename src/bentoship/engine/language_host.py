"""The Python language host for a Pulumi command line that was built from its Go module.

Pulumi's own installer brings `pulumi-language-python`; the Go module of the command line does not contain it.
The engine starts this one in its place, speaks the same protocol (pulumirpc.LanguageRuntime), and notices no
difference: the program runs in this process, with this interpreter and its packages.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer  # the Automation API's own implementation of Run
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from .plugin import serve


class PythonLanguageHost(LanguageServer):
    """Runs `__main__.py` of the project's folder when the engine asks for it."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(lambda: None)
        self._engine_address = engine_address

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        from importlib.metadata import version  # noqa: PLC0415 - asked for once

        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Run(self, request: Any, context: Any) -> Any:
        """Run the program once, for a preview or for an update."""
        os.chdir(request.pwd)
        folder = Path(request.info.program_directory or request.pwd)
        entry = folder / (request.info.entry_point or ".")
        sys.argv = [str(entry), *request.args]
        sys.path.insert(0, str(folder))

        def program() -> None:
            runpy.run_path(str(entry), run_name="__main__")

        self.program = program
        # The inherited method reads the address of the engine from the first argument.
        arguments = language_pb2.RunRequest()
        arguments.CopyFrom(request)
        del arguments.args[:]
        arguments.args.append(self._engine_address)
        done = super().Run(arguments, context)  # type: ignore[no-untyped-call]
        # The inherited method has told the engine of the error already; a second time it would be another error.
        return language_pb2.RunResponse(bail=True) if done.error else done


def main() -> None:
    """Serve until the engine ends us."""
    engine_address = next(word for word in reversed(sys.argv[1:]) if not word.startswith("-"))
    host = PythonLanguageHost(engine_address)
    serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server), workers=8)


if __name__ == "__main__":
    main()
