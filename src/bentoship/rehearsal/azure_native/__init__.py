"""Azure, as a rehearsal has it: the types of pulumi-azure-native that our targets use, and the platform's rules."""

from __future__ import annotations

from ..cloud import Cloud, Labels
from ..schema import load
from . import account, compute, identity, network, observation, storage, web
from .behaviours import BEHAVIOURS, answered

CLOUD = Cloud(
    package="azure-native",
    schema=load("azure-native"),
    rules={
        **identity.RULES,
        **storage.RULES,
        **network.RULES,
        **compute.RULES,
        **web.RULES,
        **observation.RULES,
    },
    services={},
    lookups={},
    behaviours=BEHAVIOURS,
    prepare=account.prepare,
    regions=account.REGIONS,
    region_variables=("ARM_LOCATION",),
    region_setting="location",
    settings={"subscriptionId": ("ARM_SUBSCRIPTION_ID",)},
    labels=Labels(whole="", default=()),
    answered=answered,
    loose=("azure-native:monitor:MetricAlert", "azure-native:portal:Dashboard"),
)
