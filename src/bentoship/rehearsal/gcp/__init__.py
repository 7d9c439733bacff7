"""Google Cloud, as a rehearsal has it: the types of pulumi-gcp that our targets use, and the rules of the platform."""

from __future__ import annotations

from ..cloud import Cloud, Labels
from ..schema import load
from . import account, appengine, balancing, compute, network, observation, services, storage
from .behaviours import BEHAVIOURS
from .lookups import LOOKUPS

CLOUD = Cloud(
    package="gcp",
    schema=load("gcp"),
    rules={
        **storage.RULES,
        **network.RULES,
        **compute.RULES,
        **balancing.RULES,
        **appengine.RULES,
        **observation.RULES,
    },
    services={"compute": services.COMPUTE, "dns": services.DNS},
    lookups=LOOKUPS,
    behaviours=BEHAVIOURS,
    prepare=account.prepare,
    regions=account.REGIONS,
    loose=("gcp:monitoring/alertPolicy:AlertPolicy",),
    region_variables=("GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    settings={"project": ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")},
    labels=Labels("labels", "effectiveLabels", ("defaultLabels",)),
)
