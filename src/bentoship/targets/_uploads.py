"""The stored copy of a release: made from the sealed zip on this machine, and from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from ..deployment import ReleaseRef, Workload


def options(workload: Workload, release: ReleaseRef, *unseen: str) -> dict[str, Any]:
    """Options of the resource that stores `release`; `unseen` are the inputs that its content comes from.

    Its name says what is in it. Once it is uploaded, a machine without the zip must see no change; where it has been
    deleted since, such a machine must not put an empty one in its place.
    """
    kept = {"ignore_changes": list(unseen), "retain_on_delete": release.id not in workload.pruned}
    if archive(workload, release) is not None or release.id in workload.pruned:
        return kept
    refusing = pulumi.ResourceHook(
        f"upload-{release.short}", lambda _: _refuse(release), pulumi.ResourceHookOptions(on_dry_run=True)
    )
    return {**kept, "hooks": pulumi.ResourceHookBinding(before_create=[refusing])}


def archive(workload: Workload, release: ReleaseRef) -> Path | None:
    """The sealed zip of `release`; None when it isn't on this machine."""
    found = workload.archives.get(release.id)
    return found if found is not None and found.is_file() else None


def asset(workload: Workload, release: ReleaseRef) -> pulumi.Asset | None:
    """What is uploaded; None when there is nothing here to upload."""
    if found := archive(workload, release):
        return pulumi.FileAsset(str(found))
    # What is about to be pruned, and has been deleted by somebody, is put there for the moment that this takes.
    return pulumi.StringAsset("pruned") if release.id in workload.pruned else None


def _refuse(release: ReleaseRef) -> None:
    raise RuntimeError(
        f"release {release.short} is stored there no more, and its sealed zip is not on this machine: run the same "
        f"command where .bentoship/releases/ has it, or build it again from its commit; `bentoship prune --keep 1` "
        f"forgets all but the live release and the one before it"
    )
