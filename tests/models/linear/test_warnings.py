"""Warnings of panel regressions: few clusters in the words of the spatial models, at whose line."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

from nqp_spatial import SLX
from nqp_spatial.exceptions import DataWarning, EstimationError
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.linear.panel import FirstDifference, PooledOLS, RandomEffects
from nqp_spatial.models.quantile.model import PanelQuantile

N, T = 24, 6


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    cities = [f"c{i:02d}" for i in range(N)]
    index = pd.MultiIndex.from_product([cities, range(2001, 2001 + T)], names=["city", "year"])
    z, x, v, e = rng.normal(size=(4, N * T))
    d = z + v
    columns = {"y": d + x + v + e, "x": x, "d": d, "z": z}
    frame = pd.DataFrame(columns, index)
    return frame.assign(province=np.repeat([f"省{i % 7}" for i in range(N)], T))


@pytest.fixture(scope="module")
def graph(data):
    cities = list(data.index.levels[0])
    ring = {a: [b] for a, b in zip(cities, [*cities[1:], cities[0]], strict=True)}
    return Graph.from_dicts(ring)


MODELS = {
    "fixed": lambda f: FixedEffects(f["y"], f[["x", "d"]]),
    "pooled": lambda f: PooledOLS(f["y"], f[["x", "d"]]),
    "random": lambda f: RandomEffects(f["y"], f[["x", "d"]]),
    "differences": lambda f: FirstDifference(f["y"], f[["x", "d"]]),
    "instruments": lambda f: IV2SLS(f["y"], f[["x"]], f["d"], f["z"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_few_clusters_are_said_once_as_by_spatial_models(data, graph, name):
    model = MODELS[name](data)
    spatial = SLX(data["y"], data[["x", "d"]], graph)
    for clusters in ("time", ["entity", "time"], data["province"], data[["province"]]):
        by_entity = isinstance(clusters, pd.Series | pd.DataFrame)
        with pytest.warns(DataWarning, match="There are only") as expected:
            spatial.fit(cov_type="clustered", clusters=clusters)
        with pytest.warns(DataWarning, match="There are only") as caught:
            model.fit(clusters=clusters)
            line = inspect.currentframe().f_lineno - 1
        told = str(expected[0].message)
        if name == "differences" and not by_entity:
            told = told.replace("only 6", "only 5")  # the first period has no difference
        assert [str(w.message) for w in caught] == [told]
        assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


@pytest.mark.parametrize("name", MODELS)
def test_twenty_clusters_are_enough(data, name):
    """Warnings are errors here; 24 cities are no few, and other covariances have no clusters."""
    model = MODELS[name](data)
    assert model.fit().cov_type == "clustered by entity"
    for cov_type in ("robust", "driscoll-kraay", "kernel"):
        assert model.fit(cov_type=cov_type).cov_type == cov_type
    nineteen = MODELS[name](data[data.index.codes[0] < 20])
    assert nineteen.fit().cov_type == "clustered by entity"
    with pytest.warns(DataWarning, match="only 19 clusters by 'entity'"):
        MODELS[name](data[data.index.codes[0] < 19]).fit()


@pytest.mark.parametrize("name", MODELS)
def test_one_cluster_is_an_error_and_not_few(data, name):
    with pytest.raises(EstimationError, match="at least two clusters"):
        MODELS[name](data).fit(clusters=data["province"].replace(r"\d", "", regex=True))


def at_my_line(caught, line):
    return [(w.filename, w.lineno) for w in caught] == [(__file__, line)] * len(caught)


def test_every_warning_names_the_line_of_the_user(data):
    """Through a method of a class, a class method, a lambda of the user's own."""
    alone = data.drop(data.index[1:T])  # one row of the first city is left
    with pytest.warns(DataWarning, match="1 of 139 rows are alone") as caught:
        dropped = FixedEffects.from_formula("y ~ x", alone, singletons="drop")
        line = inspect.currentframe().f_lineno - 1
    assert at_my_line(caught, line)
    assert list(dropped.fit().singletons) == [("c00", 2001)]

    gap = data.drop(data.index[2])
    with pytest.warns(DataWarning, match="1 rows follow a gap") as caught:
        FirstDifference(gap["y"], gap[["x"]])
        line = inspect.currentframe().f_lineno - 1
    assert at_my_line(caught, line)

    centred = data["y"] - data["y"].groupby(level=0).transform("mean")
    with pytest.warns(DataWarning, match="variance of the entity effects is estimated as -") as c:
        model = RandomEffects(centred, data[["x"]])
        model.fit()
        line = inspect.currentframe().f_lineno - 1
    assert at_my_line(c, line)

    weak = data.assign(d=data["d"] - 0.95 * data["z"])
    with pytest.warns(DataWarning, match="Weak instruments: the Kleibergen-Paap F") as caught:
        IV2SLS.from_formula("y ~ x + [d ~ z]", weak).fit(cov_type="robust")
        line = inspect.currentframe().f_lineno - 1
    assert at_my_line(caught, line)

    spread = data["y"] * np.exp(2 * data["x"])
    with pytest.warns(DataWarning, match="The fitted scale is not positive") as caught:
        PanelQuantile(spread, data[["x"]]).fit((0.5,), cov_type="clustered")
        line = inspect.currentframe().f_lineno - 1
    assert at_my_line(caught, line)


def test_dropping_singletons_twice_lists_all(data):
    """A row that is alone only once another is gone is listed too."""
    index = data.index
    kept = index.get_level_values(1) < 2006
    lonely = (index.get_level_values(0) == "c05") & (index.get_level_values(1) == 2006)
    rows = (kept & (index.get_level_values(0) != "c05")) | lonely
    extra = (index.get_level_values(0) == "c05") & (index.get_level_values(1) == 2001)
    frame = data[rows | extra]  # 2006 has one row, of c05, which then has but that of 2001
    with pytest.warns(DataWarning, match="2 of 117 rows are alone"):
        found = FixedEffects(frame["y"], frame[["x"]], singletons="drop").fit()
    assert list(found.singletons) == [("c05", 2001), ("c05", 2006)]
    rest = frame.drop("c05", level=0)
    by_hand = FixedEffects(rest["y"], rest[["x"]]).fit()
    assert_allclose(found.std_errors, by_hand.std_errors, rtol=1e-12)
    assert not len(by_hand.singletons)
