"""The map of what a policy did where it was."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from folium import Map
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import IdMismatchError, OptionError

YEARS = [2019, 2020, 2021]


@pytest.fixture
def result(lattice):
    rng = np.random.default_rng(0)
    graph = nqp.weights.contiguity(lattice, kind="rook")
    index = pd.MultiIndex.from_product([lattice.index, YEARS], names=["adcode", "year"])
    city, year = (index.get_level_values(level) for level in (0, 1))
    on = (city.isin([120, 101]) & (year >= 2020)) | (city.isin([111]) & (year >= 2021))
    did = pd.Series(on.astype(float), index, name="did")
    y = pd.Series(rng.normal(size=len(index)), index, name="y") + did
    return nqp.SpatialDiD(y, did, None, nqp.weights.normalise(graph, "row")).fit()


def drawn(page):
    """The data of the page's script, and the values of its polygons."""
    html = page.get_root().render()
    data = json.loads(re.search(r"const D=(\{.*\}), map=", html)[1])
    found = [json.loads(m) for m in re.findall(r"_add\((\{.*\})\);", html)]
    shapes = next(c["features"] for c in found if "own" in c["features"][0]["properties"])
    return data, [shape["properties"] for shape in shapes]


@pytest.mark.parametrize("period", [2020, 2021])
def test_layers_are_the_cells_of_a_period(lattice, result, period):
    data, values = drawn(nqp.maps.policy(result, lattice, period=period))
    cells = result.policy_impact().cells.xs(period, level=1).loc[lattice.index]
    for name in ("own", "received", "total"):
        assert_allclose([v[name] for v in values], cells[name], rtol=1e-12)
        assert_allclose([v[f"{name}_std_error"] for v in values], cells[f"{name}_std_error"])
    assert [layer["key"] for layer in data["layers"]] == ["own", "received", "total"]
    treated = [120, 101] + ([111] if period == 2021 else [])
    assert sorted(data["treated"]) == sorted(lattice.index.get_loc(e) for e in treated)
    assert str(period) in data["title"]
    assert any("period effect" in note for note in data["notes"])


def test_the_last_period_is_the_default_and_an_impact_is_as_good_as_its_result(lattice, result):
    last = drawn(nqp.maps.policy(result, lattice))
    assert drawn(result.policy_impact().explore(lattice)) == last
    assert drawn(nqp.maps.policy(result, lattice, "did", period=2021)) == last
    chinese = drawn(nqp.maps.policy(result, lattice, lang="zh"))[0]
    assert chinese["layers"][0]["name"] == "自身效应" and "did的实际影响" in chinese["title"]


def test_before_the_policy_nothing_happens(lattice, result):
    page = nqp.maps.policy(result, lattice, period=2019)
    data, values = drawn(page)
    assert isinstance(page, Map) and data["treated"] == []
    assert all(v["total"] == 0 for v in values)


def test_mistakes(lattice, result):
    with pytest.raises(OptionError, match="period=2030 is not in the model, which has 2019"):
        nqp.maps.policy(result, lattice, period=2030)
    with pytest.raises(OptionError, match="Leave variable= out"):
        nqp.maps.policy(result.policy_impact(), lattice, "did")
    with pytest.raises(IdMismatchError, match="ids of the result"):
        nqp.maps.policy(result, lattice.drop(index=120))
