"""Likelihood ratios against spatialreg and the least-squares formula; what may not be compared."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial import weights
from nqp_spatial.diagnostics import likelihood_ratio
from nqp_spatial.exceptions import DataWarning, OptionError
from nqp_spatial.results import Results
from tests import panels

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture(scope="module")
def data():
    y, X = panels.arrays(panels.contiguity(12), 5)
    return panels.frame(y, X)


@pytest.fixture(scope="module")
def graph():
    return weights.as_graph(panels.contiguity(12), ids=range(12))


def fit(data, graph, x=("x1", "x2"), **options):
    return nqp.SpatialDurbin(data["y"], data[list(x)], graph, **options).fit()


def named(names, loglik, *, model="Model", n=20, seed=0, **fields):
    """A result with parameters of these names, as a model of the family would give it."""
    index = pd.MultiIndex.from_product([range(4), range(n // 4)])
    y = pd.Series(np.random.default_rng(seed).normal(size=n), index)
    params = pd.Series(0.1, index=list(names))
    cov = pd.DataFrame(np.eye(len(params)), params.index, params.index)
    return Results(
        **{
            "params": params, "cov": cov, "nobs": n, "resids": 0.4 * y, "fitted": 0.6 * y,
            "loglik": loglik, "rsquared": {}, "dependent": "y", "cov_type": "asymptotic",
            "model_name": model, **fields,
        }
    )  # fmt: skip


SAR, SEM = ["x1", "x2", "rho"], ["x1", "x2", "lambda"]
SDM, SLX = ["x1", "x2", "W_x1", "W_x2", "rho"], ["x1", "x2", "W_x1", "W_x2"]
SDEM, SAC = [*SLX, "lambda"], [*SAR, "lambda"]
GNS = [*SDM, "lambda"]


# numbers ---------------------------------------------------------------------------------------


def test_columbus_as_spatialreg():
    """Log-likelihoods of lagsarlm with and without lags: tests/reference/columbus_sdm.R."""
    table = panels.read("columbus_sdm.csv").query("quantity == 'loglik'").set_index("model")
    columbus, links = panels.columbus()
    graph = weights.normalise(Graph.from_dicts(links), "row")
    fits = {
        model: nqp.SpatialDurbin(
            columbus["CRIME"], columbus[["INC", "HOVAL"]], graph, durbin=durbin, effects=None
        ).fit()
        for model, durbin in {"none": [], "INC": ["INC"], "all": None}.items()
    }
    for small, large, df in (("none", "INC", 1), ("INC", "all", 1), ("none", "all", 2)):
        found = likelihood_ratio(fits[small], fits[large])
        expected = 2 * (table.loc[large, "value"] - table.loc[small, "value"])
        assert_allclose(found.statistic, expected, rtol=1e-6)
        assert found.df == df
        assert_allclose(found.pvalue, stats.chi2(df).sf(expected), rtol=1e-6)


def test_least_squares_have_the_ratio_of_their_sums_of_squares(data):
    """LR = n ln(SSR_restricted / SSR_full), here of dummy regressions by numpy."""
    D = np.column_stack(
        [np.kron(np.eye(12), np.ones((5, 1))), np.kron(np.ones((12, 1)), np.eye(5))]
    )
    ssr = []
    for names in (["x1"], ["x1", "x2"]):
        H = np.column_stack([data[names], D])
        ssr.append(np.sum((data["y"] - H @ np.linalg.lstsq(H, data["y"], rcond=None)[0]) ** 2))
    one, both = (nqp.FixedEffects(data["y"], data[names]).fit() for names in (["x1"], ["x1", "x2"]))
    found = likelihood_ratio(one, both)
    assert_allclose(found.statistic, 60 * np.log(ssr[0] / ssr[1]), rtol=1e-8)
    assert found.df == 1


def test_a_model_without_space_lies_in_every_spatial_one(data, graph):
    plain = nqp.FixedEffects(data["y"], data[["x1", "x2"]]).fit()
    durbin = fit(data, graph, correction="none")
    found = likelihood_ratio(plain, durbin)
    assert found.df == 3
    assert_allclose(found.statistic, 2 * (durbin.loglik - plain.loglik))
    assert found.statistic > 0 and plain.model_name in found.null


@pytest.mark.parametrize(
    ("small", "large", "df"),
    [(SAR, SDM, 2), (SLX, SDM, 1), (SEM, SDM, 2), (SEM, SDEM, 2), (SLX, SDEM, 1), (SAR, SAC, 1),
     (SEM, SAC, 1), (SDM, GNS, 1), (SDEM, GNS, 1), (SAC, GNS, 2), (["x1"], SAR, 2),
     (["const", *SEM], ["const", *SDM], 2)],
)  # fmt: skip
def test_which_models_contain_which(small, large, df):
    found = likelihood_ratio(named(small, -12.5), named(large, -10.0))
    assert (found.statistic, found.df) == (5.0, df)
    assert_allclose(found.pvalue, stats.chi2(df).sf(5.0))


@pytest.mark.parametrize(
    ("small", "large", "message"),
    [
        (SAC, SDM, "not contained .* 'lambda'"),
        (SDEM, SDM, "not contained .* 'lambda'"),
        (SEM, ["x1", "x2", "W_x1", "rho"], "'lambda'"),  # a common factor needs every lag
        (SEM, SLX, "'lambda'"),
        (SAR, SDEM, "'rho'"),
        (SDM, SAR, "'W_x1', 'W_x2' are parameters of the first only"),
        (["x1", "x3", "rho"], SDM, "'x3'"),
        (SAR, SAR, "no more parameters"),
        (["x1", "lambda"], ["x1", "W_x1", "rho"], None),
    ],
)
def test_which_do_not(small, large, message):
    """Other than the last: one lag for one regressor is a common factor (1 df)."""
    pair = named(small, -12.0), named(large, -10.0)
    if message is None:
        assert likelihood_ratio(*pair).df == 1
        return
    with pytest.raises(OptionError, match=message):
        likelihood_ratio(*pair)


def test_row_order_of_the_data_does_not_matter(data, graph):
    small = fit(data.sample(frac=1, random_state=0), graph, durbin=[])
    turned = weights.as_graph(panels.contiguity(12)[::-1, ::-1], ids=range(11, -1, -1))
    large = fit(data, turned)
    assert_allclose(
        likelihood_ratio(small, large).statistic, 2 * (large.loglik - small.loglik), rtol=1e-12
    )


# what may not be compared ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"durbin": [], "correction": "none"}, "corrections differ, 'none' and 'lee-yu'"),
        ({"durbin": [], "effects": "entity"}, r"fixed effects differ, \('entity',\) and"),
    ],
)
def test_other_options(data, graph, change, message):
    with pytest.raises(OptionError, match=message):
        likelihood_ratio(fit(data, graph, **change), fit(data, graph))


def test_least_squares_are_no_transformed_likelihood(data, graph):
    plain = nqp.FixedEffects(data["y"], data[["x1", "x2"]]).fit()
    with pytest.raises(OptionError, match="corrections differ"):
        likelihood_ratio(plain, fit(data, graph))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[f.index.get_level_values(1) < 2005], "observations differ, 48 and 60"),
        (lambda f: f.rename(index={2001: 1999}, level=1), r"rows, first \(0, 1999\)"),
        (lambda f: f.assign(y=f["y"].where(f["x1"] < f["x1"].max(), 0.0)), "'y' has other values"),
        (lambda f: f.assign(x1=f["x1"] ** 3), "'x1' has other values"),
    ],
)
def test_other_data(data, graph, change, message):
    with pytest.raises(OptionError, match=message):
        likelihood_ratio(fit(change(data), graph, durbin=[]), fit(data, graph))


def test_another_outcome(data, graph):
    log = nqp.SpatialDurbin((data["y"] * 2).rename("2y"), data[["x1"]], graph).fit()
    with pytest.raises(OptionError, match="dependent variables differ, '2y' and 'y'"):
        likelihood_ratio(log, fit(data, graph))


def test_other_weights(data, graph):
    other = weights.as_graph(panels.knn(12), ids=range(12))
    with pytest.raises(OptionError, match="different weights"):
        likelihood_ratio(fit(data, other, durbin=[]), fit(data, graph))


def test_where_periods_differ(data):
    """W of later periods, observation weights, and what gaps do to W are compared too."""
    W, ring = panels.contiguity(12), np.roll(np.eye(12), 1, axis=1)
    years = list(data.index.unique(1))
    same = {t: (W, range(12)) for t in years}
    later = {t: (W if t == years[0] else ring, range(12)) for t in years}
    rng = np.random.default_rng(0)
    v = pd.Series(rng.uniform(0.5, 2, len(data)), data.index)

    def pair(one, other, *, frame=data, **options):
        options = {"effects": "entity", "correction": "none", **options}
        y, x = frame["y"], frame[["x1", "x2"]]
        first = nqp.SpatialLag(y, x, one.pop("graph"), **one, **options).fit()
        return first, nqp.SpatialDurbin(y, x, other.pop("graph"), **other, **options).fit()

    with pytest.raises(OptionError, match="they have different weights"):
        likelihood_ratio(*pair({"graph": same}, {"graph": later}))
    weighted = {"graph": same, "observation_weights": v}
    for other in ({"graph": same}, {"graph": same, "observation_weights": 1 / v}):
        with pytest.raises(OptionError, match="their observation weights differ, or one has none"):
            likelihood_ratio(*pair(dict(weighted), dict(other)))
    few = data[rng.uniform(size=len(data)) > 0.1]
    ways = [{"graph": (W, range(12)), "unbalanced": u} for u in ("submatrix", "renormalised")]
    with pytest.raises(OptionError, match="they have different weights"):
        likelihood_ratio(*pair(*ways, frame=few))
    shuffled = {**weighted, "observation_weights": v.sample(frac=1, random_state=1)}
    found = pair(dict(weighted), shuffled)
    expected = 2 * (found[1].loglik - found[0].loglik)
    assert_allclose(likelihood_ratio(*found).statistic, expected, rtol=1e-12)


def test_a_spatial_error_is_no_common_factor_where_w_changes(data):
    """(I - lambda W_t) mu changes over time, which the entity effects of SDM cannot follow."""
    W, ring = panels.contiguity(12), np.roll(np.eye(12), 1, axis=1)
    years = list(data.index.unique(1))
    changing = {t: (W if t == years[0] else ring, range(12)) for t in years}
    y, x = data["y"], data[["x1", "x2"]]

    def pair(graph, effects):
        options = {"effects": effects, "correction": "none"}
        models = (nqp.SpatialError, nqp.SpatialDurbin)
        return [model(y, x, graph, **options).fit() for model in models]

    with pytest.raises(OptionError, match="not contained in Spatial Durbin model where W differs"):
        likelihood_ratio(*pair(changing, "entity"))
    for graph, effects in ((changing, None), ({t: (W, range(12)) for t in years}, "entity")):
        small, large = pair(graph, effects)
        expected = 2 * (large.loglik - small.loglik)
        assert expected > 0
        assert_allclose(likelihood_ratio(small, large).statistic, expected, rtol=1e-12)


def test_one_graph_and_the_same_graph_for_each_period_are_the_same(data, graph):
    options = {"effects": "entity", "correction": "none"}
    y, x = data["y"], data[["x1", "x2"]]
    full = fit(data, graph, **options)
    mapping = dict.fromkeys(data.index.unique(1), graph)
    ratios = [
        likelihood_ratio(nqp.SpatialLag(y, x, w, **options).fit(), full).statistic
        for w in (graph, mapping)
    ]
    assert_allclose(*ratios, rtol=1e-6)


def test_a_model_without_likelihood_and_what_is_no_result(data, graph):
    res = fit(data, graph)
    for loglik in (None, np.nan):
        bare = dataclasses.replace(res, loglik=loglik)
        with pytest.raises(OptionError, match=r"Durbin model \(full\) has no likelihood"):
            likelihood_ratio(fit(data, graph, durbin=[]), bare)
    model = nqp.SpatialDurbin(data["y"], data[["x1"]], graph)
    with pytest.raises(OptionError, match=r"restricted is a SpatialDurbin, .* model.fit\(\)"):
        likelihood_ratio(model, res)


def test_a_larger_model_with_a_lower_likelihood():
    """A fit that stopped short is said; the rounding of two equal maxima is not."""
    pair = named(SAR, -10.0, model="Lag"), named(SDM, -10.5, model="Durbin")
    with pytest.warns(DataWarning, match=r"Durbin has a lower .* \(-10.500000\) than Lag"):
        found = likelihood_ratio(*pair)
    assert (found.statistic, found.pvalue) == (-1.0, 1.0)
    found = likelihood_ratio(named(SAR, -10.0), named(SDM, -10.0 - 1e-9))
    assert (found.statistic, found.pvalue) == (0.0, 1.0)
