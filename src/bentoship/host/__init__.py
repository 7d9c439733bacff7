"""Runs sealed releases on this machine: unpack, start, probe, route, drain."""
