"""Fixed effects of unbalanced and weighted panels: residuals of a regression on dummies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.core.linear.projection import projection
from tests.by_hand import effect_dummies

EFFECTS = ("entity", "time", "twoway")


def cells(seed, n=7, n_periods=5, share=0.6):
    """Codes of the cells that are present; every entity and period has one."""
    rng = np.random.default_rng(seed)
    there = rng.random((n_periods, n)) < share
    there[rng.integers(n_periods, size=n), range(n)] = True
    there[range(n_periods), rng.integers(n, size=n_periods)] = True
    period, entity = np.nonzero(there)
    return entity, period


@pytest.mark.parametrize("effects", EFFECTS)
@given(seed=st.integers(0, 10_000), weighted=st.booleans(), tall=st.booleans())
def test_it_is_the_residual_of_weighted_dummies(effects, seed, weighted, tall):
    entity, period = cells(seed, *((4, 9) if tall else (7, 5)))
    rng = np.random.default_rng(seed)
    root = rng.uniform(0.1, 5.0, len(entity)) if weighted else np.ones(len(entity))
    D = root[:, None] * effect_dummies(effects, entity, period)
    values = rng.normal(size=(1, len(entity), 3))
    M = projection(effects, entity, period, root if weighted else None)
    expected = values[0] - D @ np.linalg.lstsq(D, values[0], rcond=None)[0]
    assert_allclose(M(values)[0], expected, atol=1e-11)
    assert M.rank == np.linalg.matrix_rank(D)
    basis = M.basis.toarray()
    assert_allclose(basis.T @ basis, np.eye(M.rank), atol=1e-11)
    assert_allclose(M(M(values)), M(values), atol=1e-11)


def test_without_effects_nothing_is_removed():
    entity, period = cells(0)
    M = projection(None, entity, period)
    values = np.random.default_rng(0).normal(size=(1, len(entity)))
    assert M.rank == 0
    assert_allclose(M(values), values, rtol=0, atol=0)


def test_parts_that_share_no_period_have_dummies_of_their_own():
    """Entities 0-2 are seen in periods 0-1 only, entities 3-6 in periods 2-4 only: one dummy is
    redundant in each part."""
    entity = np.array([0, 1, 2, 0, 1, 2, *[3, 4, 5, 6] * 3])
    period = np.array([*[0] * 3, *[1] * 3, *[2] * 4, *[3] * 4, *[4] * 4])
    assert projection("twoway", entity, period).rank == 7 + 5 - 2


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("disconnected", [False, True])
def test_the_log_determinant_of_the_weights_among_the_dummies(effects, disconnected):
    """ln|D'VD| - ln|D'D| = ln|V| + ln|K'V^-1K|, K an orthonormal complement of D."""
    entity, period = cells(3)
    if disconnected:
        entity, period = np.concatenate([entity, entity + 7]), np.concatenate([period, period + 5])
    v = np.random.default_rng(1).uniform(0.2, 4.0, len(entity))
    D = effect_dummies(effects, entity, period)
    rank = np.linalg.matrix_rank(D)
    K = np.linalg.svd(D, full_matrices=True)[0][:, rank:]
    expected = np.log(v).sum() + np.linalg.slogdet(K.T @ (K / v[:, None]))[1]
    assert_allclose(projection(effects, entity, period, np.sqrt(v)).log_weight, expected)
    assert projection(effects, entity, period).log_weight == 0.0
