"""What IV2SLS refuses or warns of, by its message."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.models.iv.results import ConfidenceSet
from nqp_spatial.panel import instruments

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

N, T = 25, 7


@pytest.fixture
def data():
    rng = np.random.default_rng(8)
    index = pd.MultiIndex.from_product(
        [[f"c{i:02d}" for i in range(N)], range(2010, 2010 + T)], names=["city", "year"]
    )
    z = rng.normal(size=(N * T, 3))
    v = rng.normal(size=N * T)
    x = rng.normal(size=N * T)
    d = z @ [1.0, 0.7, 0.5] + 0.3 * x + v
    y = d + x + 0.7 * v + rng.normal(size=N * T)
    columns = ["y", "x", "d", "z1", "z2", "z3"]
    frame = pd.DataFrame(np.column_stack([y, x, d, z]), index, columns)
    return frame.assign(port=np.repeat(rng.normal(size=N), T), shock=np.tile(rng.normal(size=T), N))


def make(data, endog=("d",), z=("z1", "z2"), x=("x",), **options):
    exog = data[list(x)] if x else None
    return IV2SLS(data["y"], exog, data[list(endog)], data[list(z)], **options)


def test_fewer_instruments_than_endogenous_regressors(data):
    message = r"underidentified: 2 endogenous regressors \('d', 'x'\) and 1 excluded .*'z1'"
    with pytest.raises(EstimationError, match=message):
        make(data, endog=("d", "x"), z=("z1",), x=())
    with pytest.raises(OptionError, match=r"instruments= has no columns"):
        make(data, z=())
    with pytest.raises(OptionError, match=r"endog= has no columns.*or use FixedEffects"):
        make(data, endog=())


def test_a_column_with_two_roles(data):
    with pytest.raises(OptionError, match=r"'d' is in x and in endog\."):
        make(data, x=("x", "d"))
    with pytest.raises(OptionError, match=r"'x' is in x and in instruments\. .*itself"):
        make(data, z=("z1", "x"))
    with pytest.raises(OptionError, match=r"'z1' repeats in instruments"):
        make(data, z=("z1", "z1"))


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_an_instrument_that_is_constant_within_entities(data, effects):
    message = (
        r"instrument 'port' does not vary once the .*entity.* effects are removed\. .*"
        r"cross_section_trend\(values_by_entity, frame\.index\)"
    )
    with pytest.raises(ConstantColumnError, match=message):
        make(data, z=("z1", "port"), effects=effects)
    trend = instruments.cross_section_trend(data["port"].groupby(level=0).first(), data.index)
    frame = data.assign(**{str(trend.name): trend})
    res = make(frame, z=("z1", trend.name), effects=effects).fit()
    assert res.instruments == ("z1", "port_x_trend")
    message = "once the .*entity.* effects and entity trends are removed. What moves on a line"
    with pytest.raises(ConstantColumnError, match=message):
        make(frame, z=("z1", trend.name), effects=effects, trends="entity")


def test_an_instrument_that_is_the_same_for_all_in_a_period(data):
    with pytest.raises(ConstantColumnError, match=r"'shock' does not vary once the entity and"):
        make(data, z=("z1", "shock"))
    assert make(data, z=("z1", "shock"), effects="entity").fit().nobs == N * T


def test_collinear_instruments_are_named(data):
    data["z4"] = 2 * data["z1"] - data["x"] + data["port"]
    message = r"'z4' is a linear combination of 'x', 'z1' once the effects are removed"
    with pytest.raises(CollinearityError, match=message):
        make(data, z=("z1", "z4"))
    assert make(data, z=("z1", "z4"), effects=None).fit().nobs == N * T


def test_collinear_regressors_and_an_absorbed_one(data):
    data["x2"] = data["x"] + data["port"]
    with pytest.raises(CollinearityError, match="'x2' is a linear combination of 'x'"):
        make(data, x=("x", "x2"))
    with pytest.raises(ConstantColumnError, match="'port' does not vary"):
        make(data, x=("x", "port"))


def test_instruments_that_are_the_endogenous_regressor(data):
    data["z4"] = data["d"] - data["x"]
    message = r"fit the endogenous regressor 'd' exactly\. .*move it to x"
    with pytest.raises(EstimationError, match=message):
        make(data, z=("z1", "z4"))


def test_a_perfect_fit(data):
    data["y"] = 2 * data["d"] - data["x"] + data["port"]
    with pytest.raises(EstimationError, match=r"fit 'y' exactly"):
        make(data)


def test_missing_cells_and_the_rows_that_a_lag_costs(data):
    lag = instruments.lagged(data["d"])
    frame = data.assign(L1_d=lag.values)
    message = (
        r"instrument 'L1_d' is empty in 25 of 175 rows, first \('c00', 2010\), .*"
        r"frame\.dropna\(subset=\['L1_d'\]\)"
    )
    with pytest.raises(MissingValuesError, match=message):
        make(frame, z=("z1", "L1_d"))
    res = make(frame.dropna(subset=["L1_d"]), z=("z1", "L1_d")).fit()
    assert res.nobs == N * (T - 1) == N * T - len(lag.report.cells)
    data.loc[("c03", 2012), "d"] = np.nan
    with pytest.raises(MissingValuesError, match=r"'d' is empty in 1 .*\('c03', 2012\)"):
        make(data)


def test_rows_types_and_bare_arrays(data):
    with pytest.raises(IdMismatchError, match=r"y and instruments do not have the same"):
        IV2SLS(data["y"], data["x"], data["d"], data["z1"].drop(("c01", 2012)))
    with pytest.raises(IdMismatchError, match=r"y and x do not .*\('c01', 2012\)"):
        IV2SLS(data["y"], data["x"].drop(("c01", 2012)), data["d"], data["z1"])
    with pytest.raises(DuplicateKeysError, match=r"in instruments, first \('c00', 2010\)"):
        IV2SLS(data["y"], None, data["d"], pd.concat([data["z1"], data["z1"].iloc[:1]]))
    with pytest.raises(DataError, match="instruments is a ndarray"):
        IV2SLS(data["y"], None, data["d"], data["z1"].to_numpy())
    text = data["z1"].astype(str).where(data["z1"] < 9, "x")
    text.iloc[0] = "n/a"
    with pytest.raises(NotNumericError, match=r"'z1' holds text.*'n/a'"):
        IV2SLS(data["y"], None, data["d"], text)


def test_clusters(data):
    one = pd.Series("all", data.index, name="country")
    with pytest.raises(EstimationError, match="at least two clusters"):
        make(data).fit(clusters=one)
    with pytest.raises(OptionError, match=r"clusters= belongs to cov_type=\"clustered\""):
        make(data).fit(cov_type="robust", clusters="time")
    with pytest.raises(OptionError, match=r"estimator='2SLS' is not known.*'2sls'"):
        make(data).fit(estimator="2SLS")
    with pytest.raises(OptionError, match="two-step GMM is 2SLS"):
        make(data).fit(estimator="gmm", cov_type="unadjusted")


def test_fewer_clusters_than_moments(data):
    three = pd.Series(
        data.index.get_level_values(0).str[1:].astype(int) % 3, data.index, name="region"
    )
    wide = ("z1", "z2", "z3")
    with pytest.warns(DataWarning, match=r"not defined: .*3 instruments .*Cragg-Donald F is \d"):
        res = make(data, z=wide).fit(clusters=three)
    assert np.isnan(res.weak_instruments.kleibergen_paap_f)
    assert np.isnan(res.overidentification.statistic)
    with pytest.raises(EstimationError, match="clustered by region covariance of 3 instruments"):
        res.ar_confidence_set()
    with pytest.raises(EstimationError, match="cannot weight 4 moments by the clustered by region"):
        make(data, z=wide).fit(estimator="gmm", clusters=three)


def test_weak_instruments_warn_with_the_numbers(data):
    rng = np.random.default_rng(1)
    data["z9"] = rng.normal(size=len(data))
    message = (
        r"Weak instruments: the Kleibergen-Paap F is \d\.\d\d, below 10 \(Cragg-Donald F .*1 "
        r"instruments for 1 endogenous; .*10% size is 16\.38\)\. .*use ar_confidence_set\(\)"
    )
    with pytest.warns(DataWarning, match=message):
        res = make(data, z=("z9",)).fit()
    found = res.ar_confidence_set()
    assert found.shape in ("whole line", "half-lines")
    assert res.params["d"] in found  # the estimate has a statistic of zero if just identified


def test_tests_of_several_endogenous_regressors(data):
    res = make(data, endog=("d", "x"), z=("z1", "z2", "z3"), x=(), effects=None)
    with pytest.warns(DataWarning, match="use anderson_rubin"):
        res = res.fit()
    with pytest.raises(OptionError, match=r"2 \('d', 'x'\)\. Test points with anderson_rubin"):
        res.ar_confidence_set()
    with pytest.raises(OptionError, match=r"beta0 has 3 values; there are 2 .*\('d', 'x'\)"):
        res.anderson_rubin([1, 2, 3])
    with pytest.raises(OptionError, match=r"beta0 names 'd'; it needs 'd', 'x'"):
        res.anderson_rubin({"d": 1.0})
    by_name = res.anderson_rubin({"x": 0.5, "d": 1.0})
    assert_allclose(by_name.statistic, res.anderson_rubin([1.0, 0.5]).statistic)
    assert by_name.null == "d = 1, x = 0.5"
    assert np.isnan(res.weak_instruments.effective_f)
    assert "Effective F" not in res.weak_instruments.to_frame().index


def test_levels_and_formulas(data):
    res = make(data).fit()
    with pytest.raises(OptionError, match=r"level=95 is not between 0 and 1"):
        res.ar_confidence_set(95)
    with pytest.raises(OptionError, match="distribution='t' is not known"):
        res.anderson_rubin(0, distribution="t")
    for formula in ("y ~ x + d", "y ~ x + [d ~ z1] + [x ~ z2]", "y ~ x + [d, z1]"):
        with pytest.raises(OptionError, match=r"write endogenous regressors and their"):
            IV2SLS.from_formula(formula, data)
    with pytest.raises(OptionError, match="'z8', which is not a column.*'z1'|'z8'"):
        IV2SLS.from_formula("y ~ x + [d ~ z8]", data)
    same = IV2SLS.from_formula("y ~ x + [d ~ z1 + z2]", data).fit()
    assert_allclose(same.params, res.params, rtol=1e-12)
    alone = IV2SLS.from_formula("y ~ [d ~ z1]", data).fit()
    assert list(alone.params.index) == ["d"]


@pytest.mark.parametrize(
    ("intervals", "shape", "told"),
    [
        ((), "empty", "every value is rejected"),
        (((-np.inf, np.inf),), "whole line", "the instruments say nothing"),
        (((-np.inf, 0.0), (1.0, np.inf)), "half-lines", r"[-inf, 0] and [1, inf]"),
        (((0.0, 1.0), (2.0, 3.0)), "union", "[0, 1] and [2, 3]"),
        (((0.0, 1.0),), "interval", "95% Anderson-Rubin set of d: [0, 1]"),
    ],
)
def test_shapes_of_confidence_sets(intervals, shape, told):
    found = ConfidenceSet("d", 0.95, intervals)
    assert found.shape == shape
    assert told in str(found)
    assert len(found.to_frame()) == len(intervals)
    assert (0.5 in found) == (shape in ("whole line", "union", "interval"))
