"""This machine: the sealed release itself, under a supervisor, behind one stable URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ..deployment import Splitting, Target, Workload

if TYPE_CHECKING:
    import pulumi


class Local(Target):
    """The release runs on this machine, from the same bytes that a cloud would get.

    A new release starts beside the old one, passes the gate, gets the traffic, and the old one drains.
    """

    keeps_releases: ClassVar[bool] = False
    splitting: ClassVar[Splitting] = Splitting("counted", "the router divides request by request, and counts")
    stays: ClassVar[tuple[str, ...]] = ("the sealed releases in .bentoship/releases, which other deployments may have",)

    port: int = Field(default=3000, ge=1, le=65535, description="port of the stable URL")
    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 lets the network in")

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """A router; for each release with traffic a service and its gate; then the pointer."""
        import pulumi  # noqa: PLC0415 - the fields must be readable without the engine's SDK

        from ..provider.resources import Gate, Router, Service, Traffic  # noqa: PLC0415

        directory, patience = workload.home, workload.ready_timeout
        router = Router("router", directory, self.port, self.host)
        gates: list[pulumi.Resource] = []
        percent: dict[str, int] = {}
        for release in workload.serving:
            revision, archive = workload.revision(release), workload.archives[release.id]
            percent[revision] = workload.traffic[release.id]
            service = Service(
                f"service-{revision}", router, directory, release, revision, archive, workload.variables, patience
            )
            gates.append(Gate(f"gate-{revision}", release, revision, service.url, patience))
        gated = pulumi.ResourceOptions(depends_on=gates)
        return Traffic("traffic", router, directory, percent, self.port, self.host, opts=gated).url
