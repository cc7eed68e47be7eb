"""What dynamic models say to bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.core.spatial import dynamic
from nqp_spatial.exceptions import (
    BoundaryWarning,
    CollinearityError,
    DataError,
    DataWarning,
    EstimationError,
    NotRowNormalisedError,
    OptionError,
    UnbalancedPanelError,
    UnstableModelError,
)
from nqp_spatial.models.spatial.dynamic import DynamicSpatialDurbin, DynamicSpatialLag
from tests import panels
from tests.models.spatial import dynamic_panels as dyn
from tests.reference import independent_dynamic as independent


def build(data, W, model=DynamicSpatialLag, columns=("x1", "x2"), **options):
    return model(data["y"], data[list(columns)], (W, range(len(W))), **options)


@pytest.fixture(scope="module")
def case():
    return dyn.panel()


def with_periods(data, labels):
    """The panel with other labels for its first periods, the rest left out."""
    old = data.index.get_level_values(1).unique()[: len(labels)]
    part = data[data.index.get_level_values(1).isin(old)]
    names = dict(zip(old, labels, strict=True))
    index = [(city, names[year]) for city, year in part.index]
    part.index = pd.MultiIndex.from_tuples(index, names=["city", "year"])
    return part


@pytest.mark.parametrize("effects", ["entity", "twoway", "time", None])
def test_two_periods(case, effects):
    data, W = case
    part = with_periods(data, [2005, 2006])
    with pytest.raises(EstimationError, match=r"2 periods \(2005, 2006\).* at least three"):
        build(part, W, effects=effects)


def test_one_period(case):
    data, W = case
    with pytest.raises(EstimationError, match="one period"):
        build(with_periods(data, [2005]), W)
    with pytest.raises(EstimationError, match=r"1 periods \(2005\)"):
        build(with_periods(data, [2005]), W, effects=None)


GAPS = [
    ([2003, 2004, 2005, 2007], r"2007 follows 2005, a step of 2 where others are 1"),
    (["2003", "2004", "2006"], r"'2006' follows '2004', a step of 2"),
    (pd.PeriodIndex(["2020Q1", "2020Q2", "2020Q4"], freq="Q"), r"2020Q4.* a step of 2"),
    (pd.DatetimeIndex(["2020-12-31", "2021-12-31", "2023-12-31"]), r"a step of 24 where .* 12"),
    (pd.DatetimeIndex(["2020-01-01", "2020-01-08", "2020-01-16"]), r"a step of 8 where .* 7"),
    (["12", "11", "9"], r"'11' follows '9', a step of 2 where others are 1"),
    (["wave a", "wave b", "wave c"], r"no order in time: 'wave a', 'wave b', 'wave c'"),
]


@pytest.mark.parametrize(("labels", "message"), GAPS, ids=lambda v: str(v)[:20])
def test_gaps_between_periods(case, labels, message):
    data, W = case
    with pytest.raises(DataError, match=message):
        build(with_periods(data, list(labels)), W)


EVEN = [
    [2005, 2007, 2009, 2011],
    [0.5, 1.0, 1.5],
    ["2003", "2004", "2005"],
    ["9", "10", "11"],
    pd.PeriodIndex(["2020Q4", "2021Q1", "2021Q2"], freq="Q"),
    pd.DatetimeIndex(["2019-12-31", "2020-12-31", "2021-12-31"]),
    pd.DatetimeIndex(["2020-01-31", "2020-02-29", "2020-03-31"]),
    pd.DatetimeIndex(["2020-01-01", "2020-01-08", "2020-01-15"]),
]


@pytest.mark.parametrize("labels", EVEN, ids=lambda v: str(v)[:20])
def test_equal_spacing_is_enough(case, labels):
    data, W = case
    plain = with_periods(data, list(range(len(labels))))
    known = build(plain, W, columns=["x1"]).fit()
    found = build(with_periods(data, list(labels)), W, columns=["x1"]).fit()
    assert_allclose(found.params, known.params, rtol=1e-12)


def test_labels_without_spacing(case):
    data, W = case
    waves = ["wave a", "wave b", "wave c"]
    part = with_periods(data, waves)
    cities, named = (part.index.get_level_values(level) for level in (0, 1))
    named = pd.CategoricalIndex(named, waves, ordered=True)
    with pytest.warns(DataWarning, match="'wave a', 'wave b', 'wave c' cannot be read"):
        build(part.set_axis(pd.MultiIndex.from_arrays([cities, named])), W)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effects": "random"}, "y of the period before is correlated with a random effect"),
        ({"effects": "two-way"}, "Did you mean 'twoway'"),
        ({"correction": "leeyu"}, "Did you mean 'lee-yu'"),
        ({"correction": "adjusted-score"}, "correction='adjusted-score' is not known"),
        ({"time_lag": "yes"}, "time_lag='yes' is not known"),
        ({"space_time_lag": 2}, "space_time_lag=2 is not known"),
        ({"time_lag": False, "space_time_lag": False}, "is not dynamic. Use SpatialLag"),
    ],
)
def test_options(case, options, message):
    with pytest.raises(OptionError, match=message):
        build(*case, **options)


def test_options_of_fit_and_of_results(case):
    model = build(*case, model=DynamicSpatialDurbin)
    for options, message in (
        ({"cov_type": "clusterd"}, "Did you mean 'clustered'"),
        ({"logdet": "eigen"}, "Did you mean 'eigenvalues'"),
        ({"bandwidth": 2}, 'belongs to cov_type="driscoll-kraay"'),
    ):
        with pytest.raises(OptionError, match=message):
            model.fit(**options)
    res = model.fit()
    for call, message in (
        (lambda: res.effects(horizon="longrun"), "horizon='longrun' is not known"),
        (lambda: res.entity_effects("x1", horizon="lng"), "Did you mean 'long'"),
        (lambda: res.effects_path(shock="once"), "shock='once' is not known"),
        (lambda: res.effects_path(-1), "horizons=-1 must be a whole number"),
        (lambda: res.effects_path(2.5), "horizons=2.5 must be a whole number"),
        (lambda: res.effects_path(level=95), "level=95"),
        (lambda: res.effects_path(variables=["x3"]), "variable='x3' is not known"),
        (lambda: res.counterfactual("x3", 0), "variable='x3' is not known"),
        (lambda: res.counterfactual("x1", 0, level=2), "level=2"),
    ):
        with pytest.raises(OptionError, match=message):
            call()


@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
@pytest.mark.parametrize("effects", ["time", "twoway"])
def test_weights_that_are_not_row_normalised(effects, correction):
    data, W = dyn.panel("general")
    with pytest.raises(NotRowNormalisedError, match="rows of W that sum to one; 15 do not"):
        build(data, W, effects=effects, correction=correction)
    assert build(data, W, effects=effects, correction="none").fit().nobs == 16 * 9
    assert build(data, W, effects="entity", correction=correction).fit().nobs == 16 * 9


def test_lags_of_y_among_the_regressors(case):
    data, W = case
    y, _ = dyn.arrays(data, dyn.N)
    later = data[data.index.get_level_values(1) > 2001].copy()
    later["before"] = y[:-1].T.ravel()
    later["around"] = (y[:-1] @ W.T).T.ravel()
    columns = ["x1", "before"]
    with pytest.raises(CollinearityError, match="The time lag of y is a .* of 'before'"):
        build(later, W, columns=columns)
    with pytest.raises(CollinearityError, match="The space-time lag of y is a .* of 'around'"):
        build(later, W, columns=["x1", "around"])
    with pytest.raises(CollinearityError, match="The space-time lag of y .* of 'W_before'"):
        build(later, W, model=DynamicSpatialDurbin, columns=columns, time_lag=False)
    alone = build(later, W, columns=columns, time_lag=False, correction="none").fit()
    shorter = build(later, W, columns=["x1"], correction="none").fit()
    assert_allclose(alone.params[["before", "eta"]], shorter.params[["tau", "eta"]], rtol=1e-8)


def test_equal_weights_under_period_effects(case):
    data, _ = case
    equal = (np.ones((dyn.N, dyn.N)) - np.eye(dyn.N)) / (dyn.N - 1)
    with pytest.raises(CollinearityError, match="is a multiple of y of the period before"):
        build(data, equal, effects="twoway")
    with pytest.raises(EstimationError, match="make Wy a multiple of y"):
        build(data, equal, effects="twoway", space_time_lag=False).fit()


def test_rho_at_its_bound(case, monkeypatch):
    """As when a dense W makes the likelihood rise to the end: made up, to be sure to be there."""
    plain = dynamic.quasi_maximum

    def at_the_edge(panel):
        found = plain(panel)
        return replace(found, rho=0.99999, at_bound=True, cov=np.full_like(found.cov, np.nan))

    monkeypatch.setattr(dynamic, "quasi_maximum", at_the_edge)
    with pytest.warns(BoundaryWarning, match=r"rho = 0\.99999 is at the edge") as caught:
        res = build(*case).fit(cov_type="robust")
    assert len(caught) == 1
    assert res.std_errors.isna().all() and np.isnan(res.stationarity()["pvalue"])
    for horizon in ("short", "long"):
        assert res.effects(horizon=horizon)["estimate"].isna().all()
    for call in (
        res.effects_path,
        lambda: res.entity_effects("x1", horizon="long"),
        lambda: res.counterfactual("x1", 0.0),
    ):
        with pytest.raises(UnstableModelError, match="estimated at the edge"):
            call()


def test_names_of_parameters_are_taken(case):
    data, W = case
    renamed = data.rename(columns={"x2": "tau"})
    with pytest.raises(OptionError, match="'tau' is the name of a parameter"):
        build(renamed, W, columns=["x1", "tau"])


def test_a_graph_for_each_period(case):
    data, W = case
    graphs = dict.fromkeys(range(2001, 2011), (W, range(dyn.N)))
    with pytest.raises(OptionError, match="have one W for all periods"):
        DynamicSpatialLag(data["y"], data[["x1"]], graphs)


def test_a_missing_pair_is_named(case):
    data, W = case
    with pytest.raises(UnbalancedPanelError, match=r"\(3, 2004\)"):
        build(data.drop((3, 2004)), W)


def test_no_degrees_of_freedom(case):
    data, W = case
    few = with_periods(data, [1, 2, 3])
    part = few[few.index.get_level_values(0) < 4]
    ring = panels.row(np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1))
    with pytest.raises(EstimationError, match="3 observations are left by the twoway effects"):
        build(part, ring, columns=["x1"], effects="twoway").fit()


def test_an_exact_fit():
    W = panels.contiguity(dyn.N, seed=2)
    rng = np.random.default_rng(2)
    X = rng.normal(size=(8, dyn.N, 2))
    y, inverse = np.zeros((8, dyn.N)), np.linalg.inv(np.eye(dyn.N) - 0.3 * W)
    y[0] = rng.normal(size=dyn.N)
    for t in range(1, 8):
        y[t] = inverse @ (0.5 * y[t - 1] + X[t, :, 0])
    with pytest.raises(EstimationError, match="fit the outcome exactly"):
        build(panels.frame(y, X), W, effects="entity").fit()


@pytest.fixture(scope="module")
def explosive():
    """tau = 1.04 and 25 years: entity effects do not hide the root."""
    W = panels.contiguity(dyn.N, seed=2)
    rng = np.random.default_rng(5)
    y, X = independent.simulate(W, 25, rng, tau=1.04, eta=0.0, rho=0.2, burn=1)
    return panels.frame(y, X), W


@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
def test_a_unit_root_before_correction(explosive, correction):
    model = build(*explosive, effects="entity", correction=correction)
    with pytest.raises(EstimationError, match=r"not stationary \(tau 1\.0\d+, .* does not exist"):
        model.fit()


def test_a_unit_root_without_correction(explosive):
    with pytest.warns(BoundaryWarning, match=r"not stationary: tau \+ rho \+ eta = 1\.0"):
        res = build(*explosive, effects="entity", correction="none").fit()
    with pytest.raises(UnstableModelError, match="largest root 1"):
        res.effects(horizon="long")
    assert np.isfinite(res.effects()["std_error"]).all()
    assert res.stationarity()["spectral_radius"] > 1


def test_few_periods_are_fitted(case):
    """Three periods are enough: the corrected values of the explicit matrices."""
    data, W = case
    part = with_periods(data, [1, 2, 3])
    res = build(part, W, effects="twoway").fit()
    y, X = dyn.arrays(part, dyn.N)
    known = independent.estimate(y, X[1:], W, "twoway", "lee-yu")
    assert_allclose([*res.params, res.sigma2], known["corrected"], rtol=1e-6, atol=1e-8)


def test_nothing_that_was_given_is_changed(case):
    data, W = case
    before, weights = data.copy(), W.copy()
    model = build(data, W)
    data_later = data.copy()
    first_fit = model.fit(cov_type="robust")
    pd.testing.assert_frame_equal(data, before)
    assert (weights == W).all() and data_later.equals(data)
    assert_allclose(model.fit(cov_type="robust").cov, first_fit.cov, rtol=0)
