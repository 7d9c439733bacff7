"""Targets on Amazon Web Services. A file whose name starts with `_` is what they share."""
