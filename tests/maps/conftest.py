"""Squares with hostile names, a result with known effects, and a browser without network."""

from __future__ import annotations

import json
import os
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from shapely.geometry import box

SIDE = 6
EVIL = '城0</script><img src=x onerror="window.evil=1">'


class FakeResult:
    """Effects by a dense inverse, straight from the definition of S.

    Links have random weights, so that no two places are alike, and the entities stand in another
    order than the polygons.
    """

    def __init__(self, gdf, rho=0.5, beta=0.1, theta=-0.02, treated=(), notes=()):
        links = Graph.build_contiguity(gdf.sort_index(), rook=True).adjacency.astype(float)
        links *= np.random.default_rng(5).uniform(0.2, 1.8, size=len(links))
        self.graph = Graph(links, is_sorted=True).transform("r")
        W = self.graph.sparse.toarray()
        n = len(gdf)
        self.S = np.linalg.inv(np.eye(n) - rho * W) @ (beta * np.eye(n) + theta * W)
        self.entities = pd.Index(self.graph.unique_ids)
        self.params = pd.Series({"did": beta, "W_did": theta, "rho": rho})
        self.variables = ("did",)
        self.treated_entities = pd.Index(treated)
        self.notes = notes

    def entity_effects(self, variable):
        own = np.diag(self.S)
        frame = pd.DataFrame({"direct": own}, index=self.entities)
        frame["sent"] = self.S.sum(axis=0) - own
        frame["received"] = self.S.sum(axis=1) - own
        frame["total"] = self.S.sum(axis=1)
        return frame.assign(**{f"{name}_std_error": frame[name].abs() / 4 for name in frame})


@pytest.fixture
def lattice():
    """36 unit squares, ids 100.. in reverse order of position, the first with a hostile name."""
    cells = [box(i % SIDE, i // SIDE, i % SIDE + 1, i // SIDE + 1) for i in range(SIDE**2)]
    names = [EVIL, *(f"城{i}" for i in range(1, SIDE**2))]
    frame = gpd.GeoDataFrame(
        {"name_zh": names, "name_en": [f"City {i}" for i in range(SIDE**2)]},
        geometry=cells,
        crs="EPSG:4326",
        index=pd.Index(range(100 + SIDE**2 - 1, 99, -1), name="adcode"),
    )
    frame.loc[100 + SIDE**2 - 1, "name_en"] = EVIL
    return frame


@pytest.fixture
def result(lattice):
    return FakeResult(lattice, treated=[101, 120], notes=("Simulated outcomes: not an estimate.",))


@pytest.fixture
def make_result():
    return FakeResult


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
