"""Google Cloud's services as the rules name them: how each of them says no.

The reasons after the sentences are those of each API's own page on errors; the form is that of Google's library for
Go, which the provider prints as it comes (googleapi.Error).
"""

from __future__ import annotations

from ..rules import Service

_FORM = "Error calling {call}: googleapi: Error {status}: {sentence}"
_COMMON = {
    "throttling": "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service "
    "'{prefix}.googleapis.com' for consumer 'project_number:123456789012'., rateLimitExceeded",
    "permission": "Required '{prefix}.{call}' permission for 'projects/{project}', forbidden",
    "quota": "The quota of this project is exceeded., quotaExceeded",
    "internal": "Internal error. Please try again or contact Google Support., backendError",
    "form": _FORM,
}

APP_ENGINE = Service("App Engine", "appengine", **_COMMON)
CERTIFICATES = Service("Certificate Manager", "certificatemanager", **_COMMON)
COMPUTE = Service("Compute Engine", "compute", **_COMMON)
DNS = Service("Cloud DNS", "dns", **_COMMON)
IAM = Service("IAM", "iam", **_COMMON)
MONITORING = Service("Cloud Monitoring", "monitoring", **_COMMON)
PROJECTS = Service("Resource Manager", "cloudresourcemanager", **_COMMON)
STORAGE = Service("Cloud Storage", "storage", **_COMMON)
