"""The account that a rehearsal has: regions, and who asks."""

from __future__ import annotations

from collections.abc import Mapping

from ..world import World

REGIONS = (
    *("westeurope", "northeurope", "germanywestcentral", "francecentral", "swedencentral", "switzerlandnorth"),
    *("uksouth", "ukwest", "norwayeast", "polandcentral", "italynorth", "spaincentral", "austriaeast"),
    *("eastus", "eastus2", "centralus", "northcentralus", "southcentralus", "westus", "westus2", "westus3"),
    *("canadacentral", "canadaeast", "brazilsouth", "mexicocentral", "chilecentral"),
    *("eastasia", "southeastasia", "japaneast", "japanwest", "koreacentral", "centralindia", "southindia"),
    *("australiaeast", "australiasoutheast", "newzealandnorth", "indonesiacentral", "malaysiawest"),
    *("uaenorth", "qatarcentral", "israelcentral", "southafricanorth"),
)
"""Those that every subscription may use ("List of Azure regions")."""
CALLER = "00000000-0000-4000-8000-00000000beef"
TENANT = "00000000-0000-4000-8000-0000000000aa"


def prepare(_: World, region: str) -> Mapping[str, str]:
    """A subscription has nothing before any stack; what templates may say about it."""
    return {"region": region, "caller": CALLER}
