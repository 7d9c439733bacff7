"""Older releases go from this machine; the live one, the one before it, and what another deployment keeps stay."""

from __future__ import annotations

import json
import shutil

import pytest

from bentoship import environments
from bentoship.engine import install
from bentoship.errors import BentoshipError
from bentoship.host import ports
from bentoship.host.control import Supervisor
from bentoship.operations.attempt import Attempt, deploy, new_entry
from bentoship.operations.prune import prune
from bentoship.operations.stacks import stack_of
from bentoship.operations.status import known
from bentoship.project import Project
from projects import ROOT
from small_release import small_release

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    """A project with an environment `dev` and an environment `other`, each with one deployment on this machine."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns("Pulumi.*-*.yaml"))
    (tmp_path / "environments").mkdir()
    (tmp_path / "bentofile.yaml").write_text("service: server:Server\n")
    for name in ("dev", "other"):
        local = {"target": "local", "port": ports.free_port()}
        (tmp_path / "environments" / f"{name}.yaml").write_text(json.dumps({"deployments": {"local": local}}))
    project = Project(tmp_path)
    yield project
    for name in ("dev", "other"):
        Supervisor(project.local(f"{name}-local")).shut_down()


def go_live(project, name, word) -> str:
    """Make the small release of this word live; its id."""
    environment, engine = environments.load(project, name), install.ensure()
    (deployment,) = environment.deployments
    stack = stack_of(project, environment, deployment, engine)
    ref = small_release(project.root / ".bentoship" / "releases", word).ref()
    attempt = Attempt(project, stack, deployment, lambda _: None, lambda _: None)
    deploy(attempt, ref, new_entry(ref.id, engine.version))
    return ref.id


def pruned(project, keep):
    done = prune(project, "dev", keep)
    (found,) = done.deployments.values()
    assert not isinstance(found, BentoshipError), found
    return found, {path.stem for path in done.files}


@pytest.mark.long
def test_what_nobody_keeps_any_more_goes_from_this_machine(project):
    first, second, third = (go_live(project, "dev", word) for word in ("one", "two", "three"))
    assert go_live(project, "other", "one") == first
    killed = project.local("dev-local") / "releases" / first  # what a command that was killed had unpacked
    killed.mkdir()

    found, files = pruned(project, 1)
    assert (found.kept, found.removed, files) == ((third, second), (first,), set())
    assert project.archive(first).is_file()
    assert not killed.exists()

    (remembered,) = known(project, "dev").values()
    assert [release.id for release in remembered.ledger.releases] == [third, second]
    assert (remembered.ledger.previous.id, len(remembered.ledger.entries)) == (second, 3)
    assert [release.id[:12] for release in Supervisor(project.local("dev-local")).status().releases] == [third[:12]]

    other = project.environments / "other.yaml"
    other.write_text("deployments: {}")  # which can't be asked what it keeps
    assert pruned(project, 1)[1] == set()
    other.unlink()
    found, files = pruned(project, 1)
    assert (found.removed, files) == ((), {first})
    assert [project.archive(each).exists() for each in (first, second, third)] == [False, True, True]
