from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement

from bentoship.errors import LockError
from bentoship.release.bentofile import read
from bentoship.release.lock import SERVING, locked, wanted_requirements
from projects import ROOT, bentofile, tiny


def lock_of(folder, *, relock=False) -> tuple[str, list[str]]:
    """The text of the lock, and what was told while making it."""
    told, problems = [], []
    project = read(folder, problems)
    assert not problems
    return locked(project, relock=relock, tell=told.append).read_text(), told


def with_packages(*packages) -> dict[str, str]:
    return {"bentofile.yaml": bentofile(python={"packages": list(packages)})}


def test_what_serving_needs_is_added_unless_the_service_names_it() -> None:
    wanted = wanted_requirements([Requirement("Scikit_Learn == 1.9.1"), Requirement("uvloop==0.22.0")])
    assert "scikit-learn==1.9.1" in wanted
    assert "bentoml" in wanted
    assert any(one.startswith("uvicorn==") for one in wanted)
    assert [one for one in wanted if one.startswith("uvloop")] == ["uvloop==0.22.0"]
    assert any(requirement.name == "uvloop" for requirement in SERVING)


def test_a_lock_that_agrees_is_left_alone_however_the_requirements_are_spelt(tmp_path) -> None:
    project = tiny(tmp_path, with_packages("SciKit_Learn ==1.9.1", "BentoML== 1.4.39"))
    text, told = lock_of(project)
    assert text == (ROOT / "bentofile.lock").read_text()
    assert told == []


def test_a_changed_requirement_is_told_and_locked_and_the_rest_stays(tmp_path) -> None:
    project = tiny(tmp_path, with_packages("bentoml==1.4.39", "scikit-learn==1.9.1", "tomli-w==1.1.0"))
    before = (project / "bentofile.lock").read_text()
    text, told = lock_of(project)
    assert told == ["locking the packages again: tomli-w==1.1.0 is new"]
    assert "\ntomli-w==1.1.0 \\\n    --hash=sha256:" in text
    assert pinned(before).items() <= {**pinned(text), "tomli-w": pinned(before).get("tomli-w")}.items()
    assert lock_of(project) == (text, [])


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))


def test_a_requirement_that_is_gone_is_told(tmp_path) -> None:
    project = tiny(tmp_path, with_packages("bentoml==1.4.39"))
    text, told = lock_of(project)
    assert told == ["locking the packages again: scikit-learn==1.9.1 is not asked for any more"]
    assert "scikit-learn" not in pinned(text)


def test_the_lock_of_the_sample_serves_every_python_and_names_no_index() -> None:
    text = (ROOT / "bentofile.lock").read_text()
    assert "://" not in text
    assert "python_full_version" in text
    assert "# requirement: scikit-learn==1.9.1\n" in text
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:])


def test_relock_renews_a_lock_that_agrees(tmp_path) -> None:
    project = tiny(tmp_path, with_packages("bentoml==1.4.39"))
    fresh, _ = lock_of(project)
    older = re.sub(
        r"^certifi==.*?(?=^\w)", "certifi==2026.7.22 \\\n    --hash=sha256:00\n", fresh, flags=re.MULTILINE | re.DOTALL
    )
    (project / "bentofile.lock").write_text(older)
    assert lock_of(project)[0] == older
    text, told = lock_of(project, relock=True)
    assert told == ["locking the packages again, at the newest versions that fit"]
    # Which versions are the newest depends on the day.
    assert "certifi==2026.7.22 " in older
    assert re.search(r"^certifi==(?!2026\.7\.22 )\S+ \\$", text, re.MULTILINE)


def test_packages_that_do_not_go_together_are_told_in_uv_s_words(tmp_path) -> None:
    project = tiny(tmp_path, with_packages("bentoml==1.4.39", "tomli-w==1.1.0", "tomli-w>1.1.0"))
    before = (project / "bentofile.lock").read_text()
    with pytest.raises(LockError, match=r"bentofile.lock: No solution found .*tomli-w.*change the versions"):
        lock_of(project)
    assert (project / "bentofile.lock").read_text() == before


def test_no_network_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    project = tiny(tmp_path / "project", {"bentofile.lock": None})
    with pytest.raises(LockError, match="there seems to be no network"):
        lock_of(project)
    assert not (project / "bentofile.lock").exists()
