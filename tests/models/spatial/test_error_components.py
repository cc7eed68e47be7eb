"""Random effects inside the spatial error (Kapoor, Kelejian and Prucha), and outside it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.comparison import crosscheck
from nqp_spatial.diagnostics import hausman
from nqp_spatial.exceptions import OptionError
from tests import panels
from tests.reference import independent_random_effects as independent

KKP = {"effects": "random", "error_components": "kkp"}
MODELS = {  # name: lag, lags of regressors
    "SpatialError": (False, False),
    "SpatialDurbinError": (False, True),
    "SAC": (True, False),
    "GNS": (True, True),
}


@pytest.fixture(scope="module")
def produc():
    data = panels.read("produc_data.csv", "state", "year")
    logs = ["gsp", "pcap", "pc", "emp"]
    data = data.assign(**{name: np.log(data[name]) for name in logs})
    links = panels.read("produc_links.csv")
    states = sorted(data.index.get_level_values(0).unique())
    W = pd.crosstab(links["state"], links["neighbour"]).loc[states, states].to_numpy(dtype=float)
    graph = (W / W.sum(axis=1, keepdims=True), states)
    return data["gsp"], data[["pcap", "pc", "emp", "unemp"]], graph


def simulated(seed=0, n=14, n_periods=5, phi=1.5, rho=0.0, lambda_=0.5, W=None):
    """y, x, (W, ids) and the matrix, with effects inside the error."""
    W = panels.contiguity(n, seed) if W is None else W
    n = len(W)
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_periods, n, 2)) + rng.normal(size=(n, 2))
    shocks = np.sqrt(phi) * rng.normal(size=n) + rng.normal(size=(n_periods, n))
    u = np.linalg.solve(np.eye(n) - lambda_ * W, shocks.T).T
    y = np.linalg.solve(np.eye(n) - rho * W, (1 + X @ [1.0, -0.5] + u).T).T
    frame = panels.frame(y, X)
    return frame["y"], frame[["x1", "x2"]], (W, range(n)), W


def as_arrays(y, x, W, lags):
    """Periods by entities, with a constant and W x."""
    n = len(W)
    Y = y.to_numpy().reshape(n, -1).T
    X = x.to_numpy().reshape(n, -1, x.shape[1]).transpose(1, 0, 2)
    Z = np.concatenate([np.ones((*Y.shape, 1)), X], axis=2)
    if lags:
        Z = np.concatenate([Z, np.einsum("ij,tjk->tik", W, X)], axis=2)
    return Y, Z


# other programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["baltagi", "kkp"])
@pytest.mark.parametrize("lag", [False, True])
def test_splm_on_produc(produc, form, lag):
    """produc_random_errors.R; splm's search stops at 1e-5, and we are higher or as high."""
    known = panels.known("produc_random_errors.csv", "form", "lag", "what", "name")
    known = known[{"baltagi": "b"}.get(form, form), lag]
    cls = nqp.SAC if lag else nqp.SpatialError
    result = cls(*produc, effects="random", error_components=form).fit()
    names = known["params"].index
    assert_allclose(result.params[names], known["params"], rtol=2e-4)
    parts = known["components"]
    assert_allclose(result.params["lambda"], parts["lambda"], rtol=1e-4)
    assert_allclose(result.extra_statistics["phi"], parts["phi"], rtol=1e-4)
    gain = result.loglik - known["loglik", ""]
    assert -1e-9 < gain < 1e-5
    if lag:
        assert_allclose(result.params["rho"], parts["rho"], atol=2e-6)
    else:
        assert_allclose(result.std_errors[names], known["errors"], rtol=1e-4)
    assert result.model_name.endswith(
        "with random effects in the spatial error" if form == "kkp" else "with random effects"
    )


@pytest.mark.parametrize("name", MODELS)
def test_an_independent_likelihood(name):
    """The normal density with NT x NT matrices, and minus the Hessian of its expectation."""
    lag, lags = MODELS[name]
    y, x, graph, W = simulated(seed=3, rho=0.3 * lag)
    result = getattr(nqp, name)(y, x, graph, **KKP).fit()
    model = independent.Model(*as_arrays(y, x, W, lags), W, lag, True, "kkp")
    theta, loglik = independent.maximise(model)
    k = model.shape[2]
    assert_allclose(result.loglik, loglik, rtol=1e-9)
    expected = [*theta[:k], *([theta[k]] if lag else []), theta[k + 1]]
    assert_allclose(result.params, expected, rtol=1e-6, atol=1e-8)
    assert_allclose(result.extra_statistics["phi"], theta[k + 2], rtol=1e-6)
    assert_allclose(result.sigma2, theta[k + 3], rtol=1e-6)
    cov = np.linalg.inv(independent.information(model, theta))
    kept = [*range(k), *([k] if lag else []), k + lag]  # phi and sigma2 follow
    assert_allclose(result.cov, cov[np.ix_(kept, kept)], rtol=1e-4, atol=1e-7)
    error = result.extra_statistics["phi_std_error"]
    assert_allclose(error, np.sqrt(cov[k + lag + 1, k + lag + 1]), rtol=1e-4)


def test_effects_and_their_errors_follow_from_the_estimates():
    y, x, graph, W = simulated(seed=5, rho=0.3)
    result = nqp.SAC(y, x, graph, **KKP).fit()
    p, n = result.params, len(W)

    def direct(rho, beta):
        return np.trace(np.linalg.inv(np.eye(n) - rho * W)) * beta / n

    found = result.effects().loc[("direct", "x1")]
    assert_allclose(found["estimate"], direct(p["rho"], p["x1"]), rtol=1e-9)
    h = 1e-6
    d_rho = (direct(p["rho"] + h, p["x1"]) - direct(p["rho"] - h, p["x1"])) / (2 * h)
    slope = np.array([d_rho, direct(p["rho"], 1.0)])
    cov = result.cov.loc[["rho", "x1"], ["rho", "x1"]].to_numpy()
    assert_allclose(found["std_error"], np.sqrt(slope @ cov @ slope), rtol=1e-6)


def test_hausmans_test_has_the_same_errors():
    """Mundlak's form: entity means among the regressors of the same model."""
    y, x, graph, _ = simulated(seed=7)
    result = nqp.SpatialError(y, x, graph, **KKP).fit()
    means = x.groupby(level=0).transform("mean").add_prefix("mean ")
    augmented = nqp.SpatialError(y, x.join(means), graph, **KKP).fit()
    expected = augmented.wald_test([f"{name} = 0" for name in means]).statistic
    found = hausman(None, result)
    assert_allclose(found.asymptotic.statistic, expected, rtol=1e-6)
    outside = hausman(None, nqp.SpatialError(y, x, graph, effects="random").fit())
    assert abs(outside.asymptotic.statistic / expected - 1) > 1e-3
    fixed = nqp.SpatialError(y, x, graph, effects="entity").fit()
    assert np.isfinite(hausman(fixed, result, form="classical").statistic)


# what must hold ----------------------------------------------------------------------------------


def test_order_and_labels_do_not_matter():
    y, x, (W, _), _ = simulated(seed=9)
    names = [f"c{i:02d}" for i in range(len(W))]
    index = y.index.set_levels(names, level=0)
    before = nqp.SAC(y.set_axis(index), x.set_axis(index), (W, names), **KKP).fit()
    order = np.random.default_rng(1).permutation(len(W))
    frame = pd.concat([y, x], axis=1).set_axis(index).sample(frac=1, random_state=1)
    moved = W[np.ix_(order, order)], [names[i] for i in order]
    after = nqp.SAC(frame["y"], frame[["x1", "x2"]], moved, **KKP).fit()
    assert_allclose(after.params, before.params, rtol=1e-7)
    assert_allclose(after.cov, before.cov, rtol=1e-5, atol=1e-9)


def test_without_a_spatial_error_in_the_data_both_are_nearly_one():
    """At lambda = 0 the two likelihoods are the same, whatever phi."""
    y, x, graph, W = simulated(seed=2, lambda_=0.0, n=30, n_periods=6)
    Y, Z = as_arrays(y, x, W, False)
    at = np.array([1.0, 1.0, -0.5, 0.0, 0.0, 1.2, 0.9])
    values = [
        independent.loglik(independent.Model(Y, Z, W, False, True, form), at)
        for form in ("baltagi", "kkp")
    ]
    assert_allclose(*values, rtol=1e-12)
    fits = [
        nqp.SpatialError(y, x, graph, effects="random", error_components=form).fit()
        for form in ("baltagi", "kkp")
    ]
    assert abs(fits[0].params["lambda"]) < 0.2
    assert_allclose(fits[0].loglik, fits[1].loglik, atol=0.5)


def test_the_option_stays_with_the_model():
    y, x, graph, _ = simulated()
    model = nqp.SpatialError(y, x, graph, **KKP)
    for again in (model.with_options(correction="none"), model.with_graph(graph)):
        assert again.error_components == "kkp"
    options = model.fit().provenance["options"]
    assert options["error_components"] == "kkp"
    plain = nqp.SpatialError(y, x, graph, effects="random").fit().provenance["options"]
    assert "error_components" not in plain  # the default, as it was


# what is refused ---------------------------------------------------------------------------------


def test_what_is_refused():
    y, x, graph, _ = simulated()
    with pytest.raises(OptionError, match="has no spatial error. Use SpatialError,"):
        nqp.SpatialDurbin(y, x, graph, **KKP)
    for effects in ("twoway", "entity", None):
        with pytest.raises(OptionError, match="has no random effects. Type effects='random'"):
            nqp.SAC(y, x, graph, effects=effects, error_components="kkp")
    with pytest.raises(OptionError, match="error_components='inside'"):
        nqp.SAC(y, x, graph, effects="random", error_components="inside")
    result = nqp.SpatialError(y, x, graph, **KKP).fit()
    with pytest.raises(OptionError, match="needs a model without a spatial error"):
        nqp.SpatialError(y, x, graph, **KKP).fit(cov_type="clustered")
    with pytest.raises(OptionError, match="spreg has no random effects inside.*'baltagi'"):
        crosscheck(result)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """300 panels of a lattice of 36 and 6 periods; the other form is told by its likelihood."""
    W = panels.row(panels.rook(6))
    covered, estimates, other = {"x1": 0, "lambda": 0, "phi": 0}, [], []
    for seed in range(300):
        y, x, graph, _ = simulated(seed=seed, n_periods=6, phi=2.0, W=W)
        result = nqp.SpatialError(y, x, graph, **KKP).fit()
        intervals = result.conf_int()
        covered["x1"] += intervals.loc["x1", "lower"] < 1 < intervals.loc["x1", "upper"]
        covered["lambda"] += (
            intervals.loc["lambda", "lower"] < 0.5 < intervals.loc["lambda", "upper"]
        )
        phi, error = (result.extra_statistics[name] for name in ("phi", "phi_std_error"))
        covered["phi"] += abs(phi - 2) < 1.96 * error
        estimates.append(result.params["lambda"])
        outside = nqp.SpatialError(y, x, graph, effects="random").fit()
        other.append(outside.loglik - result.loglik)
    shares = {name: count / 300 for name, count in covered.items()}
    assert all(0.88 < share < 0.98 for share in shares.values()), shares
    assert abs(np.mean(estimates) - 0.5) < 0.02 + 3 * np.std(estimates) / np.sqrt(300)
    assert np.mean(np.array(other) < 0) > 0.6, np.mean(np.array(other) < 0)
