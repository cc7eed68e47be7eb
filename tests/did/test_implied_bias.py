"""The bias of the ordinary difference-in-differences: closed forms, dense regressions, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import OptionError
from tests import panels

N, T, STEP = 20, 6, 1e-30
CITIES = [f"c{i:02d}" for i in range(N)]
FIRST = {"c01": 2003, "c02": 2003, "c09": 2005, "c10": 2005}
QUEEN, GENERAL = panels.contiguity(N, 3), panels.general(N, 4)


def graph(W):
    return nqp.weights.as_graph(W, ids=CITIES)


def data(W=QUEEN, periods=T, seed=6):
    frame = panels.frame(*panels.arrays(W, periods, seed=seed), entities=CITIES)
    city, year = (frame.index.get_level_values(level) for level in (0, 1))
    first = city.map(FIRST).to_numpy(dtype=float)
    frame["did"] = (year.to_numpy() >= first).astype(float)  # NaN, and no year reaches it
    frame["y"] += 0.7 * frame["did"]
    return frame


def did(f, W=QUEEN, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples as small as these
        return nqp.SpatialDiD(f["y"], f["did"], f[["x1", "x2"]], graph(W), **options).fit()


def received(f, W, params):
    """By cell, from inverses."""
    eye, p = np.eye(N), params
    S = np.linalg.solve(eye - p["rho"] * W, p["did"] * eye + p.get("W_did", 0) * W)
    np.fill_diagonal(S, 0)
    values = f["did"].unstack(0).to_numpy() @ S.T
    return pd.Series(values.T.ravel(), f.index)


def regression(f, y, effects):
    """The coefficient of did by least squares with dummies."""
    columns = [f["did"], f["x1"], f["x2"]]
    levels = {"twoway": (0, 1), "entity": (0,), "time": (1,)}.get(effects, ())
    labels = [f.index.get_level_values(level) for level in levels]
    dummies = [pd.get_dummies(own, dtype=float).to_numpy() for own in labels]
    X = np.column_stack([*columns, np.ones(len(f)), *dummies])
    return np.linalg.pinv(X)[0] @ y


@pytest.mark.parametrize("effects", ["twoway", "entity", "time", None])
def test_it_is_the_coefficient_of_what_is_received(effects):
    f = data()
    res = did(f, effects=effects)
    found = nqp.did.implied_bias(res)
    expected = regression(f, received(f, QUEEN, res.params), effects)
    assert_allclose(found.estimate, expected, rtol=1e-9)
    slopes = []
    for name in res.params.index:
        moved = {**res.params, name: res.params[name] + 1j * STEP}
        eye = np.eye(N)
        S = np.linalg.solve(eye - moved["rho"] * QUEEN, moved["did"] * eye + moved["W_did"] * QUEEN)
        S = S - np.diag(np.diag(S))
        slope = (f["did"].unstack(0).to_numpy() @ S.T).imag.T.ravel() / STEP
        slopes.append(regression(f, slope, effects))
    error = np.sqrt(np.array(slopes) @ res.cov.to_numpy() @ np.array(slopes))
    assert_allclose(found.std_error, error, rtol=1e-9)
    ordinary = nqp.FixedEffects(f["y"], f[["did", "x1", "x2"]], effects=effects).fit()
    table = found.to_frame()
    assert_allclose(table.loc["ordinary", "estimate"], ordinary.params["did"], rtol=1e-10)
    assert_allclose(table.loc["ordinary", "std_error"], ordinary.std_errors["did"], rtol=1e-10)
    assert_allclose(table.loc["implied", "estimate"], table["estimate"][["own", "bias"]].sum())


def test_in_the_two_by_two_it_is_the_difference_in_differences_of_what_is_received():
    f = data(periods=2)
    treated = f.index.get_level_values(0).isin(list(FIRST))
    after = f.index.get_level_values(1) == 2002
    f["did"] = (treated & after).astype(float)
    res = nqp.SpatialDiD(f["y"], f["did"], None, graph(QUEEN)).fit()
    got = res.policy_impact().cells["received"]
    by_hand = (got[treated & after].mean() - got[treated & ~after].mean()) - (
        got[~treated & after].mean() - got[~treated & ~after].mean()
    )
    assert_allclose(nqp.did.implied_bias(res).estimate, by_hand, rtol=1e-10)


def test_without_rho_and_theta_there_is_no_bias_and_own_is_the_coefficient():
    f = data()
    x = f[["did", "x1", "x2"]]
    sem = nqp.did.implied_bias(nqp.SpatialError(f["y"], x, graph(QUEEN)).fit())
    none = sem.to_frame()
    assert none.loc["bias", "estimate"] == 0 and none.loc["bias", "std_error"] == 0
    assert not sem.tests
    slx = nqp.SLX(f["y"], x, graph(QUEEN)).fit()
    got = nqp.did.implied_bias(slx, treatment="did").to_frame()
    assert_allclose(got.loc["own", "estimate"], slx.params["did"], rtol=1e-10)


def test_in_a_model_of_the_policies_lag_alone_implied_is_found():
    """Omitted-variable algebra: with least squares, own and bias add up to the coefficient."""
    f = data()
    slx = nqp.SLX(f["y"], f[["did", "x1", "x2"]], graph(QUEEN), durbin=["did"]).fit()
    table = nqp.did.implied_bias(slx).to_frame()
    assert_allclose(table.loc["implied", "estimate"], table.loc["ordinary", "estimate"], rtol=1e-9)


def test_weights_of_rows_and_gaps():
    f = data()
    rng = np.random.default_rng(0)
    precision = pd.Series(rng.uniform(0.5, 2, len(f)), f.index)
    adjusted = {"correction": "adjusted-score"}
    res = did(f, observation_weights=precision, **adjusted)
    found = nqp.did.implied_bias(res)
    root = np.sqrt(precision.to_numpy())[:, None]
    dummies = [pd.get_dummies(f.index.get_level_values(i), dtype=float).to_numpy() for i in (0, 1)]
    X = np.column_stack([f[["did", "x1", "x2"]], *dummies])
    weighted = np.linalg.pinv(root * X)[0] @ (root[:, 0] * received(f, QUEEN, res.params))
    assert_allclose(found.estimate, weighted, rtol=1e-8)
    fe = nqp.FixedEffects(f["y"], f[["did", "x1", "x2"]], weights=precision).fit()
    ordinary = found.to_frame().loc["ordinary"]
    assert_allclose(ordinary["estimate"], fe.params["did"], rtol=1e-8)
    assert_allclose(ordinary["std_error"], fe.std_errors["did"], rtol=1e-8)
    weights_of_fe = nqp.did.implied_bias(fe, treatment="did", graph=graph(QUEEN))
    assert_allclose(weights_of_fe.to_frame(), found.to_frame(), rtol=1e-6)
    gaps = f.drop([("c01", 2004), ("c05", 2001)])
    res = did(gaps, unbalanced="submatrix", **adjusted)
    got = res.policy_impact().cells["received"]
    same = nqp.FixedEffects(got.rename("r"), gaps[["did", "x1", "x2"]]).fit().params["did"]
    assert_allclose(nqp.did.implied_bias(res).estimate, same, rtol=1e-8)


def test_an_ordinary_result_with_a_graph():
    f = data()
    fe = nqp.FixedEffects(f["y"], f[["x1", "did", "x2"]]).fit()
    own = nqp.did.implied_bias(fe, treatment="did", graph=graph(QUEEN))
    spatial = nqp.did.implied_bias(did(f))
    assert_allclose(own.to_frame(), spatial.to_frame(), rtol=1e-6)
    other = nqp.FixedEffects(f["y"], f[["did", "x1", "x2"]], effects="twoway").fit()
    general = nqp.did.implied_bias(other, graph=graph(GENERAL))
    adjusted = nqp.did.implied_bias(did(f, GENERAL, correction="adjusted-score"))
    assert_allclose(general.to_frame(), adjusted.to_frame(), rtol=1e-6)


def test_units_and_order_of_rows_decide_nothing():
    f = data()
    found = nqp.did.implied_bias(did(f)).to_frame()
    other = f.assign(y=100 * f["y"]).sample(frac=1, random_state=1)
    columns = ["estimate", "std_error"]
    scaled = nqp.did.implied_bias(did(other)).to_frame()
    assert_allclose(scaled[columns], 100 * found[columns], rtol=1e-5)


def test_the_covariance_is_that_of_the_ordinary_regression():
    f = data()
    res = did(f)
    robust = nqp.did.implied_bias(res, cov_type="robust").to_frame()
    fe = nqp.FixedEffects(f["y"], f[["did", "x1", "x2"]]).fit(cov_type="robust")
    assert_allclose(robust.loc["ordinary", "std_error"], fe.std_errors["did"], rtol=1e-9)
    plain = nqp.did.implied_bias(res).to_frame()
    assert_allclose(robust.loc["bias"], plain.loc["bias"], rtol=1e-12)


def test_what_it_says():
    found = nqp.did.implied_bias(did(data()), level=0.9)
    share = 100 * found.facts["share"]
    assert f"{share:.1f}%" in found.notes[-1] and f"占{share:.1f}%" in found.notes[-1].zh
    test = found.tests["bias"]
    row = found.to_frame().loc["bias"]
    assert_allclose(test.statistic, (row["estimate"] / row["std_error"]) ** 2)
    assert_allclose(test.pvalue, row["pvalue"])
    assert_allclose(row["upper"] - row["lower"], 2 * 1.6448536 * row["std_error"], rtol=1e-6)
    assert found.plot(lang="zh").get_yticklabels()[1].get_text() == "偏误（所受溢出）"


def test_what_has_another_ordinary_counterpart_is_refused():
    f = data()
    x = f[["did", "x1", "x2"]]
    with pytest.raises(OptionError, match="carries effects into later periods"):
        nqp.did.implied_bias(nqp.DynamicSpatialDurbin(f["y"], x, graph(QUEEN)).fit())
    with pytest.raises(OptionError, match="this model random ones"):
        nqp.did.implied_bias(did(f, effects="random"))
    fe = nqp.FixedEffects(f["y"], x).fit()
    with pytest.raises(OptionError, match="Give graph= too"):
        nqp.did.implied_bias(fe)
    with pytest.raises(OptionError, match="treatment='dd' is not known"):
        nqp.did.implied_bias(fe, treatment="dd", graph=graph(QUEEN))
    trends = nqp.FixedEffects(f["y"], x, trends="entity").fit()
    with pytest.raises(OptionError, match="effects by entity trends"):
        nqp.did.implied_bias(trends, graph=graph(QUEEN))
    with pytest.raises(OptionError, match="res is a float"):
        nqp.did.implied_bias(1.0)
    z = (f["did"] + 0.3 * np.random.default_rng(1).normal(size=len(f))).rename("z")
    iv = nqp.SpatialIV(f["y"], f[["x1"]], graph(QUEEN), endog=f["did"], instruments=z).fit()
    with pytest.raises(OptionError, match="'did' is instrumented"):
        nqp.did.implied_bias(iv)
    exogenous = nqp.SpatialIV(f["y"], x, graph(QUEEN), durbin=["did"]).fit()
    assert np.isfinite(nqp.did.implied_bias(exogenous, treatment="did").estimate)
