from __future__ import annotations

import pytest

from bentoship import rehearsal
from bentoship.errors import InvalidConfiguration
from bentoship.project import Project
from bentoship.rehearsal import faults, home
from bentoship.rehearsal.faults import Fault
from bentoship.rehearsal.world import World

ROLE = ("iam.Role.create", "CreateRole", "iam:CreateRole")


@pytest.fixture
def world(tmp_path):
    return World.of("aws", tmp_path)


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("iam.Role.create = throttling", Fault("iam.Role.create", "throttling")),
        ("lb.LoadBalancer.create@half-way=quota", Fault("lb.LoadBalancer.create", "quota", "half-way")),
        ("CreateEnvironment = slow 1200", Fault("CreateEnvironment", "slow", seconds=1200)),
        ("iam.*.delete@after = dies * 2", Fault("iam.*.delete", "dies", "after", 2)),
        ("iam:CreateRole=permission*3", Fault("iam:CreateRole", "permission", times=3)),
    ],
)
def test_a_word_is_a_fault(word, fault):
    assert faults.parse([word]) == (fault,)


def test_every_word_that_is_none_is_told_at_once():
    with pytest.raises(InvalidConfiguration) as failure:
        faults.parse(["nonsense", "a.B.create@later = quota", "a.B.create = trottling", "a.B.create = quota"])
    assert [str(problem) for problem in failure.value.problems] == [
        "--fault: 'nonsense' names no fault; write it as <call>[@moment] = <kind> [seconds] [* times]",
        "--fault: 'a.B.create@later = quota': 'later' is unknown; there are: after",
        "--fault: 'a.B.create = trottling': 'trottling' is unknown; there are: throttling",
    ]


def test_a_file_is_a_list_of_words(tmp_path):
    file = tmp_path / "faults.yaml"
    file.write_text("- iam.Role.create = throttling\n- getAmi = permission\n")
    assert [fault.call for fault in faults.read(file)] == ["iam.Role.create", "getAmi"]


@pytest.mark.parametrize("text", ["iam.Role.create = quota", "- [1]", "- {a: b}", "a: [", None])
def test_a_file_that_is_no_list_of_words_is_refused_by_its_name(tmp_path, text):
    file = tmp_path / "faults.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidConfiguration, match=r"faults\.yaml"):
        faults.read(file)


def test_a_fault_fires_as_often_as_it_says_and_is_then_over(world):
    faults.arm(world, faults.parse(["iam.Role.create = quota * 2"]))
    fired = [faults.take(world, ROLE, "before") for _ in range(3)]
    assert [fault is not None for fault in fired] == [True, True, False]
    assert faults.left(world) == ()


def test_a_fault_that_has_fired_stays_so_for_another_process(world, tmp_path):
    faults.arm(world, faults.parse(["iam.Role.create = dies", "iam.Role.delete = quota"]))
    faults.take(world, ROLE, "before")
    assert [fault.call for fault in faults.left(World.of("aws", tmp_path))] == ["iam.Role.delete"]


@pytest.mark.parametrize("call", ["iam.Role.create", "iam.*.create", "CreateRole", "iam:CreateRole"])
def test_a_call_has_several_names(world, call):
    faults.arm(world, faults.parse([f"{call} = quota"]))
    assert faults.take(world, ROLE, "before")


@pytest.mark.parametrize(
    ("call", "moment"), [("iam.Role.delete", "before"), ("iam.Role.create", "after"), ("ec2.*.create", "before")]
)
def test_other_calls_and_other_moments_go_well(world, call, moment):
    faults.arm(world, faults.parse([f"{call}@{moment} = quota"]))
    assert faults.take(world, ROLE, "before") is None
    assert len(faults.left(world)) == 1


def test_nothing_goes_wrong_where_nothing_is_to(world):
    assert faults.take(world, ROLE, "before") is None


def test_faults_are_armed_in_every_world_by_words_and_by_a_file(tmp_path):
    project = Project(tmp_path, rehearses=True)
    (tmp_path / "bad-day.yaml").write_text("- getAmi = throttling\n- machine = hangs\n")
    rehearsal.arm(project, ["iam.Role.create = quota", str(tmp_path / "bad-day.yaml")])
    for world in home.worlds(project):
        assert [fault.call for fault in faults.left(world)] == ["iam.Role.create", "getAmi", "machine"]
    rehearsal.arm(project, ())
    assert all(faults.left(world) == () for world in home.worlds(project))
