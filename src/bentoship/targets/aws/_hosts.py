"""What every machine of ours on EC2 is made of: an image, a role, a boot script, a disk."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ... import boot
from ...deployment import ReleaseRef, Workload
from ...provider.resources import Pin
from ._images import Image, image_for
from ._instance_types import cheapest
from ._shared import Place, Releases, key_of, may_read, policy, role
from .ec2 import Ec2

PORT = 8000
"""Where releases listen; the service has no right to listen below 1024."""
BOOT_SECONDS = 300
"""What a machine may take to start and to fetch and unpack a release, before the release itself begins to start."""


@dataclass(frozen=True)
class Host:
    """What a machine that runs one release is started from."""

    image: Image
    image_id: pulumi.Output[str]
    instance_type: str
    profile: aws.iam.InstanceProfile
    boot_script: pulumi.Output[str]
    ready: list[pulumi.Resource]
    """What must be there before a machine is."""


def host(place: Place, target: Ec2, workload: Workload, releases: Releases, release: ReleaseRef) -> Host:
    """An image that was looked up once, a role that may read releases and be managed, the boot script of `release`."""
    image = image_for(release.python)
    profile, given = _identity(place, releases)
    script = releases.bucket.id.apply(lambda bucket: boot_script(workload, release, bucket, target.region))
    return Host(
        image,
        _pinned(place, image, release.python, target.image_generation),
        target.instance_type or cheapest(workload.scale),
        profile,
        # In the stack's state variables are secret everywhere; on the machine whoever is there can read them.
        pulumi.Output.secret(script),
        [releases.objects[release.id], *given],
    )


def boot_script(workload: Workload, release: ReleaseRef, bucket: str, region: str) -> str:
    """What a machine runs at its first start to become `release`."""
    archive = f"s3://{bucket}/{key_of(release)}"
    variables = dict(workload.variables)
    settings = boot.Settings(release.id, archive, PORT, variables, workload.ready_timeout, region=region)
    return boot.render(settings)


def _pinned(place: Place, image: Image, python: str, generation: int) -> pulumi.Output[str]:
    """The newest image when it was first asked for: one that is published later must not replace machines."""
    newest = aws.ssm.get_parameter_output(name=image.parameter, opts=place.look_up)
    subject = f"{image.system}, generation {generation}"
    return Pin(f"{place.name}-image-python{python.replace('.', '')}", subject, newest.value, opts=place.ours()).pinned


def _identity(place: Place, releases: Releases) -> tuple[aws.iam.InstanceProfile, list[pulumi.Resource]]:
    reading = may_read(releases.bucket).apply(policy)
    machine = role(place, "machine", "ec2.amazonaws.com", ["AmazonSSMManagedInstanceCore"], reading)
    profile = aws.iam.InstanceProfile(f"{place.name}-machine", role=machine.made.name, opts=place.options())
    return profile, list(machine.given)
