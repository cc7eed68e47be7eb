"""Weights of their own for the error and for lags of regressors, against dense likelihoods."""

from __future__ import annotations

import pickle

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from shapely.geometry import box

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    IdMismatchError,
    NotRowNormalisedError,
    OptionError,
    WeightsError,
)
from nqp_spatial.weights import as_graph
from tests import panels
from tests.reference import observed_information as numerical
from tests.reference import two_matrices as dense

pytestmark = [
    pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning"),
    pytest.mark.filterwarnings("ignore:There are only"),  # few clusters, told on purpose
]

MODELS = {  # class, rho, lags of regressors, lambda
    "SDM": (nqp.SpatialDurbin, True, True, False),
    "SLX": (nqp.SLX, False, True, False),
    "SDEM": (nqp.SpatialDurbinError, False, True, True),
    "SAC": (nqp.SAC, True, False, True),
    "GNS": (nqp.GNS, True, True, True),
}
N, T = 14, 5
NAMES = [f"c{i:02d}" for i in range(N)]
KINDS = ("direct", "indirect", "total")


def matrices(n=N):
    """W, M and E: two row-normalised with complex roots, M with unequal row sums."""
    W, E = panels.knn(n, seed=3), panels.contiguity(n, seed=8)
    M = panels.general(n, seed=5)
    assert np.abs(W @ E - E @ W).max() > 0.01 and np.ptp(M.sum(axis=1)) > 0.1
    return W, M, E


def draw(W, M, E, n_periods=T, *, rho=0.3, lambda_=0.3, theta=0.5, seed=1):
    rng = np.random.default_rng(seed)
    n = len(W)
    mu, tau = rng.normal(size=n), rng.normal(size=n_periods)
    X = rng.normal(size=(n_periods, n, 2)) + 0.5 * mu[:, None]
    u = rng.normal(size=(n_periods, n)) @ np.linalg.inv(np.eye(n) - lambda_ * E).T
    lags = np.einsum("ij,tjk->tik", M, X)
    mean = X @ np.array([1.0, -0.5]) + lags @ np.array([theta, 0.2]) + mu + tau[:, None]
    return (mean + u) @ np.linalg.inv(np.eye(n) - rho * W).T, X


def weights_of(name, M, E):
    _, _, durbin, error = MODELS[name]
    own = {"durbin_graph": (M, NAMES)} if durbin else {}
    return own | ({"error_graph": (E, NAMES)} if error else {})


def model(name, y, X, W, M, E, **options):
    data = panels.frame(y, X, NAMES)
    own = weights_of(name, M, E)
    return MODELS[name][0](data["y"], data[["x1", "x2"]], (W, NAMES), **own, **options)


def written_out(name, y, X, W, M, E, effects, correction):
    _, lag, durbin, error = MODELS[name]
    approach = dense.APPROACHES[correction] if effects else "direct"
    return dense.model(y, X, W, M, E, effects, approach, lag=lag, durbin=durbin, error=error)


@pytest.fixture(scope="module")
def data():
    W, M, E = matrices()
    return *draw(W, M, E), W, M, E


CASES = [(None, "none"), *((e, c) for e in ("entity", "time", "twoway") for c in dense.APPROACHES)]
UNCORRECTED = [case for case in CASES if case[1] != "bias-corrected"]


def point_of(res):
    """delta without the constant, rho, lambda; and the covariance with sigma2."""
    keep = [i for i, name in enumerate(res.params.index) if name != "const"]
    names = [name for name in res.params.index if name not in ("const", "rho", "lambda")]
    return res.params[names].to_numpy(), res.raw.cov[np.ix_([*keep, -1], [*keep, -1])]


def assert_near(cov, expected):
    size = np.sqrt(np.outer(*[np.diag(expected)] * 2))
    assert_allclose(cov / size, expected / size, rtol=1e-6, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("effects", "correction"), UNCORRECTED)
def test_maximum_and_expected_information(data, name, effects, correction):
    res = model(name, *data, effects=effects, correction=correction).fit()
    assert not res.raw.at_bound
    written = written_out(name, *data, effects, correction)
    found = {"rho": 0.0, "lambda": 0.0}
    if name != "SLX":
        found = dense.maximise(written)
        assert_allclose(res.loglik, found["loglik"], rtol=0, atol=1e-8)
    assert_allclose([res.rho, res.lambda_], [found["rho"], found["lambda"]], rtol=0, atol=2e-6)
    gamma, s2 = dense.given(written, res.rho, res.lambda_)
    delta, cov = point_of(res)
    assert_allclose(delta, gamma[: written.k], rtol=1e-7, atol=1e-9)
    assert_allclose(res.sigma2, s2, rtol=1e-8)
    assert_near(cov, dense.covariance(written, gamma, res.rho, res.lambda_, s2))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("effects", "correction"), CASES)
def test_observed_information(data, name, effects, correction):
    res = model(name, *data, effects=effects, correction=correction).fit(cov_type="observed")
    written = written_out(name, *data, effects, correction)
    rho, lambda_ = res.rho, res.lambda_
    if correction == "bias-corrected" and name != "SLX":
        found = dense.maximise(written)
        rho, lambda_ = found["rho"], found["lambda"]
    gamma, s2 = dense.given(written, rho, lambda_)
    assert_near(point_of(res)[1], numerical.covariance(written, gamma, rho, lambda_, s2))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_bias_corrected_begins_at_the_direct_maximum(data, name, effects):
    """What is added is n_periods times the covariance times the mean of the score; then T/(T-1)."""
    res = model(name, *data, effects=effects, correction="bias-corrected").fit()
    written = written_out(name, *data, effects, "bias-corrected")
    found = {"rho": 0.0, "lambda": 0.0}
    if name != "SLX":
        found = dense.maximise(written)
    gamma, s2 = dense.given(written, found["rho"], found["lambda"])
    _, lag, _, error = MODELS[name]
    spatial = [*[found["rho"]] * lag, *[found["lambda"]] * error]
    start = np.array([*gamma, *spatial, s2])
    lost = {"entity": T, "time": N}.get(effects)
    if lost:
        start[-1] *= lost / (lost - 1)
    else:
        a = np.array([0.0] * len(gamma) + [1 / (1 - v) for v in spatial] + [1 / (2 * s2)])
        start += T * dense.covariance(written, gamma, found["rho"], found["lambda"], s2) @ a
        start[-1] *= T / (T - 1)
    delta, _ = point_of(res)
    ours = [*delta, *[res.rho] * lag, *[res.lambda_] * error, res.sigma2]
    assert_allclose(ours, start, rtol=1e-5, atol=1e-6)


# another program -----------------------------------------------------------------------------


def links_of(name):
    links = panels.read("autocorrelation_links.csv")
    links = links[links["weights"] == name].rename(
        columns={"i": "focal", "j": "neighbor", "w": "weight"}
    )
    return nqp.weights.normalise(Graph.from_adjacency(links), "row")


@pytest.mark.parametrize("name", ["SAC", "GNS"])
def test_columbus_is_that_of_spatialreg(name):
    """tests/reference/columbus_two_matrices.R: sacsarlm with listw and listw2, one period.

    Its search stops where the likelihood is flat to 1e-13: rho to 5e-9 and 2e-8.
    """
    known = panels.known("columbus_two_matrices.csv", "model", "quantity", "name")[name]
    frame, _ = panels.columbus()
    res = MODELS[name][0](
        frame["CRIME"],
        frame[["INC", "HOVAL"]],
        links_of("queen_W"),
        error_graph=links_of("knn4_W"),
        effects=None,
    ).fit()
    order = list(res.params.index)
    assert_allclose(res.params, known["params"][order], rtol=1e-6, atol=1e-7)
    assert_allclose(res.std_errors, known["std_error"][order], rtol=1e-7)
    assert_allclose(res.sigma2, known["sigma2"].iloc[0], rtol=1e-7)
    assert_allclose(res.loglik, known["loglik"].iloc[0], rtol=0, atol=1e-9)


# one W for all terms --------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("effects", [None, "entity", "twoway"])
def test_the_same_weights_twice_are_one(data, name, effects):
    y, X, W, _, _ = data
    both = model(name, y, X, W, W, W, effects=effects)
    frame = panels.frame(y, X, NAMES)
    alone = MODELS[name][0](frame["y"], frame[["x1", "x2"]], (W, NAMES), effects=effects)
    for kind in ({}, {"cov_type": "observed"}, {"cov_type": "clustered"}):
        one, other = both.fit(**kind), alone.fit(**kind)
        assert_allclose(one.params, other.params, rtol=1e-12)
        assert_allclose(one.cov, other.cov, rtol=1e-12, atol=1e-300)
        assert_allclose(one.effects(), other.effects(), rtol=1e-12)
    assert one.provenance["weights"] == other.provenance["weights"]
    assert one.provenance["data_sha256"] == other.provenance["data_sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("effects", [None, "entity", "twoway"])
def test_nearly_the_same_weights_give_nearly_the_same(data, name, effects):
    """The road of two matrices, at one matrix: every trace and solution has its second form."""
    y, X, W, _, _ = data
    near = W * (1 + 1e-9 * np.arange(N)[:, None])
    near = near / near.sum(axis=1, keepdims=True)
    near[0, np.flatnonzero(W[0])[0]] *= 1 + 1e-10
    frame = panels.frame(y, X, NAMES)
    alone = MODELS[name][0](frame["y"], frame[["x1", "x2"]], (W, NAMES), effects=effects)
    both = model(name, y, X, W, near, near, effects=effects)
    assert both.design.durbin is not None or both.design.error is not None
    for kind in ("asymptotic", "observed", "robust", "clustered", "driscoll-kraay"):
        one, other = both.fit(cov_type=kind), alone.fit(cov_type=kind)
        assert_allclose(one.params, other.params, rtol=1e-5, atol=1e-7)
        assert_allclose(one.std_errors, other.std_errors, rtol=1e-5)
        assert_allclose(
            one.effects()[["estimate", "std_error"]],
            other.effects()[["estimate", "std_error"]],
            rtol=1e-5,
            atol=1e-7,
        )


@pytest.mark.parametrize("name", ["SAC", "GNS", "SDEM"])
def test_scores_sum_to_zero_and_robust_errors_are_their_variance(data, name):
    """By cell, from the derivative of a dense log-density of each period, by complex steps."""
    from nqp_spatial.core.spatial import sandwich

    res = model(name, *data, effects=None).fit(cov_type="robust")
    plain = res.model.fit()
    design = res.design
    scores = sandwich.scores_of(plain.raw, design.W, None, design.error.W)
    assert_allclose(scores.by_cell().sum(axis=(0, 1)), 0, atol=1e-4)
    written = written_out(name, *data, None, "none")
    _, lag, _, error = MODELS[name]
    gamma, s2 = dense.given(written, res.rho, res.lambda_)
    x = np.array([*gamma, *[res.rho] * lag, *[res.lambda_] * error, s2])
    periods = []
    for t in range(T):
        rows = slice(t * N, (t + 1) * N)
        part = numerical.Dense(
            written.y[rows],
            written.H[rows],
            written.K[rows, rows],
            written.v[rows],
            written.k,
            lag,
            error,
            written.K_error[rows, rows],
        )
        periods.append(numerical.jacobian(lambda z, p=part: np.array([p.loglik(z)]), x)[0])
    ours = scores.by_cell().sum(axis=1)  # our order: the constant first
    order = [*range(1, 1 + written.k), 0, *range(1 + written.k, ours.shape[1])]
    assert_allclose(ours[:, order], periods, rtol=1e-5, atol=1e-5)


# effects --------------------------------------------------------------------------------------


def response(params, W, M, variable):
    n = len(W)
    beta, theta = params[variable], params.get(f"W_{variable}", 0.0)
    A = np.eye(n) - params.get("rho", 0.0) * W
    return np.linalg.solve(A, beta * np.eye(n) + theta * M)


def averages(S):
    direct, total = np.trace(S) / len(S), S.sum() / len(S)
    return np.array([direct, total - direct, total])


def slopes(function, params):
    steps = 1e-6 * np.maximum(1.0, np.abs(params.to_numpy()))
    out = []
    for i, h in enumerate(steps):
        up, down = params.copy(), params.copy()
        up.iloc[i] += h
        down.iloc[i] -= h
        out.append((function(up) - function(down)) / (2 * h))
    return np.array(out)  # (m, ...)


def errors(function, res):
    J = slopes(function, res.params)
    return np.sqrt(np.einsum("i...,ij,j...->...", J, res.cov.to_numpy(), J))


@pytest.mark.parametrize("name", MODELS)
def test_average_effects_and_their_errors(data, name):
    _, _, W, M, _ = data
    res = model(name, *data, effects="entity").fit()
    found = res.effects()
    for variable in ("x1", "x2"):
        own = found.xs(variable, level="variable").loc[list(KINDS)]

        def of(params, variable=variable):
            return averages(response(params, W, M, variable))

        assert_allclose(own["estimate"], of(res.params), rtol=1e-10)
        assert_allclose(own["std_error"], errors(of, res), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["SDM", "SDEM", "GNS"])
def test_simulated_effects_are_those_of_each_draw(data, name):
    _, _, W, M, _ = data
    res = model(name, *data, effects="entity").fit()
    found = res.effects(method="simulation", draws=300, seed=3, centre="mean")
    rng, low_high = np.random.default_rng(3), res.spectrum.interval
    draws = res.params.to_numpy() + rng.standard_normal((300, len(res.params))) @ (
        np.linalg.cholesky(res.cov).T
    )
    kept = pd.DataFrame(draws, columns=res.params.index)
    if "rho" in kept:
        assert kept["rho"].between(*low_high).all()
    values = np.array([averages(response(row, W, M, "x1")) for _, row in kept.iterrows()])
    own = found.xs("x1", level="variable").loc[list(KINDS)]
    assert_allclose(own["estimate"], values.mean(axis=0), rtol=1e-8)
    assert_allclose(own["std_error"], values.std(axis=0, ddof=1), rtol=1e-8)


@pytest.mark.parametrize("name", ["SDM", "SLX", "GNS"])
def test_effects_by_entity_footprints_groups_and_changes(data, name):
    _, _, W, M, _ = data
    res = model(name, *data, effects="entity").fit()
    S = response(res.params, W, M, "x1")
    by_entity = res.entity_effects("x1")
    known = {
        "direct": lambda S: np.diag(S),
        "sent": lambda S: S.sum(axis=0) - np.diag(S),
        "received": lambda S: S.sum(axis=1) - np.diag(S),
        "total": lambda S: S.sum(axis=1),
    }
    for column, of in known.items():
        assert_allclose(by_entity[column], of(S), rtol=1e-9, atol=1e-12)
        own = errors(lambda p, of=of: of(response(p, W, M, "x1")), res)
        assert_allclose(by_entity[f"{column}_std_error"], own, rtol=1e-5, atol=1e-9)
    foot = res.footprint("x1", "c03")
    assert_allclose(foot["effect"], S[:, 3], rtol=1e-9, atol=1e-12)
    own = errors(lambda p: response(p, W, M, "x1")[:, 3], res)
    assert_allclose(foot["std_error"], own, rtol=1e-5, atol=1e-9)
    groups = pd.Series(["a", "b"] * (N // 2), NAMES)
    sends, receives = (groups == g for g in ("a", "b"))
    between = res.group_effects("x1", groups)
    expected = S[np.ix_(receives, sends)].sum() / receives.sum()
    assert_allclose(between.loc[("a", "b"), "effect"], expected, rtol=1e-9)
    changed = res.discrete_change("x1", 2.0, entities=NAMES[:3])
    expected = 2.0 * S[3:, :3].sum(axis=1).mean()
    assert_allclose(changed.loc["others", "estimate"], expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["SDM", "SDEM", "GNS"])
def test_effects_by_order(data, name):
    _, _, W, M, _ = data
    res = model(name, *data, effects="entity").fit()
    found = res.effects_by_order(3, ["x1"])
    powers = [np.linalg.matrix_power(W, q) for q in range(4)]

    def of(params):
        beta, theta, rho = params["x1"], params["W_x1"], params.get("rho", 0.0)
        parts = [averages(beta * np.eye(N))]
        for q in (1, 2, 3):
            own = rho**q * beta * powers[q] + rho ** (q - 1) * theta * powers[q - 1] @ M
            parts.append(averages(own))
        whole = averages(response(params, W, M, "x1"))
        return np.array([*parts, whole - np.sum(parts, axis=0)])

    for i, kind in enumerate(KINDS):
        own = found.loc[kind]
        assert_allclose(own["estimate"], of(res.params)[:, i], rtol=1e-8, atol=1e-12)
        known = errors(lambda p, i=i: of(p)[:, i], res)
        assert_allclose(own["std_error"], known, rtol=1e-5, atol=1e-9)
    sums = res.cumulative_effects(3, ["x1"])
    assert_allclose(
        sums.loc[("total", "x1", "rest"), "cumulative"],
        averages(response(res.params, W, M, "x1"))[2],
    )


@pytest.mark.parametrize("name", MODELS)
def test_counterfactuals_and_predictions(data, name):
    y, X, W, M, E = data
    res = model(name, *data, effects="entity").fit()
    S = response(res.params, W, M, "x1")
    without = res.counterfactual("x1", 0.0)["effect"]
    expected = X[..., 0] @ S.T
    assert_allclose(without.to_numpy().reshape(N, T).T, expected, rtol=1e-8, atol=1e-10)
    found = res.predict()
    assert_allclose(
        found["trend"] + found["signal"] + found["noise"], found["fitted"], rtol=1e-9, atol=1e-9
    )
    A = np.eye(N) - res.rho * W
    u = np.linalg.solve(np.eye(N) - res.lambda_ * E, res.raw.resid.T).T
    trend = found["trend"].to_numpy().reshape(N, T).T
    assert_allclose(y, np.linalg.solve(A, (trend + u).T).T, rtol=1e-8)
    assert_allclose(
        found["reduced_form"].to_numpy().reshape(N, T).T, np.linalg.solve(A, trend.T).T, rtol=1e-9
    )
    known = ["trend", "reduced_form"]
    new = res.predict(panels.frame(y, X, NAMES)[["x1", "x2"]])  # rows of the sample, once more
    assert_allclose(new[known], found.loc[new.index, known], rtol=1e-8, atol=1e-10)


# properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cov_type", ["asymptotic", "clustered", "observed"])
def test_order_and_labels_change_nothing(data, name, cov_type):
    y, X, W, M, E = data
    res = model(name, *data).fit(cov_type=cov_type)
    order = np.random.default_rng(4).permutation(N)
    frame = panels.frame(y, X, NAMES).sample(frac=1.0, random_state=1)
    at = [NAMES[i] for i in order]
    own = {
        key: as_graph(matrix[np.ix_(order, order)], ids=at)
        for key, matrix in (("durbin_graph", M), ("error_graph", E))
        if key in weights_of(name, M, E)
    }
    moved = MODELS[name][0](frame["y"], frame[["x1", "x2"]], (W, NAMES), **own).fit(
        cov_type=cov_type
    )
    assert_allclose(moved.params, res.params, rtol=1e-8)
    assert_allclose(moved.std_errors, res.std_errors, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SAC", "GNS"])
def test_a_dear_log_determinant_finds_the_same(data, name):
    res = model(name, *data).fit()
    by_lu = res.model.fit(logdet="lu")
    assert_allclose(by_lu.params, res.params, rtol=1e-4, atol=1e-5)
    assert_allclose(by_lu.std_errors, res.std_errors, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_with_graph_replaces_that_of_y_and_options_stay(data, name):
    y, X, W, M, E = data
    spec = model(name, *data)
    other = panels.contiguity(N, seed=11)
    moved = spec.with_graph((other, NAMES)).fit()
    assert_allclose(moved.params, model(name, y, X, other, M, E).fit().params, rtol=1e-10)
    again = spec.with_options(correction="none").fit()
    assert_allclose(again.params, model(name, *data, correction="none").fit().params, rtol=1e-10)
    assert_allclose(pickle.loads(pickle.dumps(spec)).fit().params, spec.fit().params, rtol=0)


def test_results_say_which_weights_are_whose(data):
    res = model("GNS", *data).fit()
    _, _, W, M, E = data
    facts = res.provenance["weights"]
    assert facts["durbin_graph"] == {
        "links": int((M != 0).sum()),
        "islands": 0,
        "row_normalised": False,
    }
    assert facts["error_graph"]["links"] == int((E != 0).sum())
    told = " ".join(map(str, res.notes))
    assert "Lags of regressors have weights of their own" in told
    assert "The error has weights of its own" in told
    assert (
        res.provenance["data_sha256"] != model("GNS", *data[:4], W).fit().provenance["data_sha256"]
    )
    assert list(res.maps) == ["spillovers"] and "sem" not in model("SDM", *data).fit().tests


def test_policy_effects_have_the_weights_of_its_lag(data):
    y, X, W, M, _ = data
    frame = panels.frame(y, X, NAMES)
    cities, years = (frame.index.get_level_values(i) for i in (0, 1))
    treated = cities.isin(NAMES[:6]) & (years > years.unique()[2])
    did = pd.Series(treated.astype(float), frame.index, name="did")
    res = nqp.SpatialDiD(frame["y"], did, frame[["x1"]], (W, NAMES), durbin_graph=(M, NAMES)).fit()
    S = response(res.params, W, M, "did")
    assert_allclose(res.policy_effects()["estimate"][list(KINDS)], averages(S), rtol=1e-9)


# comparisons ----------------------------------------------------------------------------------


def test_likelihood_ratios_compare_weights_term_by_term(data):
    y, X, W, M, E = data
    frame = panels.frame(y, X, NAMES)
    y_, x = frame["y"], frame[["x1", "x2"]]
    gns, sac = model("GNS", *data).fit(), model("SAC", *data).fit()
    sem = nqp.SpatialError(y_, x, (E, NAMES)).fit()
    sar = nqp.SpatialLag(y_, x, (W, NAMES)).fit()
    for small, large in ((sac, gns), (sem, sac), (sar, sac), (model("SDEM", *data).fit(), gns)):
        test = nqp.diagnostics.likelihood_ratio(small, large)
        assert_allclose(test.statistic, 2 * (large.loglik - small.loglik))
    others = [
        nqp.SpatialError(y_, x, (W, NAMES)).fit(),
        nqp.SpatialLag(y_, x, (E, NAMES)).fit(),
    ]
    for small in others:
        with pytest.raises(OptionError, match="different weights"):
            nqp.diagnostics.likelihood_ratio(small, sac)
    with pytest.raises(OptionError, match="different weights"):
        nqp.diagnostics.likelihood_ratio(
            nqp.SpatialError(y_, x, (W, NAMES)).fit(), model("SDM", *data).fit()
        )


def test_compare_weights_changes_those_of_y(data):
    y, X, W, M, E = data
    other = panels.contiguity(N, seed=11)
    graphs = {"W": (W, NAMES), "other": (other, NAMES)}
    found = nqp.compare_weights(model("SAC", *data), graphs).results
    for name, matrix in (("W", W), ("other", other)):
        assert_allclose(found[name].params, model("SAC", y, X, matrix, M, E).fit().params)


@pytest.mark.parametrize("name", ["SDM", "SDEM"])
def test_programs_with_one_w_are_not_asked(data, name):
    with pytest.raises(OptionError, match="one W for all terms"):
        nqp.crosscheck(model(name, *data, correction="none").fit())


def test_a_map_of_footprints_is_refused_even_where_sums_are_alike(data):
    """Rows and columns of both rings sum to one: sums of effects alone would not tell."""
    y, X, *_ = data
    W, M = ((np.roll(np.eye(N), s, 0) + np.roll(np.eye(N), -s, 0)) / 2 for s in (1, 3))
    res = model("SDM", y, X, W, M, W, effects="entity").fit()
    cells = gpd.GeoDataFrame(geometry=[box(i, 30, i + 1, 31) for i in range(N)], index=NAMES)
    with pytest.raises(OptionError, match=r"durbin_graph.*res\.footprint"):
        nqp.maps.footprints(res, cells.set_crs(4326), "x1")
    res.footprint("x1", "c00")  # the remedy


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["none", "lee-yu"])
def test_what_looks_at_lambda_alone_takes_the_weights_of_the_error(data, correction):
    """SDEM is a spatial error model on x and Wx: also in what is said of period effects."""
    y, X, W, _, E = data
    if correction == "none":
        E = np.ones((N, N)) - np.eye(N) - 0.9 * panels.ring(N, 4)  # dense: dummies are biased
        E = E / E.sum(axis=1, keepdims=True)
    frame = panels.frame(y, X, NAMES)
    lags = panels.frame(y, np.einsum("ij,tjk->tik", W, X), NAMES)[["x1", "x2"]]
    x = frame[["x1", "x2"]].join(lags.rename(columns="lag_{}".format))
    given = {"effects": "time", "correction": correction}
    graph, own = (W, NAMES), (E, NAMES)
    sdem = nqp.SpatialDurbinError(
        frame["y"], frame[["x1", "x2"]], graph, error_graph=own, **given
    ).fit()
    sem = nqp.SpatialError(frame["y"], x, own, **given).fit()
    assert_allclose(sdem.params, sem.params, rtol=1e-7)
    assert_allclose(sdem.std_errors, sem.std_errors, rtol=1e-7)
    about = [n for n in map(str, sdem.notes) if "lambda" in n]
    assert about == [n for n in map(str, sem.notes) if "lambda" in n]
    assert about if correction == "none" else True
    one, other = (nqp.diagnostics.grid_bootstrap(r, draws=39) for r in (sdem, sem))
    assert_allclose(one.to_frame().astype(float), other.to_frame().astype(float), rtol=1e-5)


def test_hausman_wants_one_w_for_all_terms(data):
    y, X, W, _, _ = data
    frame = panels.frame(y, X, NAMES)
    re = nqp.GNS(frame["y"], frame[["x1", "x2"]], (W, NAMES), effects="random").fit()
    fe = model("GNS", *data, effects="entity").fit()
    with pytest.raises(OptionError, match="one graph for all terms"):
        nqp.diagnostics.hausman(fe, re)


# what does not go -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"effects": "random"}, "fixed effects or none"),
        ({"correction": "adjusted-score"}, "one W for all terms"),
        ({"correction": "none", "unbalanced": "submatrix"}, "one W for all terms"),
    ],
)
def test_combinations_that_are_not_built_are_refused(data, name, options, reason):
    if MODELS[name][3] and options.get("correction") == "adjusted-score":
        options = {"correction": "none", "unbalanced": "renormalised"}
    with pytest.raises(OptionError, match=reason) as caught:
        model(name, *data, **options)
    assert caught.value.option in ("durbin_graph", "error_graph")


def test_rows_of_the_weights_of_the_error_sum_to_one_with_period_effects(data):
    y, X, W, M, E = data
    for name in ("SAC", "GNS", "SDEM"):
        with pytest.raises(NotRowNormalisedError, match=r"normalise\(error_graph, 'row'\)"):
            model(name, y, X, W, M, 0.9 * E)
        model(name, y, X, W, M, 0.9 * E, effects="entity").fit()
    for name in ("SAC", "GNS"):
        with pytest.raises(NotRowNormalisedError, match=r"normalise\(graph, 'row'\)"):
            model(name, y, X, 0.9 * W, M, E)
        model(name, y, X, 0.9 * W, M, E, correction="none").fit()


@pytest.mark.parametrize("key", ["durbin_graph", "error_graph"])
def test_mistakes_name_the_weights(data, key):
    y, X, W, _, _ = data
    frame = panels.frame(y, X, NAMES)
    y_, x, graph = frame["y"], frame[["x1"]], (W, NAMES)
    with pytest.raises(IdMismatchError, match=f"{key}: "):
        nqp.GNS(y_, x, graph, **{key: (W, range(N))})
    with pytest.raises(WeightsError, match=f"{key}: All weights are zero"):
        nqp.GNS(y_, x, graph, **{key: (0 * W, NAMES)})
    with pytest.raises(OptionError, match=f"{key} is a mapping"):
        nqp.GNS(y_, x, graph, **{key: {2001: graph}})
    with pytest.raises(TypeError, match="error_graph"):
        nqp.SpatialDurbin(y_, x, graph, error_graph=graph)
    with pytest.raises(TypeError, match="durbin_graph"):
        nqp.SAC(y_, x, graph, durbin_graph=graph)
    with pytest.raises(OptionError, match="leaves none"):
        nqp.SpatialDurbin(y_, x, graph, durbin=[], durbin_graph=graph)


def test_the_bound_of_lambda_is_that_of_its_own_weights():
    """W and the W of the error have other intervals; that of lambda is not W's."""
    W, M, E = matrices()
    y, X = draw(W, M, E, lambda_=0.0, rho=0.0, seed=3)
    res = model("SAC", y, X, W, M, E, effects="entity").fit()
    assert np.isfinite(res.std_errors).all()
    low, _ = nqp.SpatialError(
        panels.frame(y, X, NAMES)["y"], panels.frame(y, X, NAMES)[["x1"]], (E, NAMES)
    ).design.spectrum.interval
    assert res.design.error.spectrum.interval[0] == low


# simulated truth ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SAC", "GNS", "SDM"])
@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
def test_the_truth_is_found_and_covered(name, correction):
    """200 panels of 49 entities and 8 periods, two-way effects."""
    W = panels.row(panels.rook(7))
    E, M = panels.row(panels.ring(49, 9)), panels.row(panels.ring(49, 16))
    _, _, durbin, error = MODELS[name]
    lambda_, theta = 0.3 * error, 0.5 * durbin
    names = [f"c{i:02d}" for i in range(49)]
    truth = {"x1": 1.0, "rho": 0.4} | ({"lambda": lambda_} if error else {})
    truth |= {"W_x1": theta} if durbin else {}
    found = []
    for seed in range(200):
        y, X = draw(W, M, E, 8, rho=0.4, lambda_=lambda_, theta=theta, seed=seed)
        if not durbin:  # draw() has a lag of x2 always
            unseen = 0.2 * X[..., 1] @ M.T
            y = y - unseen @ np.linalg.inv(np.eye(49) - 0.4 * W).T
        data = panels.frame(y, X, names)
        own = {"durbin_graph": (M, names)} if durbin else {}
        own |= {"error_graph": (E, names)} if error else {}
        res = MODELS[name][0](
            data["y"], data[["x1", "x2"]], (W, names), correction=correction, **own
        ).fit()
        own = res.params[list(truth)]
        inside = (own - pd.Series(truth)).abs() <= 1.96 * res.std_errors[list(truth)]
        found.append({**own, **inside.add_prefix("in ")})
    found = pd.DataFrame(found).astype(float)
    for key, value in truth.items():
        spread = found[key].std()
        assert abs(found[key].mean() - value) < 0.15 * spread + 3 * spread / np.sqrt(200), key
        assert 0.9 < found[f"in {key}"].mean() < 0.99, key
