"""What tests share: reference values of other programs, and a browser without network."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import ROOT

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy: workers have one processor each

settings.register_profile("nqp", deadline=None)  # how busy the machine is is no property
settings.load_profile("nqp")
pytest.register_assert_rewrite("tests.assertions")

SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """No test sees the figures of another."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``../shared`` beside the checkout; tests that need it skip, loudly, without it."""
    if not SHARED.is_dir():
        pytest.skip(f"COMPARISONS NOT RUN: no {SHARED.name}/ with others' data here")
    for part in ("reference", "data", "cases"):
        assert (SHARED / part).is_dir(), f"{SHARED.name}/ is there but has no {part}/"
    return SHARED


def _missing(reason: str) -> None:
    if os.environ.get("NQP_REQUIRE_BROWSER") == "1":
        pytest.fail(f"NQP_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(f"BROWSER TESTS NOT RUN: {reason} (apt-get install chromium chromium-driver)")


class Browser:
    """Headless Chromium that can reach no host, with what the tests ask of a page."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, page, path):
        page.save(path)
        self.visit(path)

    def visit(self, path):
        self.driver.get_log("performance"), self.driver.get_log("browser")  # forget what was
        self.driver.get(path.as_uri())

    def run(self, script, *args):
        return self.driver.execute_script("return " + script, *args)

    def all(self, css):
        return self.driver.find_elements("css selector", css)

    def click(self, css):
        self.driver.find_element("css selector", css).click()

    def hover(self, element):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).move_to_element(element).perform()

    def place(self, i):
        return self.driver.find_element("css selector", f"path.nqp-place[data-i='{i}']")

    def fills(self):
        return [self.place(i).get_attribute("fill") for i in range(len(self.all(".nqp-place")))]

    def requests(self):
        """Every address the page asked for that is not the file itself or inside it."""
        events = [json.loads(x["message"])["message"] for x in self.driver.get_log("performance")]
        urls = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("data:", "blob:"))]

    def errors(self):
        return [x for x in self.driver.get_log("browser") if x["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    chromedriver = shutil.which("chromedriver")
    if not (chromium and chromedriver):
        _missing("chromium or chromedriver is not installed")
    try:
        from selenium import webdriver
    except ImportError:
        _missing("selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1150,850",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield Browser(driver)
    driver.quit()
