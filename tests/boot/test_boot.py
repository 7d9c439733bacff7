from __future__ import annotations

import calendar
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from machines import BEARER, CLOUDS, REGION, ROLE, BareMachine, Serving, identity, sealed

from bentoship.boot.boot import sign


def test_a_bare_machine_becomes_the_service(machine):
    variables = {"GREETING": 'two\nlines, "quotes", $HOME, `x` and a \\', "EMPTY": ""}
    ran = machine.boot("--foreground", variables=variables)
    assert ran.code == 0, ran.lines
    assert ran.lines[0] == f"bentoship: fetching {machine.cloud.settings.archive}"
    release = machine.home / "releases" / machine.cloud.settings.release
    assert ran.last == f"bentoship: release {release.name[:12]} is in {release}"
    assert (release / "app/readme.txt").read_text() == "hello\n"
    told = machine.told()
    assert (told["PORT"], told["BENTOSHIP_RELEASE"]) == ("8000", machine.cloud.settings.release)
    assert {name: told[name] for name in variables} == variables


def test_what_is_unpacked_can_be_read_by_the_services_user_and_nothing_else_is_left(machine):
    machine.boot("--foreground")
    release = machine.home / "releases" / machine.cloud.settings.release
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [machine.home, release, *release.rglob("*")]}
    assert modes == {"bentoship": 0o755, release.name: 0o755, "run.sh": 0o755, "app": 0o755, "readme.txt": 0o644}
    assert sorted(path.name for path in machine.home.iterdir()) == ["releases", "state"]


def test_files_are_dated_as_in_the_archive_on_every_machine(machine):
    machine.boot("--foreground")
    release = machine.home / "releases" / machine.cloud.settings.release
    dates = {int(path.stat().st_mtime) for path in release.rglob("*") if path.is_file()}
    assert dates == {calendar.timegm((1980, 1, 1, 0, 0, 0))}


def test_a_second_boot_fetches_nothing_and_needs_no_cloud(machine):
    machine.boot("--foreground")
    machine.metadata = machine.cloud.store.address = "http://127.0.0.1:9"
    shutil.rmtree(machine.home / "state")
    assert machine.boot("--foreground").code == 0
    assert len(machine.cloud.store.asked) == 1
    assert machine.told()["BENTOSHIP_RELEASE"] == machine.cloud.settings.release


def test_refusals_while_a_role_spreads_are_outlasted(machine):
    machine.cloud.store.refusals = [403, 503]
    ran = machine.boot("--foreground")
    assert ran.code == 0
    waits = [line for line in ran.lines if "not yet" in line]
    assert ["403 Forbidden <Error><Code>Refused</Code></Error>" in waits[0], "503" in waits[1]] == [True, True]
    assert len(machine.cloud.store.asked) == 3


def test_an_identity_that_reaches_the_machine_late_is_waited_for(machine):
    with Serving(machine.cloud) as serving:
        serving.metadata.machine = Late(machine.cloud.without_identity, machine.cloud.machine)
        machine.metadata = serving.metadata.address
        assert machine.boot("--foreground").code == 0
    assert len(machine.cloud.store.asked) == 1


class Late:
    """A machine whose identity reaches it only after it has asked for it in vain."""

    def __init__(self, before, afterwards) -> None:
        self.now, self.afterwards = before, afterwards

    def answer(self, request):
        reply = self.now.answer(request)
        if reply.status >= 400:
            self.now = self.afterwards
        return reply


def test_a_download_that_breaks_off_is_tried_again(machine):
    machine.cloud.store.broken = 1
    ran = machine.boot("--foreground")
    assert ran.code == 0
    size = len(machine.cloud.store.archive)
    assert any(f"broke off after {size // 2} of {size} bytes" in line for line in ran.lines)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"refusals": [403] * 9}, "answered 403 Forbidden"),
        ({"refusals": [404] * 9}, "answered 404 Not Found"),
        ({"refusals": [307] * 9}, "answered 307"),
        ({"broken": 9}, "broke off after"),
    ],
)
def test_trouble_that_does_not_pass_ends_in_one_clear_line(aws_machine, trouble, words):
    for name, value in trouble.items():
        setattr(aws_machine.cloud.store, name, value)
    ran = aws_machine.boot("--foreground", download_timeout=1)
    assert ran.code == 1
    assert ran.last.startswith("bentoship: failed: could not fetch the release in 1 s: http://127.0.0.1:")
    assert words in ran.last
    assert not list((aws_machine.home / "releases").iterdir())


def test_a_wrong_digest_is_refused_at_once(machine):
    right = machine.cloud.store.archive
    machine.cloud.store.archive = right[:-1] + b"!"
    ran = machine.boot("--foreground")
    assert ran.code == 1
    assert f"has sha256 {identity(machine.cloud.store.archive)}, not {identity(right)}" in ran.last
    assert len(machine.cloud.store.asked) == 1
    assert not list((machine.home / "releases").iterdir())
    assert not (machine.home / "state").exists()


def test_without_a_metadata_service_the_last_line_says_so(machine):
    machine.metadata = "http://127.0.0.1:9"
    ran = machine.boot("--foreground", download_timeout=1)
    assert ran.code == 1
    assert ran.last.startswith("bentoship: failed: could not fetch the release in 1 s: http://127.0.0.1:9/")
    assert ran.last.endswith("does not answer: [Errno 111] Connection refused")
    assert machine.cloud.store.asked == []


def test_without_an_identity_the_last_line_says_so(machine, tmp_path):
    with Serving(machine.cloud) as serving:
        serving.metadata.machine = machine.cloud.without_identity
        machine.metadata = serving.metadata.address
        ran = machine.boot("--foreground", download_timeout=1)
    assert ran.code == 1
    assert ("answered 404 Not Found" in ran.last) or ("Identity not found" in ran.last)


def test_secrets_of_the_machine_are_not_logged(machine):
    machine.cloud.store.refusals = [403]
    text = "\n".join(machine.boot("--foreground").lines)
    assert not [secret for secret in (BEARER, ROLE.secret_access_key, ROLE.token) if secret in text]


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../../escaped", 0o100644, "'../../escaped', which must not be unpacked"),
        ("/escaped", 0o100644, "'/escaped', which must not be unpacked"),
        ("app/link", 0o120777, "'app/link', which must not be unpacked"),
        ("app\\..\\escaped", 0o100644, "which must not be unpacked"),
    ],
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, name, mode, words):
    archive = sealed({"run.sh": "exit 0\n", name: "/etc/passwd"}, {name: mode})
    cloud = CLOUDS["aws"](archive)
    with Serving(cloud) as serving:
        machine = BareMachine(tmp_path / "disk", cloud, serving.metadata.address)
        ran = machine.boot("--foreground")
    assert ran.code == 1
    assert ran.last.startswith("bentoship: failed: the release has an entry ")
    assert words in ran.last
    assert not list(tmp_path.rglob("escaped"))
    assert not list((machine.home / "releases").iterdir())


def test_an_archive_that_is_no_zip_is_refused(tmp_path):
    cloud = CLOUDS["aws"](b"not a zip")
    with Serving(cloud) as serving:
        ran = BareMachine(tmp_path / "disk", cloud, serving.metadata.address).boot("--foreground")
    assert (ran.code, ran.last) == (1, "bentoship: failed: the release can't be unpacked: File is not a zip file")


def test_the_current_release_and_the_one_before_are_kept(tmp_path):
    releases = [sealed({"run.sh": f"echo {name}\n"}) for name in ("first", "second", "third")]
    ids = [identity(archive) for archive in releases]
    for kept, turn in (({0}, 0), ({0, 1}, 1), ({0, 1}, 0), ({0, 2}, 2)):
        cloud = CLOUDS["gcp"](releases[turn])
        with Serving(cloud) as serving:
            machine = BareMachine(tmp_path / "disk", cloud, serving.metadata.address)
            assert machine.boot("--foreground").last == ("first", "second", "third")[turn]
        assert {path.name for path in (machine.home / "releases").iterdir()} == {ids[index] for index in kept}


def test_what_a_boot_that_was_cut_off_left_behind_is_removed(aws_machine):
    left = aws_machine.home / "unfinished-by-a-power-cut"
    left.mkdir(parents=True)
    (left / "archive.zip").write_bytes(b"half of it")
    assert aws_machine.boot("--foreground").code == 0
    assert not left.exists()


def test_a_disk_that_can_not_be_written_ends_in_one_clear_line(aws_machine):
    aws_machine.disk.mkdir()
    (aws_machine.disk / "var").write_text("a file where a folder should be")
    ran = aws_machine.boot("--foreground")
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert ran.last.startswith("bentoship: failed: ")
    assert "var/lib/bentoship" in ran.last


def test_a_double_may_say_where_to_listen(aws_machine):
    aws_machine.environment = {"BENTOSHIP_PORT": "18000", "BENTOSHIP_HOST": "127.0.0.7"}
    aws_machine.boot("--foreground")
    assert (aws_machine.told()["PORT"], aws_machine.told()["BENTOSHIP_HOST"]) == ("18000", "127.0.0.7")


def test_the_signature_covers_what_a_key_can_contain():
    url = f"https://bucket.s3.{REGION}.amazonaws.com/releases/a%20b%2Bc~%C3%A9.zip"
    who = {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "k/e+y", "Token": "t"}
    headers = sign(url, REGION, who, "20260102T030405Z")
    assert headers["Authorization"].endswith(f"Signature={_botocore_signature(url, headers, who)}")


def _botocore_signature(url, headers, who):
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    auth = S3SigV4Auth(Credentials(who["AccessKeyId"], who["SecretAccessKey"], who["Token"]), "s3", REGION)
    signed = {name: value for name, value in headers.items() if name != "Authorization"}
    request = AWSRequest("GET", url, headers=signed)
    request.context["timestamp"] = headers["x-amz-date"]
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


@pytest.mark.parametrize("minor", ["3.9", "3.12", "3.13"])
def test_it_runs_on_the_pythons_of_the_images(aws_machine, minor):
    python = _python(minor)
    if python is None:
        pytest.skip(f"there is no Python {minor} on this machine")
    assert aws_machine.boot("--foreground", python=python).code == 0
    assert aws_machine.told()["BENTOSHIP_RELEASE"] == aws_machine.cloud.settings.release


def _python(minor: str) -> str | None:
    for found in (shutil.which(f"python{minor}"), *sorted(Path.home().glob(f".pyenv/versions/{minor}.*/bin/python3"))):
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(found)
    return None
