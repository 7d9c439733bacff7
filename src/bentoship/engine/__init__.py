"""Pulumi: find or install its command line, drive a stack, read its events, tell who holds a lock."""
