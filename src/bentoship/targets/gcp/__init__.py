"""Targets on Google Cloud. A file whose name starts with `_` is what they share."""
