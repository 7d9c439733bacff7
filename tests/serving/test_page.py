"""The page at `/`, used in a real browser by keyboard alone, at the width of a desk and of a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from browser import DESK, PHONE, Browser, browser
from launched import RELEASE, Served, packages, serving, with_service
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.xdist_group("page")  # which starts its releases once

SERVICE = '''
import bentoml
from pathlib import Path
from pydantic import BaseModel, Field


class Candidate(BaseModel):
    experience: float | None = Field(default=None, ge=0, description="years; unknown counts 0")
    score: int = Field(ge=0, le=10)
    name: str = ""
    is_here: bool = False
    tags: list[str] = []


class Offer(BaseModel):
    salary: float
    to: str


@bentoml.service(name="tiny")
class Tiny:
    @bentoml.api
    async def predict(self, candidate: Candidate, /) -> Offer:
        """What a candidate should be offered."""
        return Offer(salary=1000 * candidate.score + (candidate.experience or 0), to=candidate.name)

    @bentoml.api
    async def upper(self, text: str, /) -> str:
        return text.upper()

    @bentoml.api
    async def size(self, file: Path) -> int:
        return 0
'''
EXAMPLE = {"experience": 2.5, "score": 9, "name": 'Ann "O\'Hara" ü', "is_here": True, "tags": ["a", "b"]}
TOKEN = "people-know-this-token"
OPENS = "return !document.getElementById('request').hidden"
ANSWERED = "return document.getElementById('value') && document.getElementById('answer').textContent"


@pytest.fixture(scope="module")
def folder(unpacked, tmp_path_factory):
    made = with_service(unpacked, tmp_path_factory.mktemp("page") / "release", SERVICE)
    examples = [{"path": "/predict", "body": EXAMPLE}, {"path": "/predict", "body": {"score": 0}}]
    (made / "MANIFEST.json").write_text(json.dumps({"examples": examples}))
    return made


@pytest.fixture(scope="module")
def page(folder, unpacked, tmp_path_factory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("page-host") / "state"
    with serving(folder, state, BENTOSHIP_SITE_PACKAGES=packages(unpacked)) as served:
        yield served


@pytest.fixture(scope="module")
def window(tmp_path_factory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize(("size", "dark"), [(DESK, False), (PHONE, True)], ids=["desk", "phone"])
def test_a_golden_example_is_asked_by_keyboard_alone(window, page, size, dark) -> None:
    window.open(f"{page.url}/", size, dark=dark)
    window.until(OPENS)
    values = [window.value(f"field-{name}") for name in ("experience", "score", "name", "is_here")]
    assert values == ["2.5", "9", EXAMPLE["name"], "true"]
    assert json.loads(window.value("field-tags")) == ["a", "b"]
    window.tab_to("field-score")
    window.select_all()
    window.press("7")
    assert "field-name" in window.tab_to("ask")
    window.press(Keys.ENTER)
    answer = window.until(ANSWERED)
    assert f"Release {RELEASE[:12]} answered 200 after " in answer
    assert json.loads(window.text("value")) == {"salary": 7002.5, "to": EXAMPLE["name"]}
    assert window.run("return document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
    assert {httpx.URL(url).netloc for url in window.heard()} == {httpx.URL(page.url).netloc}
    assert window.complaints() == []


def test_the_request_is_shown_as_shell_and_python_that_ask_the_same(window, page, tmp_path) -> None:
    import subprocess
    import sys

    window.open(f"{page.url}/")
    window.until(OPENS)
    shown = subprocess.run(["bash", "-c", window.text("curl")], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == {"salary": 9002.5, "to": EXAMPLE["name"]}
    (tmp_path / "asks.py").write_text(window.text("python"))
    asked = subprocess.run([sys.executable, tmp_path / "asks.py"], capture_output=True, text=True, check=True)
    assert json.loads(asked.stdout) == {"salary": 9002.5, "to": EXAMPLE["name"]}


def test_what_is_wrong_is_told_at_its_field(window, page) -> None:
    window.open(f"{page.url}/")
    window.until(OPENS)
    window.tab_to("field-score")
    window.select_all()
    window.press("many", Keys.ENTER)
    window.until("return document.getElementById('field-score-wrong').textContent")
    assert "answered 400" in window.text("answer")
    assert window.run("return document.getElementById('field-score').getAttribute('aria-invalid')") == "true"
    window.tab_to("field-tags")
    window.select_all()
    window.press("[1")
    window.tab_to("ask")
    window.press(Keys.ENTER)
    window.until("return document.activeElement.id === 'field-tags'")
    assert window.text("field-tags-wrong").startswith("This is not JSON")


def test_another_endpoint_is_chosen_and_takes_text(window, page) -> None:
    window.open(f"{page.url}/")
    window.until(OPENS)
    window.tab_to("endpoint")
    window.press("/up")
    window.tab_to("field-")
    window.press("quiet")
    window.tab_to("ask")
    window.press(Keys.ENTER)
    assert window.until(ANSWERED).endswith("QUIET")
    assert window.text("others").endswith(": /size.")


def test_everything_has_a_name_and_the_focus_can_be_seen(window, page) -> None:
    window.open(f"{page.url}/")
    window.until(OPENS)
    nameless = """return [...document.querySelectorAll('input, select, textarea')]
        .filter((each) => each.checkVisibility() && !each.labels.length).map((each) => each.id)"""
    assert window.run(nameless) == []
    assert window.run("return document.getElementById('answer').getAttribute('aria-live')") == "polite"
    window.tab_to("field-score")
    assert window.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert window.run("return document.documentElement.lang") == "en"


def test_a_protected_service_asks_for_the_token_and_keeps_it_in_the_page_alone(
    window, folder, unpacked, tmp_path
) -> None:
    variables = {"BENTOSHIP_SITE_PACKAGES": packages(unpacked), "SERVING_TOKENS": TOKEN}
    with serving(folder, tmp_path / "state", **variables) as served:
        assert served.get("/", headers={"accept": "application/json"}).status_code == 401
        assert EXAMPLE["name"] not in served.get("/").text
        window.open(f"{served.url}/")
        window.until("return document.activeElement.id === 'token'")
        window.press("wrong-token", Keys.ENTER)
        window.until("return document.getElementById('entrance-said').textContent")
        window.select_all()
        window.press(TOKEN, Keys.ENTER)
        window.until(OPENS)
        window.tab_to("ask")
        window.press(Keys.ENTER)
        assert "answered 200" in window.until(ANSWERED)
        assert "$BENTOSHIP_TOKEN" in window.text("curl")
        kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        assert TOKEN not in window.run(kept) + window.text("same")


def test_nothing_from_elsewhere_may_run_in_it_and_nothing_is_written_into_it_but_hashes(page) -> None:
    answer = page.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'sha256-")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"https?:", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_programs_get_what_it_is_made_of(page) -> None:
    told = page.get("/", headers={"accept": "application/json"}).json()
    assert (told["service"], told["release"], told["asks_token"]) == ("tiny", RELEASE[:12], False)
    assert [(each["path"], each.get("example")) for each in told["endpoints"]] == [
        ("/predict", EXAMPLE),
        ("/upper", None),
    ]
    assert told["others"] == ["/size"]
