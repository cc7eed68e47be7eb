"""cov_type="observed": Stata's printed errors, and numerical Hessians of dense likelihoods."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import weights
from nqp_spatial.core.spatial import observed
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.exceptions import (
    BoundaryWarning,
    IdentificationWarning,
    IslandWarning,
    OptionError,
)
from nqp_spatial.models.spatial import checks
from tests import panels, slow
from tests.models.spatial import stacked_panels
from tests.reference import independent_family as family
from tests.reference import independent_likelihood as independent
from tests.reference import independent_random_effects as independent_random
from tests.reference import observed_information as numerical
from tests.reference import stacked_likelihood as dense
from tests.reference.independent_random_effects import interval

pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")

MODELS = {  # class, rho, lambda, which regressors have a lag
    "SAR": (nqp.SpatialLag, True, False, []),
    "SLX": (nqp.SLX, False, False, None),
    "SEM": (nqp.SpatialError, False, True, []),
    "SDM": (nqp.SpatialDurbin, True, False, None),
    "SDEM": (nqp.SpatialDurbinError, False, True, None),
    "SAC": (nqp.SAC, True, True, []),
    "GNS": (nqp.GNS, True, True, None),
}
KINDS = ("direct", "indirect", "total")


def observed_fit(name, y, X, W, **options):
    data = panels.frame(y, X)
    x = data[[column for column in data if column != "y"]]
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        model = MODELS[name][0](data["y"], x, (W, range(len(W))), **options)
    return model.fit(cov_type="observed")


# Stata ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stata():
    return panels.known("columbus_stata.csv", "model", "quantity", "name")


@pytest.fixture(scope="module")
def crime():
    frame, _ = panels.columbus()
    links = panels.read("autocorrelation_links.csv")
    links = links[links["weights"] == "queen_W"]
    graph = Graph.from_adjacency(
        links.rename(columns={"i": "focal", "j": "neighbor", "w": "weight"})
    )
    return frame, weights.normalise(graph, "row")


@pytest.fixture(scope="module")
def columbus(crime):
    frame, graph = crime
    return {
        name: cls(frame["CRIME"], frame[["INC", "HOVAL"]], graph, effects=None).fit(
            cov_type="observed"
        )
        for name, (cls, *_) in MODELS.items()
    }


def assert_same_digits(ours, printed, name):
    """Of the seven digits that Stata prints six: its data are single-precision numbers.

    The likelihood of the GNS is nearly flat, and its estimates are as near as the search goes.
    """
    assert_allclose(ours, printed, rtol=5e-6 if name == "GNS" else 1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_errors_are_those_that_stata_prints(columbus, stata, name):
    res, known = columbus[name], stata[name]
    assert res.cov_type == "observed" and res.df_resid is None
    errors = known["std_error"].drop("sigma2")
    assert set(errors.index) == set(res.params.index)
    assert_same_digits(res.std_errors[errors.index], errors, name)
    assert_same_digits([res.raw.cov[-1, -1] ** 0.5], [known["std_error"]["sigma2"]], name)
    assert_same_digits(res.params[errors.index], known["params"][errors.index], name)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "SEM"])
def test_errors_of_effects_are_those_that_stata_prints(columbus, stata, name):
    effects = columbus[name].effects()
    for kind in KINDS:
        known = stata[name][f"{kind} se"]
        assert set(known.index) == {"INC", "HOVAL"}
        assert_same_digits(effects["std_error"][kind][known.index], known, name)
        assert_same_digits(effects["estimate"][kind][known.index], stata[name][kind], name)


# numerical Hessians ---------------------------------------------------------------------------


def of_all(res):
    """Covariance with sigma2, without the constant, which is one of the dummies there."""
    keep = [i for i, name in enumerate(res.params.index) if name != "const"]
    return res.raw.cov[np.ix_([*keep, -1], [*keep, -1])]


def written_out(name, y, X, W, effects, build):
    _, lag, error, lags = MODELS[name]
    return family.Family(getattr(independent, build)(y, X, W, effects, lags), lag, error)


def assert_curvature(res, model):
    gamma, s2 = family.given(model, res.rho, res.lambda_)
    expected = numerical.covariance(numerical.of_family(model), gamma, res.rho, res.lambda_, s2)
    assert np.isfinite(expected).all()
    size = np.sqrt(np.outer(*[np.diag(expected)] * 2))
    assert_allclose(of_all(res) / size, expected / size, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("kind", "effects"),
    [(kind, e) for kind in panels.KINDS for e in (None, "entity")]
    + [(kind, e) for kind in ("contiguity", "knn", "blocks") for e in ("time", "twoway")],
)
@pytest.mark.parametrize("size", [(12, 4), *slow((15, 2), (10, 7))])
def test_dummies(name, kind, effects, size):
    n, n_periods = size
    W = panels.KINDS[kind](n, seed=3)
    y, X = panels.arrays(W, n_periods, seed=1)
    res = observed_fit(name, y, X, W, effects=effects, correction="none")
    if res.raw.at_bound:
        assert res.std_errors.isna().all()
        return
    assert_curvature(res, written_out(name, y, X, W, effects, "direct"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["contiguity", "knn", "blocks"])
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_transformed_likelihood(name, kind, effects):
    """Under Lee and Yu it is the Hessian of what is left by orthonormal transformations."""
    W = panels.KINDS[kind](12, seed=3)
    y, X = panels.arrays(W, 4, seed=1)
    res = observed_fit(name, y, X, W, effects=effects)
    if res.raw.at_bound:
        assert res.std_errors.isna().all()
        return
    assert_curvature(res, written_out(name, y, X, W, effects, "transformed"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_bias_corrected_has_that_of_the_direct_likelihood_at_its_maximum(name, effects):
    W = panels.KINDS["knn"](14, seed=3)
    y, X = panels.arrays(W, 5, seed=1)
    res = observed_fit(name, y, X, W, effects=effects, correction="bias-corrected")
    model = written_out(name, y, X, W, effects, "demeaned_first")
    found = {"rho": 0.0, "lambda": 0.0}
    if model.free:
        found = family.maximise(model, *interval(W))
    gamma, s2 = family.given(model, found["rho"], found["lambda"])
    expected = numerical.covariance(
        numerical.of_family(model), gamma, found["rho"], found["lambda"], s2
    )
    assert_allclose(of_all(res), expected, rtol=2e-6, atol=1e-9)


# cells: W by period, absent entities, observation weights -------------------------------------

T, N = 4, 12
FULL, GAPS = np.ones((T, N), dtype=bool), stacked_panels.gaps(T, N, seed=2)
VARYING = stacked_panels.varying(panels.knn, N, T, 5)
DIRECTED = stacked_panels.varying(stacked_panels.directed, N, T, 5)
PRECISION = stacked_panels.draw_weights(T, N, "cell")
CELLS = {
    "W by period": lambda: stacked_panels.make(VARYING, FULL, seed=1),
    "gaps": lambda: stacked_panels.make([panels.contiguity(N, 3)] * T, GAPS, constant=True, seed=1),
    "weights": lambda: stacked_panels.make(
        [panels.general(N, 3)] * T, FULL, v=PRECISION, constant=True, seed=1
    ),
    "all together": lambda: stacked_panels.make(DIRECTED, GAPS, v=PRECISION, seed=1),
}


def assert_near(cov, expected):
    size = np.sqrt(np.outer(*[np.diag(expected)] * 2))
    assert np.isfinite(size).all()
    assert_allclose(cov / size, expected / size, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("effects", stacked_panels.EFFECTS)
@pytest.mark.parametrize("name", stacked_panels.MODELS)
@pytest.mark.parametrize("case", CELLS)
def test_cells_with_dummies(case, name, effects):
    panel = CELLS[case]()
    c, res = panel.cells(name, effects), panel.fit(name, effects, cov_type="observed")
    assert not res.raw.at_bound
    gamma, s2 = dense.given(c, res.rho, res.lambda_)
    expected = numerical.covariance(numerical.of_cells(c), gamma, res.rho, res.lambda_, s2)
    assert_near(res.raw.cov, expected)


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("name", ["SLX", "SAR", "SDM"])
@pytest.mark.parametrize("case", CELLS)
def test_adjusted_score(case, name, effects):
    """Minus the derivative of the score at hand, and the known distance of its variance from it."""
    panel = CELLS[case]()
    c = panel.cells(name, effects)
    res = panel.fit(name, effects, "adjusted-score", cov_type="observed")
    delta, s2, _ = dense.adjusted_given(c, res.rho)
    assert_near(res.raw.cov, numerical.adjusted_covariance(c, delta, res.rho, s2))


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_adjusted_score_is_the_transformed_likelihood_where_both_exist(effects):
    W = panels.KINDS["contiguity"](12, seed=3)
    y, X = panels.arrays(W, 5, seed=1)
    one, other = (
        observed_fit("SDM", y, X, W, effects=effects, correction=correction)
        for correction in ("lee-yu", "adjusted-score")
    )
    assert_allclose(one.cov, other.cov, rtol=1e-6, atol=1e-10)


# properties -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    W = panels.knn(20, seed=2)
    return *panels.arrays(W, 6, seed=2), W


@pytest.mark.parametrize("name", MODELS)
def test_units_and_order_change_nothing_else(name, data):
    y, X, W = data
    res = observed_fit(name, y, X, W)
    units = observed_fit(name, 1e4 * y, X * np.array([1e-3, 1e3]), W)
    size = {"x1": 1e7, "W_x1": 1e7, "x2": 10.0, "W_x2": 10.0}
    expected = [e * size.get(n, 1.0) for n, e in res.std_errors.items()]
    assert_allclose(units.std_errors, expected, rtol=1e-6)
    order = np.random.default_rng(0).permutation(len(W))
    moved = observed_fit(name, y[:, order], X[:, order], W[np.ix_(order, order)])
    assert_allclose(moved.std_errors, res.std_errors, rtol=1e-6)


def test_without_rho_and_lambda_it_is_the_expected_one(data):
    res = observed_fit("SLX", *data)
    assert_allclose(res.cov, res.model.fit().cov, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("name", ["SAR", "SDM", "GNS"])
def test_estimates_stay_and_everything_after_them_uses_it(name, data):
    res = observed_fit(name, *data)
    plain = res.model.fit()
    assert_allclose(res.params, plain.params, rtol=0, atol=0)
    assert res.loglik == plain.loglik and res.sigma2 == plain.sigma2
    share = res.std_errors["rho"] / plain.std_errors["rho"]
    assert abs(share - 1) > 0.003
    wald = res.wald_test("rho = 0").statistic / plain.wald_test("rho = 0").statistic
    assert_allclose(wald, share**-2, rtol=1e-9)

    def total(params):
        beta = np.array([params["x1"] + params.get("W_x1", 0.0)])
        return beta / (1 - params["rho"])

    steps = np.eye(len(res.params)) * 1e-6
    gradient = [(total(res.params + step) - total(res.params - step))[0] / 2e-6 for step in steps]
    error = np.sqrt(gradient @ res.cov.to_numpy() @ gradient)
    assert_allclose(res.effects()["std_error"]["total", "x1"], error, rtol=1e-6)
    if name == "GNS":  # draws near rho = 1: no variance to converge to
        return
    drawn = res.effects(method="simulation", draws=4000, seed=1)
    other = plain.effects(method="simulation", draws=4000, seed=1)
    known = res.effects()["std_error"] / plain.effects()["std_error"]
    assert_allclose(drawn["std_error"] / other["std_error"], known, rtol=0.15)


def test_spatial_did_has_it_for_the_policy(data):
    y, X, W = data
    frame = panels.frame(y, X)
    cities, years = (frame.index.get_level_values(i) for i in (0, 1))
    treated = (cities < 8) & (years > years.unique()[2])
    did = pd.Series(treated.astype(float), frame.index, name="did")
    graph = (W, range(len(W)))
    model = nqp.SpatialDiD(frame["y"], did, frame[["x1"]], graph)
    x = frame[["x1"]].assign(did=did)[["did", "x1"]]
    same = nqp.SpatialDurbin(frame["y"], x, graph).fit(cov_type="observed")
    res = model.fit(cov_type="observed")
    assert_allclose(res.cov, same.cov, rtol=1e-10)
    assert_allclose(
        res.policy_effects()["std_error"], same.effects().xs("did", level=1)["std_error"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rho", "lambda_"), [("SDM", 0.5, 0.0), ("SAC", 0.3, 0.4)])
def test_intervals_cover_the_truth(name, rho, lambda_):
    """600 simulated panels of 49 entities and 6 periods; four errors of the share around 0.95."""
    W, n_periods, replications = panels.row(panels.rook(7)), 6, 600
    rng, covered = np.random.default_rng(5), []
    theta = 0.5 if name == "SDM" else 0.0
    A, B = (np.linalg.inv(np.eye(49) - value * W) for value in (rho, lambda_))
    truth = {"x1": 1.0, "rho": rho} | ({"W_x1": theta} if theta else {"lambda": lambda_})
    total = (1.0 + theta) / (1 - rho)
    for _ in range(replications):
        X = rng.normal(size=(n_periods, 49, 1))
        mu, e = rng.normal(size=49), rng.normal(size=(n_periods, 49))
        y = (X[..., 0] + theta * X[..., 0] @ W.T + mu + e @ B.T) @ A.T
        res = observed_fit(name, y, X, W, effects="entity")
        inside = res.conf_int()
        effect = res.effects().loc[("total", "x1")]
        known = {n: inside.loc[n].iloc[0] < v < inside.loc[n].iloc[1] for n, v in truth.items()}
        covered.append({**known, "total": effect["lower"] < total < effect["upper"]})
    share = pd.DataFrame(covered).mean()
    assert ((share - 0.95).abs() < 4 * np.sqrt(0.95 * 0.05 / replications) + 0.005).all(), share


# random effects -------------------------------------------------------------------------------

RANDOM = {  # class, rho, lambda, error_components
    "SAR": (nqp.SpatialLag, True, False, "baltagi"),
    "SLX": (nqp.SLX, False, False, "baltagi"),
    "SEM": (nqp.SpatialError, False, True, "baltagi"),
    "SEM, kkp": (nqp.SpatialError, False, True, "kkp"),
    "SAC": (nqp.SAC, True, True, "baltagi"),
    "GNS, kkp": (nqp.GNS, True, True, "kkp"),
}


def random_fit(name, frame, graph, **options):
    kind, _, _, form = RANDOM[name]
    x = frame[[column for column in frame if column != "y"]]
    model = kind(frame["y"], x, graph, effects="random", error_components=form, **options)
    return model.fit(cov_type="observed")


def random_panel(seed=3, phi=0.7):
    """y, X, W of 15 entities in 5 periods, with an effect of each entity."""
    rng = np.random.default_rng(seed)
    W = (rng.random((15, 15)) < 0.3) & ~np.eye(15, dtype=bool)
    W[W.sum(axis=1) == 0, 0] = True
    W = panels.row(np.where(np.eye(15, dtype=bool), 0.0, W.astype(float)))
    X = rng.normal(size=(5, 15, 2))
    mu = np.sqrt(phi) * rng.normal(size=15)
    u = np.linalg.solve(np.eye(15) + 0.3 * W, rng.normal(size=(5, 15)).T).T
    y = np.linalg.solve(np.eye(15) - 0.4 * W, (X.sum(axis=-1) + mu + u).T).T
    return y, X, W


@pytest.mark.parametrize("name", RANDOM)
def test_random_effects_have_the_hessian_of_the_normal_density(name):
    """Of all NT x NT cells, by complex steps, at our estimate; its inverse is the covariance."""
    kind, lag, error, form = RANDOM[name]
    y, X, W = random_panel()
    res = random_fit(name, panels.frame(y, X), (W, range(15)))
    lagged = (W @ X.transpose(1, 0, 2).reshape(15, -1)).reshape(15, 5, 2).transpose(1, 0, 2)
    columns = [X, lagged] if kind in (nqp.SLX, nqp.GNS) else [X]
    Z = np.concatenate([np.ones((5, 15, 1)), *columns], axis=-1)
    slopes = [n for n in res.params.index if n not in ("rho", "lambda", "sigma2")]
    own = [res.params.get("rho", 0.0), res.params.get("lambda", 0.0)]
    theta = np.array([*res.params[slopes], *own, res.extra_statistics["phi"], res.sigma2])
    model = independent_random.Model(y, Z, W, lag, error, form)
    info = -independent_random.hessian(
        lambda at: independent_random.loglik(model, at), theta, model.positions
    )
    expected = np.linalg.inv(info)
    kept = [*slopes, *(n for n in ("rho", "lambda") if n in res.params)]
    size = len(kept)
    assert_allclose(res.cov.loc[kept, kept], expected[:size, :size], rtol=1e-6, atol=1e-12)
    assert_allclose(res.extra_statistics["phi_std_error"], np.sqrt(expected[size, size]), rtol=1e-7)


def test_random_effects_do_not_depend_on_order_or_units():
    y, X, W = random_panel()
    frame, order = panels.frame(y, X), np.random.default_rng(0).permutation(15)
    res = random_fit("SAC", frame, (W, range(15)))
    mixed = frame.sample(frac=1, random_state=1).assign(x1=lambda f: 1000 * f["x1"])
    again = random_fit("SAC", mixed, (W[np.ix_(order, order)], order))
    errors = again.std_errors * np.where(again.params.index == "x1", 1000, 1)
    assert_allclose(errors[res.std_errors.index], res.std_errors, rtol=1e-6)


def test_random_effects_with_no_variance_have_the_hessian_of_the_pooled_model():
    """phi is at its bound: the other parameters are those of a model without it."""
    y, X, W = random_panel(seed=8, phi=0.0)
    y -= y.mean(axis=0)  # what entities differ by is less than chance has
    y += X.mean(axis=0).sum(axis=-1)
    frame = panels.frame(y, X)
    with pytest.warns(BoundaryWarning, match="the model is the pooled one"):
        res = random_fit("SAR", frame, (W, range(15)))
    pooled = nqp.SpatialLag(frame["y"], frame[["x1", "x2"]], (W, range(15)), effects=None)
    known = pooled.fit(cov_type="observed")
    assert_allclose(res.std_errors, known.std_errors[res.std_errors.index], rtol=1e-5)


# what it is not for ---------------------------------------------------------------------------


def others(data):
    y, X, W = data
    frame, graph = panels.frame(y, X), (W, range(len(W)))
    y, x = frame["y"], frame[["x1", "x2"]]
    return {
        "dynamic lag": nqp.DynamicSpatialLag(y, x, graph),
        "dynamic Durbin": nqp.DynamicSpatialDurbin(y, x, graph),
        "moments": nqp.SpatialIV(y, x, graph),
        "fixed effects": nqp.FixedEffects(y, x),
        "pooled": nqp.PooledOLS(y, x),
        "random effects alone": nqp.RandomEffects(y, x),
    }


@pytest.mark.parametrize("kind", range(6))
def test_other_models_refuse_it_and_say_what_to_type(data, kind):
    name, model = list(others(data).items())[kind]
    word = (
        "unadjusted"
        if name in ("fixed effects", "pooled", "random effects alone")
        else ("asymptotic")
    )
    with pytest.raises(OptionError, match=f"Type cov_type='{word}'") as caught:
        model.fit(cov_type="observed")
    assert caught.value.option == "cov_type"
    model.fit(cov_type=word)  # the remedy


# a likelihood without curvature ---------------------------------------------------------------


@pytest.mark.parametrize(
    "info",
    [
        np.array([[1.0, 2.0], [2.0, 1.0]]),  # a saddle
        np.array([[1.0, 1.0], [1.0, 1.0]]),  # a ridge
        np.array([[1.0, 0.0], [0.0, -1.0]]),
        np.array([[1e12, 1e6], [1e6, 1.0]]),  # a ridge, in other units
    ],
)
def test_what_is_not_positive_definite_has_no_inverse(info):
    assert np.isnan(observed.invert(info)).all()


def test_units_do_not_make_a_matrix_singular():
    info = np.array([[4e20, 1e10], [1e10, 1.0]])
    expected = np.array([[1.0, -1e10], [-1e10, 4e20]]) / 3e20
    assert_allclose(observed.invert(info), expected, rtol=1e-12)


def test_a_flat_likelihood_is_told_of_and_gives_nothing(data, monkeypatch):
    """What invert() finds on a ridge; estimates stay, effects and tests are NaN."""
    monkeypatch.setattr(observed, "invert", lambda info: np.full_like(info, np.nan))
    with pytest.warns(IdentificationWarning, match="flat or not concave.*leave out rho or lambda"):
        res = observed_fit("SDM", *data)
    assert res.params.notna().all() and res.std_errors.isna().all()
    assert res.effects().isna().all(axis=None)
    assert np.isnan(res.wald_test("rho = 0").pvalue)


def test_the_hessian_at_a_point_that_is_no_peak():
    """The information is that of the point it is given: at a saddle there is no covariance."""

    class Nothing:
        def trace_gg(self, rho):
            return -10.0

    slopes, scale = np.ones((4, 1)), Scale(4, 1)
    jacobian = [observed.curvature(Nothing(), 0.5, scale)]
    found = observed.information(slopes, np.zeros((1, 1)), np.zeros(4), 1.0, jacobian, scale)
    assert found[0, 0] == 4.0 - 10.0
    assert np.isnan(observed.invert(found)).all()


def test_the_warning_is_not_given_at_a_bound(data):
    res = observed_fit("SDM", *data)
    nothing = replace(res.raw, cov=np.full_like(res.raw.cov, np.nan), at_bound=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks.check_curvature(nothing)
