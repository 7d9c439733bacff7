"""Google Cloud, rehearsed: what is refused before and after something is made, and two clouds at once."""

from __future__ import annotations

import pytest
from stage import DEPLOYMENTS, ENVIRONMENT, Stage, who

from bentoship import environments
from bentoship.deployment import ReleaseRef
from bentoship.errors import UpdateFailed
from bentoship.operations.stacks import each
from bentoship.rehearsal import home
from bentoship.release import limits
from bentoship.release.manifest import Manifest, read
from bentoship.release.variant import of_files
from small_release import RUN, SERVER, small_release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MB = 1 << 20
HUNGRY = SERVER.replace(b"import json\n", b"import json\n\nMEAL = b'x' * (500 << 20)\n", 1)
"""A server whose process has 500 MB and more."""


@pytest.fixture
def google(stage) -> Stage:
    """A project on the doubles that deploys to Google Cloud."""
    pytest.importorskip("pulumi_gcp", reason="pulumi-gcp, which the targets use, isn't installed")
    return stage


def releases(stage: Stage):
    return stage.project.root / ".bentoship" / "releases"


def like(stage: Stage) -> Manifest:
    return read(small_release(releases(stage)).path)[0]


def left(stage: Stage) -> list[str]:
    """What exists in any cloud beyond what was there before."""
    worlds = home.worlds(stage.project)
    return [f"{item.short_type} {item.id}" for world in worlds for item in world.every() if not item.given]


@pytest.mark.long
def test_a_process_that_needs_more_than_its_class_has_is_ended_and_the_old_version_serves_on(google):
    google.say({"engine": {**DEPLOYMENTS["engine"], "instance_class": "F1"}})
    good = small_release(releases(google)).ref()
    url = google.deploy("engine", good).url
    files = {"run.sh": RUN, "server.py": HUNGRY, "Procfile": b"web: sh ./run.sh\n"}
    hungry = of_files(files, like(google), releases(google)).ref()
    with pytest.raises(UpdateFailed) as failure:
        google.deploy("engine", hungry)
    told = str(failure.value)
    assert "Exceeded hard memory limit of 384 MiB with " in told
    assert "its instances have 384 MB; raise `scale.memory_gb`, or name a larger `instance_class`" in told
    assert who(url) == good.short


def sealed_with(stage: Stage, files: dict[str, bytes]) -> ReleaseRef:
    """A release with these files beside the server's, which says of itself where it fits, as sealing does."""
    every = {"run.sh": RUN, "server.py": SERVER, **files}
    manifest = like(stage)
    sizes = {name: len(content) for name, content in every.items()}
    fits = limits.fits(sizes, sum(sizes.values()), manifest.python)
    return of_files(every, manifest.model_copy(update={"fits": fits}), releases(stage)).ref()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({f"data/{number % 20}/{number}": b"" for number in range(10_001 - 2)}, "10,001 files, at most 10,000"),
        ({"data/large": b"x" * 33 * MB}, r"1 file over 32\.0 MB \(data/large: 33\.0 MB\)"),
    ],
    ids=["files", "size"],
)
def test_what_breaks_a_limit_is_refused_before_anything_is_created(google, files, sentence):
    with pytest.raises(UpdateFailed, match=sentence) as failure:
        google.deploy("engine", sealed_with(google, files))
    assert "flavour: flexible" in str(failure.value)
    assert left(google) == []


@pytest.mark.long
def test_one_release_goes_to_two_clouds_at_once_and_a_failing_one_stops_no_other(google):
    deployments = {
        "beanstalk": DEPLOYMENTS["beanstalk"],
        "instance": DEPLOYMENTS["machine"],
        "engine": DEPLOYMENTS["engine"],
        "machine": DEPLOYMENTS["instance"],
    }
    google.say(deployments)
    ref = small_release(releases(google)).ref()
    every = environments.load(google.project, ENVIRONMENT).deployments

    def up():
        return each(every, lambda deployment: google.deploy(deployment.name, ref), lambda _: None)

    google.arm("instances.insert = quota")
    first = up()
    assert isinstance(first["machine"], UpdateFailed)
    assert "Quota 'CPUS' exceeded" in str(first["machine"])
    others = [done for name, done in first.items() if name != "machine"]
    assert {who(done.url) for done in others} == {ref.short}
    second = up()
    assert {name: who(done.url) for name, done in second.items()} == dict.fromkeys(deployments, ref.short)
