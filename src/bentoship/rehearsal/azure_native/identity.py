"""Resource groups, identities, and what they may do.

REST references of Microsoft.Resources, Microsoft.ManagedIdentity and Microsoft.Authorization.
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules, Seconds
from . import account, checks
from .naming import EXISTS, GROUP, RULES_PAGE, in_group, named
from .services import AUTHORIZATION, IDENTITY, RESOURCES

USER_ASSIGNED = "azure-native:managedidentity:UserAssignedIdentity"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
NO_IDENTITY = "ResourceNotFound: The Resource '{value}' was not found."
_ROLE = r"(/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/[0-9a-fA-F-]{36}"

RULES = {
    GROUP: Rules(
        Calls(
            RESOURCES,
            "ResourceGroups_CreateOrUpdate",
            "ResourceGroups_Get",
            "ResourceGroups_CreateOrUpdate",
            "ResourceGroups_Delete",
        ),
        identity="/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}",
        outputs={"name": "{resourceGroupName}", "type": "Microsoft.Resources/resourceGroups"},
        defaults={"location": "{region}"},
        name=Name(
            90,
            "letters, digits and _-.(), and does not end with a dot",
            r"[\w.()-]*[\w()-]",
            RULES_PAGE,
            property="resourceGroupName",
            automatic=10_000,
            joint="",
            digits=8,
        ),
        replace=frozenset({"resourceGroupName", "location"}),
        checks=(checks.tags,),
        exists=EXISTS,
        regional=False,
        seconds=Seconds(2, 1, 15),
    ),
    USER_ASSIGNED: in_group(
        IDENTITY,
        "UserAssignedIdentities",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        named(128, "resourceName", shortest=3),
        outputs={
            "clientId": "{uuid}",
            "principalId": "{hex8}-{hex4}-4{hex3}-8{hex3}-{hex12}",
            "tenantId": account.TENANT,
        },
        seconds=Seconds(3, 1, 3),
    ),
    ASSIGNMENT: Rules(
        Calls(
            AUTHORIZATION,
            "RoleAssignments_Create",
            "RoleAssignments_Get",
            "RoleAssignments_Create",
            "RoleAssignments_Delete",
        ),
        identity="{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid}",
        outputs={"name": "{uuid}", "type": "Microsoft.Authorization/roleAssignments"},
        replace=frozenset(
            {"principalId", "principalType", "roleDefinitionId", "scope", "roleAssignmentName", "condition"}
        ),
        patterns={"roleDefinitionId": (_ROLE, "the id of a role")},
        references=(
            Reference(
                "principalId",
                USER_ASSIGNED,
                "PrincipalNotFound: Principal {value} does not exist in the directory. Check that you have the correct "
                "principal ID.",
                ("principalId",),
            ),
        ),
        unique=("principalId", "roleDefinitionId", "scope"),
        exists="RoleAssignmentExists: The role assignment already exists.",
        regional=False,
        seconds=Seconds(5, 1, 3),
    ),
}
