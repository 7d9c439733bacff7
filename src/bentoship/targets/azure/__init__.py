"""Targets on Microsoft Azure. A file whose name starts with `_` is what they share."""
