"""Google App Engine: the sealed release on Google's Python runtime, in the standard or the flexible environment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ...deployment import Splitting, Workload
from ._fields import GcpTarget

if TYPE_CHECKING:
    import pulumi

LONGEST_HOST = 63
"""Letters of `VERSION-dot-SERVICE-dot-PROJECT` ("Communicating between your services", App Engine documentation)."""
VERSION_LENGTH = 18
InstanceClass = Literal["F1", "F2", "F4", "F4_1G"]


class AppEngine(GcpTarget):
    """A service of App Engine, with one version a release and configuration, and the platform's own HTTPS.

    A new release is a version without traffic. It is started, passes the gate on an address of its own, and then
    the traffic is split anew. Going back to a version that is kept takes seconds. Whatever else changes, such as a
    variable, makes other versions too: a version that serves is never changed.

    The application, of which a project has one for ever, and its service `default` are made when they are not there,
    used when they are, and never destroyed.

    `standard` starts instances in seconds and takes releases within its limits of files. `flexible` runs virtual
    machines, has none of these limits, takes minutes for a version, and keeps only versions that have traffic.
    """

    splitting: ClassVar[Splitting] = Splitting(
        "asked", "the split of the traffic over versions, request by request at random"
    )

    stays: ClassVar[tuple[str, ...]] = (
        "the application and its service `default`, of which a project has one for ever",
        "what App Engine keeps for itself: its own buckets, and the images of versions in Artifact Registry",
        "the log, for 30 days",
    )

    flavour: Literal["standard", "flexible"] = Field(
        default="standard", description="environment of App Engine: `standard` or `flexible`"
    )
    instance_class: InstanceClass | None = Field(
        default=None, description="standard: class of the instances; by default the smallest with `scale`'s memory"
    )
    kept_versions: int = Field(
        default=2,
        ge=1,
        le=10,
        description="standard: how many of the newest releases stay deployed as versions, without cost while nobody "
        "asks them, so that going back takes seconds",
    )
    gradual: bool = Field(
        default=False,
        description="standard: traffic moves to a new version bit by bit, as its instances start, and not at once",
    )
    network: str | None = Field(
        default=None,
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        description="flexible: VPC network of the instances; by default the project's own, `default`",
    )
    subnetwork: str | None = Field(
        default=None, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", description="flexible: subnetwork of `network`"
    )
    disk_gb: int = Field(default=16, ge=10, le=10240, description="flexible: size of an instance's disk, in GB")

    @model_validator(mode="after")
    def _flavours_have_their_own(self) -> Self:
        others = {
            "standard": ("network", "subnetwork", "disk_gb"),
            "flexible": ("instance_class", "kept_versions", "gradual"),
        }[self.flavour]
        if told := [name for name in others if getattr(self, name) != type(self).model_fields[name].default]:
            raise ValueError(f"`{told[0]}` says nothing with `flavour: {self.flavour}`")
        if self.gradual and self.kept_versions < 2:  # noqa: PLR2004 - the new one, and the one that it comes from
            raise ValueError("`gradual` needs `kept_versions: 2` at least: traffic comes from a version that is there")
        if self.subnetwork and not self.network:
            raise ValueError("`subnetwork` says nothing without `network`")
        return self

    def left(self, workload: str) -> Sequence[str]:
        """The service, by its name, and what carries the workload's label in the project."""
        from ...provider import tagged  # noqa: PLC0415 - only who asks needs it

        service = tagged.on_app_engine(self.project, service_name(workload, self.project), workload)
        asked = (tagged.on_cloud_storage, tagged.on_monitoring)
        return [*service, *(found for each in asked for found in each(self.project, workload))]

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """The application, the service, its versions, the split of the traffic; the URL that answers."""
        from ._versions import provision  # noqa: PLC0415 - loads the SDK

        return provision(self, workload)


def service_name(workload: str, project: str) -> str:
    """The name of the service: the workload's, shortened with a digest where an address has no room for it."""
    room = LONGEST_HOST - VERSION_LENGTH - 2 * len("-dot-") - len(project)
    if len(workload) <= room:
        return workload
    digest = hashlib.sha256(workload.encode()).hexdigest()
    if room < 12:  # noqa: PLR2004 - a digest alone says more than a stump of a name
        return f"s{digest[: room - 1]}"
    return f"{workload[: room - 7].rstrip('-')}-{digest[:6]}"
