"""What every machine of ours on Compute Engine is made of: an image, a service account, a boot script."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from ... import boot
from ...deployment import ReleaseRef, Workload
from ...provider.resources import Pin
from ._images import Image, image_for
from ._shared import Identity, Place, Releases, identity, name_of
from ._sizes import cheapest
from .compute_engine import ComputeEngine

PORT = 8000
"""Where releases listen; the service has no right to listen below 1024."""
BOOT_SECONDS = 300
"""What a machine may take to start and to fetch and unpack a release, before the release itself begins to start."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""All of Google Cloud: what a machine may do is said by the roles of its account ("Service accounts", its guide)."""
_ROLES = {"logs": "roles/logging.logWriter", "figures": "roles/monitoring.metricWriter"}


_HYPERDISK = ("n4-", "n4d-", "c4-", "c4d-", "h4d-", "m4-", "x4-")
"""Machine families that take Hyperdisk alone ("Hyperdisk", machine type support)."""


def disk_type(machine_type: str) -> str:
    """The kind of boot disk that a machine of this type can have."""
    return "hyperdisk-balanced" if machine_type.startswith(_HYPERDISK) else "pd-balanced"


@dataclass(frozen=True)
class Host:
    """What a machine that runs one release is started from."""

    image: pulumi.Output[str]
    machine_type: str
    runner: Identity
    metadata: Mapping[str, pulumi.Input[str]]
    ready: list[pulumi.Resource]
    """What must be there before a machine is."""


def host(place: Place, target: ComputeEngine, workload: Workload, releases: Releases, release: ReleaseRef) -> Host:
    """An image that was looked up once, an account that may read releases, the boot script of `release`."""
    image = image_for(release.python)
    runner = identity(place, "vm", {"reads": releases.bucket.name}, _ROLES)
    script = releases.bucket.name.apply(lambda bucket: boot_script(workload, release, bucket))
    return Host(
        _pinned(place, image, release.python, target.image_generation),
        target.machine_type or cheapest(workload.scale),
        runner,
        {
            # In the stack's state variables are secret everywhere; on the machine whoever is there can read them.
            image.script_key: pulumi.Output.secret(script),
            "enable-oslogin": "TRUE",
            "block-project-ssh-keys": "TRUE",
            "serial-port-logging-enable": "TRUE",
        },
        [releases.objects[release.id], *runner.given],
    )


def boot_script(workload: Workload, release: ReleaseRef, bucket: str) -> str:
    """What a machine runs when it starts, to become `release`."""
    archive = f"gs://{bucket}/{name_of(release)}"
    return boot.render(boot.Settings(release.id, archive, PORT, dict(workload.variables), workload.ready_timeout))


def machine_revision(target: ComputeEngine, workload: Workload, release: ReleaseRef) -> str:
    """A name for one release on one kind of machine: whatever needs a new machine gives another name.

    The machine of the old name stays untouched until the new one has passed the gate, and going back finds it there.
    """
    kind = target.machine_type or cheapest(workload.scale)
    script = boot_script(workload, release, "bucket")
    shape = f"{kind} {target.image_generation} {target.disk_gb} {target.network} {target.subnetwork} {script}"
    return f"{release.short}-{hashlib.sha256(shape.encode()).hexdigest()[:6]}"


def _pinned(place: Place, image: Image, python: str, generation: int) -> pulumi.Output[str]:
    """The newest image when it was first asked for: one that is published later must not replace machines."""
    newest = gcp.compute.get_image_output(family=image.family, project=image.project, opts=place.look_up)
    subject = f"{image.system}, generation {generation}"
    name = f"{place.name}-image-python{python.replace('.', '')}"
    return Pin(name, subject, newest.self_link, opts=place.ours()).pinned
