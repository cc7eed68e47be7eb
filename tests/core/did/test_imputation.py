"""The first stage on clean cells and the weights of averages, against dense algebra."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial.core.did import imputation


def dummies(codes):
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)


def cells(seed, *, n=14, n_periods=7, absent=0.0, regions=0):
    """Codes of units, periods and regions by year, whether a cell is clean, y and x."""
    rng = np.random.default_rng(seed)
    unit, period = np.repeat(np.arange(n), n_periods), np.tile(np.arange(n_periods), n)
    kept = rng.random(len(unit)) >= absent
    unit, period = unit[kept], period[kept]
    first = rng.integers(1, n_periods + 3, n)
    clean = period < first[unit]
    kinds = [unit, period]
    if regions:
        kinds.append((unit % regions) * n_periods + period)
    kinds = [np.unique(codes, return_inverse=True)[1] for codes in kinds]
    return kinds, clean, rng.normal(size=len(unit)), rng.normal(size=(len(unit), 2)), first


def dense(kinds, clean, x):
    """Regressors of the first stage on all cells, and which rows clean cells determine."""
    Z = np.hstack([dummies(codes) for codes in kinds])
    rank = np.linalg.matrix_rank(Z[clean])
    determined = [np.linalg.matrix_rank(np.vstack([Z[clean], row])) == rank for row in Z]
    return np.hstack([Z, x]), np.array(determined), rank


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("absent", "regions"), [(0.0, 0), (0.35, 0), (0.1, 3), (0.6, 0)])
def test_effects_and_weights_are_those_of_explicit_dummies(seed, absent, regions):
    kinds, clean, y, x, _ = cells(seed, absent=absent, regions=regions)
    Z, determined, rank = dense(kinds, clean, x)
    effects = imputation.CleanEffects(kinds, clean)
    assert_array_equal(effects.determined, determined)
    assert effects.rank == rank
    stage = imputation.FirstStage.of(effects, y, x)
    inverse = np.linalg.pinv(Z[clean].T @ Z[clean], rcond=1e-11)
    slopes = inverse @ Z[clean].T @ y[clean]
    assert_allclose(stage.left[determined], (y - Z @ slopes)[determined], atol=1e-10)
    assert_allclose(stage.slopes, slopes[-2:], atol=1e-10)
    target = np.flatnonzero(~clean & determined)
    if not len(target):
        pytest.skip("nothing to impute in this draw")
    rng = np.random.default_rng(seed)
    w = np.zeros((len(y), 3))
    w[target] = rng.normal(size=(len(target), 3))
    weights = sp.coo_array(w)
    v = Z[clean] @ inverse @ Z.T @ w
    centre = rng.normal(size=weights.nnz)
    expected = np.zeros_like(w)
    expected[clean] = -v * stage.left[clean, None]
    for r, c, value, around in zip(weights.row, weights.col, weights.data, centre, strict=True):
        expected[r, c] += value * (stage.left[r] - around)
    by_cell = sp.eye_array(len(y), format="csr")
    assert_allclose(imputation.Groups(stage, by_cell).scores(weights, centre), expected, atol=1e-9)
    by_period = sp.csr_array(dummies(kinds[1]).T)
    assert_allclose(
        imputation.Groups(stage, by_period).scores(weights, centre),
        dummies(kinds[1]).T @ expected,
        atol=1e-9,
    )


def test_two_parts_without_a_common_clean_cell_are_found():
    """Units 0 and 1 are clean in periods 0 and 1 alone, 2 and 3 in periods 2 and 3."""
    unit, period = np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)
    clean = (unit < 2) == (period < 2)
    effects = imputation.CleanEffects([unit, period], clean)
    assert_array_equal(effects.determined, clean)
    assert effects.rank == 8 - 2


def test_too_many_categories_beside_the_largest_kind_are_refused(monkeypatch):
    monkeypatch.setattr(imputation, "DIRECT", 5)
    kinds, clean, *_ = cells(0)
    with pytest.raises(imputation.TooManyError):
        imputation.CleanEffects(kinds, clean)


@pytest.mark.parametrize("leave_out", [False, True])
def test_means_of_like_effects_by_loops(leave_out):
    """Borusyak, Jaravel and Spiess (2024), eq. 8 and appendix A.9, unit by unit."""
    rng = np.random.default_rng(5)
    unit, like = np.repeat(np.arange(9), 4), rng.integers(0, 3, 36)
    tau, w = rng.normal(size=36), np.zeros((36, 2))
    w[rng.random(36) < 0.7, 0] = rng.uniform(0.1, 1)
    w[:, 1] = rng.uniform(0.1, 1, 36)
    weights = sp.coo_array(w)
    found = imputation.means_of_like(weights, tau, like, unit, leave_out=leave_out)
    for r, q, mean in zip(weights.row, weights.col, found, strict=True):
        top = bottom = 0.0
        for i in range(9):
            here = (unit == i) & (like == like[r])
            if not (leave_out and i == unit[r]):
                top += w[here, q].sum() * (w[here, q] @ tau[here])
                bottom += w[here, q].sum() ** 2
        if not leave_out:
            assert_allclose(mean, top / bottom, rtol=1e-10)
        else:
            assert_contribution(w, tau, like, unit, r, q, found, weights, top / bottom)


def assert_contribution(w, tau, like, unit, r, q, found, weights, mean):
    """A unit's sum of w (tau - centre) is that with the mean of the others."""
    here = (unit == unit[r]) & (like == like[r])
    mine = (weights.col == q) & here[weights.row]
    total = (weights.data * (tau[weights.row] - found))[mine].sum()
    assert_allclose(total, w[here, q] @ (tau[here] - mean), rtol=1e-9, atol=1e-12)


def test_a_unit_alone_in_its_group_is_compared_with_itself():
    weights = sp.coo_array(np.array([[1.0], [0.5], [0.5]]))
    like, unit = np.array([0, 1, 1]), np.arange(3)
    found = imputation.means_of_like(weights, np.array([1.0, 2, 4]), like, unit, leave_out=True)
    assert_allclose(found, [1.0, 4.0, 2.0])
