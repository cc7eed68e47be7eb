"""The maps as a reader meets them: in a browser that has no network."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from nqp_spatial.cities.layers import load_agglomerations, load_cities
from nqp_spatial.language.catalogue import word
from nqp_spatial.maps import footprints, spillovers
from nqp_spatial.maps.classes import classify

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def shown(value):
    """Four significant digits with a true minus, as the tooltip has them."""
    return f"{value:#.4g}".replace("-", "−")


def assert_clean(browser, path):
    assert browser.requests() == [path.as_uri()]
    assert browser.errors() == []
    assert browser.run("window.evil") is None
    assert browser.all("img[src=x]") == []


def test_every_polygon_is_drawn_in_the_colour_of_its_value(browser, lattice, result, tmp_path):
    path = tmp_path / "map.html"
    browser.open(spillovers(result, lattice, "did"), path)
    assert len(browser.all("path.nqp-place")) == len(lattice)
    effects = result.entity_effects("did").loc[lattice.index]
    seen = {}
    for key in ("direct", "sent", "received", "total"):
        browser.click(f".nqp-panel input[value={key}]")
        fills = seen[key] = browser.fills()
        values = effects[key].to_numpy()
        classes = classify(values)
        assert fills == [classes.colours[code] for code in classes.codes]
        rows = [e.text for e in browser.all(".nqp-legend .nqp-row span")]
        assert rows[: len(classes.labels)] == list(classes.labels[::-1])
        # darker means further from zero, whatever the classes are
        light = pd.Series([sum(to_rgb(fill)) for fill in fills])
        by_value = light.groupby(np.abs(values).round(12)).mean()
        assert (np.diff(by_value) < 1e-9).all()
    assert seen["direct"] != seen["sent"] != seen["received"]
    assert len(set(seen["total"])) == 1  # row-standardised W: (beta + theta) / (1 - rho) everywhere
    assert_clean(browser, path)


def test_the_tooltip_has_all_four_numbers(browser, lattice, result, tmp_path):
    path = tmp_path / "map.html"
    browser.open(spillovers(result, lattice, "did"), path)
    S = pd.DataFrame(result.S, index=result.entities, columns=result.entities)
    for i in (0, 14):
        browser.hover(browser.place(i))
        tip = browser.all(".nqp-tip")[-1]
        entity = lattice.index[i]
        assert tip.find_element("css selector", "b").text == lattice.name_en[entity]
        own = S.loc[entity, entity]
        total = S.loc[entity].sum()
        expected = [own, S[entity].sum() - own, total - own, total]
        cells = [e.text for e in tip.find_elements("css selector", "td:last-child")]
        assert cells == [f"{shown(v)} ({shown(abs(v) / 4)})" for v in expected]
    assert_clean(browser, path)


def test_treated_places_and_outlines(browser, lattice, result, tmp_path):
    path = tmp_path / "map.html"
    members = pd.DataFrame({"agglomeration": ["A"] * 3, "adcode": [135, 134, 129]})
    browser.open(spillovers(result, lattice, "did", agglomerations=members), path)
    widths = [float(browser.place(i).get_attribute("stroke-width")) for i in range(36)]
    thick = {lattice.index[i] for i in np.flatnonzero(np.array(widths) > 1)}
    assert thick == {101, 120}
    assert "Treated" in browser.all(".nqp-legend")[0].text
    assert len(browser.all("path.nqp-outline")) == 1
    browser.click("input.nqp-overlay")
    assert browser.all("path.nqp-outline") == []
    browser.click("input.nqp-overlay")
    assert len(browser.all("path.nqp-outline")) == 1
    assert browser.all(".nqp-notes")[0].text == "Simulated outcomes: not an estimate."
    assert_clean(browser, path)


def test_places_without_result_say_so(browser, lattice, make_result, tmp_path):
    path = tmp_path / "map.html"
    res = make_result(lattice.iloc[:30])
    browser.open(spillovers(res, lattice, "did", lang="zh"), path)
    assert set(browser.fills()[30:]) == {to_hex("#d5d5d5")}
    browser.hover(browser.place(32))
    assert "无结果" in browser.all(".nqp-tip")[-1].text
    assert "无结果" in browser.all(".nqp-legend")[0].text
    assert_clean(browser, path)


def test_a_notebook_frame_works_without_network(browser, lattice, result, tmp_path):
    path = tmp_path / "notebook.html"

    class Notebook:
        def save(self, file):
            html = spillovers(result, lattice, "did")._repr_html_()
            file.write_text(f"<!DOCTYPE html><meta charset=utf-8>{html}", encoding="utf-8")

    browser.open(Notebook(), path)
    browser.driver.switch_to.frame(0)
    assert len(browser.all("path.nqp-place")) == len(lattice)
    browser.driver.switch_to.default_content()
    assert [url for url in browser.requests() if url.startswith("http")] == []
    assert browser.errors() == []


@pytest.mark.parametrize("rho", [0.5, -0.4, 0.97])
def test_a_clicked_footprint_is_a_column_of_the_effect_matrix(
    browser, lattice, make_result, tmp_path, rho
):
    res = make_result(lattice, rho=rho)
    S = pd.DataFrame(res.S, index=res.entities, columns=res.entities)
    path = tmp_path / "footprint.html"
    browser.open(footprints(res, lattice, "did"), path)
    chosen = lattice.index[14]
    position = {entity: i for i, entity in enumerate(res.entities)}
    before = browser.fills()
    browser.place(position[chosen]).click()
    after = browser.fills()
    assert before != after
    assert after[position[chosen]] == "#ffd92f"
    for direction, expected in (("out", S[chosen]), ("in", S.loc[chosen])):
        browser.click(f".nqp-panel input[value={direction}]")
        for entity in lattice.index[[13, 20, 26]]:
            browser.hover(browser.place(position[entity]))
            tip = browser.all(".nqp-tip")[-1]
            assert tip.find_element("css selector", "b").text == lattice.name_en[entity]
            number = tip.find_element("css selector", ".nqp-value")
            value = float(number.get_attribute("data-value"))
            assert value == pytest.approx(expected[entity], rel=1e-10)
        for entity in lattice.index.drop(chosen):
            red, _, blue = to_rgb(browser.place(position[entity]).get_attribute("fill"))
            if abs(expected[entity]) > 2e-3 * expected.drop(chosen).abs().max():
                assert (red > blue) == (expected[entity] > 0)
    assert_clean(browser, path)


def test_the_map_of_the_bundled_cities_is_light(browser, make_result, tmp_path):
    cities = load_cities()
    outside = ["海南省", "青海省", "新疆维吾尔自治区", "西藏自治区"]
    chosen = cities.is_city & ~cities.is_municipality & ~cities.province_zh.isin(outside)
    part = cities[chosen]
    path = tmp_path / "china.html"
    page = spillovers(
        make_result(part, theta=0.05), part, "did", agglomerations=load_agglomerations(), lang="zh"
    )
    browser.open(page, path)
    assert len(browser.all("path.nqp-place")) == 277
    assert path.stat().st_size < 3e6
    assert cities.attrs["note"] == word("cities.base_map", "en")
    assert word("cities.base_map", "zh") in browser.all(".nqp-notes")[0].text
    assert_clean(browser, path)
