from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bentoship.engine import install


def fake(path, says="v3.250.0", then=""):
    """A program that answers `version` as a Pulumi command line does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo "{says}"; exit; fi\n{then}\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty folder on PATH before those of the system, and an empty cache."""
    binaries, cache = tmp_path / "bin", tmp_path / "cache"
    binaries.mkdir()
    monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("BENTOSHIP_CACHE_DIR", str(cache))
    return binaries, cache / "pulumi"


def test_the_one_on_path_is_found_first(places):
    binaries, cache = places
    path = fake(binaries / "pulumi")
    fake(cache / "v3.240.0" / "bin" / "pulumi", "v3.240.0")
    assert install.find() == install.CommandLine(path, "3.250.0", "PATH")


@pytest.mark.parametrize(
    "says", ["v3.237.9", "v4.0.0", "v4.1.0", "nonsense", "", "pulumi v3.250.0", "v3.250.0-alpha.x+dirty words"]
)
def test_what_is_too_old_too_new_or_no_pulumi_at_all_is_passed_over(places, says):
    binaries, cache = places
    fake(binaries / "pulumi", says)
    assert install.find() is None
    cached = fake(cache / "v3.240.0" / "bin" / "pulumi", "v3.240.0")
    assert install.find() == install.CommandLine(cached, "3.240.0", "cache")


@pytest.mark.parametrize("says", ["v3.238.0", "3.300.1", "v3.999.0"])
def test_these_versions_serve(places, says):
    binaries, _ = places
    fake(binaries / "pulumi", says)
    assert install.find().version == says.removeprefix("v")


def test_a_program_that_fails_or_does_not_start_is_passed_over(places):
    binaries, _ = places
    fake(binaries / "pulumi").write_bytes(b"\x7fELF no such machine")
    assert install.find() is None
    (binaries / "pulumi").write_text("#!/no/such/interpreter\n")
    assert install.find() is None


def test_of_those_in_the_cache_the_newest_is_taken(places):
    _, cache = places
    for version in ("3.240.0", "3.300.0", "3.299.0"):
        fake(cache / f"v{version}" / "bin" / "pulumi", version)
    assert install.find().version == "3.300.0"


def test_one_in_the_cache_is_asked_for_its_version_only_once(places):
    _, cache = places
    path, asked = cache / "v3.240.0" / "bin" / "pulumi", cache / "asked"
    fake(path, f"3.240.0$(echo x >> {asked})")
    assert [install.find().version for _ in range(3)] == ["3.240.0"] * 3
    assert asked.read_text() == "x\n"
    path.unlink()
    fake(path, "3.241.0", "another one")
    assert install.find().version == "3.241.0"


def test_versions_are_ordered_as_numbers(places):
    _, cache = places
    for version in ("3.999.0", "3.1000.0"):
        fake(cache / f"v{version}" / "bin" / "pulumi", version)
    assert install.find().version == "3.1000.0"


def test_a_script_of_ours_leads_to_the_real_one_without_overriding_what_is_set(places):
    binaries, cache = places
    real = fake(cache / "v3.250.0" / "bin" / "pulumi", then='echo "$PASSPHRASE_FILE $STATE $*"')
    defaults = {"PASSPHRASE_FILE": '/a folder/it\'s "secret" $HOME}', "STATE": "default"}
    script = install.expose(install.find(), binaries, defaults)
    assert script == binaries / "pulumi"
    said = subprocess.check_output(["pulumi", "up", "two words"], env={**os.environ, "STATE": "mine"}, text=True)
    assert said == '/a folder/it\'s "secret" $HOME} mine up two words\n'
    assert install.find() == install.CommandLine(real, "3.250.0", "cache")
    assert sorted(path.name for path in binaries.iterdir()) == ["pulumi"]


def test_where_there_is_nothing_every_way_that_was_tried_is_told(places):
    _, cache = places
    nobody = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:1")
    script = """\
from bentoship.engine import install
from bentoship.errors import EngineMissing
try:
    install.ensure(lambda sentence: print("told:", sentence))
except EngineMissing as error:
    print(error)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env={**os.environ, **nobody}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    *told, missing = done.stdout.splitlines()
    assert told == [f"told: pulumi {install.BUILT_VERSION}: asking the official installer"]
    assert missing.startswith("pulumi: no Pulumi command line on PATH or in the cache, and none could be installed: ")
    assert "the official installer could not download it" in missing
    assert "Go, which could build it, is not on PATH" in missing
    assert missing.endswith("or Go 1.26 so that bentoship can build it")
    assert not list(cache.glob("**/*"))


def test_a_go_that_cannot_build_it_says_why(places):
    binaries, cache = places
    go = binaries / "go"
    go.write_text('#!/bin/sh\necho "downloading" >&2\necho "go: no such module" >&2\nexit 1\n')
    go.chmod(0o755)
    with pytest.raises(install._NotThisWayError, match="go: no such module"):
        install._go_module(lambda _: None)
    assert not list(cache.glob("**/*"))


def test_the_exposed_command_takes_the_passphrase_of_the_project_that_one_is_in(tmp_path):
    real = tmp_path / "real"
    real.write_text('#!/bin/sh\necho "$PULUMI_CONFIG_PASSPHRASE_FILE"\n')
    real.chmod(0o755)
    script = install.expose(install.CommandLine(real, "3.259.0", "test"), tmp_path / "bin")
    for name in ("one", "two two"):
        (tmp_path / name / "infra").mkdir(parents=True)
        (tmp_path / name / ".bentoship").mkdir()
        (tmp_path / name / ".bentoship" / "passphrase").touch()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_CONFIG_PASSPHRASE")}

    def asked(folder, *words, **variables):
        around = {"cwd": folder, "env": clean | variables, "capture_output": True, "text": True}
        return subprocess.run([script, *words], check=True, **around).stdout.strip()

    assert asked(tmp_path / "one" / "infra") == str(tmp_path / "one" / ".bentoship" / "passphrase")
    assert asked(tmp_path / "one", "-C", "../two two/infra", "preview") == str(
        tmp_path / "two two" / ".bentoship" / "passphrase"
    )
    assert asked(tmp_path / "one", PULUMI_CONFIG_PASSPHRASE_FILE="/mine") == "/mine"
