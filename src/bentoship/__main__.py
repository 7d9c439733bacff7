"""`python -m bentoship` is `bentoship`."""

from .cli import main

main()
