from __future__ import annotations

import pytest

from bentoship import environments
from bentoship.deployment import READY_TIMEOUT
from bentoship.errors import EngineMissing, InvalidConfiguration
from bentoship.operations.stacks import need_sdk
from fake_project import write_project


def problems(project, name="dev"):
    with pytest.raises(InvalidConfiguration) as failure:
        environments.load(project, name)
    return failure.value.problems


def faults(folder, text):
    """Every problem of one environment file, as `place: fault; remedy`."""
    return [str(problem) for problem in problems(write_project(folder, {"environments/dev.yaml": text}))]


def test_the_smallest_environment_has_a_careful_persons_defaults(tmp_path):
    project = write_project(tmp_path, {"environments/dev.yaml": "deployments:\n  local: {target: local}\n"})
    environment = environments.load(project, "dev")
    (deployment,) = environment.deployments
    assert (deployment.stack, deployment.target_name) == ("dev-local", "local")
    assert (deployment.target.port, deployment.target.host) == (3000, "127.0.0.1")
    assert (deployment.scale.cpu, deployment.scale.min_replicas, deployment.scale.max_replicas) == (1, 1, 1)
    assert (deployment.ready_timeout, deployment.variables) == (READY_TIMEOUT, {})
    assert environment.secrets_provider == "passphrase"


def test_five_mistakes_are_five_lines_each_with_path_fault_and_remedy(tmp_path):
    text = """\
scael: {cpu: 1}
ready_timeout: -1
deployments:
  eu: {target: locl}
  us: {target: local, scale: {cpus: 2}}
  ap: {target: local, prot: 3001}
"""
    found = faults(tmp_path, text)
    expected = {
        "environments/dev.yaml: scael": "unknown key; did you mean 'scale'?",
        "environments/dev.yaml: ready_timeout": "should be greater than 0, and is -1; it says: seconds until /readyz",
        "environments/dev.yaml: deployments.eu.target": "there is no target 'locl'; did you mean 'local'?",
        "environments/dev.yaml: deployments.us.scale.cpus": "unknown key; did you mean 'cpu'?",
        "environments/dev.yaml: deployments.ap.prot": "unknown key; did you mean 'port'?",
    }
    assert len(found) == 5
    for where, rest in expected.items():
        assert any(line.startswith(f"{where}: {rest}") for line in found), (where, found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: {local: {target: local, port: high}}", "deployments.local.port: should be a valid integer"),
        ("deployments: {local: {target: local, port: 0}}", "deployments.local.port: should be greater than or equal"),
        (
            "deployments: {local: {target: local, variables: {A: [1]}}}",
            "deployments.local.variables.A: should be a valid",
        ),
        ("deployments: {local: {target: local, scale: {cpu: 0}}}", "deployments.local.scale.cpu: should be greater"),
        ("deployments: {local: {target: local, scale: 2}}", "deployments.local.scale: is not a mapping"),
        (
            "deployments: {local: {target: local, scale: {min_replicas: 3}}}",
            "min_replicas (3) is more than max_replicas (1)",
        ),
        (
            "scale: {cpu: 0}\ndeployments: {local: {target: local}}",
            "environments/dev.yaml: scale.cpu: should be greater",
        ),
        ("scale: {cpus: 2}\ndeployments: {local: {target: local}}", "environments/dev.yaml: scale.cpus: unknown key"),
        ("scale: 2\ndeployments: {local: {target: local}}", "environments/dev.yaml: scale: "),
        ("variables: {A: [1]}\ndeployments: {local: {target: local}}", "environments/dev.yaml: variables.A: "),
        ("deployments: {local: {port: 3000}}", "deployments.local.target: is missing; there are: "),
        ("deployments: {local: {target: [local]}}", "deployments.local.target: "),
        ("deployments: {local: local}", "deployments.local: is not a mapping"),
        ("deployments: {}", "deployments: is empty; add one"),
        ("deployments: [local]", "deployments: "),
        ("deployments:", "deployments: "),
        ("deployments: {Local_1: {target: local}}", "deployments.Local_1: a deployment's name is lowercase letters"),
        ("deployments: {local-: {target: local}}", "deployments.local-: a deployment's name is lowercase letters"),
        ("deployments: {1: {target: local}}", "deployments.1: a deployment's name is lowercase letters"),
        ("secrets_provider: passphrase", "deployments: is missing; add it: where the service runs, by name"),
        ("- local", "is not a mapping"),
        ("", "is not a mapping"),
        ("deployments: {local: {target: local}", "is not YAML ("),
        ("? [a]\n: 1\ndeployments: {local: {target: local}}", "is not YAML (a key must be a single word"),
        ("1: 2\ndeployments: {local: {target: local}}", "environments/dev.yaml: 1: unknown key"),
        ("deployments: {local: {target: local, 1: 2}}", "deployments.local.1: unknown key"),
        ("scale: {1: 2}\ndeployments: {local: {target: local}}", "environments/dev.yaml: scale.1: unknown key"),
        ("deployments: &all {local: *all}", "is not YAML ("),
    ],
)
def test_one_mistake_is_told_once(tmp_path, text, said):
    found = faults(tmp_path, text)
    assert len(found) == 1
    assert said in found[0]


def test_a_fault_that_is_inherited_is_told_where_it_stands_and_once(tmp_path):
    text = "scale: {cpu: 0}\ndeployments: {eu: {target: local}, us: {target: local, port: 3001}}"
    (found,) = faults(tmp_path, text)
    assert found.startswith("environments/dev.yaml: scale.cpu: ")


@pytest.mark.parametrize(
    "text",
    [
        "deployments: {local: {target: local}}\ndeployments: {other: {target: local}}",
        "deployments: {local: {target: local, port: 1, port: 2}}",
        "deployments: {local: {target: local}, local: {target: local}}",
    ],
)
def test_a_key_that_stands_twice_is_a_mistake(tmp_path, text):
    (found,) = faults(tmp_path, text)
    assert "stands twice" in found
    assert "line " in found


def test_a_yaml_merge_key_still_works(tmp_path):
    text = "deployments:\n  eu: &base {target: local, port: 3001}\n  us: {<<: *base, port: 3002}\n"
    eu, us = environments.load(write_project(tmp_path, {"environments/dev.yaml": text}), "dev").deployments
    assert (eu.target.port, us.target.port) == (3001, 3002)


def test_a_merge_may_be_merged_again_and_used_twice(tmp_path):
    text = """\
deployments:
  a: &a {target: local, port: 3001}
  b: &b {<<: *a, port: 3002}
  c: {<<: *b, port: 3003}
  d: *b
"""
    found = environments.load(write_project(tmp_path, {"environments/dev.yaml": text}), "dev").deployments
    assert [each.target.port for each in found] == [3001, 3002, 3003, 3002]


def test_words_that_yaml_takes_for_truth_values_are_names(tmp_path):
    project = write_project(tmp_path, {"environments/dev.yaml": "deployments: {no: {target: local}}"})
    assert environments.deployment_of_stack(project, "dev-no").name == "no"


def test_a_file_that_is_not_text_is_told(tmp_path):
    project = write_project(tmp_path, {"environments/dev.yaml": ""})
    (project.environments / "dev.yaml").write_bytes(b"\xff\xfe\x00")
    (problem,) = problems(project)
    assert "is not YAML" in problem.fault


def test_an_unknown_environment_names_the_nearest_one(tmp_path):
    project = write_project(tmp_path, {"environments/dev.yaml": "", "environments/staging.yaml": ""})
    (problem,) = problems(project, "stagin")
    assert problem.fault == "there is no environment 'stagin'"
    assert problem.remedy == "did you mean 'staging'?"
    (problem,) = problems(project, "xyz")
    assert problem.remedy == "there are: dev, staging"


def test_without_any_environment_the_remedy_says_what_to_write(tmp_path):
    (problem,) = problems(write_project(tmp_path, {}))
    assert "write dev.yaml" in problem.remedy


@pytest.mark.parametrize("name", ["Dev", "dev-eu", "dev_1", "1st"])
def test_a_name_that_could_not_be_told_from_a_deployments_is_refused(tmp_path, name):
    project = write_project(tmp_path, {f"environments/{name}.yaml": "deployments: {local: {target: local}}"})
    (problem,) = problems(project, name)
    assert problem.where == f"environments/{name}.yaml"
    assert "lowercase letters and digits" in problem.fault


@pytest.mark.parametrize("name", ["../dev", "/etc/passwd", "", "."])
def test_a_name_is_no_way_out_of_the_folder(tmp_path, name):
    project = write_project(tmp_path, {"environments/x.yaml": "", "dev.yaml": "deployments: {local: {target: local}}"})
    (problem,) = problems(project, name)
    assert problem.fault


def test_a_deployment_overrides_what_it_says_and_inherits_the_rest(tmp_path):
    text = """\
scale: {cpu: 2, memory_gb: 4, max_replicas: 6}
variables: {LOG: info, REGION: none}
ready_timeout: 60
deployments:
  eu: {target: local, scale: {max_replicas: 3}, variables: {REGION: eu}, ready_timeout: 90}
  us: {target: local, port: 3001}
"""
    eu, us = environments.load(write_project(tmp_path, {"environments/dev.yaml": text}), "dev").deployments
    assert (eu.scale.cpu, eu.scale.memory_gb, eu.scale.max_replicas) == (2, 4, 3)
    assert (us.scale.cpu, us.scale.memory_gb, us.scale.max_replicas) == (2, 4, 6)
    assert (eu.variables, us.variables) == ({"LOG": "info", "REGION": "eu"}, {"LOG": "info", "REGION": "none"})
    assert (eu.ready_timeout, us.ready_timeout) == (90, 60)


def test_every_setting_says_who_said_it(tmp_path):
    text = """\
scale: {cpu: 2}
variables: {LOG: info}
deployments:
  eu: {target: local, scale: {max_replicas: 3}, variables: {REGION: eu}}
"""
    found = environments.settings(write_project(tmp_path, {"environments/dev.yaml": text}), "dev")
    said = {setting.path: (setting.value, setting.source) for setting in found}
    file = "environments/dev.yaml"
    assert said["eu.target"] == ("local", f"{file}: deployments.eu.target")
    assert said["eu.port"] == (3000, "default")
    assert said["eu.scale.cpu"] == (2, f"{file}: scale.cpu")
    assert said["eu.scale.max_replicas"] == (3, f"{file}: deployments.eu.scale.max_replicas")
    assert said["eu.scale.min_replicas"] == (1, "default")
    assert said["eu.variables.LOG"] == ("info", f"{file}: variables.LOG")
    assert said["eu.variables.REGION"] == ("eu", f"{file}: deployments.eu.variables.REGION")
    assert said["eu.ready_timeout"] == (READY_TIMEOUT, "default")


def test_a_field_of_a_target_is_never_said_by_a_key_of_the_environment(tmp_path):
    text = "secrets_provider: passphrase\ndeployments: {eu: {target: local}}\n"
    found = environments.settings(write_project(tmp_path, {"environments/dev.yaml": text}), "dev")
    assert {setting.source for setting in found if setting.path != "eu.target"} == {"default"}


def test_a_stack_leads_to_its_deployment(tmp_path):
    project = write_project(tmp_path, {"environments/dev.yaml": "deployments: {eu-west: {target: local, port: 3007}}"})
    assert environments.deployment_of_stack(project, "dev-eu-west").target.port == 3007
    with pytest.raises(InvalidConfiguration, match="has no deployment 'us'"):
        environments.deployment_of_stack(project, "dev-us")
    with pytest.raises(InvalidConfiguration, match="no environment 'prod'"):
        environments.deployment_of_stack(project, "prod-us")


def test_the_names_of_the_environments_are_those_of_the_files(tmp_path):
    project = write_project(
        tmp_path, {"environments/b.yaml": "", "environments/a.yaml": "", "environments/notes.txt": ""}
    )
    assert environments.names(project) == ["a", "b"]


def test_a_target_of_the_projects_own_is_found_by_its_name(tmp_path):
    own = """\
from bentoship.deployment import Target

class RackServer(Target):
    \"\"\"A server of ours.\"\"\"
    rack: int = 1

    def provision(self, workload):
        raise NotImplementedError
"""
    text = "deployments: {cellar: {target: on_site/rack_server, rack: 7}}"
    project = write_project(tmp_path, {"environments/dev.yaml": text, "infra/targets/on_site/rack_server.py": own})
    (deployment,) = environments.load(project, "dev").deployments
    assert deployment.target.rack == 7


def test_a_place_whose_package_of_pulumi_is_missing_is_told_with_what_to_install(tmp_path):
    own = "from bentoship.deployment import Target\n\nclass Rack(Target):\n    sdk = 'pulumi_of_nowhere'\n"
    own += "    def provision(self, workload):\n        raise NotImplementedError\n"
    text = "deployments: {here: {target: local}, cellar: {target: on_site/rack}}"
    project = write_project(tmp_path, {"environments/dev.yaml": text, "infra/targets/on_site/rack.py": own})
    here, cellar = environments.load(project, "dev").deployments
    need_sdk(here)
    with pytest.raises(EngineMissing, match=r"cellar: on_site/rack needs .* pulumi_of_nowhere"):
        need_sdk(cellar)


def test_what_is_about_the_end_is_inherited_and_no_part_of_the_configuration(tmp_path):
    text = (
        "protect: true\nttl: 8h\ndeployments:\n  eu: {target: local}\n  us: {target: local, protect: false, ttl: 90s}\n"
    )
    eu, us = environments.load(write_project(tmp_path, {"environments/dev.yaml": text}), "dev").deployments
    assert [(each.protect, each.ttl) for each in (eu, us)] == [(True, 28_800), (False, 90)]
    assert eu.configuration == us.configuration


def test_what_is_too_long_is_told_with_its_place_and_all_else(tmp_path):
    text = "soak: 4000d\ndeployments: {local: {target: local, ttl: 4000d, prot: 1, variables: {PORT: '1'}}}"
    found = "\n".join(faults(tmp_path, text))
    for sentence in (
        "dev.yaml: soak: '4000d' is longer than ten years",
        "deployments.local.ttl: '4000d' is longer than ten years",
        "deployments.local.prot: unknown key",
        "deployments.local.variables.PORT: PORT is set by the host; rename it",
    ):
        assert sentence in found, found


@pytest.mark.parametrize("value", ["!!bool maybe", "!!timestamp x", "!!int x"])
def test_a_value_that_is_none_of_its_kind_is_told(tmp_path, value):
    (found,) = faults(tmp_path, f"deployments: {{local: {{target: local, host: {value}}}}}")
    assert "is not YAML" in found


def test_a_configuration_of_another_version_is_told(tmp_path):
    project = write_project(tmp_path, {"environments/dev.yaml": "deployments: {local: {target: local}}"})
    (deployment,) = environments.load(project, "dev").deployments
    older = deployment.configuration.model_copy(update={"fields": {"port": 3000, "shelf": 1}})
    with pytest.raises(InvalidConfiguration, match="fields that local does not have so any more: shelf"):
        environments.restore(project, "dev-local", older)


def test_a_ttl_that_is_no_duration_is_told(tmp_path):
    (found,) = faults(tmp_path, "deployments: {local: {target: local, ttl: soon}}")
    assert "deployments.local.ttl: " in found
    assert "8h" in found
