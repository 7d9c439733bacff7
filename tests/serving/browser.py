"""A real browser without a window, in which pages are used as people use them: Debian's chromium and its driver."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60
PHONE = (320, 640)
"""Width and height in CSS pixels: WCAG 2.2, 1.4.10, "Reflow", asks for 320."""
DESK = (1280, 900)
_CLASSES = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """One window of a browser that reaches nothing but this machine."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str, size=DESK, *, dark: bool = False) -> None:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.get("about:blank")
        self.heard()
        self.driver.get(url)

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str):
        """What `script` returns once that is true."""
        return WebDriverWait(self.driver, PATIENCE, 0.05).until(lambda driver: driver.execute_script(script))

    def text(self, identity: str) -> str:
        return self.run("return document.getElementById(arguments[0]).textContent", identity)

    def value(self, identity: str) -> str:
        return self.run("return document.getElementById(arguments[0]).value", identity)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def select_all(self) -> None:
        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()

    def tab_to(self, identity: str) -> list[str]:
        """Press Tab until `identity` has the focus; what had it on the way."""
        seen = []
        while (focused := self.run("return document.activeElement.id")) != identity:
            assert len(seen) < 50, f"Tab doesn't lead to {identity}, but to {seen}"
            seen.append(focused)
            self.press(Keys.TAB)
        return seen

    def heard(self) -> list[str]:
        """The addresses that the browser has asked for since the last time, `data:` aside."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [each["params"]["request"]["url"] for each in entries if each["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "about:", "chrome:"))]

    def complaints(self) -> list[str]:
        """What the browser has written to its console: breaches of the page's policy, errors of its script."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def browser(profile) -> Iterator[Browser]:
    """A browser that keeps what it keeps in the folder `profile`; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, _CLASSES)), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("there is no browser here: install chromium and chromium-driver (Debian's packages)")
    options = ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",  # which needs rights that containers don't give
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-proxy-server",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    window = Chrome(options, ChromeService(driver))
    try:
        yield Browser(window)
    finally:
        window.quit()
