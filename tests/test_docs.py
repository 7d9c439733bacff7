"""The documentation is true: its commands run and print what it says, its files load, its pages are not stale."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

import bentoship
from bentoship import environments, targets
from bentoship.host import ports
from bentoship.host.control import Supervisor
from bentoship.project import Project
from bentoship.rehearsal.hosts import control
from projects import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
RELEASE = re.compile(r"\b[0-9a-f]{12}\b")


def blocks(page: Path, language: str) -> list[str]:
    return [found["text"] for found in BLOCK.finditer(page.read_text()) if found["language"] == language]


def commands(text: str):
    """The commands of a console block, each with the lines that it is said to print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command.partition("  #")[0].strip(), [line for line in output.splitlines() if line.strip()]


class Reader:
    """Somebody who follows a page in a clone of the project of his own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.port, self.serve_port = ports.free_port(), ports.free_port()
        tracked = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in tracked.stdout.splitlines():
            if (ROOT / name).is_file() and not name.startswith(("tests/", "src/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "src").symlink_to(ROOT / "src")
        dev = folder / "environments" / "dev.yaml"
        dev.write_text(dev.read_text().replace("3000", str(self.port)))
        self._install()

    def _install(self) -> None:
        """A virtual environment that has what the tests' own one has."""
        place = self.root / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        packages = next(place.glob("lib/python*/site-packages"))
        ours = next(Path(sys.prefix).glob("lib/python*/site-packages"))
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
        for name in ("bentoship", "bentoml"):
            script = (
                (Path(sys.prefix) / "bin" / name).read_text().replace(sys.executable, str(place / "bin" / "python"))
            )
            (place / "bin" / name).write_text(script.replace(sys.prefix, str(place)))
            (place / "bin" / name).chmod(0o755)
        (place / "installed").touch()

    def run(self, command: str) -> str:
        """What a command prints; it must leave with 0."""
        inside = {"PATH": f"{self.root / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        if command.startswith("bentoml serve"):
            return self._serve(command, os.environ | inside)
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.root, env=os.environ | inside, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def _serve(self, command, environment) -> str:
        words = shlex.split(command.replace("3456", str(self.serve_port)))
        with subprocess.Popen(
            words, cwd=self.root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as serving:
            try:
                body = {"experience": 2, "test_score": 9, "interview_score": 6}
                return until_answered(f"http://127.0.0.1:{self.serve_port}/predict", body)
            finally:
                serving.terminate()

    def expected(self, line: str) -> str:
        return normal(line.replace("3000", str(self.port)))


def normal(text: str) -> str:
    """The text without what differs from run to run: ids, and the width of columns."""
    return " ".join(RELEASE.sub("<release>", text).split())


def until_answered(url, body) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx.post(url, json=body, timeout=10).text
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"no answer from {url}"
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.xdist_group("readme")
def test_readme_is_true(tmp_path):
    reader = Reader(tmp_path / "bentoship")
    try:
        for block in blocks(ROOT / "README.md", "console"):
            for command, output in commands(block):
                if command.startswith("git clone"):
                    continue
                printed = normal(reader.run(command))
                for line in output:
                    assert reader.expected(line) in printed, f"{command} prints\n{printed}"
    finally:
        Supervisor(reader.root / ".bentoship" / "local" / "dev-local").shut_down()
        control.end(reader.root / ".bentoship" / "rehearsal")


@pytest.mark.slow
@pytest.mark.xdist_group("readme")
def test_make_up_ends_with_a_line_to_paste_that_answers_right(tmp_path):
    reader = Reader(tmp_path / "bentoship")
    try:
        printed = reader.run("make up")
        (line,) = re.findall(r"try it: +(curl .*)", printed)
        assert json.loads(reader.run(line))["salary"] == pytest.approx(52062.76112208, abs=1e-6)
    finally:
        Supervisor(reader.root / ".bentoship" / "local" / "dev-local").shut_down()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_every_page_is_one_of_ours(page):
    from bentoship.cli.commands import bentoship as group

    for block in blocks(page, "console"):
        for command, _ in commands(block):
            words = shlex.split(command)
            if words[0] == "bentoship":
                assert words[1] in group.commands, command
            if words[0] == "make":
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_every_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_environment_in_the_docs_loads(tmp_path):
    found = [text for page in PAGES for text in blocks(page, "yaml") if "deployments:" in text]
    assert found
    (tmp_path / "bentofile.yaml").touch()
    (tmp_path / "environments").mkdir()
    for page in PAGES:
        for text in blocks(page, "python"):
            if own := re.match(r"# (infra/targets/\S+)\n", text):
                (tmp_path / own[1]).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / own[1]).write_text(text)
    for text in found:
        (tmp_path / "environments" / "dev.yaml").write_text(text)
        assert environments.load(Project(tmp_path), "dev").deployments


def test_every_environment_of_the_project_obeys_the_schema():
    schema = json.loads((ROOT / "docs" / "environment.schema.json").read_text())
    for file in (ROOT / "environments").glob("*.yaml"):
        content = yaml.safe_load(file.read_text())
        assert set(content) <= set(schema["properties"])
        for deployment in content["deployments"].values():
            kinds = schema["properties"]["deployments"]["additionalProperties"]["oneOf"]
            (kind,) = [kind for kind in kinds if kind["properties"]["target"]["const"] == deployment["target"]]
            assert set(deployment) <= set(kind["properties"])


def test_generated_pages_are_fresh():
    specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    for name, text in generate.pages().items():
        assert (ROOT / "docs" / name).read_text() == text, f"docs/{name} is stale: `make docs`"


def test_everything_public_is_documented():
    for name in bentoship.__all__:
        if not name.startswith("__"):
            assert inspect.getdoc(getattr(bentoship, name)), name


@pytest.mark.parametrize("name", targets.names())
def test_every_field_of_every_target_has_a_meaning(name):
    for key, field in targets.find(name).model_fields.items():
        assert field.description, f"{name}: {key}"
