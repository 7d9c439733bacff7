"""`python -m bentoship.rehearsal aws`: what the engine starts as `pulumi-resource-aws`, in a rehearsal."""

from __future__ import annotations

import sys

from ..errors import BentoshipError
from ..provider.server import serve
from .clock import Clock
from .double import Double
from .home import load
from .world import World


def main(name: str) -> None:
    """Serve the double of the cloud `name` until the engine ends us."""
    serve(Double(load(name), World.of(name), Clock.from_environment()))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BentoshipError as problem:
        sys.exit(str(problem))
