from __future__ import annotations

import dataclasses
import json
import zipfile

import pytest
from recorder import record

from bentoship.deployment import ReleaseRef, Scale
from bentoship.errors import InvalidConfiguration
from bentoship.release import limits
from bentoship.release.manifest import Manifest
from bentoship.targets.gcp._fitting import too_large
from bentoship.targets.gcp.app_engine import LONGEST_HOST, VERSION_LENGTH, AppEngine, service_name
from golden import GOOGLE, NEWEST, OLDER, Case

MB = 1 << 20


def workload(releases=(NEWEST, OLDER), **more):
    return dataclasses.replace(Case("gcp/app_engine").workload(releases), **more)


def declare(releases=(NEWEST, OLDER), scale=None, variables=None, **fields):
    more = {"scale": scale or Scale(), "variables": variables or {}}
    return record(AppEngine.model_validate({**GOOGLE, **fields}), workload(releases, **more))


def of(declared, kind):
    return [each for each in declared["resources"] if each["type"].rpartition(":")[2] == kind]


def one(declared, kind):
    (found,) = of(declared, kind)
    return found


def pointer(declared):
    return one(declared, "EngineSplitTraffic")["inputs"]["split"]["allocations"]


def versions(declared):
    return {each["inputs"]["versionId"] for each in of(declared, "StandardAppVersion")}


def test_the_traffic_moves_to_a_version_that_has_passed_the_gate_on_its_own_address():
    declared = declare()
    started, gate = one(declared, "AppEngineVersion"), one(declared, "Gate")
    (name,) = pointer(declared)
    assert started["inputs"]["version"] == name
    assert f"bentoship:gcp:AppEngineVersion::{started['name']}" in gate["options"]["depends_on"]
    split = one(declared, "EngineSplitTraffic")
    assert f"bentoship:index:Gate::{gate['name']}" in split["options"]["depends_on"]


def test_going_back_moves_the_pointer_to_a_version_that_is_still_there():
    forth, back = declare(), declare((OLDER, NEWEST))
    assert versions(forth) == versions(back)
    assert pointer(forth) != pointer(back)
    (target,) = pointer(back)
    assert target.startswith(f"r{OLDER.short}-")


@pytest.mark.parametrize(
    "change",
    [{"variables": {"MODE": "other"}}, {"instance_class": "F2"}, {"scale": Scale(max_replicas=3)}],
    ids=["variables", "class", "scale"],
)
def test_another_configuration_is_another_version_with_a_gate_of_its_own(change):
    before, after = declare(), declare(**change)
    assert not versions(before) & versions(after)
    for kind in ("AppEngineVersion", "Gate"):
        assert one(before, kind)["name"] != one(after, kind)["name"]
    assert one(before, "Gate")["inputs"]["revision"] != one(after, "Gate")["inputs"]["revision"]


def test_no_more_versions_are_kept_than_was_said():
    releases = tuple(ReleaseRef(id=digit * 64, bento="salary", python="3.12") for digit in "abcdef")
    for kept in (1, 2, 5):
        names = versions(declare(releases, kept_versions=kept))
        assert {name[:13] for name in names} == {f"r{release.short}" for release in releases[:kept]}


def test_an_old_version_costs_nothing_while_nobody_asks_it():
    scaling = of(declare(scale=Scale(min_replicas=2, max_replicas=4)), "StandardAppVersion")[0]["inputs"][
        "automaticScaling"
    ]
    assert scaling["minIdleInstances"] == 2
    assert scaling["standardSchedulerSettings"] == {"maxInstances": 4}


def test_the_class_has_the_memory_of_a_replica_unless_it_is_named():
    def kind(**more):
        return of(declare(**more), "StandardAppVersion")[0]["inputs"]["instanceClass"]

    assert kind() == "F4_1G"
    assert kind(scale=Scale(memory_gb=0.7)) == "F2"
    assert kind(instance_class="F1") == "F1"


def test_only_https_is_served_and_nothing_is_installed():
    version = of(declare(), "StandardAppVersion")[0]["inputs"]
    assert [handler["securityLevel"] for handler in version["handlers"]] == ["SECURE_ALWAYS"]
    assert version["entrypoint"] == {"shell": "sh ./run.sh"}
    assert version["inboundServices"] == ["INBOUND_SERVICE_WARMUP"]


def test_the_service_runs_as_an_account_of_its_own():
    declared = declare()
    account = one(declared, "Account")["name"]
    assert of(declared, "StandardAppVersion")[0]["inputs"]["serviceAccount"].startswith(account)
    roles = {each["inputs"]["role"] for each in of(declared, "IAMMember") + of(declared, "BucketIAMMember")}
    assert roles == {"roles/logging.logWriter", "roles/artifactregistry.writer", "roles/storage.objectViewer"}


def test_the_service_goes_before_its_versions_and_the_application_never():
    declared = declare()
    split = one(declared, "EngineSplitTraffic")
    owned = one(declared, "AppEngineService")
    assert f"gcp:appengine/engineSplitTraffic:EngineSplitTraffic::{split['name']}" in owned["options"]["depends_on"]
    assert of(declared, "Application") == []


def test_a_canary_is_a_part_of_the_requests():
    declared = Case("gcp/app_engine", GOOGLE, canary=25).declared()
    assert sorted(pointer(declared).values()) == ["0.25", "0.75"]
    assert one(declared, "EngineSplitTraffic")["inputs"]["split"]["shardBy"] == "RANDOM"


@pytest.mark.parametrize(
    ("gradual", "canary", "migrates"), [(False, None, False), (True, None, True), (True, 10, False)]
)
def test_traffic_migrates_bit_by_bit_when_asked_to_and_to_one_version_only(gradual, canary, migrates):
    declared = Case("gcp/app_engine", {**GOOGLE, "gradual": gradual}, canary=canary).declared()
    assert one(declared, "EngineSplitTraffic")["inputs"]["migrateTraffic"] is migrates


def test_flexible_runs_machines_for_what_has_traffic_alone():
    declared = declare(flavour="flexible", scale=Scale(cpu=2, memory_gb=4, min_replicas=2, max_replicas=6))
    version = one(declared, "FlexibleAppVersion")["inputs"]
    assert version["resources"] == {"cpu": 2, "memoryGb": 4, "diskGb": 16}
    assert version["flexibleRuntimeSettings"] == {"operatingSystem": "ubuntu22", "runtimeVersion": "3.12"}
    assert (version["livenessCheck"]["path"], version["readinessCheck"]["path"]) == ("/livez", "/readyz")
    assert one(declared, "EngineSplitTraffic")["inputs"]["migrateTraffic"] is False


@pytest.mark.parametrize("project", ["acme01", "acme-models", "a-project-id-of-thirty-letters"])
@pytest.mark.parametrize("name", ["salary-dev", "salary-production-europe"])
def test_the_address_of_a_version_is_no_longer_than_a_label_of_the_dns(project, name):
    service = service_name(name, project)
    assert VERSION_LENGTH + 2 * len("-dot-") + len(service) + len(project) <= LONGEST_HOST
    assert service == name or service != service_name(f"{name}x", project)


def test_a_variable_that_is_ours_is_refused():
    with pytest.raises(InvalidConfiguration, match=r"variables\.BENTOSHIP_RELEASE"):
        declare(variables={"BENTOSHIP_RELEASE": "mine"})


def sealed(folder, files, python="3.12"):
    """A release that says of itself that it has these files; it needs no more to be refused."""
    fits = limits.fits(files, sum(files.values()), python)
    digest = "f" * 64
    manifest = Manifest(
        format=1,
        bento="salary",
        service="service:Salary",
        bentoml="1.4.39",
        python=python,
        platform="x86_64-manylinux_2_28",
        lock=digest,
        examples=(),
        fits=fits,
        body=digest,
        files={},
    )
    release = ReleaseRef(id="c" * 64, bento="salary", python=python)
    with zipfile.ZipFile(folder / f"{release.id}.zip", "w") as archive:
        archive.writestr("MANIFEST.json", manifest.dump())
    return release, {release.id: folder / f"{release.id}.zip"}


TOO_MANY = {f"site-packages/p{number % 40}/m{number}.py": 10 for number in range(10_001)}
TOO_LARGE = {"site-packages/x/libx.so": 33 * MB}
ONE_FOLDER = {f"app/data/{number}.json": 10 for number in range(1_001)}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (TOO_MANY, "10,001 files, at most 10,000"),
        (TOO_LARGE, r"1 file over 32\.0 MB \(site-packages/x/libx\.so: 33\.0 MB\)"),
        (ONE_FOLDER, r"over 1,000 files in one folder \(app/data: 1,001\)"),
    ],
)
def test_a_release_that_breaks_a_limit_is_refused_before_anything_is_declared(tmp_path, files, sentence):
    release, archives = sealed(tmp_path, files)
    with pytest.raises(InvalidConfiguration, match=sentence) as failure:
        record(AppEngine.model_validate(GOOGLE), workload((release,), archives=archives))
    assert "flavour: flexible" in str(failure.value)


@pytest.mark.parametrize("files", [TOO_MANY, TOO_LARGE])
def test_flexible_takes_it(tmp_path, files):
    release, archives = sealed(tmp_path, files)
    flexible = AppEngine.model_validate({**GOOGLE, "flavour": "flexible"})
    assert one(record(flexible, workload((release,), archives=archives)), "FlexibleAppVersion")


@pytest.mark.parametrize("flavour", ["standard", "flexible"])
def test_a_python_that_is_not_offered_is_refused(flavour):
    release = ReleaseRef(id="c" * 64, bento="salary", python="3.8")
    with pytest.raises(InvalidConfiguration, match=r"Python 3\.8 is not offered"):
        declare((release,), flavour=flavour)


@pytest.mark.parametrize(("memory", "warns"), [(384, True), (768, False)])
def test_what_was_measured_to_need_more_than_an_instance_has_is_told_and_left_to_the_gate(tmp_path, memory, warns):
    release, archives = sealed(tmp_path, {"run.sh": 10})
    (tmp_path / f"{release.id}.json").write_text(json.dumps({"memory_mb": 500}))
    told = too_large(workload((release,), archives=archives), memory)
    assert ("had 500 MB when it was sealed, and an instance has 384 MB; raise `scale.memory_gb`" in told) is warns
    small = AppEngine.model_validate({**GOOGLE, "instance_class": "F1"})
    assert record(small, workload((release,), archives=archives))["resources"]
