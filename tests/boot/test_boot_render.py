from __future__ import annotations

import ast
import json
import sys
from dataclasses import replace

import pytest

import bentoship.boot
from bentoship.boot import LARGEST, Settings, render
from bentoship.boot.boot import main
from bentoship.errors import InvalidConfiguration

SETTINGS = Settings("ab" * 32, "s3://bucket/releases/release.zip", 8000, region="eu-central-1")
SOURCE = bentoship.boot._source("boot.py")


def test_the_script_is_a_program_that_cloud_init_runs():
    script = render(SETTINGS)
    assert script.startswith("#!/usr/bin/python3 -I\n")
    assert script.isascii()


def test_an_ordinary_configuration_leaves_room_for_a_long_one():
    variables = {f"SALARY_SETTING_{number}": "https://example.com/a/long/address" for number in range(59)}
    long = replace(
        SETTINGS,
        archive=f"s3://{'b' * 63}/{'k' * 300}.zip",
        client_id="5b0a3c5e-0000-4000-8000-000000000001",
        variables=variables,
    )
    assert len(render(SETTINGS).encode()) < 12_800
    assert len(render(long).encode()) < LARGEST


def test_systemd_waits_as_long_as_the_release_lingers_and_drains():
    lingering = replace(SETTINGS, variables={"SERVING_LINGER_SECONDS": "30"})
    assert "TimeoutStopSec=45\n" in render(SETTINGS)
    assert "TimeoutStopSec=75\n" in render(lingering)


def test_shortening_leaves_the_same_program():
    def program(text):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and len(node.body) > 1:
                node.body.pop(0)
        return ast.dump(tree)

    shortened = bentoship.boot._shortened(SOURCE)
    assert program(shortened) == program(SOURCE)
    assert len(shortened) < 0.9 * len(SOURCE)


def test_it_parses_as_python_3_9_and_needs_the_standard_library_alone():
    tree = ast.parse(render(SETTINGS), feature_version=(3, 9))
    plain = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    sources = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in plain | sources} <= sys.stdlib_module_names


def test_the_same_settings_give_the_same_bytes():
    one = render(replace(SETTINGS, variables={"A": "1", "B": "2"}))
    assert one == render(replace(SETTINGS, variables={"B": "2", "A": "1"}))
    assert one != render(replace(SETTINGS, variables={"A": "1", "B": "3"}))


@pytest.mark.parametrize("value", ["@UNIT@", "@SETTINGS@", "'''", '"""', "\\", "\\'", "é€😀", "two\nlines"])
def test_any_value_arrives(value):
    tree = ast.parse(render(replace(SETTINGS, variables={"VALUE": value})))
    assigned = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert json.loads(ast.literal_eval(assigned["SETTINGS"]))["variables"] == {"VALUE": value}
    assert "[Service]" in ast.literal_eval(assigned["UNIT"])


def test_variables_that_are_too_long_are_an_error_of_the_configuration():
    with pytest.raises(InvalidConfiguration) as caught:
        render(replace(SETTINGS, variables={"PROMPT": "x" * 16_384}))
    (problem,) = caught.value.problems
    assert problem.where == "variables"
    assert "and a machine takes at most 16,384" in problem.fault
    excess = int(problem.remedy.split()[3].replace(",", ""))
    assert len(render(replace(SETTINGS, variables={"PROMPT": "x" * (16_384 - excess)}))) == LARGEST


def test_variables_that_systemd_would_drop_are_told_all_at_once():
    with pytest.raises(InvalidConfiguration) as caught:
        render(replace(SETTINGS, variables={"BELL": "\a", "TAB": "a\tb\nc", "RETURN": "a\r\n"}))
    assert [problem.where for problem in caught.value.problems] == ["variables.BELL", "variables.RETURN"]


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, archive="https://example.com/release.zip"),
        replace(SETTINGS, archive="s3://bucket"),
        replace(SETTINGS, region=""),
        replace(SETTINGS, archive="https://acme.blob.core.windows.net/releases/release.zip"),
    ],
)
def test_a_target_that_forgets_something_is_told(settings):
    with pytest.raises(ValueError, match=r"S3|region|client id"):
        render(settings)


def test_the_source_itself_is_no_script_yet():
    with pytest.raises(ValueError, match="Expecting value"):
        main()
