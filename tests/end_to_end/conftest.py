"""Tests on real accounts: only when their marker is asked for by name."""

from __future__ import annotations

import pytest

CLOUDS = ("aws",)


def pytest_configure(config):
    for cloud in CLOUDS:
        config.addinivalue_line("markers", f"{cloud}: deploys to a real account; runs with `-m {cloud}` alone")


def pytest_collection_modifyitems(config, items):
    asked = config.getoption("markexpr").split()
    for item in items:
        for cloud in CLOUDS:
            if item.get_closest_marker(cloud) and cloud not in asked:
                item.add_marker(pytest.mark.skip(reason=f"deploys to a real account; run it with `-m {cloud}`"))
