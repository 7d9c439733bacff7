"""A deployment under a domain of the user's own is rehearsed whole, and never asks who answers under that name."""

from __future__ import annotations

import pytest
from stage import AWS, GOOGLE, who

pytestmark = [pytest.mark.slow, pytest.mark.long]
DOMAIN = "salary.example.com"
AWS_DOMAIN = {**AWS, "http": False, "domain": DOMAIN}


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        (
            {"target": "aws/elastic_beanstalk", **AWS_DOMAIN},
            ("acm.Certificate ", "route53.Record "),
        ),
        (
            {"target": "aws/ec2", **AWS_DOMAIN},
            ("acm.Certificate ", "route53.Record ", "lb.Listener "),
        ),
        (
            {"target": "gcp/compute_engine", **GOOGLE, "domain": DOMAIN, "dns_zone": "example-com"},
            ("certificatemanager.Certificate ", "dns.RecordSet ", "compute.TargetHttpsProxy "),
        ),
    ],
    ids=lambda value: value["target"] if isinstance(value, dict) else "",
)
def test_it_answers_on_this_machine_and_its_certificate_and_records_are_made(stage, fields, parts):
    stage.say({"ours": fields})
    release = stage.release("one")
    url = stage.deploy("ours", release).url
    assert url.startswith("http://127.0.0.1:")
    assert who(url) == release.id[:12]
    made = stage.made()
    assert [part for part in parts if not any(each.startswith(part) for each in made)] == []
    assert not stage.deploy("ours", release).changes
