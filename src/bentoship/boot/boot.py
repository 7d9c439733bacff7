#!/usr/bin/python3 -I
"""What a bare machine runs to become the service: EC2 user data, Compute Engine startup script, Azure custom data.

Fetches the release by the machine's own identity, checks its sha256, unpacks it and runs it under systemd. It may run
again, as it does at every boot of Compute Engine: what is there already stays. With --foreground it becomes the
service itself. BENTOSHIP_METADATA, BENTOSHIP_OBJECT_STORE, BENTOSHIP_ROOT and BENTOSHIP_PORT are for doubles.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

Settings = dict[str, Any]
Headers = dict[str, str]
Located = tuple[str, Headers]  # a URL, and the headers that prove who asks

SETTINGS = "@SETTINGS@"
UNIT = "@UNIT@"
METADATA = os.environ.get("BENTOSHIP_METADATA", "http://169.254.169.254")
OBJECT_STORE = os.environ.get("BENTOSHIP_OBJECT_STORE", "")
ROOT = Path(os.environ.get("BENTOSHIP_ROOT", "/"))
HOME = ROOT / "var/lib/bentoship"
CHUNK = 1 << 20
EMPTY = hashlib.sha256().hexdigest()


class Failed(Exception):
    """Trying again does not help."""


class NotYet(Exception):
    """A role that has not spread, a service that is busy, a connection that broke: trying again may help."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials stay with the host that they are for."""

    def redirect_request(self, *_: Any) -> None:
        """Answer with the redirection itself, which is an error."""


# Neither the metadata service nor the cloud's own store is reached through a proxy.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def main() -> None:
    """Become the service, or end with one line that says why not."""
    os.umask(0o022)
    settings = json.loads(SETTINGS)
    settings["port"] = int(os.environ.get("BENTOSHIP_PORT", settings["port"]))
    try:
        release = install(settings)
        prune(release.parent)
        if "--foreground" in sys.argv:
            become(release, settings)
        serve(release, settings)
        wait(settings)
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bentoship: failed: {error}")


def say(message: str) -> None:
    """Tell the console, which each cloud shows without a login."""
    print(f"bentoship: {message}", flush=True)  # noqa: T201


def install(settings: Settings) -> Path:
    """The folder of the release, which appears whole or not at all."""
    release = HOME / "releases" / str(settings["release"])
    release.parent.mkdir(parents=True, exist_ok=True)
    for left in HOME.glob("unfinished-*"):
        shutil.rmtree(left)
    if not release.is_dir():
        with tempfile.TemporaryDirectory(prefix="unfinished-", dir=HOME) as place:
            archive = Path(place, "archive.zip")
            fetch(settings, archive)
            unpack(archive, Path(place, "release"))
            os.sync()  # or a power cut could leave the name without the content
            Path(place, "release").rename(release)
    say(f"release {release.name[:12]} is in {release}")
    os.utime(release)
    return release


def fetch(settings: Settings, archive: Path) -> None:
    """Try until it is here or the time is over, with a new token each time."""
    end = time.monotonic() + settings["download_timeout"]
    pause = 0.5
    while True:
        say(f"fetching {settings['archive']}")
        try:
            return download(*locate(settings), settings["release"], archive)
        except (NotYet, ValueError, LookupError, TypeError) as error:
            reason = str(error) if isinstance(error, NotYet) else f"the metadata service answered oddly: {error!r}"
        if time.monotonic() + pause > end:
            raise Failed(f"could not fetch the release in {settings['download_timeout']:.0f} s: {reason}")
        say(f"not yet: {reason}")
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        pause = min(2 * pause, 30)


def download(url: str, headers: Headers, expected: str, archive: Path) -> None:
    """Stream `url` into `archive`; its sha256 must be `expected`."""
    digest, size = hashlib.sha256(), 0
    with ask(url, headers, 60) as answer, archive.open("wb") as file:
        for chunk in iter(lambda: read(answer, url), b""):
            digest.update(chunk)
            size += file.write(chunk)
        promised = int(answer.headers.get("Content-Length") or size)
    if size < promised:
        raise NotYet(f"{url} broke off after {size} of {promised} bytes")
    if digest.hexdigest() != expected:
        raise Failed(f"{url} has sha256 {digest.hexdigest()}, not {expected}: it is not the release that was deployed")


def ask(url: str, headers: Headers, timeout: float = 5, method: str = "GET") -> http.client.HTTPResponse:
    """The answer to a request; NotYet when it isn't a good one."""
    try:
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310
        return OPENER.open(request, timeout=timeout)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        with error:
            detail = " ".join(read(error, url, 300).decode("utf-8", "replace").split())
        raise NotYet(f"{url} answered {error.code} {error.reason} {detail}") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotYet(f"{url} does not answer: {getattr(error, 'reason', error)}") from None


def read(answer: IO[bytes], url: str, size: int = CHUNK) -> bytes:
    """At most `size` bytes of `answer`."""
    try:
        return answer.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise NotYet(f"{url} broke off: {error}") from None


def metadata(path: str, headers: Headers, method: str = "GET") -> str:
    """What the metadata service says at `path`."""
    with ask(METADATA + path, headers, method=method) as answer:
        return read(answer, path).decode()


def locate(settings: Settings) -> Located:
    """Where the archive is, and the headers that prove who asks for it."""
    address = urlsplit(settings["archive"])
    if address.scheme == "s3":
        return amazon(address.netloc, address.path, settings["region"])
    if address.scheme == "gs":
        return google(address.netloc, address.path[1:])
    return azure(f"{address.scheme}://{address.netloc}", address.path, settings["client_id"])


def amazon(bucket: str, path: str, region: str) -> Located:
    """An object in S3, by the credentials of the instance's role."""
    token = metadata("/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}, "PUT")
    roles, proof = "/latest/meta-data/iam/security-credentials/", {"X-aws-ec2-metadata-token": token}
    credentials = json.loads(metadata(roles + metadata(roles, proof).split()[0], proof))
    base = f"{OBJECT_STORE}/{bucket}" if OBJECT_STORE else f"https://{bucket}.s3.{region}.amazonaws.com"
    url = base + quote(path, safe="/-_.~")
    return url, sign(url, region, credentials, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))


def sign(url: str, region: str, credentials: dict[str, str], now: str) -> dict[str, str]:
    """Headers of a GET from S3 ("Create a signed AWS API request", IAM User Guide)."""
    headers = {"host": urlsplit(url).netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": now}
    headers["x-amz-security-token"] = credentials["Token"]
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"GET\n{urlsplit(url).path}\n\n{lines}\n{names}\n{EMPTY}"
    scope = [now[:8], region, "s3", "aws4_request"]
    key = ("AWS4" + credentials["SecretAccessKey"]).encode()
    text = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    for part in [*scope, text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    who = f"Credential={credentials['AccessKeyId']}/{'/'.join(scope)}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {who}, SignedHeaders={names}, Signature={key.hex()}"}


def google(bucket: str, name: str) -> Located:
    """An object in Cloud Storage, by the token of the instance's service account."""
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    token = json.loads(metadata(path, {"Metadata-Flavor": "Google"}))["access_token"]
    base = OBJECT_STORE or "https://storage.googleapis.com"
    url = f"{base}/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
    return url, {"Authorization": f"Bearer {token}"}


def azure(base: str, path: str, client_id: str) -> Located:
    """A blob, by the token of the machine's managed identity, or of the web app's."""
    query = urlencode({"resource": "https://storage.azure.com/", "client_id": client_id})
    if endpoint := os.environ.get("IDENTITY_ENDPOINT"):  # App Service
        url = f"{endpoint}?api-version=2019-08-01&{query}"
        with ask(url, {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}) as response:
            answer = read(response, endpoint).decode()
    else:
        answer = metadata(f"/metadata/identity/oauth2/token?api-version=2018-02-01&{query}", {"Metadata": "true"})
    headers = {"Authorization": f"Bearer {json.loads(answer)['access_token']}", "x-ms-version": "2023-11-03"}
    return (OBJECT_STORE or base) + path, headers


def unpack(archive: Path, directory: Path) -> None:
    """Unpack what sealing puts into a release: plain files below `directory`, and nothing else."""
    try:
        with zipfile.ZipFile(archive) as entries:
            for info in entries.infolist():
                extract(entries, info, directory)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Failed(f"the release can't be unpacked: {error}") from None


def extract(entries: zipfile.ZipFile, info: zipfile.ZipInfo, directory: Path) -> None:
    """Unpack one file."""
    name, mode = PurePosixPath(info.orig_filename), info.external_attr >> 16
    if name.is_absolute() or ".." in name.parts or set("\\\0") & set(info.orig_filename) or not stat.S_ISREG(mode):
        raise Failed(f"the release has an entry {info.orig_filename!r}, which must not be unpacked")
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with entries.open(info) as source, file.open("xb") as sink:
        shutil.copyfileobj(source, sink, CHUNK)
    file.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    dated = calendar.timegm((*info.date_time, 0, 0, 0))  # the same on every machine: Python tells bytecode by it
    os.utime(file, (dated, dated))


def prune(releases: Path) -> None:
    """Keep the current release and the one before it."""
    for old in sorted(releases.iterdir(), key=lambda release: release.stat().st_mtime_ns)[:-2]:
        say(f"removing release {old.name[:12]}")
        shutil.rmtree(old)


def variables(settings: Settings) -> dict[str, str]:
    """What run.sh of the release is told; the user's own variables win."""
    return {"PORT": str(settings["port"]), "BENTOSHIP_RELEASE": settings["release"], **settings["variables"]}


def become(release: Path, settings: Settings) -> None:
    """Become the release, for machines without systemd."""
    ours = {"BENTOSHIP_STATE_DIR": str(HOME / "state"), **variables(settings)}
    os.execve("/bin/sh", ["sh", str(release / "run.sh")], {**os.environ, **ours})  # noqa: S606


def serve(release: Path, settings: Settings) -> None:
    """Have systemd run the release, now and after each boot; what runs already as it should is left alone."""
    environment = "".join(f"{name}={quoted(value)}\n" for name, value in variables(settings).items())
    unit = UNIT.replace("@RELEASE@", str(release)).replace("@ENVIRONMENT@", str(HOME / "environment"))
    changed = write(HOME / "environment", environment, 0o600)
    changed = write(ROOT / "etc/systemd/system/bentoship.service", unit, 0o644) or changed
    systemctl("daemon-reload")
    systemctl("enable", "bentoship.service")
    systemctl("restart" if changed else "start", "bentoship.service")
    say("the service is " + ("restarted" if changed else "running"))


def systemctl(*words: str) -> None:
    """Tell systemd."""
    subprocess.run(["systemctl", *words], check=True)


def quoted(value: str) -> str:
    """A value as EnvironmentFile= of systemd.exec(5) reads it."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'


def write(file: Path, text: str, mode: int) -> bool:
    """Make `file` hold `text`; whether it didn't before."""
    if file.exists() and file.read_text() == text:
        return False
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as sink:  # noqa: PTH123
        sink.write(text)
    new.replace(file)
    return True


def wait(settings: Settings) -> None:
    """Return when the release is ready."""
    end = time.monotonic() + settings["ready_timeout"]
    while True:
        try:
            ask(f"http://127.0.0.1:{settings['port']}/readyz", {}).close()
            return say("ready")
        except NotYet as error:
            reason = error
        if time.monotonic() > end:
            subprocess.run(["journalctl", "--unit=bentoship", "--lines=50", "--no-pager"], check=False)
            raise Failed(f"not ready after {settings['ready_timeout']:.0f} s: {reason}; what it wrote stands above")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
