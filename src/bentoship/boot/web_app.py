"""What makes a web app of Azure the service: one start command for ever, and settings that say which release.

The command is a web app's own configuration, so it may know of no release; the settings move with a swap, so they
alone do. Both end in boot.py, the same as on a bare machine.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping

from . import Settings, render

BOOT, REVISION = "BENTOSHIP_BOOT", "BENTOSHIP_REVISION"
"""The settings with the boot script, and with the name of the revision that it starts."""
PORT = 8000
"""Where App Service's Python images expect the app ("Configure a Linux Python app for Azure App Service")."""
NO_RELEASE = "This web app has no release yet"
_WORDS = ",".join(f"{word}=0" for word in NO_RELEASE.split())
START_COMMAND = (
    'python3 -c "'
    "import base64,http.server as h,os,zlib;"
    f"boot=os.environ.get(*dict({BOOT}=0));"
    "exec(zlib.decompress(base64.b64decode(boot))) if boot else "
    f"setattr(h.BaseHTTPRequestHandler,*dict(error_message_format=chr(32).join(dict({_WORDS}))).popitem());"
    f"h.test(h.BaseHTTPRequestHandler,port=int(os.environ.get(*dict(PORT=0),{PORT})))"
    '" --foreground'
)
"""Becomes the release that the settings name; without them, a server that answers 501 and says why, to everything.

App Service puts the command between single quotes and prefixes it with a variable (microsoft/Oryx,
src/startupscriptgenerator/src/python), so it is one simple command without single quotes, and, to be safe from every
other layer, without a backslash or a dollar. Its words are therefore the keys of dictionaries.
"""


def app_settings(settings: Settings, revision: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The settings of a slot that starts the release of `settings` as `revision`, and the user's own `variables`.

    The variables are settings of their own, so that those which refer to a Key Vault are looked up.
    """
    script = base64.b64encode(zlib.compress(render(settings).encode(), 9)).decode()
    return {**variables, BOOT: script, REVISION: revision}
