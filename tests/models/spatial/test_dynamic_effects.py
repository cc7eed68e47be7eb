"""Effects of dynamic models in the short and long run and over horizons, against dense matrices."""

from __future__ import annotations

import pickle

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from shapely.geometry import box

from nqp_spatial import maps, tables
from nqp_spatial.exceptions import DataWarning, OptionError, UnstableModelError
from nqp_spatial.models.spatial.dynamic import DynamicSpatialDurbin
from tests.by_hand import delta_errors
from tests.models.spatial import dynamic_panels as dyn
from tests.reference import independent_dynamic as independent

mpl.use("Agg")
KINDS = ["direct", "indirect", "total"]
WEIGHTS = ["contiguity", "general", "knn"]


@pytest.fixture(scope="module", params=WEIGHTS)
def case(request):
    return dyn.fitted("SDM", request.param, n_periods=20)


@pytest.fixture(scope="module")
def usual():
    return dyn.fitted("SDM", n_periods=20, effects="twoway")


def matrix(W, p, horizon):
    steps, long = independent.responses(W, *p, 0)
    return steps[0] if horizon == "short" else long


@pytest.mark.parametrize("horizon", ["short", "long"])
def test_averages(case, horizon):
    res, W = case
    frame = res.effects(horizon=horizon)
    assert frame.attrs["horizon"] == horizon
    for variable in ("x1", "x2"):
        point, cov = dyn.parameters(res, variable)

        def averages(p):
            return independent.averages(matrix(W, p, horizon))

        rows = frame.xs(variable, level="variable").loc[KINDS]
        assert_allclose(rows["estimate"], averages(point), rtol=1e-9)
        assert_allclose(rows["std_error"], delta_errors(averages, point, cov), rtol=1e-6)


@pytest.mark.parametrize("horizon", ["short", "long"])
def test_by_entity_group_and_order(case, horizon):
    res, W = case
    point, cov = dyn.parameters(res, "x1")
    S = matrix(W, point, horizon)
    own = np.diag(S)
    found = res.entity_effects("x1", horizon=horizon)
    assert_allclose(found["direct"], own, rtol=1e-9)
    assert_allclose(found["sent"], S.sum(axis=0) - own, rtol=1e-8, atol=1e-12)
    assert_allclose(found["received"], S.sum(axis=1) - own, rtol=1e-8, atol=1e-12)
    errors = delta_errors(lambda p: matrix(W, p, horizon)[:, 5], point, cov)
    column = res.footprint("x1", 5, horizon=horizon)
    assert_allclose(column["effect"], S[:, 5], rtol=1e-8, atol=1e-12)
    assert_allclose(column["std_error"], errors, rtol=1e-6, atol=1e-10)
    groups = pd.Series(["a"] * 6 + ["b"] * 10, index=range(dyn.N))
    between = res.group_effects("x1", groups, horizon=horizon)["effect"]
    assert_allclose(between["a", "b"], S[6:, :6].sum() / 10, rtol=1e-8)
    orders = res.effects_by_order(60, ["x1"], horizon=horizon)["estimate"]
    total = sum(orders["total", "x1", q] for q in range(61))
    assert_allclose(total + orders["total", "x1", "rest"], S.mean() * dyn.N, rtol=1e-8)
    both = res.combined_effects({"x1": 2.0, "x2": -1.0}, horizon=horizon)["estimate"]
    other = matrix(W, dyn.parameters(res, "x2")[0], horizon)
    assert_allclose(both.loc[KINDS], independent.averages(2 * S - other), rtol=1e-8)
    change = res.discrete_change("x1", 3.0, entities=[0, 1], horizon=horizon)["estimate"]
    moved = 3 * S[:, :2].sum(axis=1)
    expected = [moved[:2].mean(), moved[2:].mean(), moved.mean()]
    assert_allclose(change.loc[["changed", "others", "all"]], expected, rtol=1e-8)


@pytest.mark.parametrize("shock", ["one-time", "permanent"])
def test_paths(case, shock):
    res, W = case
    frame = res.effects_path(6, shock=shock)
    assert frame.index.names == ["effect", "variable", "horizon"] and len(frame) == 3 * 2 * 7
    for variable in ("x1", "x2"):
        point, cov = dyn.parameters(res, variable)

        def path(p):
            steps = independent.responses(W, *p, 6)[0]
            steps = steps.cumsum(axis=0) if shock == "permanent" else steps
            return np.array([independent.averages(S) for S in steps]).T

        expected, errors = path(point), delta_errors(path, point, cov)
        for row, kind in enumerate(KINDS):
            part = frame.loc[kind, variable]
            assert_allclose(part["estimate"], expected[row], rtol=1e-8, atol=1e-12)
            assert_allclose(part["std_error"], errors[row], rtol=1e-6, atol=1e-10)


def test_a_path_begins_with_the_short_run_and_ends_in_the_long_run(case):
    res, _ = case
    path = res.effects_path(400, shock="permanent")
    columns = ["estimate", "std_error", "pvalue", "lower", "upper"]
    for horizon, at in (("short", 0), ("long", 400)):
        ends = path.xs(at, level="horizon")[columns]
        known = res.effects(horizon=horizon)[columns]
        assert_allclose(ends, known.loc[ends.index], rtol=1e-6, atol=1e-9)


def test_closed_form_of_totals():
    """Row-normalised W: (beta + theta) / (1 - rho) times powers of (tau + eta) / (1 - rho)."""
    for kind in ("contiguity", "knn"):
        res, _ = dyn.fitted("SDM", kind, n_periods=20)
        (beta, theta, tau, eta, rho), _ = dyn.parameters(res, "x1")
        steps = (beta + theta) / (1 - rho) * ((tau + eta) / (1 - rho)) ** np.arange(9)
        path = res.effects_path(8, variables=["x1"])["estimate"]
        assert_allclose(path.loc["total", "x1"], steps, rtol=1e-9)
        long = res.effects(horizon="long").loc[("total", "x1"), "estimate"]
        assert_allclose(long, (beta + theta) / (1 - tau - rho - eta), rtol=1e-9)


def test_paths_with_a_factorisation_instead_of_eigenvalues():
    model, _ = dyn.model("SDM", n_periods=20)
    one, other = (model.fit(logdet=method).effects_path(5) for method in ("auto", "lu"))
    assert_allclose(other["estimate"], one["estimate"], rtol=1e-6)
    assert_allclose(other["std_error"], one["std_error"], rtol=2e-2)  # tr(G'G) is estimated


def test_simulated_short_run_effects(usual):
    """20,000 draws: half a per cent on a standard deviation."""
    res, _ = usual
    delta, drawn = res.effects(), res.effects(method="simulation", draws=20_000, seed=1)
    assert_allclose(drawn["std_error"], delta["std_error"], rtol=0.06)
    with pytest.raises(OptionError, match='method="simulation" is for horizon="short"'):
        res.effects(horizon="long", method="simulation")


def test_counterfactuals_go_through_time(usual):
    """Against the model solved forward twice, with and without x1, with the same errors."""
    res, W = usual
    data, _ = dyn.panel(n_periods=20)
    y, X = dyn.arrays(data, dyn.N)
    p1, p2 = (dyn.parameters(res, v)[0] for v in ("x1", "x2"))
    identity, (_, _, tau, eta, rho) = np.eye(dyn.N), p1
    inverse = np.linalg.inv(identity - rho * W)

    def signal(x, p):
        return x @ (p[0] * identity + p[1] * W).T

    static = y[1:] @ (identity - rho * W).T - y[:-1] @ (tau * identity + eta * W).T
    rest = static - signal(X[1:, :, 0], p1)  # x2, effects and errors, all kept
    solved = [y[0]]
    for t in range(20):
        before = (tau * identity + eta * W) @ solved[-1]
        solved.append(inverse @ (before + rest[t] + signal(np.full(dyn.N, 0.5), p1)))
    found = res.counterfactual("x1", 0.5)
    assert_allclose(found["counterfactual"], np.array(solved[1:]).T.ravel(), rtol=1e-8, atol=1e-9)
    assert_allclose(found["actual"], y[1:].T.ravel())
    assert_allclose(found["effect"], found["actual"] - found["counterfactual"], atol=1e-12)
    values = pd.Series(0.5, index=data.index, name="x1")
    for given in (values, values.loc[res.resids.index]):
        assert_allclose(res.counterfactual("x1", given), found, rtol=1e-12)
    both = res.counterfactual({"x1": 0.5, "x2": 0.0})
    alone = res.counterfactual("x2", 0.0)
    assert_allclose(both["effect"], found["effect"] + alone["effect"], rtol=1e-8, atol=1e-10)
    assert p2[0] != p1[0]


def test_intervals_of_counterfactuals(usual):
    res, W = usual
    data, _ = dyn.panel(n_periods=20)
    _, X = dyn.arrays(data, dyn.N)
    names = list(res.params.index)
    wanted = [names.index(n) for n in ("x1", "W_x1", "x2", "W_x2", "tau", "eta", "rho")]
    change = X[1:, :, 0] - 0.5, X[1:, :, 1]

    def effect(p):
        b1, t1, b2, t2, tau, eta, rho = p
        S = np.eye(dyn.N) - rho * W
        d, out = np.zeros(dyn.N), []
        for x1, x2 in zip(*change, strict=True):
            now = b1 * x1 + t1 * W @ x1 + b2 * x2 + t2 * W @ x2
            d = np.linalg.solve(S, tau * d + eta * W @ d + now)
            out.append(d)
        return np.array(out)

    cov = res.cov.to_numpy()[np.ix_(wanted, wanted)]
    errors = delta_errors(effect, res.params.to_numpy()[wanted], cov)
    found = res.counterfactual({"x1": 0.5, "x2": 0.0})
    assert_allclose(found["std_error"], errors.T.ravel(), rtol=1e-6)
    half = found["upper"] - found["counterfactual"]
    assert_allclose(half, 1.959964 * found["std_error"], rtol=1e-6)


def test_predictions_are_one_step_ahead(usual):
    res, W = usual
    y, _ = dyn.arrays(dyn.panel(n_periods=20)[0], dyn.N)
    found = res.predict()
    assert_allclose(found[["trend", "memory", "signal"]].sum(axis=1), found["fitted"], rtol=1e-9)
    assert_allclose(found["fitted"], res.fitted, rtol=1e-12)
    memory = res.tau * y[:-1] + res.eta * y[:-1] @ W.T
    assert_allclose(found["memory"], memory.T.ravel(), rtol=1e-10)
    e = res.resids.to_numpy().reshape(dyn.N, -1)
    forecast = y[1:].T - np.linalg.inv(np.eye(dyn.N) - res.rho * W) @ e
    assert_allclose(found["reduced_form"], forecast.ravel(), rtol=1e-8)


def test_stationarity(usual):
    res, W = usual
    names = ["tau", "rho", "eta"]
    found = res.stationarity()
    error = np.sqrt(np.ones(3) @ res.cov.loc[names, names].to_numpy() @ np.ones(3))
    assert_allclose(found["estimate"], res.params[names].sum(), rtol=1e-14)
    assert_allclose(found["std_error"], error, rtol=1e-12)
    wald = res.wald_test("tau + rho + eta = 1")
    assert_allclose(found[["statistic", "pvalue"]], [wald.statistic, wald.pvalue], rtol=1e-9)
    A = np.linalg.solve(np.eye(dyn.N) - res.rho * W, res.tau * np.eye(dyn.N) + res.eta * W)
    assert_allclose(found["spectral_radius"], np.abs(np.linalg.eigvals(A)).max(), rtol=1e-9)


def test_stationarity_has_the_distribution_of_the_coefficients():
    """F(1, N - 1) after errors clustered by entity, as tau itself has t(N - 1)."""
    with pytest.warns(DataWarning, match="only 16 clusters"):
        res = dyn.model(n_periods=20)[0].fit(cov_type="clustered")
    found = res.stationarity()
    names = ["tau", "rho", "eta"]
    error = np.sqrt(np.ones(3) @ res.cov.loc[names, names].to_numpy() @ np.ones(3))
    z = (res.params[names].sum() - 1) / error
    assert_allclose(found["statistic"], z**2, rtol=1e-9)
    assert_allclose(found["pvalue"], 2 * stats.t(dyn.N - 1).sf(abs(z)), rtol=1e-7)


def test_results_can_be_pickled(usual):
    res, _ = usual
    frames = [r.effects(horizon="long") for r in (res, pickle.loads(pickle.dumps(res)))]
    pd.testing.assert_frame_equal(*frames)


def test_tests_are_those_of_a_dynamic_model(usual):
    res, _ = usual
    assert set(res.tests) == {"static", "no_space_time_lag", "slx", "sar", "moran"}
    static = res.wald_test(["tau = 0", "eta = 0"])
    assert_allclose(res.tests["static"].statistic, static.statistic)
    assert res.tests["static"].df == 2
    assert_allclose(res.tests["sar"].statistic, res.wald_test(["W_x1 = 0", "W_x2 = 0"]).statistic)
    assert_allclose(res.tests["slx"].statistic, (res.rho / res.std_errors["rho"]) ** 2, rtol=1e-9)
    lag, _ = dyn.fitted("SAR", n_periods=20, space_time_lag=False)
    assert set(lag.tests) == {"static", "slx", "moran"} and lag.tests["static"].df == 1


def test_tables_plots_maps_and_summaries(usual):
    res, _ = usual
    text = tables.regression([res], columns=["dynamic"]).to_markdown()
    for value in (*res.params, res.loglik):
        assert f"{value:.4f}" in text
    effects = tables.effects([res], ["x1", "x2"]).to_markdown()
    for value in res.effects()["estimate"]:
        assert f"{value:.4f}" in effects
    for value in res.params:
        assert f"{value:.6g}" in res.summary()
    assert "Given 2001: estimates, residuals and fitted values are for 2002 to 2021" in str(res)
    drawn = {}
    for horizon in ("short", "long"):
        ax = res.plot(variable="x1", horizon=horizon)
        values = [line.get_xdata() for line in ax.get_lines()] + [
            c.get_offsets()[:, 0] for c in ax.collections if len(getattr(c, "get_offsets", list)())
        ]
        drawn[horizon] = np.concatenate([np.ravel(v) for v in values if len(v)])
        ax.figure.clear()
    assert not np.allclose(drawn["short"][:3], drawn["long"][:3])
    squares = [box(110 + i % 4, 30 + i // 4, 111 + i % 4, 31 + i // 4) for i in range(dyn.N)]
    polygons = gpd.GeoDataFrame(
        {"name_en": [f"c{i}" for i in range(dyn.N)]}, geometry=squares, crs=4326
    )
    page = maps.spillovers(res, polygons, "x1").get_root().render()
    for value in res.entity_effects("x1")["direct"]:
        assert repr(float(value))[:12] in page
    assert "Yu, J., de Jong, R. and Lee" in res.cite()


def test_an_estimate_that_is_not_stationary_has_paths_but_no_long_run():
    """tau + rho + eta is one or more, but not among deviations from period means."""
    data, W = dyn.panel(n_periods=30, tau=0.5, eta=0.2, rho=0.35, n=dyn.N)
    model = DynamicSpatialDurbin(data["y"], data[["x1", "x2"]], (W, range(dyn.N)))
    with pytest.warns(match=r"largest root .* 1\.\d+"):
        res = model.fit()
    assert res.spectral_radius >= 1
    for call in (
        lambda: res.effects(horizon="long"),
        lambda: res.entity_effects("x1", horizon="long"),
        lambda: res.footprint("x1", 0, horizon="long"),
        lambda: res.plot(horizon="long"),
    ):
        with pytest.raises(UnstableModelError, match="long-run effects are not defined"):
            call()
    path = res.effects_path(40, variables=["x1"])["estimate"].loc["total", "x1"]
    assert path.iloc[-1] > path.iloc[-2] > 0
    assert np.isfinite(res.effects()["std_error"]).all()
