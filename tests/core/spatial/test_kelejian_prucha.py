"""2SLS and GMM on arrays against linearmodels; moments of lambda against their dense expectations.

linearmodels without ``debiased`` has no small-sample factors, as `Moments` here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from linearmodels.iv import IV2SLS, IVGMM
from numpy.testing import assert_allclose

from nqp_spatial.core.linear import iv
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import kelejian_prucha, sandwich
from nqp_spatial.core.spatial.ml import lag

T, N = 6, 25
EFFECTS = [None, "entity", "time", "twoway"]


def equal(u, H):
    flat = H.reshape(-1, H.shape[-1])
    return flat.T @ flat * (u**2).mean()


def robust(u, H):
    return sandwich.robust(sandwich.Scores(u, H, {}))


def by_entity(u, H):
    codes = np.broadcast_to(np.arange(N), (T, N))
    return sandwich.clustered(sandwich.Scores(u, H, {}), np.array(codes))


MOMENTS = {"unadjusted": equal, "robust": robust, "clustered": by_entity}


def options(kind):
    """What linearmodels asks for beside the kind."""
    codes = np.broadcast_to(np.arange(N), (T, N)).ravel()
    return {"clusters": codes} if kind == "clustered" else {}


@pytest.fixture(scope="module")
def system():
    """Two endogenous regressors, unequal variances, correlation within entities, two spare."""
    rng = np.random.default_rng(5)
    X = np.concatenate([np.ones((T, N, 1)), rng.normal(size=(T, N, 1))], axis=-1)
    Z = rng.normal(size=(T, N, 4)) + 0.5 * X[..., [1]]
    v = rng.normal(size=(T, N, 2))
    E = Z[..., :2] + 0.4 * Z[..., 1:3] + v
    u = (v.sum(axis=-1) + rng.normal(size=N) + rng.normal(size=(T, N))) * np.exp(X[..., 1] / 3)
    D = np.concatenate([X, E], axis=-1)
    y = D @ np.array([1.0, 0.5, 1.0, -0.5]) + u
    return iv.System(y, D, np.array([False, False, True, True]), Z, T * N)


def frames(system):
    flat = [part.reshape(T * N, -1) for part in (system.y[..., None], system.X, system.E, system.Z)]
    names = ("y", "x", "e", "z")
    return [
        pd.DataFrame(f, columns=[f"{n}{j}" for j in range(f.shape[1])])
        for n, f in zip(names, flat, strict=True)
    ]


@pytest.mark.parametrize("kind", MOMENTS)
def test_2sls_is_that_of_linearmodels(system, kind):
    known = IV2SLS(*frames(system)).fit(cov_type=kind, **options(kind))
    found = iv.solve(system, MOMENTS[kind])
    assert_allclose(found.delta, known.params, rtol=1e-10)
    assert_allclose(found.cov, known.cov, rtol=1e-9)
    assert_allclose(found.resid.ravel(), known.resids, rtol=0, atol=1e-10)
    assert_allclose(found.sigma2, known.s2, rtol=1e-10)


def test_sargan_is_that_of_linearmodels(system):
    known = IV2SLS(*frames(system)).fit(cov_type="unadjusted").sargan
    found = iv.solve(system, equal)
    assert_allclose(found.statistic, known.stat, rtol=1e-9)
    assert found.df == known.df == 2


@pytest.mark.parametrize("kind", ["robust", "clustered"])
def test_two_step_gmm_is_that_of_linearmodels(system, kind):
    model = IVGMM(*frames(system), weight_type=kind, **options(kind))
    known = model.fit(cov_type=kind, **options(kind))
    found = iv.solve(system, MOMENTS[kind], estimator="gmm")
    assert_allclose(found.delta, known.params, rtol=1e-10)
    assert_allclose(found.cov, known.cov, rtol=1e-9)
    assert_allclose(found.statistic, known.j_stat.stat, rtol=1e-9)
    # the same J is given beside 2SLS
    assert_allclose(iv.solve(system, MOMENTS[kind]).statistic, known.j_stat.stat, rtol=1e-9)


def test_gmm_with_equal_variances_is_2sls(system):
    first, second = (iv.solve(system, equal, estimator=e) for e in ("2sls", "gmm"))
    assert_allclose(first.delta, second.delta, rtol=1e-10)
    assert_allclose(first.cov, second.cov, rtol=1e-10)


def test_exactly_identified_has_no_overidentification(system):
    few = iv.System(system.y, system.D, system.endogenous, system.Z[..., :2], system.n)
    found = iv.solve(few, robust)
    assert found.df == 0
    assert np.isnan(found.statistic)
    assert_allclose(iv.solve(few, robust, estimator="gmm").delta, found.delta, rtol=1e-9)


@pytest.mark.parametrize("kind", MOMENTS)
def test_first_stage_is_that_of_linearmodels(system, kind):
    """Its "f.stat" is the Wald statistic, over q only if unadjusted; residual variance over n."""
    fit = IV2SLS(*frames(system)).fit(cov_type=kind, **options(kind))
    known = fit.first_stage.diagnostics
    found = iv.first_stage(system, MOMENTS[kind])
    assert_allclose(found.partial_rsquared, known["partial.rsquared"], rtol=1e-10)
    over = 1 if kind == "unadjusted" else 4
    assert_allclose(over * found.robust_f, known["f.stat"].astype(float), rtol=1e-9)
    assert found.df == (4, T * N - 2 - 4)
    assert not found.singular


def test_first_stage_f_by_sums_of_squares(system):
    found = iv.first_stage(system, equal)
    X, E, Z = (part.reshape(T * N, -1) for part in (system.X, system.E, system.Z))
    for j in range(2):
        short, long = (
            float(np.linalg.lstsq(H, E[:, j], rcond=None)[1][0])
            for H in (X, np.column_stack([X, Z]))
        )
        assert_allclose(found.f[j], (short - long) / 4 / (long / (T * N - 6)), rtol=1e-10)


def test_conditional_f_by_its_definition(system):
    """Sanderson and Windmeijer: residuals of 2SLS of one on the other, regressed on X and Z."""
    found = iv.first_stage(system, robust)
    _, X, E, Z = frames(system)
    for j in range(2):
        other = E.iloc[:, [1 - j]]
        e = IV2SLS(E.iloc[:, j], X, other, Z).fit().resids.to_numpy()
        H = np.column_stack([X, Z])
        b, (long,) = np.linalg.lstsq(H, e, rcond=None)[:2]
        short = float(np.linalg.lstsq(X.to_numpy(), e, rcond=None)[1][0])
        assert_allclose(found.conditional_f[j], (short - long) / (long / (T * N - 6)) / 3)
        v = e - H @ b
        inverse = np.linalg.inv(H.T @ H)
        V = (inverse @ (H * v[:, None] ** 2).T @ H @ inverse)[2:, 2:]
        wald = b[2:] @ np.linalg.solve(V, b[2:])
        assert_allclose(found.conditional_robust_f[j], wald / 3, rtol=1e-9)


def test_one_endogenous_regressor_has_no_condition(system):
    one = iv.System(system.y, system.D[..., :3], np.array([False, False, True]), system.Z, system.n)
    found = iv.first_stage(one, robust)
    assert_allclose(found.conditional_f, found.f, rtol=1e-12)
    assert_allclose(found.conditional_robust_f, found.robust_f, rtol=1e-12)


def test_an_unmoved_combination_is_seen(system):
    """Both endogenous regressors answer to the same instrument alone."""
    D = system.D.copy()
    z, rest = system.Z[..., 0], np.random.default_rng(0).normal(size=(T, N))
    H = iv.basis(np.concatenate([system.X, system.Z], axis=-1)).reshape(T * N, -1)
    rest = (rest.ravel() - H @ (H.T @ rest.ravel())).reshape(T, N)
    D[..., 2], D[..., 3] = z + rest, 2 * z - rest
    broken = iv.System(system.y, D, system.endogenous, system.Z, system.n)
    assert iv.first_stage(broken, equal).singular


def test_a_singular_covariance_of_moments_is_an_error(system):
    def few(u, H):  # two clusters for six moments
        codes = np.broadcast_to(np.arange(N) % 2, (T, N))
        return sandwich.clustered(sandwich.Scores(u, H, {}), np.array(codes))

    with pytest.raises(iv.SingularMomentsError):
        iv.solve(system, few, estimator="gmm")
    found = iv.solve(system, few)
    assert np.isnan(found.statistic)
    assert np.isnan(iv.first_stage(system, few).robust_f).all()


def test_no_exogenous_regressor(system):
    bare = iv.System(system.y, system.D[..., 2:], np.array([True, True]), system.Z, system.n)
    known = IV2SLS(frames(system)[0], None, *frames(system)[2:]).fit(cov_type="robust")
    found = iv.solve(bare, robust)
    assert_allclose(found.delta, known.params, rtol=1e-10)
    assert_allclose(found.cov, known.cov, rtol=1e-9)
    assert iv.first_stage(bare, robust).df == (4, T * N - 4)


# lambda ---------------------------------------------------------------------------------------


def weights(n=9, seed=0):
    """Row-normalised and asymmetric, no zero diagonal asked for."""
    W = np.random.default_rng(seed).random((n, n)) * (1 - np.eye(n))
    W[W < 0.5] = 0.0
    return W / W.sum(axis=1, keepdims=True)


def expectation(n, n_periods, variance, moments, effects):
    """E of quadratic forms of innovations free of effects: the sum over cells of their squares."""
    total = 0.0
    for t in range(n_periods):
        for i in range(n):
            e = np.zeros((n_periods, n))
            e[t, i] = 1.0
            total = total + variance[t, i] * moments(demean(e, effects))
    return total


@pytest.mark.parametrize("effects", EFFECTS)
def test_moments_have_mean_zero_at_any_variances(effects):
    W = weights()
    variance = np.random.default_rng(1).uniform(0.2, 3.0, (4, 9))

    def moments(e):
        products = kelejian_prucha._products(e, sp.csr_array(W), effects)
        return kelejian_prucha._unequal(e, sp.csr_array(W), effects, products)[0]

    mean = expectation(9, 4, variance, moments, effects)
    assert_allclose(mean, 0, atol=1e-12)


@pytest.mark.parametrize("effects", EFFECTS)
def test_traces_are_the_means_at_equal_variances(effects):
    W = weights()
    left = (9 - (effects in ("time", "twoway"))) * (4 - (effects in ("entity", "twoway")))

    def moments(e):
        uu, uv, vv, *_ = kelejian_prucha._products(e, sp.csr_array(W), effects)
        return np.array([uu, vv, uv])

    mean = expectation(9, 4, np.ones((4, 9)), moments, effects)
    assert_allclose(kelejian_prucha._traces(sp.csr_array(W), effects, left), mean, rtol=1e-12)


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("equal_variances", [True, False])
def test_the_criterion_at_the_truth_is_that_of_the_innovations(effects, equal_variances):
    """u = (I - lambda W)^-1 e: filtering by lambda gives back e, free of effects."""
    W = weights()
    e = np.random.default_rng(2).normal(size=(4, 9))
    u = demean(np.linalg.solve(np.eye(9) - 0.3 * W, e.T).T, effects)
    filtered = u - 0.3 * kelejian_prucha.within_lag(sp.csr_array(W), u, effects)
    assert_allclose(filtered, demean(e, effects), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("equal_variances", [True, False])
def test_lambda_is_the_lowest_point_of_the_criterion(effects, equal_variances):
    """Against a fine grid of the moments of u - lambda W u themselves."""
    W = sp.csr_array(weights(20, seed=3))
    rng = np.random.default_rng(4)
    u = demean(np.linalg.solve(np.eye(20) - 0.4 * W.toarray(), rng.normal(size=(20, 5))).T, effects)
    left = (20 - (effects in ("time", "twoway"))) * (5 - (effects in ("entity", "twoway")))
    found = kelejian_prucha.error_lag(
        u, W, (-1.0, 1.0), effects=effects, equal_variances=equal_variances
    )

    def value(lambda_):
        e = u - lambda_ * kelejian_prucha.within_lag(W, u, effects)
        products = kelejian_prucha._products(e, W, effects)
        if not equal_variances:
            at = kelejian_prucha._unequal(e, W, effects, products)[0] / left
            return float(at @ at)
        at = np.array([products[0], products[2], products[1]]) / left
        traces = kelejian_prucha._traces(W, effects, left) / left
        return float(((at - traces * (traces @ at) / (traces @ traces)) ** 2).sum())

    grid = np.linspace(-0.999, 0.999, 4001)
    values = [value(x) for x in grid]
    assert abs(found.lambda_ - grid[int(np.argmin(values))]) <= 5.1e-4
    assert value(found.lambda_) <= min(values) + 1e-15
    assert not found.at_bound
    assert np.isnan(found.sigma2) == (not equal_variances)


def test_lambda_at_its_bound_is_said():
    """A residual that is an eigenvector of W with eigenvalue one has lambda beyond one."""
    W = sp.csr_array(weights(20))
    found = kelejian_prucha.error_lag(
        np.ones((3, 20)) + 1e-3 * np.random.default_rng(0).normal(size=(3, 20)),
        W,
        (-1.0, 0.5),
        effects=None,
    )
    assert found.at_bound
    assert_allclose(found.lambda_, 0.5, atol=1e-4)


def test_filtering_without_endogenous_regressors_is_generalised_least_squares():
    W, rng = weights(), np.random.default_rng(6)
    X, y = rng.normal(size=(4, 9, 2)), rng.normal(size=(4, 9))
    nothing = np.empty((4, 9, 0))
    plain = iv.System(y, X, np.array([False, False]), nothing, 36)
    system = kelejian_prucha.filtered(plain, sp.csr_array(W), 0.4, None)
    found = iv.solve(system, equal)
    A = np.eye(9) - 0.4 * W
    omega = np.kron(np.eye(4), A.T @ A)
    flat = X.reshape(36, 2)
    known = np.linalg.solve(flat.T @ omega @ flat, flat.T @ omega @ y.ravel())
    assert_allclose(found.delta, known, rtol=1e-10)
    assert_allclose(lag(sp.csr_array(W), X)[2], W @ X[2], atol=1e-14)
