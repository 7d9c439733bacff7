"""By what everything of one workload is found in its cloud; the value is the workload's name."""

from __future__ import annotations

TAG = "bentoship:workload"
"""On AWS and on Azure."""
LABEL = "bentoship-workload"
"""On Google Cloud, where a label's key takes no colon."""
