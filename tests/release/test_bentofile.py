from __future__ import annotations

import os

import pytest

from bentoship.release.bentofile import read
from projects import bentofile, tiny


def problems_of(folder) -> list[str]:
    problems = []
    read(folder, problems)
    return [str(problem) for problem in problems]


def files_of(folder) -> tuple[str, ...]:
    problems = []
    project = read(folder, problems)
    assert not problems
    return project.files


def test_includes_what_the_patterns_say_and_never_what_is_not_ours(tmp_path) -> None:
    extra = {
        "bentofile.yaml": bentofile(include=["*.py", "data/", "factor.txt"], exclude=["data/*.tmp", "test_*.py"]),
        "data/a.csv": "1",
        "data/deep/b.csv": "1",
        "data/c.tmp": "1",
        "data/deep/.bentoignore": "*.secret\n",
        "data/deep/d.secret": "1",
        "other.txt": "1",
        "test_it.py": "",
        ".venv/lib/x.py": "",
        ".bentoship/releases/y.py": "",
        "__pycache__/z.py": "",
    }
    expected = ("data/a.csv", "data/deep/.bentoignore", "data/deep/b.csv", "factor.txt", "service.py")
    assert files_of(tiny(tmp_path, extra)) == expected


def test_no_include_is_everything(tmp_path) -> None:
    files = files_of(tiny(tmp_path, {"bentofile.yaml": bentofile(include=None), "notes.md": "", ".git/HEAD": ""}))
    assert set(files) == {
        "bentofile.yaml", "factor.txt", "models/examples.jsonl", "notes.md", "service.py",
    }  # fmt: skip


def test_what_an_up_writes_and_what_an_editor_leaves_is_in_no_release(tmp_path) -> None:
    written = {"infra/Pulumi.dev-local.yaml": "", "environments/dev.yaml": "", "infra/__main__.py": ""}
    project = tiny(tmp_path, {"bentofile.yaml": bentofile(include=None), **written})
    (project / ".#service.py").symlink_to("somebody@somewhere.1234")
    os.mkfifo(project / "pipe.py")
    assert {name for name in files_of(project) if "/" in name} == {"infra/__main__.py", "models/examples.jsonl"}
    assert not {"pipe.py", ".#service.py"} & set(files_of(project))


def test_what_a_batch_writes_is_in_no_release_either(tmp_path) -> None:
    written = ("rows.answers.jsonl", "rows.answers.jsonl.unfinished", "rows.answers.jsonl.json")
    project = tiny(tmp_path, {"bentofile.yaml": bentofile(include=None), **dict.fromkeys(written, "")})
    assert not set(written) & set(files_of(project))


def test_the_file_of_the_description_comes_along(tmp_path) -> None:
    text = bentofile() + "description: file:docs/about.md\n"
    assert "docs/about.md" in files_of(tiny(tmp_path, {"bentofile.yaml": text, "docs/about.md": "Doubles."}))
    (tmp_path / "docs" / "about.md").unlink()
    (told,) = problems_of(tmp_path)
    assert told.startswith("bentofile.yaml: description: 'docs/about.md' is no file of this project")


def test_a_name_that_no_release_can_hold_is_told(tmp_path) -> None:
    project = tiny(tmp_path, {"bentofile.yaml": bentofile(include=None), "a\\b.txt": ""})
    (project / os.fsdecode(b"caf\xe9.csv")).write_text("")
    assert [line.partition(":")[0] for line in problems_of(project)] == ["a\\b.txt", "caf\\udce9.csv"]


def test_an_untrained_model_is_named_with_the_command_that_trains_it(tmp_path) -> None:
    changed = bentofile(include=["service.py", "factor.txt", "models/tiny.joblib"])
    project = tiny(tmp_path, {"bentofile.yaml": changed, "models/train.py": ""})
    (told,) = problems_of(project)
    assert told == (
        "bentofile.yaml: include: 'models/tiny.joblib' matches no file; train the model: `python models/train.py`"
    )
    (project / "models/train.py").unlink()
    (told,) = problems_of(project)
    assert "train.py" not in told


def test_a_missing_service_is_named(tmp_path) -> None:
    told = problems_of(tiny(tmp_path, {"service.py": None}))
    assert any(line.startswith("bentofile.yaml: service: 'service' is not in this project") for line in told)


def test_a_service_that_is_left_out_is_named(tmp_path) -> None:
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": bentofile(include=["factor.txt"])}))
    assert told == 'bentofile.yaml: include: leaves out service.py, which holds the service; add "service.py"'


def test_bad_yaml_is_told_with_its_line(tmp_path) -> None:
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": "service: x\ninclude: [\n"}))
    assert told.startswith("bentofile.yaml: is not valid YAML: line 3")


@pytest.mark.parametrize(
    "value",
    ["2024-13-45", "0x_", "2024-01-01T25:00:00Z", '!!int ""', "!!bool maybe", "!!timestamp x", "9" * 5000],
)
def test_a_value_that_is_none_is_told_with_its_line(tmp_path, value) -> None:
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": f"{bentofile()}labels:\n  released: {value}\n"}))
    assert told.startswith(f"bentofile.yaml: is not valid YAML: line {len(bentofile().splitlines()) + 2}: is no value")


@pytest.mark.parametrize("levels", [101, 20_000])
def test_what_is_nested_too_deeply_is_told_with_its_line(tmp_path, levels) -> None:
    text = f"service: service:Tiny\nlabels: {'[' * levels}{']' * levels}\n"
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": text}))
    assert told == "bentofile.yaml: is not valid YAML: line 2: is nested more than 100 levels deep"


@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_pattern_that_is_none_is_named(tmp_path, key) -> None:
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": bentofile(**{key: ["*.py", "!"]})}))
    assert told == f"bentofile.yaml: {key}.1: must be a pattern as in .gitignore, not '!'"


@pytest.mark.parametrize("content", [b"\xff\n", b"*.tmp\n!\n"])
def test_an_ignore_file_that_can_not_be_read_is_named(tmp_path, content) -> None:
    project = tiny(tmp_path)
    (project / ".bentoignore").write_bytes(content)
    (told,) = problems_of(project)
    assert told.startswith(".bentoignore: can't be read: ")


def test_a_list_is_no_bentofile(tmp_path) -> None:
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": "- a\n"}))
    assert told == "bentofile.yaml: must be a mapping of keys to values"


def test_a_wrong_type_names_its_key(tmp_path) -> None:
    (told,) = problems_of(tiny(tmp_path, {"bentofile.yaml": bentofile(include=7)}))
    assert told.startswith("bentofile.yaml: include: ")
    assert told.endswith("not 7")


def test_requirements_come_from_a_file_too_and_each_wrong_line_is_named(tmp_path) -> None:
    changed = bentofile(python={"requirements_txt": "requirements.txt"})
    requirements = "# what we need\nbentoml==1.4.39\n\nscikit learn\n-r other.txt\nnumpy # arrays\n"
    project = tiny(tmp_path, {"bentofile.yaml": changed, "requirements.txt": requirements})
    told = problems_of(project)
    assert [line.split(":")[1] for line in told] == ["4", "5"]
    assert "scikit-learn==1.9.1" in told[0]


def test_the_folder_itself_may_be_missing(tmp_path) -> None:
    (told,) = problems_of(tmp_path / "nowhere")
    assert "there is no such folder" in told


def test_a_misspelt_key_is_named_with_the_right_one(tmp_path):
    folder = tiny(tmp_path, {"bentofile.yaml": "service: service:Tiny\nincludes: [service.py]\n"})
    assert "bentofile.yaml: includes: unknown key; did you mean 'include'?" in problems_of(folder)
