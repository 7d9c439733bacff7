"""bentoship:gcp:* — steps of a deployment on Google Cloud that Pulumi's provider lacks, or doesn't see through.

AppEngineApplication  the one application of a project: made where there is none, used where there is one, never removed
AppEngineDefault      its service `default`, which must be there before any other, likewise
IamGrants             what a new service account may do, once all of Google Cloud knows of it
AppEngineVersion      a version that has really started; what stopped it is told in App Engine's own words
AppEngineService      the service, which goes with all its versions: App Engine deletes no version that has traffic
GroupRollout          a group's machines replaced by those of another template, for as long as it moves on

Why not Pulumi's: its application fails where one exists, and can't tell; its version is content once it is built; its
group of machines is awaited for 15 minutes, whatever is asked for (resource_compute_region_instance_group_manager.go).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ClassVar

import httpx

from ..deployment import Frozen
from ..errors import InvalidConfiguration, UpdateFailed
from ..patience import pace
from .aws import Patience
from .google import AlreadyThere, Google
from .kinds import Kind
from .progress import Tell
from .server import Properties

_LOCATIONS = {"us-central1": "us-central", "europe-west1": "europe-west"}
"""What App Engine calls two regions that are older than the names of regions ("App Engine locations")."""
_STUB = "bentoship"
OPERATION_SECONDS = 1800.0
_SHOWN = 5
_HARD_LIMIT = "memory limit"
"""What App Engine's log says of an instance that it ended: Exceeded hard memory limit of … MiB with … MiB."""


GRANTS_SECONDS = 120.0
"""How long it takes as a rule until a grant is known everywhere ("Access change propagation", IAM documentation). App
Engine looks at once, and the build of a version fails for ever: the account can't be asked whether it may already."""


class IamGrantsInputs(Frozen):
    """Whose grants."""

    account: str
    """Address of the service account."""


class IamGrants(Kind[IamGrantsInputs]):
    """What a service account has been given, and can be used by now."""

    inputs = IamGrantsInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"account"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: IamGrantsInputs) -> tuple[str, Properties]:
        """Wait until they are known; UpdateFailed when that is cancelled."""
        self._tell(f"service account {inputs.account}: its rights are known everywhere in {GRANTS_SECONDS:.0f} seconds")
        if self._cancelled.wait(pace(GRANTS_SECONDS)):
            raise UpdateFailed(f"service account {inputs.account}", "the update was cancelled")
        return f"{inputs.account}/grants", {}

    def cancel(self) -> None:
        """Stop waiting."""
        self._cancelled.set()


class AppEngineApplicationInputs(Frozen):
    """Which application."""

    project: str
    region: str


class AppEngineApplication(Kind[AppEngineApplicationInputs]):
    """The application of a project."""

    inputs = AppEngineApplicationInputs
    outputs = ("code_bucket", "default_hostname")
    replace_on: ClassVar[frozenset[str]] = frozenset({"project", "region"})

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def create(self, inputs: AppEngineApplicationInputs) -> tuple[str, Properties]:
        """Use what is there, or make it; UpdateFailed when it is in another region, which can never be changed."""
        where = f"App Engine of project {inputs.project}"
        google, location = Google("app_engine", where, self._cancelled), _LOCATIONS.get(inputs.region, inputs.region)
        found = google.get(f"apps/{inputs.project}")
        if found is None:
            waiting = Patience(OPERATION_SECONDS, self._cancelled)
            with suppress(AlreadyThere):  # of two deployments of a new project one makes it
                google.finish(google.post("apps", {"id": inputs.project, "locationId": location}), waiting)
            found = _once_there(google, f"apps/{inputs.project}", where, waiting)
        if (theirs := found.get("locationId", location)) != location:
            fault = f"is in {theirs}, for ever, and {inputs.region} is asked for"
            here = next((region for region, name in _LOCATIONS.items() if name == theirs), theirs)
            raise UpdateFailed(where, fault, f"write `region: {here}`, or use another project")
        return f"apps/{inputs.project}", _application(found)

    def read(self, inputs: AppEngineApplicationInputs, outputs: Properties) -> Properties | None:
        """What is known of it; None when there is none."""
        found = Google("app_engine", f"App Engine of project {inputs.project}", self._cancelled).get(
            f"apps/{inputs.project}"
        )
        return None if found is None else {**outputs, **_application(found)}

    def cancel(self) -> None:
        """Stop waiting."""
        self._cancelled.set()


def _once_there(google: Google, path: str, where: str, waiting: Patience) -> Mapping[str, Any]:
    """What is at `path`, as soon as whoever makes it has made it."""
    while (found := google.get(path)) is None:
        waiting.wait(where, "somebody else is making it")
    return found


class AppEngineDefaultInputs(Frozen):
    """What the service `default` is, where nobody has put anything there."""

    project: str
    application: str
    """Id of the application."""
    account: str
    """Address of the service account that it runs as."""
    files: dict[str, str]
    """Address in Cloud Storage by name."""


class AppEngineDefault(Kind[AppEngineDefaultInputs]):
    """The service `default`: whatever is there already, or a page that needs no instance."""

    inputs = AppEngineDefaultInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"project"})
    ignore: ClassVar[frozenset[str]] = frozenset({"application", "account", "files"})

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def create(self, inputs: AppEngineDefaultInputs) -> tuple[str, Properties]:
        """Leave what is there; where there is nothing, deploy the page."""
        where = f"service default of project {inputs.project}"
        google = Google("app_engine", where, self._cancelled)
        service = f"apps/{inputs.project}/services/default"
        if google.get(service) is None:
            version = {
                "id": _STUB,
                "runtime": "python312",
                "instanceClass": "F1",
                "serviceAccount": inputs.account,
                "entrypoint": {"shell": "python3 main.py"},
                "deployment": {"files": {name: {"sourceUrl": url} for name, url in inputs.files.items()}},
                "handlers": [
                    {"urlRegex": ".*", "staticFiles": {"path": "index.html", "uploadPathRegex": r"index\.html"}}
                ],
            }
            waiting = Patience(OPERATION_SECONDS, self._cancelled)
            try:
                google.finish(google.post(f"{service}/versions", version), waiting)
            except AlreadyThere:
                _once_there(google, service, where, waiting)
        return service, {}

    def read(self, inputs: AppEngineDefaultInputs, outputs: Properties) -> Properties | None:
        """None when somebody has removed it."""
        google = Google("app_engine", f"service default of project {inputs.project}", self._cancelled)
        return None if google.get(f"apps/{inputs.project}/services/default") is None else outputs

    def cancel(self) -> None:
        """Stop waiting."""
        self._cancelled.set()


class AppEngineVersionInputs(Frozen):
    """Which version."""

    project: str
    service: str
    version: str
    memory_mb: int
    """What its instances have; 0 where that is no fixed number."""
    timeout: float
    """Seconds until it must be ready."""

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"apps/{self.project}/services/{self.service}/versions/{self.version}"


class AppEngineVersion(Kind[AppEngineVersionInputs]):
    """A version that answers on its own address, before it has traffic."""

    inputs = AppEngineVersionInputs
    outputs = ("url",)
    replace_on: ClassVar[frozenset[str]] = frozenset({"project", "service", "version"})
    ignore: ClassVar[frozenset[str]] = frozenset({"timeout", "memory_mb"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: AppEngineVersionInputs) -> tuple[str, Properties]:
        """Ask it, which starts an instance; UpdateFailed, with its log, when it is never ready or is too large."""
        where = f"version {inputs.version} of service {inputs.service}"
        found = Google("app_engine", where, self._cancelled).get(inputs.path)
        if found is None:
            raise UpdateFailed(where, "is gone", "run `up` again, which sees that")
        patience, url = Patience(inputs.timeout, self._cancelled), str(found["versionUrl"])
        seen = ""
        while (answer := _asked(f"{url}/readyz")) != str(int(HTTPStatus.OK)):
            log = _log(inputs, where) if answer.startswith("5") else []
            if too_large := [line for line in log if _HARD_LIMIT in line]:
                raise UpdateFailed(where, f"App Engine ended it: {too_large[0]}", _larger(inputs))
            if answer != seen:
                self._tell(f"{inputs.version}: {answer}")
                seen = answer
            patience.wait(where, f"/readyz answers {answer}", lambda: _log(inputs, where))
        return inputs.path, {"url": url}

    def read(self, inputs: AppEngineVersionInputs, outputs: Properties) -> Properties | None:
        """None when there is no such version."""
        where = f"version {inputs.version} of service {inputs.service}"
        found = Google("app_engine", where, self._cancelled).get(inputs.path)
        return None if found is None else {**outputs, "url": str(found["versionUrl"])}

    def cancel(self) -> None:
        """Stop waiting; App Engine goes on by itself."""
        self._cancelled.set()


class AppEngineServiceInputs(Frozen):
    """Which service."""

    project: str
    service: str
    application: str
    """The application's own host name."""


class AppEngineService(Kind[AppEngineServiceInputs]):
    """A service that has a version with traffic."""

    inputs = AppEngineServiceInputs
    outputs = ("url",)
    replace_on: ClassVar[frozenset[str]] = frozenset({"project", "service"})

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def create(self, inputs: AppEngineServiceInputs) -> tuple[str, Properties]:
        """Take it over; UpdateFailed when it isn't there."""
        outputs = self.read(inputs, {})
        if outputs is None:
            raise UpdateFailed(f"service {inputs.service}", "is gone", "run `up` again, which sees that")
        return _service(inputs), outputs

    def read(self, inputs: AppEngineServiceInputs, outputs: Properties) -> Properties | None:
        """Its address; None when it is gone."""
        found = Google("app_engine", f"service {inputs.service}", self._cancelled).get(_service(inputs))
        if found is None:
            return None
        # A double says itself where it answers, since no name leads to this machine.
        return {**outputs, "url": found.get("url") or f"https://{inputs.service}-dot-{inputs.application}"}

    def delete(self, inputs: AppEngineServiceInputs) -> None:
        """Remove it with all its versions; `default` is never removed."""
        if inputs.service == "default":
            raise InvalidConfiguration("service", "`default` is not ours to remove")
        google = Google("app_engine", f"service {inputs.service}", self._cancelled)
        google.finish(google.delete(_service(inputs)), Patience(OPERATION_SECONDS, self._cancelled))

    def cancel(self) -> None:
        """Stop waiting."""
        self._cancelled.set()


class GroupRolloutInputs(Frozen):
    """What is expected of a group."""

    project: str
    region: str
    group: str
    """Name of the regional managed instance group."""
    template: str
    """Address of the instance template that its machines shall run."""
    size: int
    """How many machines it has at least."""
    patience: float
    """Seconds without any progress after which the rollout is stalled."""

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"projects/{self.project}/regions/{self.region}/instanceGroupManagers/{self.group}"


class GroupRollout(Kind[GroupRolloutInputs]):
    """The template that every machine of a group really runs, each of them well; the group itself moves there."""

    inputs = GroupRolloutInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"project", "region", "group"})
    ignore: ClassVar[frozenset[str]] = frozenset({"size", "patience"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: GroupRolloutInputs) -> tuple[str, Properties]:
        """Wait for as long as machines come; UpdateFailed, with the group's own errors, when none does any more."""
        where = f"instance group {inputs.group}"
        google, begun = Google("compute", where, self._cancelled), time.time()
        seen, most, patience = "", 0, Patience(inputs.patience, self._cancelled)
        while True:
            group = google.get(inputs.path)
            if group is None:
                raise UpdateFailed(where, "is gone", "run `up` again, which sees that")
            machines = google.post(f"{inputs.path}/listManagedInstances").get("managedInstances", [])
            if _is_done(group, machines, inputs):
                return f"{inputs.group}/rollout", {}
            done = sum(_is_new(machine, inputs) for machine in machines)
            if (progress := _progress(group, len(machines), done, inputs)) != seen:
                self._tell(f"{inputs.group}: {progress}")
                seen = progress
            if done > most:  # machines that come and die again are no progress
                most, patience = done, Patience(inputs.patience, self._cancelled)
            stalled = f"the rollout is stalled: {progress}"
            patience.wait(where, stalled, lambda machines=machines: _reasons(google, inputs, machines, begun))  # type: ignore[misc]

    def read(self, inputs: GroupRolloutInputs, outputs: Properties) -> Properties | None:
        """The template that the group would start its next machine from; None when there is no group."""
        group = Google("compute", f"instance group {inputs.group}", self._cancelled).get(inputs.path)
        if group is None:
            return None
        theirs = group.get("versions", [{}])[0].get("instanceTemplate", "")
        return {**outputs, "template": inputs.template if _same(theirs, inputs.template) else theirs}

    def cancel(self) -> None:
        """Stop waiting; the group goes on by itself."""
        self._cancelled.set()


def _application(found: Mapping[str, Any]) -> dict[str, str]:
    return {"code_bucket": found.get("codeBucket", ""), "default_hostname": found.get("defaultHostname", "")}


def _service(inputs: AppEngineServiceInputs) -> str:
    return f"apps/{inputs.project}/services/{inputs.service}"


def _asked(url: str) -> str:
    """The status with which `url` answers, or what went wrong."""
    try:
        return str(httpx.get(url, timeout=30, trust_env=False).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


def _log(inputs: AppEngineVersionInputs, where: str) -> list[str]:
    """The latest warnings and errors of a version, newest first; nothing for those who may not read them."""
    only = f'resource.labels.module_id="{inputs.service}" AND resource.labels.version_id="{inputs.version}"'
    query = {
        "resourceNames": [f"projects/{inputs.project}"],
        "filter": f'resource.type="gae_app" AND {only} AND severity>=WARNING',
        "orderBy": "timestamp desc",
        "pageSize": _SHOWN,
    }
    try:
        entries = Google("logging", where).post("entries:list", query).get("entries", [])
    except UpdateFailed:
        return []
    return [line for entry in entries for line in _lines(entry)]


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """What one entry says: text, JSON with a message, or the lines that came with a request."""
    if "textPayload" in entry:
        return [str(entry["textPayload"])]
    told = entry.get("protoPayload", {}).get("line") or [{"logMessage": entry.get("jsonPayload", {}).get("message")}]
    return [str(line["logMessage"]) for line in told if line.get("logMessage")]


def _larger(inputs: AppEngineVersionInputs) -> str:
    has = f"its instances have {inputs.memory_mb:,} MB; " if inputs.memory_mb else ""
    return f"{has}raise `scale.memory_gb`, or name a larger `instance_class`"


def _same(theirs: str, ours: str) -> bool:
    """Whether two addresses name one thing: they may differ in the host and the version of the API."""
    return theirs.partition("/projects/")[2] == ours.partition("/projects/")[2]


def _is_done(group: Mapping[str, Any], machines: Sequence[Mapping[str, Any]], inputs: GroupRolloutInputs) -> bool:
    status = group.get("status", {})
    versions = [version.get("instanceTemplate", "") for version in group.get("versions", [])]
    return (
        len(versions) == 1
        and _same(versions[0], inputs.template)
        and bool(status.get("isStable"))
        and bool(status.get("versionTarget", {}).get("isReached"))
        and len([machine for machine in machines if _is_new(machine, inputs)]) >= inputs.size
    )


def _is_new(machine: Mapping[str, Any], inputs: GroupRolloutInputs) -> bool:
    """Whether a machine runs the template, and nothing is being done to it: it has been well since it started."""
    template = machine.get("version", {}).get("instanceTemplate", "")
    return _same(template, inputs.template) and machine.get("currentAction", "NONE") == "NONE"


def _progress(group: Mapping[str, Any], machines: int, done: int, inputs: GroupRolloutInputs) -> str:
    asked = max(inputs.size, int(group.get("targetSize", 0)))
    return f"{done} of {asked} machines run the release, {machines - done} others are there"


def _reasons(
    google: Google, inputs: GroupRolloutInputs, machines: Sequence[Mapping[str, Any]], begun: float
) -> list[str]:
    """What the group says of its latest failed attempts, and of machines that are not well, once each."""
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begun))
    errors = (google.get(f"{inputs.path}/listErrors") or {}).get("items", [])
    told = [item.get("error", {}).get("message", "") for item in errors if item.get("timestamp", "9") >= since]
    for machine in machines:
        failed = machine.get("lastAttempt", {}).get("errors", {}).get("errors", [])
        told += [error.get("message", "") for error in failed]
        name = machine.get("instance", "").rpartition("/")[2]
        states = [health.get("detailedHealthState", "") for health in machine.get("instanceHealth", [])]
        told += [f"{name} is {state.lower()}" for state in states if state not in {"", "HEALTHY"}]
    return list(dict.fromkeys(filter(None, told)))[:_SHOWN]
