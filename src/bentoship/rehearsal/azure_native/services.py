"""How Azure's resource providers say no: Azure Resource Manager has one form of error for all of them.

"Resolve common Azure deployment errors", and the form in which azcore, the SDK of the real provider, prints them.
"""

from __future__ import annotations

from ..rules import Service

FORM = "{service} {call}: RESPONSE {status}, ERROR CODE: {sentence} (x-ms-request-id {request})"


def _service(name: str, quota: str = "") -> Service:
    return Service(
        name,
        name,
        throttling="TooManyRequests: The request is being throttled as the limit has been reached for operation type "
        "- Write. Retry after 17 seconds.",
        permission="AuthorizationFailed: The client '{caller}' with object id '{caller}' does not have authorization "
        "to perform action '{prefix}/{call}' over scope '/subscriptions/{subscriptionId}' or the scope is invalid.",
        quota=quota or "QuotaExceeded: Operation could not be completed as it results in exceeding approved quota.",
        internal="InternalServerError: Encountered internal server error.",
        form=FORM,
    )


AUTHORIZATION = _service(
    "Microsoft.Authorization", "RoleAssignmentLimitExceeded: No more role assignments can be created."
)
COMPUTE = _service(
    "Microsoft.Compute",
    "OperationNotAllowed: Operation could not be completed as it results in exceeding approved standardDASv5Family "
    "Cores quota.",
)
IDENTITY = _service("Microsoft.ManagedIdentity")
INSIGHTS = _service("Microsoft.Insights")
LOGS = _service("Microsoft.OperationalInsights")
NETWORK = _service(
    "Microsoft.Network",
    "PublicIPCountLimitReached: Cannot create more than 20 public IP addresses for this subscription.",
)
PORTAL = _service("Microsoft.Portal")
RESOURCES = _service("Microsoft.Resources")
STORAGE = _service(
    "Microsoft.Storage",
    "MaxStorageAccountsCountPerSubscriptionExceeded: Subscription already contains 250 storage accounts.",
)
WEB = _service(
    "Microsoft.Web", "SubscriptionIsOverQuotaForSku: This region has quota of 0 instances for your subscription."
)
