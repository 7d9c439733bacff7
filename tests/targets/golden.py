"""What the targets declare, kept as reviewed JSON under tests/golden/.

Run as a program, this writes all of it again: `.venv/bin/python tests/targets/golden.py`, and then `git diff`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder import record

from bentoship import targets
from bentoship.deployment import Example, ReleaseRef, Scale, Workload

GOLDEN = Path(__file__).parent.parent / "golden"
NEWEST, OLDER = (
    ReleaseRef(id=digit * 64, bento="salary", python="3.12", examples=(Example(body={"x": 1}, answer={"y": 2}),))
    for digit in "ab"
)
HTTP = {"region": "eu-central-1", "http": True}
SECRETS = {
    "API_KEY": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:salary-AbCdEf",
    "TOKEN": "arn:aws:ssm:eu-central-1:111122223333:parameter/salary/token",
}
HTTPS = {"region": "eu-central-1", "domain": "salary.example.com"}
AZURE = {"subscription": "11111111-2222-4333-8444-555555555555", "region": "westeurope"}
GOOGLE = {"project": "acme-models", "region": "europe-west3"}
GOOGLE_HTTP = {**GOOGLE, "http": True}
GOOGLE_HTTPS = {**GOOGLE, "domain": "salary.example.com", "dns_zone": "example-com"}


@dataclass(frozen=True)
class Case:
    """A target, its fields, and the workload that it is asked to provision."""

    target: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    replicas: int = 1
    canary: int | None = None
    """Percent of the traffic that the newest release gets, when it doesn't get all of it."""

    def declared(self) -> dict[str, Any]:
        """What the target declares."""
        return record(targets.find(self.target).model_validate(self.fields), self.workload())

    def workload(self, releases: tuple[ReleaseRef, ...] = (NEWEST, OLDER)) -> Workload:
        """Two releases are kept; the archive of the newest alone is on this machine."""
        split = {NEWEST.id: self.canary, OLDER.id: 100 - self.canary} if self.canary else {releases[0].id: 100}
        return Workload(
            name="salary-production-eu",
            releases=releases,
            traffic=split,
            archives={NEWEST.id: Path(__file__), OLDER.id: Path("/nowhere") / f"{OLDER.id}.zip"},
            home=Path("/home"),
            scale=Scale(min_replicas=self.replicas, max_replicas=2 * self.replicas),
            variables={"MODE": "careful"},
        )


CASES = {
    "aws/ec2-1": Case("aws/ec2", HTTP),
    "aws/ec2-3": Case("aws/ec2", HTTP, 3),
    "aws/ec2-3-domain": Case("aws/ec2", HTTPS, 3),
    "aws/elastic_beanstalk-1": Case("aws/elastic_beanstalk", HTTP),
    "aws/elastic_beanstalk-3": Case("aws/elastic_beanstalk", HTTP, 3),
    "aws/elastic_beanstalk-1-secrets": Case("aws/elastic_beanstalk", {**HTTP, "secrets": SECRETS}),
    "aws/elastic_beanstalk-3-domain": Case("aws/elastic_beanstalk", HTTPS, 3),
    "aws/elastic_beanstalk-3-canary": Case("aws/elastic_beanstalk", HTTP, 3, canary=10),
    "azure/virtual_machine-1": Case("azure/virtual_machine", {**AZURE, "http": True}),
    "azure/virtual_machine-3": Case("azure/virtual_machine", {**AZURE, "http": True}, 3),
    "azure/web_app-1": Case("azure/web_app", AZURE),
    "azure/web_app-3": Case("azure/web_app", AZURE, 3),
    "azure/web_app-3-canary": Case("azure/web_app", AZURE, 3, canary=10),
    "gcp/app_engine-1": Case("gcp/app_engine", GOOGLE),
    "gcp/app_engine-3": Case("gcp/app_engine", GOOGLE, 3),
    "gcp/app_engine-3-canary": Case("gcp/app_engine", GOOGLE, 3, canary=10),
    "gcp/app_engine-3-flexible": Case("gcp/app_engine", {**GOOGLE, "flavour": "flexible"}, 3),
    "gcp/compute_engine-1": Case("gcp/compute_engine", GOOGLE_HTTP),
    "gcp/compute_engine-3": Case("gcp/compute_engine", GOOGLE_HTTP, 3),
    "gcp/compute_engine-3-domain": Case("gcp/compute_engine", GOOGLE_HTTPS, 3),
}
"""By name of the file."""


def as_text(declared: Mapping[str, Any]) -> str:
    """The JSON that is kept."""
    return json.dumps(declared, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, case in CASES.items():
        file = GOLDEN / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_text(case.declared()), encoding="utf-8")
        print(file)  # noqa: T201
