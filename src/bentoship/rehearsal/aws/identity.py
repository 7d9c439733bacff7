"""IAM: roles, what they may do, and the profiles that hand them to instances.

Lengths and letters: IAM API reference (CreateRole, CreateInstanceProfile, PutRolePolicy). What can't be changed, and
what refuses to be deleted: terraform-provider-aws internal/service/iam, IAM User Guide "Deleting roles".
"""

from __future__ import annotations

from ..rules import Calls, Name, Reference, Rules
from . import checks
from .services import IAM

ROLE = "aws:iam/role:Role"
ROLE_POLICY_LENGTH, TRUST_POLICY_LENGTH = 10_240, 2_048
"""Characters without white space (IAM User Guide, "IAM and AWS STS quotas")."""
_LETTERS = ("letters, digits and _+=,.@-", r"[\w+=,.@-]+")
_NO_ROLE = "NoSuchEntity: The role with name {value} cannot be found."
_TRUST = (checks.policy("assumeRolePolicy", TRUST_POLICY_LENGTH), checks.tags)


def _role(holds: str, unless: str = "forceDetachPolicies") -> Reference:
    return Reference("role", ROLE, _NO_ROLE, ("id", "arn"), holds, status=404, unless=unless)


def _name(longest: int, automatic: int, call: str) -> Name:
    return Name(longest, *_LETTERS, f"IAM API reference, {call}", automatic=automatic)


RULES = {
    ROLE: Rules(
        Calls(IAM, "CreateRole", "GetRole", "UpdateRole", "DeleteRole"),
        identity="{name}",
        outputs={
            "arn": "arn:aws:iam::{account}:role{path}{name}",
            "uniqueId": "AROA{letters16}",
            "createDate": "{now}",
        },
        defaults={"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": False},
        name=_name(64, 64, "CreateRole"),
        replace=frozenset({"name", "namePrefix", "path"}),
        ranges={"maxSessionDuration": (3600, 43200)},
        conflicts=(("name", "namePrefix"),),
        checks=_TRUST,
        exists="EntityAlreadyExists: Role with name {id} already exists.",
        regional=False,
    ),
    "aws:iam/rolePolicy:RolePolicy": Rules(
        Calls(IAM, "PutRolePolicy", "GetRolePolicy", "PutRolePolicy", "DeleteRolePolicy"),
        identity="{role}:{name}",
        name=_name(128, 255, "PutRolePolicy"),
        replace=frozenset({"name", "namePrefix", "role"}),
        conflicts=(("name", "namePrefix"),),
        checks=(checks.policy("policy", ROLE_POLICY_LENGTH),),
        references=(_role("DeleteConflict: Cannot delete entity, must delete policies first."),),
        regional=False,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Rules(
        Calls(IAM, "AttachRolePolicy", "ListAttachedRolePolicies", "AttachRolePolicy", "DetachRolePolicy"),
        identity="{role}/{policyArn}",
        replace=frozenset({"role", "policyArn"}),
        patterns={"policyArn": (r"arn:aws[\w-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+", "the ARN of a policy")},
        references=(_role("DeleteConflict: Cannot delete entity, must detach all policies first."),),
        delete_first=True,
        regional=False,
    ),
    "aws:iam/instanceProfile:InstanceProfile": Rules(
        Calls(IAM, "CreateInstanceProfile", "GetInstanceProfile", "AddRoleToInstanceProfile", "DeleteInstanceProfile"),
        identity="{name}",
        outputs={
            "arn": "arn:aws:iam::{account}:instance-profile{path}{name}",
            "uniqueId": "AIPA{letters16}",
            "createDate": "{now}",
        },
        defaults={"path": "/"},
        name=_name(128, 255, "CreateInstanceProfile"),
        replace=frozenset({"name", "namePrefix", "path"}),
        conflicts=(("name", "namePrefix"),),
        checks=(checks.tags,),
        references=(_role("DeleteConflict: Cannot delete entity, must remove roles from instance profile first.", ""),),
        exists="EntityAlreadyExists: Instance Profile {id} already exists.",
        regional=False,
    ),
}
