"""Wald tests against nested models by hand, and what nesting means for likelihoods."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from nqp_spatial import GNS, SAC, SLX, SpatialDurbin, SpatialDurbinError, SpatialError, SpatialLag
from tests import panels, slow

# small panels have likelihoods with several peaks: test_family_peaks.py
pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")


CLASSES = {
    "sar": SpatialLag,
    "sdm": SpatialDurbin,
    "slx": SLX,
    "sem": SpatialError,
    "sdem": SpatialDurbinError,
    "sac": SAC,
    "gns": GNS,
}
LAGS = ["W_x1", "W_x2"]
NESTED = {  # model: {nested model: parameters that are zero there}
    "sar": {"ols": ["rho"]},
    "slx": {"ols": LAGS},
    "sem": {"ols": ["lambda"]},
    "sdm": {"slx": ["rho"], "sar": LAGS},
    "sdem": {"slx": ["lambda"], "sem": LAGS},
    "sac": {"sem": ["rho"], "sar": ["lambda"]},
    "gns": {"sdem": ["rho"], "sac": LAGS, "sdm": ["lambda"]},
}


def fit(name, kind="knn", seed=1, **options):
    W = panels.KINDS[kind](20, seed=seed)
    y, X = panels.arrays(W, 6, seed=seed)
    data = panels.frame(y, X)
    return CLASSES[name](data["y"], data[["x1", "x2"]], (W, range(20)), **options).fit()


@pytest.mark.parametrize("name", CLASSES)
def test_wald_tests_name_the_nested_models(name):
    res = fit(name)
    extra = {"sem", "moran"} if name == "sdm" else {"moran"}
    assert set(res.tests) == {*NESTED[name], *extra}
    for nested, zero in NESTED[name].items():
        b, V = res.params[zero].to_numpy(), res.cov.loc[zero, zero].to_numpy()
        statistic = float(b @ np.linalg.solve(V, b))
        assert_allclose(res.tests[nested].statistic, statistic, rtol=1e-9)
        assert res.tests[nested].df == len(zero)
        assert_allclose(res.tests[nested].pvalue, stats.chi2.sf(statistic, len(zero)), rtol=1e-8)


def test_common_factor_restriction_by_hand():
    """theta + rho beta = 0 of the Durbin model, with its derivatives (theta, beta, rho)."""
    res = fit("sdm")
    names = ["x1", "x2", "W_x1", "W_x2", "rho"]
    assert list(res.params.index) == names
    b1, b2, t1, t2, rho = res.params
    J = np.array([[rho, 0, 1, 0, b1], [0, rho, 0, 1, b2]])
    h = np.array([t1 + rho * b1, t2 + rho * b2])
    statistic = h @ np.linalg.solve(J @ res.cov.to_numpy() @ J.T, h)
    assert_allclose(res.tests["sem"].statistic, statistic, rtol=1e-9)
    assert res.tests["sem"].df == 2


@pytest.mark.parametrize("kind", ["contiguity", "knn"])
@pytest.mark.parametrize("seed", [0, 1, *slow(2, 3, 4, 5)])
@pytest.mark.parametrize(
    ("effects", "correction"),
    [(None, "none"), ("entity", "lee-yu"), ("time", "none"), ("twoway", "none")],
)
def test_a_larger_model_is_never_less_likely(kind, seed, effects, correction):
    """SDM contains SEM too, by the common factor, which needs the same W for all terms."""
    height = {
        name: fit(name, kind, seed, effects=effects, correction=correction).loglik
        for name in CLASSES
    }
    pairs = [(small, large) for large, found in NESTED.items() for small in found if small != "ols"]
    for small, large in [*pairs, ("sem", "sdm"), ("slx", "gns"), ("sar", "gns")]:
        assert height[small] <= height[large] + 1e-8, (small, large)


@pytest.mark.parametrize("name", ["sar", "sem", "sac", "sdm", "sdem", "gns"])
def test_information_criteria_count_the_spatial_parameters_and_the_variance(name):
    """-2 l + 2 p with p slopes, rho, lambda, sigma2 (the effects of the panel are removed)."""
    res = fit(name)
    p = 2 + 2 * (name in ("sdm", "sdem", "gns")) + 1 + (name in ("sac", "gns"))
    difference = res.aic + 2 * res.loglik
    assert_allclose(difference - fit("slx").aic - 2 * fit("slx").loglik, 2 * (p - 4), atol=1e-8)


@pytest.mark.parametrize("name", CLASSES)
def test_residuals_are_the_innovations(name):
    """e = (I - lambda W)(y - rho Wy - Z delta) without effects; e'e / n is sigma2."""
    W = panels.contiguity(20, seed=4)
    y, X = panels.arrays(W, 3, seed=4, effects=False)
    data = panels.frame(y, X)
    model = CLASSES[name](data["y"], data[["x1", "x2"]], (W, range(20)), effects=None)
    res = model.fit()
    delta = res.params.reindex(["const", "x1", "x2", *LAGS]).fillna(0.0).to_numpy()
    identity = np.eye(20)
    for t in range(3):
        Z = np.column_stack([np.ones(20), X[t], W @ X[t]])
        u = y[t] - res.rho * W @ y[t] - Z @ delta
        e = (identity - res.lambda_ * W) @ u
        found = res.resids.xs(2001 + t, level=1).to_numpy()
        assert_allclose(found, e, rtol=1e-8, atol=1e-10)
    assert_allclose((res.resids**2).mean(), res.sigma2, rtol=1e-9)
    assert_allclose(res.fitted + res.resids, data["y"], rtol=1e-10)
