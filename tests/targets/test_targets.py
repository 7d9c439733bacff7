from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from bentoship import targets
from bentoship.deployment import Target
from bentoship.errors import InvalidConfiguration

TESTS = Path(__file__).parent
RACK = """\
from bentoship.deployment import Target

class RackServer(Target):
    \"\"\"A server of ours.\"\"\"
    rack: int = 1

    def provision(self, workload):
        raise NotImplementedError
"""


def own(folder, **files):
    for name, text in files.items():
        (folder / "on_site").mkdir(exist_ok=True)
        (folder / "on_site" / f"{name}.py").write_text(text)
    return folder


def refusal(name, folder=None):
    with pytest.raises(InvalidConfiguration) as failure:
        targets.find(name, folder)
    (problem,) = failure.value.problems
    return problem


def test_the_names_are_the_addresses_of_the_files():
    files = {
        path.relative_to(targets.HERE).with_suffix("").as_posix()
        for path in targets.HERE.glob("**/*.py")
        if not path.name.startswith("_")
    }
    assert set(targets.names()) == files
    assert "local" in files


@pytest.mark.parametrize("name", targets.names())
def test_a_target_is_found_by_its_name_and_says_what_it_is(name):
    found = targets.find(name)
    assert issubclass(found, Target)
    assert re.sub(r"(?<!^)(?=[A-Z])", "_", found.__name__).lower() == name.rpartition("/")[2]
    assert found.__doc__.strip()


@pytest.mark.parametrize("name", targets.names())
def test_every_field_of_a_target_says_what_it_means(name):
    untold = [key for key, field in targets.find(name).model_fields.items() if not field.description]
    assert untold == []


@pytest.mark.parametrize("name", targets.names())
def test_every_target_has_tests_of_its_own(name):
    folder, _, stem = name.rpartition("/")
    assert (TESTS / folder / f"test_{stem}.py").is_file()


@pytest.mark.parametrize("name", targets.names())
def test_a_target_knows_its_own_keys_alone(name):
    with pytest.raises(ValidationError, match="no_such_key"):
        targets.find(name).model_validate({"no_such_key": 1})


def test_a_name_that_is_nearly_right_gets_the_right_one():
    assert (refusal("locl").where, refusal("locl").remedy) == ("target", "did you mean 'local'?")
    assert refusal("xyz").remedy.startswith("there are: ")


@pytest.mark.parametrize("name", ["_aws", "__init__", "../errors", "/etc/passwd", ""])
def test_what_is_not_a_target_is_not_found(name):
    assert f"there is no target {name!r}" in refusal(name).fault


def test_a_target_of_the_projects_own_stands_beside_ours(tmp_path):
    folder = own(tmp_path, rack_server=RACK, _shared="SOMETHING = 1\n")
    assert set(targets.names(folder)) == {*targets.names(), "on_site/rack_server"}
    assert targets.find("on_site/rack_server", folder).model_validate({"rack": 7}).rack == 7
    assert targets.find("local", folder) is targets.find("local")


def test_a_folder_of_own_targets_need_not_exist(tmp_path):
    assert targets.names(tmp_path / "nowhere") == targets.names()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class RackServer(:\n", "SyntaxError"),
        ("import no_such_package\n", "no_such_package"),
        ("raise RuntimeError('out of racks')\n", "out of racks"),
        ("class Other: ...\n", "RackServer"),
        ("class RackServer: ...\n", "RackServer"),
        ("RackServer = 3\n", "RackServer"),
    ],
)
def test_an_own_target_that_is_wrong_is_told_with_its_file(tmp_path, text, said):
    folder = own(tmp_path, rack_server=text)
    problem = refusal("on_site/rack_server", folder)
    assert str(folder / "on_site" / "rack_server.py") in str(problem)
    assert said in str(problem)


def test_reading_the_targets_loads_no_engine():
    script = """\
import sys
from bentoship import targets
for name in targets.names():
    targets.find(name)
print([name for name in ("pulumi", "bentoml", "grpc") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
