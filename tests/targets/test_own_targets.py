"""A target of a project's own, as docs/own-targets.md has it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from recorder import record

from bentoship import environments
from bentoship.errors import InvalidConfiguration
from bentoship.project import Project
from golden import Case

PAGE = (Path(__file__).parents[2] / "docs" / "own-targets.md").read_text()


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "bentoship_own_targets.acme.ec2", raising=False)
    (python,) = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for name, text in {python[0]: python[1], "environments/prod.yaml": yaml, "bentofile.yaml": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Project(tmp_path)


def test_the_page_s_own_target_is_found_and_declares_what_it_adds(project):
    (deployment,) = environments.load(project, "prod").deployments
    declared = record(deployment.target, Case("aws/ec2").workload())["resources"]
    (provider,) = [each for each in declared if each["type"].startswith("pulumi:providers:")]
    assert provider["inputs"]["region"] == "eu-central-1"
    assert provider["inputs"]["defaultTags"]["as JSON"]["tags"]["cost-center"] == "C0815"


@pytest.mark.parametrize(("before", "after"), [("C0815", "0815"), ("http: true", "http: true, region: us-east-1")])
def test_what_its_rules_forbid_is_refused_with_its_place(project, before, after):
    file = project.root / "environments" / "prod.yaml"
    file.write_text(file.read_text().replace(before, after))
    with pytest.raises(InvalidConfiguration, match=r"environments/prod.yaml: deployments.api.(cost_center|region)"):
        environments.load(project, "prod")
