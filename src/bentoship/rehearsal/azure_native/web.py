"""App Service: plans, sites, slots.

REST reference of Microsoft.Web; "Set up staging environments in Azure App Service"; "App Service limits".
"""

from __future__ import annotations

from ..rules import Calls, Reference, Rules, Seconds
from . import checks
from .identity import NO_IDENTITY, USER_ASSIGNED
from .naming import EXISTS, HYPHENS, IN_GROUP, RESERVED, copied, in_group, named
from .services import WEB

PLAN = "azure-native:web:AppServicePlan"
SITE = "azure-native:web:WebApp"
SLOT = "azure-native:web:WebAppSlot"
_SITES = "Microsoft.Web/sites"
_SITE_PATH = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Web/sites/{name}"
_SLOT_PATH = f"{_SITE_PATH}/slots/{{slot}}"
_PLAN = Reference(
    "serverFarmId",
    PLAN,
    "NotFound: Cannot find ServerFarm with name {value}.",
    holds="Conflict: Server farm '{name}' cannot be deleted because it has web app(s) assigned to it.",
    status=404,
)
_IDENTITY = Reference("identity.userAssignedIdentities[]", USER_ASSIGNED, NO_IDENTITY, status=404)
_VAULT_IDENTITY = Reference(
    "keyVaultReferenceIdentity", USER_ASSIGNED, NO_IDENTITY, status=404, besides=("SystemAssigned",)
)
_OF_SITE = Reference(
    "name",
    SITE,
    "ParentResourceNotFound: Failed to perform 'write' on resource(s) of type 'sites/slots', because the parent "
    "resource '{value}' could not be found.",
    ("name",),
    status=404,
)
_OF_SLOT = Reference(
    "slot",
    SLOT,
    "ResourceNotFound: The Resource 'Microsoft.Web/sites/slots/{value}' was not found.",
    ("slot",),
    within=(("name", "name"),),
    status=404,
)


def _policy(what: str, *, of_slot: bool = False) -> Rules:
    """Whether passwords are taken. There is no call that removes it: it goes with the site."""
    place = _SLOT_PATH if of_slot else _SITE_PATH
    call = f"WebApps_Update{what.capitalize()}Allowed{'Slot' if of_slot else ''}"
    return Rules(
        Calls(WEB, call, call.replace("Update", "Get"), call, "none"),
        identity=f"{place}/basicPublishingCredentialsPolicies/{what}",
        outputs={"type": f"{_SITES}/basicPublishingCredentialsPolicies"},
        replace=frozenset({"resourceGroupName", "name", "slot"} if of_slot else {"resourceGroupName", "name"}),
        references=(IN_GROUP, _OF_SITE, *([_OF_SLOT] if of_slot else [])),
        regional=False,
    )


_OUT = {"state": "Running", "usageState": "Normal", "availabilityState": "Normal", "repositorySiteName": "{name}"}

RULES = {
    PLAN: in_group(
        WEB,
        "AppServicePlans",
        "Microsoft.Web/serverfarms",
        named(60, "name", HYPHENS),
        outputs={"status": "Ready"},
        choices={"kind": ("linux", "app", "windows", "elastic", "functionapp")},
        patterns={"sku.name": (r"F1|D1|B[1-3]|S[1-3]|P[0-5]m?v[2-4]|I[1-6]m?v2|EP[1-3]|Y1|FC1", "a size of a plan")},
        replace=frozenset({"reserved", "kind", "zoneRedundant"}),
        checks=(checks.linux_plan,),
        seconds=Seconds(15, 30, 10),
    ),
    SITE: in_group(
        WEB,
        "WebApps",
        _SITES,
        named(60, "name", HYPHENS, shortest=2, reserved=RESERVED),
        outputs={**_OUT, "defaultHostName": "{name}.azurewebsites.net"},
        # The name is that of a host: nobody else in the world may have it.
        unique=("name",),
        exists="Conflict: Website with given name {name} already exists.",
        replace=frozenset({"reserved"}),
        patterns={"siteConfig.healthCheckPath": (r"/.*", "a path")},
        checks=(checks.linux_site,),
        references=(_PLAN, _IDENTITY, _VAULT_IDENTITY),
        seconds=Seconds(30, 20, 20),
    ),
    SLOT: Rules(
        Calls(WEB, "WebApps_CreateOrUpdateSlot", "WebApps_GetSlot", "WebApps_CreateOrUpdateSlot", "WebApps_DeleteSlot"),
        identity=_SLOT_PATH,
        outputs={**_OUT, "type": f"{_SITES}/slots", "defaultHostName": "{name}-{slot}.azurewebsites.net"},
        defaults={"location": "{region}"},
        name=copied(59, "slot", HYPHENS),
        replace=frozenset({"resourceGroupName", "name", "slot", "location", "reserved"}),
        patterns={"siteConfig.healthCheckPath": (r"/.*", "a path")},
        checks=(checks.tags, checks.linux_site),
        references=(IN_GROUP, _OF_SITE, _PLAN, _IDENTITY, _VAULT_IDENTITY),
        exists=EXISTS,
        regional=False,
        seconds=Seconds(30, 20, 20),
    ),
    "azure-native:web:WebAppFtpAllowed": _policy("ftp"),
    "azure-native:web:WebAppFtpAllowedSlot": _policy("ftp", of_slot=True),
    "azure-native:web:WebAppScmAllowed": _policy("scm"),
    "azure-native:web:WebAppScmAllowedSlot": _policy("scm", of_slot=True),
}
