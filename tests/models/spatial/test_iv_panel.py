"""SpatialIV on panels against linearmodels on data demeaned by dense dummies, and its own parts.

The differences are factors: with m of NT observations left by the effects, sigma2 and "asymptotic"
have NT / m, "robust" too; clusters of entities G / (G - 1) and, of m, what the time effects took.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv import IV2SLS, IVGMM
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataWarning
from nqp_spatial.models.spatial.iv import SpatialIV
from tests.models.spatial import iv_panels as panels

pytestmark = pytest.mark.filterwarnings("ignore:Weak instruments")  # 40 entities; arithmetic only

N, T = 40, 8
LEFT = {None: N * T, "entity": N * (T - 1), "time": (N - 1) * T, "twoway": (N - 1) * (T - 1)}


@pytest.fixture(scope="module")
def W():  # noqa: N802
    return panels.weights(N)


@pytest.fixture(scope="module")
def graph(W):
    return panels.graph_of(W)


@pytest.fixture(scope="module")
def data(W):
    return panels.frame(W, T, seed=1)


def did(data, graph, **options):
    options = {"durbin": None} | options
    return SpatialIV(
        data["y"], data[["x1"]], graph, endog=data["d"], instruments=data["z1"], **options
    )


def demeaned(data, W, effects, orders=(1, 2, 3)):
    """Columns x, Wx, d, Wd, Wy and the excluded instruments, demeaned by dense dummies."""
    x, d, z, y = (panels.array(data[name]) for name in ("x1", "d", "z1", "y"))
    power = {p: np.linalg.matrix_power(W, p) for p in (0, 1, 2, 3)}
    columns = {"y": y, "x": x, "Wx": x @ W.T, "d": d, "Wd": d @ W.T, "Wy": y @ W.T}
    columns |= {f"z{p}": z @ power[p].T for p in (0, *orders)}
    columns |= {f"x{p}": x @ power[p].T for p in orders if p > 1}
    out = pd.DataFrame({name: panels.within(c, effects) for name, c in columns.items()})
    if effects is None:
        out["const"] = 1.0
    return out


def linear(frame, effects, cls=IV2SLS, **options):
    exogenous = [*(["const"] if effects is None else []), "x", "Wx"]
    excluded = [c for c in frame if c[0] in "xz" and c not in ("x", "const")]
    return cls(frame["y"], frame[exogenous], frame[["d", "Wd", "Wy"]], frame[excluded], **options)


ORDER = ["x", "d", "Wx", "Wd", "Wy"]


def order(effects):
    return [*(["const"] if effects is None else []), *ORDER]


@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.parametrize("cov_type", ["asymptotic", "robust"])
def test_durbin_with_an_instrumented_policy(data, graph, W, effects, cov_type):
    kind = {"asymptotic": "unadjusted", "robust": "robust"}[cov_type]
    known = linear(demeaned(data, W, effects), effects).fit(cov_type=kind)
    res = did(data, graph, effects=effects).fit(cov_type=cov_type)
    assert_allclose(res.params, known.params[order(effects)], rtol=1e-9)
    factor = N * T / LEFT[effects]
    cov = known.cov.loc[order(effects), order(effects)]
    assert_allclose(res.cov, factor * cov, rtol=1e-8, atol=1e-13)
    assert_allclose(res.sigma2, factor * known.s2, rtol=1e-9)
    assert list(res.params.index)[-5:] == ["x1", "d", "W_x1", "W_d", "rho"]
    assert res.endogenous == ("d", "W_d", "W_y")
    assert set(res.instruments) == {"z1", "W_z1", "W2_z1", "W3_z1", "W2_x1", "W3_x1"}


def test_sargan_has_the_observations_that_are_left(data, graph, W):
    known = linear(demeaned(data, W, "twoway"), "twoway").fit(cov_type="unadjusted").sargan
    found = did(data, graph).fit().overidentification
    assert_allclose(found.statistic, known.stat * LEFT["twoway"] / (N * T), rtol=1e-8)
    assert (found.name, found.df) == ("Sargan", 3)
    assert_allclose(found.pvalue, _chi2(found.statistic, 3), rtol=1e-10)


def _chi2(value, df):
    from scipy.stats import chi2

    return chi2(df).sf(value)


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_clusters_of_entities(data, graph, W, effects):
    frame = demeaned(data, W, effects)
    codes = np.broadcast_to(np.arange(N), (T, N)).ravel()
    known = linear(frame, effects).fit(cov_type="clustered", clusters=codes)
    res = did(data, graph, effects=effects).fit(cov_type="clustered")
    taken = 1 if effects == "entity" else (N - 1) / N  # entity effects are nested
    cov = known.cov.loc[ORDER, ORDER]
    assert_allclose(res.cov, cov * N / (N - 1) / taken, rtol=1e-8, atol=1e-13)
    assert res.cov_type == "clustered by entity"


@pytest.mark.filterwarnings("ignore:There are only")
def test_clusters_of_two_kinds(data, graph, W):
    frame = demeaned(data, W, "time")
    codes = np.indices((T, N)).reshape(2, -1).T
    known = linear(frame, "time").fit(cov_type="clustered", clusters=codes)
    res = did(data, graph, effects="time").fit(cov_type="clustered", clusters=["entity", "time"])
    cov = known.cov.loc[ORDER, ORDER]
    assert_allclose(res.cov, cov * T / (T - 1) * N / (N - 1), rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("kind", ["robust", "clustered"])
def test_two_step_gmm(data, graph, W, kind):
    frame = demeaned(data, W, "twoway")
    codes = np.broadcast_to(np.arange(N), (T, N)).ravel()
    extra = {"clusters": codes} if kind == "clustered" else {}
    known = linear(frame, "twoway", IVGMM, weight_type=kind, **extra).fit(cov_type=kind, **extra)
    res = did(data, graph).fit(estimator="gmm", cov_type=kind)
    factor = N * T / LEFT["twoway"] if kind == "robust" else (N / (N - 1)) ** 2
    assert_allclose(res.params, known.params[ORDER], rtol=1e-8)
    assert_allclose(res.cov, factor * known.cov.loc[ORDER, ORDER], rtol=1e-7, atol=1e-13)
    found = res.overidentification
    assert_allclose(found.statistic, known.j_stat.stat / factor, rtol=1e-8)
    assert (found.name, found.df) == ("Hansen J", 3)
    assert res.model_name == "Spatial IV by two-step GMM"


def test_without_rho_it_is_panel_iv(data, graph):
    """IV2SLS with every dummy, no lag of anything."""
    flat = data.reset_index()
    dummies = pd.get_dummies(flat[["city", "year"]].astype(str), drop_first=True, dtype=float)
    exogenous = pd.concat([flat[["x1", "x2"]], dummies], axis=1).assign(const=1.0)
    known = IV2SLS(flat["y"], exogenous, flat[["d"]], flat[["z1", "z2"]]).fit(cov_type="unadjusted")
    res = SpatialIV(
        data["y"],
        data[["x1", "x2"]],
        graph,
        endog=data["d"],
        instruments=data[["z1", "z2"]],
        lag=False,
        durbin=[],
    ).fit()
    names = ["x1", "x2", "d"]
    assert list(res.params.index) == names
    assert_allclose(res.params, known.params[names], rtol=1e-9)
    factor = N * T / LEFT["twoway"]
    assert_allclose(res.std_errors, known.std_errors[names] * factor**0.5, rtol=1e-9)
    assert (res.instruments, res.rho) == (("z1", "z2"), 0.0)
    assert res.model_name == "Panel IV by 2SLS"
    assert (res.effects().loc["indirect", "estimate"] == 0).all()


@pytest.mark.parametrize("bandwidth", [0, 2])
def test_driscoll_kraay_by_loops(data, graph, W, bandwidth):
    frame = demeaned(data, W, "twoway")
    fit = linear(frame, "twoway").fit()
    D = frame[ORDER].to_numpy()
    H = frame[["x", "Wx", "z0", "z1", "z2", "z3", "x2", "x3"]].to_numpy()
    P = H @ np.linalg.solve(H.T @ H, H.T @ D)
    scores = (P * fit.resids.to_numpy()[:, None]).reshape(T, N, 5).sum(axis=1)
    M = np.zeros((5, 5))
    for s in range(T):
        for t in range(T):
            M += max(0.0, 1 - abs(s - t) / (bandwidth + 1)) * np.outer(scores[s], scores[t])
    A = np.linalg.inv(P.T @ P)
    res = did(data, graph).fit(cov_type="driscoll-kraay", bandwidth=bandwidth)
    factor = N * T / LEFT["twoway"] * T / (T - 1)
    assert_allclose(res.cov, factor * A @ M @ A, rtol=1e-8, atol=1e-13)


def test_conley_by_loops(data, graph, W):
    rng = np.random.default_rng(3)
    places = pd.DataFrame({"lon": rng.uniform(110, 114, N), "lat": rng.uniform(30, 33, N)})
    res = did(data, graph).fit(
        cov_type="conley", cutoff_km=150, coordinates=places, kernel="uniform", serial_lags=1
    )
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    lon, lat = places["lon"].to_numpy(), places["lat"].to_numpy()
    frame = demeaned(data, W, "twoway")
    u = linear(frame, "twoway").fit().resids.to_numpy()
    H = frame[["x", "Wx", "z0", "z1", "z2", "z3", "x2", "x3"]].to_numpy()
    P = H @ np.linalg.solve(H.T @ H, H.T @ frame[ORDER].to_numpy())
    scores = (P * u[:, None]).reshape(T, N, 5)
    M = np.zeros((5, 5))
    for i in range(N):
        for j in range(N):
            near = geod.inv(lon[i], lat[i], lon[j], lat[j])[2] <= 150_000
            if i == j or near:
                M += scores[:, i].T @ scores[:, j]
        half = scores[1:, i].T @ scores[:-1, i] / 2
        M += half + half.T
    A = np.linalg.inv(P.T @ P)
    assert_allclose(res.cov, N * T / LEFT["twoway"] * A @ M @ A, rtol=1e-7, atol=1e-12)


def test_a_regressor_that_is_its_own_instrument_gives_least_squares(data, graph, W):
    data = data.assign(same=data["d"])
    res = SpatialIV(
        data["y"],
        data[["x1"]],
        graph,
        endog=data["d"],
        instruments=data["same"],
        lag=False,
        durbin=None,
    ).fit()
    frame = demeaned(data, W, "twoway")
    known = np.linalg.lstsq(frame[ORDER[:4]].to_numpy(), frame["y"].to_numpy(), rcond=None)[0]
    assert_allclose(res.params, known, rtol=1e-9)
    assert_allclose(res.first_stage.strength["partial_rsquared"], 1, rtol=1e-12)


def test_rows_and_labels_do_not_matter(data, graph, W):
    first = did(data, graph).fit(cov_type="clustered")
    shuffled = data.sample(frac=1, random_state=1)
    names = {i: f"城{(7 * i) % N:02d}" for i in range(N)}
    renamed = shuffled.rename(index=names, level=0)
    links = {names[i]: {names[j]: W[i, j] for j in np.flatnonzero(W[i])} for i in range(N)}
    from libpysal.graph import Graph

    other = did(renamed, Graph.from_weights_dict(links)).fit(cov_type="clustered")
    assert_allclose(other.params, first.params, rtol=1e-8)
    assert_allclose(other.cov, first.cov, rtol=1e-7, atol=1e-12)


def test_units_do_not_matter(data, graph):
    first = did(data, graph).fit(cov_type="robust")
    scaled = data.assign(y=1000 * data["y"], z1=1e-4 * data["z1"], x1=50 * data["x1"])
    second = did(scaled, graph).fit(cov_type="robust")
    units = np.array([20, 1000, 20, 1000, 1])
    assert_allclose(second.params, units * first.params, rtol=1e-8)
    assert_allclose(second.std_errors, units * first.std_errors, rtol=1e-8)
    assert_allclose(
        second.first_stage.strength["conditional_f"],
        first.first_stage.strength["conditional_f"],
        rtol=1e-7,
    )
    assert_allclose(second.overidentification.statistic, first.overidentification.statistic)


def test_effects_are_those_of_the_estimates(data, graph, W):
    """Dense S = (I - rho W)^-1 (beta I + theta W); standard errors by numerical derivatives."""
    res = did(data, graph).fit(cov_type="clustered")
    where = ["d", "W_d", "rho"]

    def averages(p):
        S = np.linalg.solve(np.eye(N) - p[2] * W, p[0] * np.eye(N) + p[1] * W)
        direct, total = np.trace(S) / N, S.sum() / N
        return np.array([direct, total - direct, total])

    at = res.params[where].to_numpy()
    gradient = np.column_stack(
        [(averages(at + h) - averages(at - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    )
    errors = np.sqrt(np.diag(gradient @ res.cov.loc[where, where].to_numpy() @ gradient.T))
    found = res.policy_effects()
    assert list(found.index) == ["direct", "indirect", "total"]
    assert_allclose(found["estimate"], averages(at), rtol=1e-9)
    assert_allclose(found["std_error"], errors, rtol=1e-6)
    assert_allclose(res.entity_effects("d")["total"].mean(), averages(at)[2], rtol=1e-9)
    S = np.linalg.solve(np.eye(N) - at[2] * W, at[0] * np.eye(N) + at[1] * W)
    assert_allclose(res.footprint("d", 3)["effect"], S[:, 3], atol=1e-10)
    without = res.counterfactual("d", 0)
    d = panels.array(data["d"])
    assert_allclose(panels.array(without["effect"]), d @ S.T, atol=1e-9)


def test_predictors_add_up(data, graph):
    res = did(data, graph).fit()
    parts = res.predict()
    assert_allclose(parts[["trend", "signal", "noise"]].sum(axis=1), parts["fitted"], atol=1e-10)
    assert_allclose(parts["fitted"] + res.resids, data["y"], atol=1e-10)


def test_formula_is_the_frames(data, graph):
    res = SpatialIV.from_formula(
        "y ~ x1 + np.exp(x2) + [d ~ z1 + z2]", data, graph, durbin=None
    ).fit()
    frames = SpatialIV(
        data["y"],
        data[["x1"]].assign(**{"np.exp(x2)": np.exp(data["x2"])}),
        graph,
        endog=data[["d"]],
        instruments=data[["z1", "z2"]],
        durbin=None,
    ).fit()
    pd.testing.assert_series_equal(res.params, frames.params)
    alone = SpatialIV.from_formula(
        "y ~ [d ~ z1 + z2]", data, graph, effects="time", durbin=None
    ).fit()
    assert list(alone.params.index) == ["d", "W_d", "rho"]
    plain = SpatialIV.from_formula("y ~ x1 + x2", data, graph, durbin=[]).fit()
    assert plain.instruments == ("W_x1", "W_x2", "W2_x1", "W2_x2")


def test_names_mean_nothing(data, graph):
    """A regressor that is called y is one like any other; 1 in a formula adds none."""
    first = did(data, graph).fit()
    renamed = data.rename(columns={"y": "gdp", "x1": "y"})
    second = SpatialIV(
        renamed["gdp"],
        renamed[["y"]],
        graph,
        endog=renamed["d"],
        instruments=renamed["z1"],
        durbin=None,
    ).fit()
    assert_allclose(second.params, first.params, rtol=1e-12)
    assert second.endogenous == ("d", "W_d", "W_gdp")
    constant = SpatialIV.from_formula(
        "y ~ 1 + [d ~ z1]", data, graph, effects="time", durbin=None
    ).fit()
    assert list(constant.params.index) == ["d", "W_d", "rho"]


def test_nothing_has_a_lag_unless_it_is_asked_for(data, graph):
    given = {"endog": data["d"], "instruments": data["z1"]}
    found = SpatialIV(data["y"], data[["x1"]], graph, **given).fit()
    assert list(found.params.index) == ["x1", "d", "rho"]
    assert set(found.instruments) == {"z1", "W_z1", "W2_z1", "W_x1", "W2_x1"}
    asked = did(data, graph, durbin=[]).fit()
    pd.testing.assert_series_equal(found.params, asked.params)
    every = SpatialIV(data["y"], data[["x1"]], graph, **given, durbin=None).fit()
    assert list(every.params.index) == ["x1", "d", "W_x1", "W_d", "rho"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "z1 W_z1 W2_z1 W3_z1 W2_x1 W3_x1"),
        ({"instrument_orders": 1}, "z1 W_z1 W2_z1 W2_x1"),
        ({"durbin": []}, "z1 W_z1 W2_z1 W_x1 W2_x1"),
        ({"durbin": ["x1"]}, "z1 W_z1 W2_z1 W2_x1 W3_x1"),
        ({"durbin": ["d"]}, "z1 W_z1 W2_z1 W3_z1 W_x1 W2_x1"),
        ({"lag": False}, "z1 W_z1"),
        ({"lag": False, "durbin": []}, "z1"),
        ({"lag": False, "durbin": [], "error": True}, "z1 W_z1"),
    ],
)
def test_which_lags_instrument(data, graph, options, expected):
    res = did(data, graph, **options).fit()
    assert set(res.instruments) == set(expected.split())
    assert res.fit_statistics["n_instruments"] == len(expected.split())
    assert f"excluded instruments ({len(expected.split())}): z1" in res.summary()


def test_results_go_where_others_go(data, graph):
    model = did(data, graph)
    res = model.fit(cov_type="clustered")
    assert res.loglik is None and np.isnan(res.aic)
    table = str(nqp.tables.regression([res, model.fit()], statistics=["nobs", "weakest_f"]))
    assert f"{res.params['d']:.4f}" in table and "clustered by entity in (1)" in table
    assert f"{res.policy_effects().loc['direct', 'estimate']:.4f}" in str(
        nqp.tables.effects([res], ["d"])
    )
    comparison = nqp.compare_weights(model, {"same": graph, "again": graph}, cov_type="clustered")
    assert comparison.variable == "d"
    assert_allclose(
        comparison.to_frame().loc["again", "direct"], res.policy_effects().loc["direct", "estimate"]
    )
    assert set(res.tests) == {"slx", "sar", "sem", "moran", "overidentification"}
    assert "Kelejian" in res.cite()
    assert res.provenance["options"]["instruments"] == list(res.instruments)
    other = did(data.assign(z1=data["z1"] + 1e-9), graph).fit()
    assert other.provenance["data_sha256"] != res.provenance["data_sha256"]


def test_tests_of_nested_models_keep_the_spatial_error(data, graph):
    res = did(data, graph, error=True).fit()
    nested = {"sdem", "sac", "moran", "overidentification"}
    assert set(res.tests) == {"sdm", *nested}
    ratio = res.params / res.std_errors
    assert_allclose(res.tests["sdem"].statistic, ratio["rho"] ** 2)
    assert_allclose(res.tests["sdm"].statistic, ratio["lambda"] ** 2)
    assert res.lambda_ == res.fit_statistics["lambda"] == res.params["lambda"] != 0
    other = did(data, graph, error=True).fit(cov_type="driscoll-kraay")
    assert "lambda" not in other.params and other.lambda_ == other.raw.lambda_ != 0
    assert set(other.tests) == nested
    assert any("no theory" in note for note in other.provenance["notes"])
    parts = res.predict()
    assert_allclose(parts["fitted"] + res.resids, data["y"], atol=1e-10)


def test_gs2sls_is_2sls_of_the_filtered_equation(W, graph):
    """Robust two-way GS2SLS by linearmodels on data filtered by our lambda."""
    data = panels.frame(W, T, lambda_=0.5, seed=2)
    res = did(data, graph, error=True, durbin=["x1"]).fit(cov_type="robust")
    frame = demeaned(data, W, "twoway")

    def filtered(name):
        values = frame[name].to_numpy().reshape(T, N)
        return panels.within(values - res.raw.lambda_ * values @ W.T, "twoway")

    new = frame.assign(**{name: filtered(name) for name in ["y", *ORDER]})
    excluded = new[["z0", "z1", "z2", "x2", "x3"]]
    known = IV2SLS(new["y"], new[["x", "Wx"]], new[["d", "Wy"]], excluded).fit(cov_type="robust")
    names = ["x", "d", "Wx", "Wy"]
    assert_allclose(res.params[:4], known.params[names], rtol=1e-8)
    factor = N * T / LEFT["twoway"]
    assert_allclose(
        res.cov.iloc[:4, :4], factor * known.cov.loc[names, names], rtol=1e-7, atol=1e-13
    )
    assert res.model_name == "Spatial IV by GS2SLS"


def test_a_large_panel_needs_no_eigenvalues():
    """20,000 entities in a ring: sparse all along; exact numbers are those of the small panels."""
    n = 20_000
    i = np.arange(n)
    import scipy.sparse as sp

    rows, columns = np.repeat(i, 2), np.column_stack([(i - 1) % n, (i + 1) % n]).ravel()
    W = sp.csr_array((np.full(2 * n, 0.5), (rows, columns)), shape=(n, n))
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=(2, 2, n))
    from scipy.sparse.linalg import splu

    y = splu(sp.csc_array(sp.eye_array(n) - 0.4 * W)).solve((x + e).T).T
    index = pd.MultiIndex.from_product([i, [1, 2]])
    data = pd.DataFrame({"y": y.T.ravel(), "x": x.T.ravel()}, index=index)
    with warnings.catch_warnings(action="ignore", category=DataWarning):
        res = SpatialIV(data["y"], data[["x"]], (W, i), durbin=[]).fit(cov_type="robust")
    assert abs(res.rho - 0.4) < 4 * res.std_errors["rho"]
    assert res.std_errors["rho"] < 0.02
    assert abs(res.params["x"] - 1) < 4 * res.std_errors["x"]
