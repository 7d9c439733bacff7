"""bentoship:aws:InstanceRefresh and bentoship:aws:BeanstalkVersion, over HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from bentoship.errors import EngineMissing, UpdateFailed
from bentoship.provider.aws import BeanstalkVersion, BeanstalkVersionInputs, InstanceRefresh, InstanceRefreshInputs
from fake_aws import NEW, OLD, FakeAws, Refresh, machine

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
READY = {"EnvironmentName": "salary", "Status": "Ready", "Health": "Green", "VersionLabel": "r-new"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No credentials of this machine, no waiting for a metadata service that isn't there."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def told():
    return []


@pytest.fixture
def at(monkeypatch):
    """Lets boto3 ask a fake."""

    def set_endpoint(aws):
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        return aws

    return set_endpoint


def wanted(**more):
    fields = {"alarms": ["errors"], "warmup": 60, "timeout": 20, **more}
    return InstanceRefreshInputs(region="eu-central-1", group="group", template="lt-new", version="2", **fields)


def expected(**more):
    return BeanstalkVersionInputs(region="eu-central-1", environment="salary", label="r-new", timeout=20, **more)


def test_a_refresh_that_succeeds_is_awaited(at, told):
    with FakeAws() as aws:
        at(aws)
        assert InstanceRefresh(told.append).create(wanted()) == ("group/refresh", {})
        (refresh,) = aws.refreshes
        assert aws.template == refresh.towards == NEW
    assert told == ["group: 50 % of the machines are replaced"]


def test_a_refresh_can_be_rolled_back_by_aws_itself(at):
    with FakeAws() as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        (refresh,) = aws.refreshes
    assert refresh.preferences == {
        "MinHealthyPercentage": "100",
        "MaxHealthyPercentage": "150",
        "InstanceWarmup": "60",
        "SkipMatching": "true",
        "AutoRollback": "true",
        "AlarmSpecification.Alarms.member.1": "errors",
    }


def test_an_alarm_that_goes_off_already_does_not_stop_the_release_that_may_mend_it(at):
    with FakeAws(loud=["errors"]) as aws:
        at(aws)
        InstanceRefresh().create(wanted(alarms=["errors", "slow"]))
        (refresh,) = aws.refreshes
    alarms = {value for key, value in refresh.preferences.items() if "Alarms" in key}
    assert alarms == {"slow"}


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        ("RollbackSuccessful", "AWS went back to the old machines: not healthy"),
        ("RollbackFailed", "AWS could not go back to the old machines: not healthy"),
        ("Failed", "the instance refresh failed: not healthy"),
        ("Cancelled", "the instance refresh was cancelled: not healthy"),
    ],
)
def test_a_refresh_that_fails_says_why(at, told, ends, sentence):
    quota = {"StatusCode": "Failed", "StatusMessage": "VcpuLimitExceeded", "ActivityId": "1"}
    steps = ("InProgress", "RollbackInProgress", ends)
    with FakeAws(outcome=steps, reason="not healthy", activities=[quota]) as aws:
        at(aws)
        with pytest.raises(UpdateFailed) as failure:
            InstanceRefresh(told.append).create(wanted())
    assert str(failure.value).startswith(f"auto-scaling group group: {sentence}: VcpuLimitExceeded")
    assert "get-console-output" in failure.value.problems[0].remedy


def test_a_rollback_is_told_while_it_is_under_way(at, told):
    with FakeAws(outcome=("InProgress", "RollbackInProgress", "RollbackSuccessful"), reason="not healthy") as aws:
        at(aws)
        with pytest.raises(UpdateFailed):
            InstanceRefresh(told.append).create(wanted())
    assert "group: going back to the old machines: not healthy" in told


def test_where_it_is_done_nothing_is_done(at):
    with FakeAws(template=NEW) as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        assert aws.refreshes == []


def test_a_machine_that_is_leaving_is_no_reason_to_start(at):
    machines = [machine(NEW), machine(NEW), machine(OLD, "Terminating:Wait")]
    with FakeAws(template=NEW, machines=machines) as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        assert aws.refreshes == []


def test_machines_that_were_left_behind_are_replaced(at):
    with FakeAws(template=NEW, machines=[machine(NEW), machine(OLD)]) as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        assert [each.towards for each in aws.refreshes] == [NEW]


def test_a_refresh_that_is_under_way_is_adopted(at):
    running = Refresh("begun-before", NEW, ("InProgress", "InProgress", "Successful"))
    with FakeAws(refreshes=[running]) as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        assert aws.refreshes == [running]


def test_a_refresh_to_something_else_is_ended_first(at, told):
    running = Refresh("begun-before", {"LaunchTemplateId": "lt-other", "Version": "1"}, ("InProgress",))
    with FakeAws(refreshes=[running]) as aws:
        at(aws)
        InstanceRefresh(told.append).create(wanted())
        assert [each.status for each in aws.refreshes] == ["Successful", "Cancelled"]
    assert told[0] == "group: another instance refresh is under way, and is cancelled"


def test_one_that_is_going_back_is_waited_for(at):
    going_back = Refresh("begun-before", NEW, ("RollbackInProgress", "RollbackInProgress", "RollbackSuccessful"))
    with FakeAws(refreshes=[going_back]) as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        assert [each.identity for each in aws.refreshes] == ["refresh-1", "begun-before"]
        assert "CancelInstanceRefresh" not in aws.calls


def test_a_group_that_has_just_been_made_is_given_time(at, told):
    with FakeAws(template=NEW, machines=[machine(NEW, "Pending")]) as aws:
        at(aws)
        waiting = threading.Thread(target=InstanceRefresh(told.append).create, args=(wanted(),))
        waiting.start()
        aws.wait_for("DescribeAutoScalingGroups")
        aws.machines = [machine(NEW), machine(NEW)]
        waiting.join()


def test_a_group_whose_machines_never_come_says_why(at):
    quota = {"StatusCode": "Failed", "StatusMessage": "VcpuLimitExceeded", "ActivityId": "1"}
    with FakeAws(template=NEW, machines=[machine(NEW, "Pending")], activities=[quota]) as aws:
        at(aws)
        with pytest.raises(UpdateFailed, match=r"0 of 2 machines are in service after 0 seconds: VcpuLimitExceeded"):
            InstanceRefresh().create(wanted(timeout=0))


def test_a_refresh_that_takes_too_long_is_rolled_back(at):
    with FakeAws(outcome=("InProgress",)) as aws:
        at(aws)
        with pytest.raises(UpdateFailed, match="the instance refresh did not end"):
            InstanceRefresh().create(wanted(timeout=0))
        assert aws.refreshes[0].statuses == ("RollbackInProgress", "RollbackSuccessful")


def test_cancelling_has_aws_bring_the_old_machines_back(at):
    failures = []
    kind = InstanceRefresh()

    def create():
        try:
            kind.create(wanted())
        except UpdateFailed as failure:
            failures.append(str(failure))

    with FakeAws(outcome=("InProgress",)) as aws:
        at(aws)
        waiting = threading.Thread(target=create)
        waiting.start()
        aws.wait_for("StartInstanceRefresh")
        kind.cancel()
        waiting.join()
        assert aws.refreshes[0].statuses == ("RollbackInProgress", "RollbackSuccessful")
    assert "the update was cancelled" in failures[0]


def test_what_somebody_else_refreshed_is_seen(at):
    with FakeAws(template=OLD) as aws:
        at(aws)
        seen = InstanceRefresh().read(wanted(), {"group": "group", "template": "lt-new", "version": "2"})
    assert seen == {"group": "group", "template": "lt-old", "version": "1"}


def test_a_group_that_is_gone_is_gone(at):
    with FakeAws(template=None) as aws:
        at(aws)
        assert InstanceRefresh().read(wanted(), {}) is None
        with pytest.raises(UpdateFailed, match="is gone"):
            InstanceRefresh().create(wanted())


def test_what_is_throttled_is_asked_again(at):
    throttled = [("Throttling", "Rate exceeded")]
    with FakeAws(template=NEW, refusals=throttled) as aws:
        at(aws)
        InstanceRefresh().create(wanted())
        assert aws.refusals == []


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("InvalidClientTokenId", "aws sts get-caller-identity"),
        ("AccessDenied", "docs/aws.md"),
        ("ExpiredToken", "log in to AWS again"),
    ],
)
def test_what_aws_refuses_is_a_sentence_with_a_remedy(at, code, remedy):
    with FakeAws(refusals=[(code, "because")]) as aws:
        at(aws)
        with pytest.raises(UpdateFailed) as failure:
            InstanceRefresh().create(wanted())
    assert f"AWS answered {code}: because" in str(failure.value)
    assert remedy in failure.value.problems[0].remedy


def test_no_credentials_is_a_sentence(monkeypatch):
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    with pytest.raises(UpdateFailed, match=r"Unable to locate credentials; docs/aws\.md"):
        InstanceRefresh().create(wanted())


def test_no_region_is_a_sentence():
    with pytest.raises(UpdateFailed, match="You must specify a region"):
        BeanstalkVersion().read(expected().model_copy(update={"region": None}), {})


def test_without_boto3_the_extra_is_named(tmp_path):
    (tmp_path / "boto3.py").write_text("raise ImportError('as if it were not installed')\n")
    script = (
        "from bentoship.errors import BentoshipError\n"
        "from bentoship.provider.aws import client\n"
        "try: client('autoscaling', 'eu-central-1')\n"
        "except BentoshipError as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(EngineMissing.__name__)
    assert "bentoship[aws]" in done.stdout


def test_an_environment_that_runs_the_version_and_is_well_passes(at, told):
    steps = [{**READY, "Status": "Updating", "VersionLabel": "r-old", "Health": "Grey"}, {**READY, "Health": "Yellow"}]
    with FakeAws(environment=[*steps, READY]) as aws:
        at(aws)
        assert BeanstalkVersion(told.append).create(expected()) == ("salary/version", {})
    assert told == ["salary: Updating, health Grey", "salary: Ready, health Yellow"]


def test_an_environment_that_stayed_on_the_old_version_fails_with_its_events(at):
    events = [
        {"EventDate": "2026-01-02T10:05:00Z", "Message": "Failed to deploy application.", "Severity": "ERROR"},
        {"EventDate": "2026-01-02T10:04:00Z", "Message": "Instance i-1 is Severe.", "Severity": "WARN"},
    ]
    with FakeAws(environment=[{**READY, "VersionLabel": "r-old"}], events=events) as aws:
        at(aws)
        with pytest.raises(UpdateFailed) as failure:
            BeanstalkVersion().create(expected())
    assert str(failure.value) == (
        "environment salary: Elastic Beanstalk stayed on version r-old instead of going to r-new: "
        "10:04:00 Instance i-1 is Severe. | 10:05:00 Failed to deploy application."
    )


def test_an_environment_that_stays_ill_fails_with_the_causes(at):
    with FakeAws(environment=[{**READY, "Health": "Red"}], causes=["100 % of the requests fail with 5xx."]) as aws:
        at(aws)
        with pytest.raises(UpdateFailed, match=r"Ready, health Red after 0 seconds: 100 % of the requests fail"):
            BeanstalkVersion().create(expected().model_copy(update={"timeout": 0}))


@pytest.mark.parametrize("steps", [[], [{**READY, "Status": "Terminating"}]])
def test_an_environment_that_is_gone_is_gone(at, steps):
    with FakeAws(environment=steps) as aws:
        at(aws)
        assert BeanstalkVersion().read(expected(), {}) is None
        with pytest.raises(UpdateFailed, match="is gone"):
            BeanstalkVersion().create(expected())


def test_a_version_that_somebody_else_deployed_is_seen(at):
    with FakeAws(environment=[{**READY, "VersionLabel": "r-other"}]) as aws:
        at(aws)
        assert BeanstalkVersion().read(expected(), {"label": "r-new"}) == {"label": "r-other"}


def test_cancelling_ends_the_wait_for_an_environment(at):
    kind = BeanstalkVersion()
    kind.cancel()
    with FakeAws(environment=[{**READY, "Status": "Updating"}]) as aws:
        at(aws)
        with pytest.raises(UpdateFailed, match="the update was cancelled"):
            kind.create(expected())
