"""Azure Web Apps: the sealed release on App Service's own Python, fetched by one constant start command."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ...deployment import Splitting, Workload
from ._fields import AzureTarget

if TYPE_CHECKING:
    import pulumi


class WebApp(AzureTarget):
    """A web app with HTTPS of its own, and a staging slot in which each release is proved before it gets traffic.

    The slot gets the release, has to be ready there and to answer the golden examples on the slot's own address; then
    the two are swapped, which moves the traffic to processes that are warm already. The release before stays warm in
    the slot: going back to it is another swap, and takes seconds. A part of the traffic can be sent to the slot
    first.

    The app and its slot run on the same instances, so an instance has memory for two replicas.
    """

    splitting: ClassVar[Splitting] = Splitting("asked", "a part of the traffic goes to the staging slot")

    stays: ClassVar[tuple[str, ...]] = ("the workspace with its logs, which Azure can bring back for 14 days",)

    sku: str | None = Field(
        default=None,
        pattern=r"^(S[1-3]|P[1-3]v2|P[0-3]v[34]|P[1-5]mv[34])$",
        description="size of the plan's instances, such as `P1v3`; by default the cheapest of Premium v3 with the cpu "
        "of `scale`, and its memory twice",
    )
    zone_redundant: bool = Field(
        default=True, description="from two replicas on, spread them over zones; `false` in a region that has none"
    )
    key_vault: str | None = Field(
        default=None,
        pattern=r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[Mm]icrosoft\.[Kk]ey[Vv]ault/vaults/[^/]+$",
        description="id of a Key Vault with role-based access; variables such as "
        "`@Microsoft.KeyVault(SecretUri=https://…)` are then read from it by the app's own identity",
    )

    def provision(self, workload: Workload) -> pulumi.Output[str]:
        """The plan, the app, its slot, and the swap that makes a release live; the URL that answers."""
        from ._web_app import provision  # noqa: PLC0415 - loads the SDK

        return provision(self, workload)
