"""Older releases go from their cloud: objects and application versions; the place answers on."""

from __future__ import annotations

from collections import Counter

import pytest
from stage import DEPLOYMENTS, ENVIRONMENT, who

from bentoship.errors import BentoshipError
from bentoship.operations.prune import prune

pytestmark = [pytest.mark.slow, pytest.mark.long]


def stored(stage, kinds) -> Counter:
    """How many there are of each of these kinds."""
    return Counter(kind for kind in (each.partition(" ")[0] for each in stage.made()) if kind in kinds)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("beanstalk", ("s3.BucketObjectv2", "elasticbeanstalk.ApplicationVersion")),
        ("vm", ("storage.Blob",)),
        ("gcp", ("storage.BucketObject",)),
    ],
)
def test_what_is_stored_of_older_releases_goes(stage, name, kinds):
    google = {"target": "gcp/compute_engine", "project": "acme-models", "region": "europe-west3", "http": True}
    stage.say({**DEPLOYMENTS, "gcp": google})
    first, second, third = (stage.release(word) for word in ("one", "two", "three"))
    for release in (first, second, third):
        url = stage.deploy(name, release).url
    assert stored(stage, kinds) == dict.fromkeys(kinds, 3)
    (found,) = prune(stage.project, ENVIRONMENT, 2, only=name).deployments.values()
    assert not isinstance(found, BentoshipError), found
    assert (found.kept, found.removed) == ((third.id, second.id), (first.id,))
    assert stored(stage, kinds) == dict.fromkeys(kinds, 2)
    assert who(url) == third.id[:12]
    assert not any(first.id[:12] in each for each in stage.made())
    assert stage.project.archive(first.id).is_file()
    assert not stage.deploy(name, third).changes
