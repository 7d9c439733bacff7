"""What runs on the host, inside a release. Imports nothing else of bentoship, which isn't there."""
