"""`python -m bentoship.engine`: get Pulumi's command line, and put a `pulumi` into this virtual environment.

What it puts there starts the same engine, with the same state and passphrase, that bentoship uses in this project.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import BentoshipError
from . import install


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """0 when there is an engine now, 1 with a sentence otherwise."""
    try:
        engine = install.ensure(_say)
        if sys.prefix != sys.base_prefix:
            install.expose(engine, Path(sys.prefix) / "bin")
    except BentoshipError as error:
        _say(str(error))
        return 1
    _say(f"pulumi {engine.version} from {engine.source}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
