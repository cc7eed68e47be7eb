"""Rows, instruments and GMM by dense loops over entities, and identities of the theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from nqp_spatial.core.linear import gmm
from nqp_spatial.core.linear.gmm_instruments import (
    deviations,
    differences,
    gmm_style,
    iv_style,
    levels,
    stacked,
    triangle,
)

HOLES = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]], dtype=bool)


def test_differences_skip_gaps_and_deviations_do_not():
    rows = differences(HOLES)
    assert list(zip(rows.entity, rows.period, strict=True)) == [
        *[(0, 1), (0, 2), (0, 5)],
        *[(1, t) for t in range(1, 6)],
    ]
    grid = np.arange(18.0).reshape(3, 6) ** 2
    assert_allclose(rows.M @ grid.ravel(), [1, 3, 25 - 16, 13, 15, 17, 19, 21])
    moved = deviations(HOLES)
    own = dict(zip(zip(moved.entity, moved.period, strict=True), moved.M @ grid.ravel(),
                   strict=True))  # fmt: skip
    # stored a period late; the mean is of what is observed later, over the gap
    assert own[0, 3] == pytest.approx(np.sqrt(2 / 3) * (4 - (16 + 25) / 2))
    assert own[2, 2] == pytest.approx(np.sqrt(2 / 3) * (13**2 - (15**2 + 17**2) / 2))
    assert len(own) == 4 + 5 + 2
    eye = (moved.M @ moved.M.T).toarray()
    assert_allclose(eye, np.eye(len(own)), atol=1e-14)


def test_instruments_are_placed_as_in_the_textbook():
    """Three periods of differences: y1; y1, y2; y1, y2, y3 (Arellano and Bond 1991, p. 279)."""
    y = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    rows = differences(~np.isnan(y) & (np.arange(5) > 0))  # cells from period 1 on, as with a lag
    Z, columns = gmm_style(y, rows, "y", (2, None))
    assert_allclose(Z.toarray(), [[1, 0, 0, 0, 0, 0], [0, 2, 1, 0, 0, 0], [0, 0, 0, 4, 2, 1]])
    assert [(c.period, c.lag) for c in columns] == [(2, 2), (3, 2), (3, 3), (4, 2), (4, 3), (4, 4)]
    Z, _ = gmm_style(y, rows, "y", (2, None), collapse=True)
    assert_allclose(Z.toarray(), [[1, 0, 0], [2, 1, 0], [4, 2, 1]])
    Z, _ = gmm_style(y, rows, "y", (3, 3))
    assert_allclose(Z.toarray(), [[0, 0], [1, 0], [0, 2]])


def test_levels_are_instrumented_by_the_latest_valid_difference():
    y = np.array([[1.0, 2.0, 4.0, np.nan, 16.0, 17.0]])
    rows = levels(np.ones((1, 6), dtype=bool))
    Z, columns = gmm_style(y, rows, "y", (2, None), collapse=True)  # of lag 1: y1 - y0 at 2, ...
    assert_allclose(Z.toarray().ravel(), [0, 0, 1, 2, 0, 0])
    assert [(c.equation, c.lag) for c in columns] == [("level", 1)]
    Z, _ = gmm_style(y, rows, "y", (1, None))  # of lag 0, a column a period
    assert_allclose(Z.toarray()[[1, 2, 5]], np.diag([1.0, 2.0, 1.0]))


def test_iv_instruments_are_transformed_as_their_row():
    x = np.array([[1.0, 3.0, 9.0]])
    every = np.ones((1, 3), dtype=bool)
    rows = stacked(differences(every), levels(every))
    for equation, expected in (
        ("both", [2, 6, 1, 3, 9]),
        ("transformed", [2, 6, 0, 0, 0]),
        ("level", [0, 0, 1, 3, 9]),
    ):
        Z, _ = iv_style(x.reshape(-1, 1), rows, ["x"], "exogenous", equation=equation)
        assert_allclose(Z.toarray().ravel(), expected)


def test_triangle_has_the_products_of_the_instruments():
    Z = sparse.random_array((57, 6), density=0.4, rng=np.random.default_rng(3), format="csr")
    R = triangle(Z, block=10)
    assert_allclose(R.T @ R, (Z.T @ Z).toarray(), atol=1e-14)


def draw(n=40, T=6, seed=0, holes=0.0):
    rng = np.random.default_rng(seed)
    mu, y, grid = rng.normal(size=n), np.zeros(n), []
    for _ in range(T + 20):
        y = 0.5 * y + mu + rng.normal(size=n)
        grid.append(y)
    y = np.array(grid[20:]).T
    y[rng.uniform(size=y.shape) < holes] = np.nan
    return y


def system(y, transform=differences, with_levels=False, first_step="full", **options):
    """y on its lag."""
    lag = np.full_like(y, np.nan)
    lag[:, 1:] = y[:, :-1]
    usable = ~np.isnan(y + lag)
    rows = transform(usable)
    if with_levels:
        rows = stacked(rows, levels(usable))
    Z, _ = gmm_style(y, rows, "y", (2, None), **options)
    clean = [np.where(usable, values, 0.0).ravel() for values in (y, lag)]
    return gmm.System(
        clean[0], clean[1][:, None], Z, rows, differences(usable), len(y), first_step,
        orthogonal=transform is deviations,
    )  # fmt: skip


def by_loops(data, steps, robust):
    """The formulas of Arellano and Bond (1991), Windmeijer (2005), entity by entity, dense."""
    n, rows = data.n_entities, data.rows
    M, Z = rows.M.toarray(), data.Z.toarray()
    y, X = M @ data.y, M @ data.X
    own = [np.flatnonzero(rows.entity == i) for i in range(n)]
    H = M @ M.T
    W1 = np.linalg.inv(sum(Z[r].T @ H[np.ix_(r, r)] @ Z[r] for r in own))
    XZ = X.T @ Z

    def solve(W):
        return np.linalg.solve(XZ @ W @ XZ.T, XZ @ W @ Z.T @ y)

    b1 = solve(W1)
    u1 = y - X @ b1
    P1 = np.linalg.inv(XZ @ W1 @ XZ.T) @ XZ @ W1
    S = sum(np.outer(Z[r].T @ u1[r], Z[r].T @ u1[r]) for r in own)
    V1 = P1 @ S @ P1.T
    moved = ~rows.level
    sigma2 = u1[moved] @ u1[moved] / moved.sum() / (1 if data.orthogonal else 2)
    if steps == 1:
        V = V1 if robust else sigma2 * np.linalg.inv(XZ @ W1 @ XZ.T)
        return b1, V, u1, P1, sigma2
    W2 = np.linalg.inv(S)
    b2 = solve(W2)
    u2 = y - X @ b2
    V2 = np.linalg.inv(XZ @ W2 @ XZ.T)
    if not robust:
        return b2, V2, u2, V2 @ XZ @ W2, sigma2
    D = np.empty((len(b2), len(b2)))
    for j in range(len(b2)):  # derivative of S with respect to coefficient j
        dS = -sum(
            np.outer(Z[r].T @ X[r, j], Z[r].T @ u1[r]) + np.outer(Z[r].T @ u1[r], Z[r].T @ X[r, j])
            for r in own
        )
        D[:, j] = -V2 @ XZ @ W2 @ dS @ W2 @ Z.T @ u2
    V = V2 + D @ V2 + V2 @ D.T + D @ V1 @ D.T
    return b2, V, u2, V2 @ XZ @ W2, sigma2


def ar_by_loops(data, result, order, robust):
    """Arellano and Bond (1991), equations 8 to 10."""
    b, V, u, P, sigma2 = result
    D, M, Z = data.differences.M.toarray(), data.rows.M.toarray(), data.Z.toarray()
    e, X = D @ (data.y - data.X @ b), D @ data.X
    cells = list(zip(data.differences.entity, data.differences.period, strict=True))
    w = np.array([e[cells.index((i, t - order))] if (i, t - order) in cells else 0.0
                  for i, t in cells])  # fmt: skip
    if robust:
        parts = [w[data.differences.entity == i] @ e[data.differences.entity == i]
                 for i in range(data.n_entities)]  # fmt: skip
        cross = sum(
            Z[data.rows.entity == i].T @ u[data.rows.entity == i] * parts[i]
            for i in range(data.n_entities)
        )
        own = np.square(parts).sum()
    else:
        own, cross = sigma2 * w @ D @ D.T @ w, sigma2 * Z.T @ M @ D.T @ w
    variance = own - 2 * w @ X @ P @ cross + w @ X @ V @ X.T @ w
    return w @ e / np.sqrt(variance)


@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("with_levels", [True, False])
@pytest.mark.parametrize("transform", [differences, deviations])
def test_both_steps_and_serial_correlation_over_gaps(transform, with_levels, steps, robust):
    data = system(draw(n=60, holes=0.1), transform, with_levels)
    expected = by_loops(data, steps, robust)
    found = gmm.estimate(data, steps=steps, robust=robust)
    assert not found.singular
    assert_allclose(found.used.delta, expected[0], rtol=1e-9)
    assert_allclose(found.cov, expected[1], rtol=1e-8)
    assert found.sigma2 == pytest.approx(expected[4], rel=1e-9)
    for order in (1, 2):
        z = ar_by_loops(data, expected, order, robust or steps == 2)
        assert gmm.serial_correlation(found, order) == pytest.approx(z, rel=1e-7)


def test_deviations_and_differences_give_one_step_estimates_that_are_equal():
    """With all lags of a balanced panel both are one estimator (Arellano and Bover 1995, p. 42)."""
    y = draw(n=80, T=7, seed=1)
    a = gmm.estimate(system(y), steps=1)
    b = gmm.estimate(system(y, deviations), steps=1)
    assert_allclose(a.used.delta, b.used.delta, rtol=1e-9)
    assert_allclose(a.cov, b.cov, rtol=1e-9)
    assert_allclose(a.hansen, b.hansen, rtol=1e-8)


def test_exactly_identified_gmm_is_instrumental_variables():
    """Anderson and Hsiao (1981): one lag, collapsed; every weight gives the same."""
    y = draw(seed=2)
    lag = [y[:, 2:] - y[:, 1:-1], y[:, 1:-1] - y[:, :-2], y[:, :-2]]
    expected = (lag[2] * lag[0]).sum() / (lag[2] * lag[1]).sum()
    rows = system(y).rows
    Z, _ = gmm_style(y, rows, "y", (2, 2), collapse=True)
    for first_step in gmm.FIRST_STEPS:
        base = system(y, first_step=first_step)
        data = gmm.System(base.y, base.X, Z, rows, base.differences, len(y), first_step)
        found = gmm.estimate(data)
        assert_allclose(found.one.delta, [expected], rtol=1e-10)
        assert_allclose(found.two.delta, [expected], rtol=1e-10)
        assert found.hansen == pytest.approx(0, abs=1e-15)
        # one- and two-step sandwiches are the same, and Windmeijer has nothing to correct
        one = gmm.estimate(data, steps=1)
        assert_allclose(found.cov, one.cov, rtol=1e-8)


def test_units_of_instruments_do_not_matter_even_where_weights_are_singular():
    y = draw(n=8, T=7, seed=4)  # 15 instruments, 8 entities
    data = system(y)
    scaled = gmm.System(
        data.y, data.X, sparse.csr_array(data.Z * np.logspace(-4, 4, data.Z.shape[1])),
        data.rows, data.differences, data.n_entities,
    )  # fmt: skip
    a, b = gmm.estimate(data), gmm.estimate(scaled)
    assert a.singular and b.singular
    assert_allclose(a.two.delta, b.two.delta, rtol=1e-6)
    assert_allclose(a.cov, b.cov, rtol=1e-5)


def test_hansen_without_some_instruments_never_rises():
    found = gmm.estimate(system(draw(n=100, T=6, seed=5), with_levels=True))
    L = found.system.Z.shape[1]
    for dropped in ([0], [3, 4], list(range(L - 3, L)), list(range(5))):
        statistic, df = gmm.without(found, np.array(dropped))
        assert 0 <= statistic <= found.hansen + 1e-10
        assert df == L - len(dropped) - 1
    assert gmm.without(found, np.array([], dtype=int))[0] == pytest.approx(found.hansen)
    with pytest.raises(np.linalg.LinAlgError, match="fewer instruments"):
        gmm.without(found, np.arange(L))


def test_a_parameter_without_informative_instrument_is_an_error():
    data = system(draw())
    empty = np.zeros_like(data.X)
    bad = gmm.System(
        data.y, np.hstack([data.X, empty]), data.Z, data.rows, data.differences, data.n_entities
    )
    with pytest.raises(np.linalg.LinAlgError, match="no informative instrument"):
        gmm.estimate(bad)
