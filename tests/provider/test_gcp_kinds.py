"""bentoship:gcp:*, over HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from bentoship.errors import EngineMissing, InvalidConfiguration, UpdateFailed
from bentoship.patience import CLOCK
from bentoship.provider import gcp
from fake_google import VARIABLES, FakeGoogle

APP = "apps/acme"
SERVICE = f"{APP}/services/salary"
VERSION = f"{SERVICE}/versions/r1"
GROUP = "projects/acme/regions/europe-west3/instanceGroupManagers/salary"
OLD, NEW = (f"https://www.googleapis.com/compute/v1/projects/acme/regions/r/instanceTemplates/{word}" for word in "on")
READY = {"locationId": "europe-west3", "codeBucket": "staging.acme", "defaultHostname": "acme.ey.r.appspot.com"}
DONE = {"name": "apps/acme/operations/1", "done": True}
UNDER_WAY = {"name": "apps/acme/operations/1"}


@pytest.fixture
def at(monkeypatch):
    """Lets our provider ask a fake, with a token."""
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a-token")

    def point(fake):
        for name in VARIABLES:
            monkeypatch.setenv(name, fake.url)
        return fake

    return point


def application(region="europe-west3"):
    return gcp.AppEngineApplicationInputs(project="acme", region=region)


def version(**more):
    fields = {"memory_mb": 384, "timeout": 20, **more}
    return gcp.AppEngineVersionInputs(project="acme", service="salary", version="r1", **fields)


def rollout(**more):
    fields = {"size": 2, "patience": 20, **more}
    return gcp.GroupRolloutInputs(project="acme", region="europe-west3", group="salary", template=NEW, **fields)


def group(*, reached=True, stable=True, template=NEW, size=2):
    status = {"isStable": stable, "versionTarget": {"isReached": reached}}
    return {"status": status, "versions": [{"instanceTemplate": template}], "targetSize": size}


def machines(*templates, action="NONE", **more):
    each = [
        {"instance": f"zones/z/instances/m{number}", "version": {"instanceTemplate": template}, "currentAction": action}
        for number, template in enumerate(templates)
    ]
    return {"managedInstances": [{**machine, **more} for machine in each]}


def test_an_application_that_is_there_is_used(at):
    with FakeGoogle({f"GET {APP}": [READY]}) as google:
        at(google)
        identity, outputs = gcp.AppEngineApplication().create(application())
        assert (identity, outputs["code_bucket"]) == (APP, "staging.acme")
        assert google.paths() == [f"GET {APP}"]
        assert google.tokens == {"Bearer a-token"}


def test_one_that_is_not_there_is_made_and_awaited(at):
    answers = {
        f"GET {APP}": [404, READY],
        "POST apps": [UNDER_WAY],
        f"GET {UNDER_WAY['name']}": [UNDER_WAY, DONE],
    }
    with FakeGoogle(answers) as google:
        at(google)
        gcp.AppEngineApplication().create(application())
        assert ("POST apps", {"id": "acme", "locationId": "europe-west3"}) in google.asked


@pytest.mark.parametrize(("region", "location"), [("us-central1", "us-central"), ("europe-west1", "europe-west")])
def test_app_engine_calls_two_regions_otherwise(at, region, location):
    with FakeGoogle({f"GET {APP}": [{**READY, "locationId": location}]}) as google:
        at(google)
        assert gcp.AppEngineApplication().create(application(region))


def test_an_application_in_another_region_is_told_with_the_region(at):
    with FakeGoogle({f"GET {APP}": [{**READY, "locationId": "us-central"}]}) as google:
        at(google)
        with pytest.raises(UpdateFailed, match="is in us-central, for ever") as failure:
            gcp.AppEngineApplication().create(application())
    assert "region: us-central1" in failure.value.problems[0].remedy


def test_an_application_is_never_removed(at):
    with FakeGoogle() as google:
        at(google)
        gcp.AppEngineApplication().delete(application())
        inputs = gcp.AppEngineDefaultInputs(project="acme", application=APP, account="a@b", files={})
        gcp.AppEngineDefault().delete(inputs)
        assert google.asked == []


@pytest.mark.parametrize("there", [True, False])
def test_the_default_service_is_left_alone_or_made(at, there):
    default = f"{APP}/services/default"
    answers = {f"GET {default}": [{"id": "default"} if there else 404], f"POST {default}/versions": [DONE]}
    files = {"main.py": "https://storage.googleapis.com/b/main.py"}
    with FakeGoogle(answers) as google:
        at(google)
        inputs = gcp.AppEngineDefaultInputs(project="acme", application=APP, account="a@b", files=files)
        gcp.AppEngineDefault().create(inputs)
        made = [body for path, body in google.asked if path.startswith("POST")]
    assert len(made) == (0 if there else 1)
    if made:
        assert made[0]["deployment"]["files"]["main.py"] == {"sourceUrl": files["main.py"]}
        assert made[0]["serviceAccount"] == "a@b"


def test_an_operation_that_fails_says_why(at):
    failed = {"name": "o", "done": True, "error": {"message": "Billing is not enabled"}}
    with FakeGoogle({f"GET {APP}": [404], "POST apps": [failed]}) as google:
        at(google)
        with pytest.raises(UpdateFailed, match="Billing is not enabled"):
            gcp.AppEngineApplication().create(application())


def running(google, *statuses):
    """The version's own address, which is the fake's too."""
    google.answers[f"GET {VERSION}"] = [{"versionUrl": google.url.rstrip("/")}]
    google.answers["GET readyz"] = [{} if status == 200 else status for status in statuses]


def test_a_version_is_awaited_on_its_own_address(at):
    told = []
    with FakeGoogle({"POST entries:list": [{}]}) as google:
        at(google)
        running(google, 503, 503, 200)
        assert gcp.AppEngineVersion(told.append).create(version()) == (VERSION, {"url": google.url.rstrip("/")})
    assert told == ["r1: 503"]


def test_a_version_that_needs_more_memory_than_it_has_is_told_in_app_engines_words(at):
    words = "Exceeded hard memory limit of 384 MiB with 500 MiB after servicing 0 requests total."
    with FakeGoogle({"POST entries:list": [{"entries": [{"textPayload": words}]}]}) as google:
        at(google)
        running(google, 500)
        with pytest.raises(UpdateFailed) as failure:
            gcp.AppEngineVersion().create(version(timeout=600))
        (query,) = [body for path, body in google.asked if path == "POST entries:list"]
    assert words in str(failure.value)
    assert "384 MB; raise `scale.memory_gb`, or name a larger `instance_class`" in failure.value.problems[0].remedy
    assert 'resource.labels.version_id="r1"' in query["filter"]


def test_a_version_that_never_gets_ready_ends_with_its_log(at):
    lines = {"protoPayload": {"line": [{"logMessage": "ImportError: no module named x"}]}}
    with FakeGoogle({"POST entries:list": [{"entries": [lines, {"jsonPayload": {"message": "gone"}}]}]}) as google:
        at(google)
        running(google, 503)
        with pytest.raises(UpdateFailed, match=r"answers 503 after 0 seconds: ImportError: no module named x \| gone"):
            gcp.AppEngineVersion().create(version(timeout=0))


def test_who_may_not_read_the_log_is_told_the_rest(at):
    with FakeGoogle({"POST entries:list": [403]}) as google:
        at(google)
        running(google, 503)
        with pytest.raises(UpdateFailed, match="answers 503 after 0 seconds"):
            gcp.AppEngineVersion().create(version(timeout=0))


def test_a_service_goes_with_its_versions_and_default_never_does(at):
    with FakeGoogle({f"DELETE {SERVICE}": [UNDER_WAY], f"GET {UNDER_WAY['name']}": [DONE]}) as google:
        at(google)
        ours = gcp.AppEngineServiceInputs(project="acme", service="salary", application="acme.ey.r.appspot.com")
        gcp.AppEngineService().delete(ours)
        assert f"DELETE {SERVICE}" in google.paths()
        with pytest.raises(InvalidConfiguration):
            gcp.AppEngineService().delete(ours.model_copy(update={"service": "default"}))


def test_a_service_that_is_gone_already_is_gone(at):
    with FakeGoogle() as google:
        at(google)
        ours = gcp.AppEngineServiceInputs(project="acme", service="salary", application="h")
        gcp.AppEngineService().delete(ours)
        assert gcp.AppEngineService().read(ours, {}) is None


def test_the_address_of_a_service_is_below_that_of_the_application(at):
    with FakeGoogle({f"GET {SERVICE}": [{"id": "salary"}]}) as google:
        at(google)
        ours = gcp.AppEngineServiceInputs(project="acme", service="salary", application="acme.ey.r.appspot.com")
        assert gcp.AppEngineService().create(ours)[1] == {"url": "https://salary-dot-acme.ey.r.appspot.com"}


def test_a_rollout_is_awaited_for_as_long_as_machines_come(at):
    told = []
    answers = {
        f"GET {GROUP}": [group(reached=False, stable=False), group(reached=False, stable=False), group()],
        f"POST {GROUP}/listManagedInstances": [machines(OLD, OLD), machines(NEW, OLD), machines(NEW, NEW)],
    }
    with FakeGoogle(answers) as google:
        at(google)
        assert gcp.GroupRollout(told.append).create(rollout()) == ("salary/rollout", {})
    assert told == [
        "salary: 0 of 2 machines run the release, 2 others are there",
        "salary: 1 of 2 machines run the release, 1 others are there",
    ]


def test_a_group_without_machines_is_not_done(at):
    answers = {f"GET {GROUP}": [group(size=0)], f"POST {GROUP}/listManagedInstances": [{}, machines(NEW, NEW)]}
    with FakeGoogle(answers) as google:
        at(google)
        gcp.GroupRollout().create(rollout())
        assert google.paths().count(f"GET {GROUP}") == 2


def test_a_stalled_rollout_ends_with_the_groups_own_errors(at):
    ill = {
        "lastAttempt": {"errors": {"errors": [{"message": "Quota 'CPUS' exceeded."}]}},
        "instanceHealth": [{"detailedHealthState": "UNHEALTHY"}],
    }
    answers = {
        f"GET {GROUP}": [group(reached=False, stable=False)],
        f"POST {GROUP}/listManagedInstances": [machines(NEW, action="VERIFYING", **ill)],
        f"GET {GROUP}/listErrors": [{"items": [{"error": {"message": "Zone is full"}, "timestamp": "9999"}]}],
    }
    with FakeGoogle(answers) as google:
        at(google)
        with pytest.raises(UpdateFailed) as failure:
            gcp.GroupRollout().create(rollout(patience=0))
    assert str(failure.value).startswith("instance group salary: the rollout is stalled: 0 of 2 machines")
    assert "Zone is full | Quota 'CPUS' exceeded. | m0 is unhealthy" in str(failure.value)


def test_a_template_that_somebody_else_put_there_is_seen(at):
    with FakeGoogle({f"GET {GROUP}": [group(template=OLD)]}) as google:
        at(google)
        assert gcp.GroupRollout().read(rollout(), {"group": "salary"}) == {"group": "salary", "template": OLD}
    with FakeGoogle({f"GET {GROUP}": [group(template=NEW.replace("compute/v1", "compute/beta"))]}) as google:
        at(google)
        assert gcp.GroupRollout().read(rollout(), {})["template"] == NEW


def test_a_group_that_is_gone_is_gone(at):
    with FakeGoogle() as google:
        at(google)
        assert gcp.GroupRollout().read(rollout(), {}) is None
        with pytest.raises(UpdateFailed, match="is gone"):
            gcp.GroupRollout().create(rollout())


def test_cancelling_ends_the_wait(at):
    failures, kind = [], gcp.GroupRollout()
    answers = {f"GET {GROUP}": [group(reached=False)], f"POST {GROUP}/listManagedInstances": [machines(OLD, OLD)]}

    def create():
        try:
            kind.create(rollout())
        except UpdateFailed as failure:
            failures.append(str(failure))

    with FakeGoogle(answers) as google:
        at(google)
        waiting = threading.Thread(target=create)
        waiting.start()
        google.wait_for(f"POST {GROUP}/listManagedInstances")
        kind.cancel()
        waiting.join()
    assert "the update was cancelled" in failures[0]


def test_what_is_busy_is_asked_again(at):
    with FakeGoogle({f"GET {APP}": [READY]}, refusals=[429, 503]) as google:
        at(google)
        assert gcp.AppEngineApplication().read(application(), {})
        assert google.refusals == []


@pytest.mark.parametrize(
    "refusal",
    [
        (409, "Cannot operate on apps/acme because an operation is already in progress"),
        (404, "Unable to retrieve P4SA: [service-1@gcp-gae-service.iam.gserviceaccount.com] from GAIA"),
        (403, "Quota exceeded for quota metric 'Queries' (rateLimitExceeded)"),
    ],
)
def test_what_google_will_do_in_a_while_is_asked_again(at, refusal):
    service = f"{APP}/services/default"
    with FakeGoogle({f"GET {service}": [404], f"POST {service}/versions": [refusal, refusal, DONE]}) as google:
        at(google)
        fields = {"application": APP, "account": "a@acme.iam.gserviceaccount.com", "files": {}}
        gcp.AppEngineDefault().create(gcp.AppEngineDefaultInputs(project="acme", **fields))
        assert google.paths().count(f"POST {service}/versions") == 3


def test_what_somebody_else_makes_is_awaited(at):
    service = f"{APP}/services/default"
    there = (409, "Version bentoship already exists")
    with FakeGoogle({f"GET {service}": [404, 404, READY], f"POST {service}/versions": [there]}) as google:
        at(google)
        fields = {"application": APP, "account": "a@acme.iam.gserviceaccount.com", "files": {}}
        gcp.AppEngineDefault().create(gcp.AppEngineDefaultInputs(project="acme", **fields))
        assert google.paths().count(f"GET {service}") == 3


def test_of_two_that_make_the_application_of_a_project_both_have_it(at):
    there = (409, "The project already exists as an App Engine application")
    with FakeGoogle({f"GET {APP}": [404, 404, READY], "POST apps": [there]}) as google:
        at(google)
        assert gcp.AppEngineApplication().create(application())[1]["code_bucket"] == "staging.acme"


def test_what_an_account_was_given_is_known_after_a_while(monkeypatch):
    asked, told = gcp.IamGrantsInputs(account="a@acme.iam.gserviceaccount.com"), []
    monkeypatch.setenv(CLOCK, "0.0001")
    assert gcp.IamGrants(told.append).create(asked) == ("a@acme.iam.gserviceaccount.com/grants", {})
    assert "in 120 seconds" in told[0]
    monkeypatch.delenv(CLOCK)
    cancelled = gcp.IamGrants()
    cancelled.cancel()
    with pytest.raises(UpdateFailed, match="the update was cancelled"):
        cancelled.create(asked)


def test_cancelling_ends_the_wait_for_something_else(at):
    failures, kind = [], gcp.AppEngineApplication()
    busy = (409, "an operation is already in progress")

    def create():
        try:
            kind.create(application())
        except UpdateFailed as failure:
            failures.append(str(failure))

    with FakeGoogle({f"GET {APP}": [404], "POST apps": [busy]}) as google:
        at(google)
        waiting = threading.Thread(target=create)
        waiting.start()
        google.wait_for("POST apps")
        kind.cancel()
        waiting.join()
    assert "the update was cancelled" in failures[0]


@pytest.mark.parametrize(("status", "remedy"), [(401, "gcloud auth application-default login"), (403, "docs/gcp.md")])
def test_what_google_refuses_is_a_sentence_with_a_remedy(at, status, remedy):
    with FakeGoogle(refusals=[status]) as google:
        at(google)
        with pytest.raises(UpdateFailed, match=f"Google Cloud answered {status}: because of {status}") as failure:
            gcp.AppEngineApplication().create(application())
    assert remedy in failure.value.problems[0].remedy


def test_no_credentials_is_a_sentence(monkeypatch, tmp_path):
    pytest.importorskip("google.auth")
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(UpdateFailed, match="gcloud auth application-default login"):
        gcp.AppEngineApplication().create(application())


def test_without_google_auth_the_extra_is_named():
    script = (
        "import sys; sys.modules['google.auth'] = None\n"
        "from bentoship.errors import BentoshipError\n"
        "from bentoship.provider.google import _token\n"
        "try: _token('here')\n"
        "except BentoshipError as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(EngineMissing.__name__)
    assert "bentoship[gcp]" in done.stdout
