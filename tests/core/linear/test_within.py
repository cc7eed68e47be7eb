"""Fixed effects removed in one pass are residuals of a regression on dummies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.core.linear.within import demean
from tests.reference import independent_likelihood as independent

EFFECTS = ["entity", "time", "twoway"]
panel = arrays(float, (4, 6), elements=st.floats(-1e3, 1e3, allow_subnormal=False))


@pytest.mark.parametrize("effects", EFFECTS)
@given(values=panel)
def test_within_is_the_residual_of_dummies(effects, values):
    D = independent.dummies(4, 6, effects)
    flat = values.ravel()
    residual = flat - D @ np.linalg.lstsq(D, flat, rcond=None)[0]
    assert_allclose(demean(values, effects).ravel(), residual, atol=1e-9)


@pytest.mark.parametrize("effects", EFFECTS)
@given(values=panel)
def test_within_twice_is_within_once(effects, values):
    once = demean(values, effects)
    assert_allclose(demean(once, effects), once, atol=1e-9)


def test_columns_are_demeaned_one_by_one():
    values = np.random.default_rng(0).normal(size=(3, 5, 2))
    for effects in [None, *EFFECTS]:
        both = demean(values, effects)
        for j in range(2):
            assert_allclose(both[..., j], demean(values[..., j], effects), rtol=1e-14)
    assert demean(values, None) is values


def test_dependent_columns_are_found_with_those_they_depend_on():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 50))
    Z = np.column_stack([a, b, 2 * a - 3e-7 * b, c, 1e6 * c, np.zeros(50)])
    assert dependent(Z) == [(2, [0]), (4, [3]), (5, [])]
    assert dependent(np.column_stack([a, b, a - 5 * b, c]))[0] == (2, [0, 1])
    assert dependent(np.column_stack([a, b, c])) == []


def test_nearly_dependent_columns_are_kept():
    """A part of one in a million that is its own is estimable in double precision."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 50))
    assert dependent(np.column_stack([a, a + 1e-6 * b])) == []


def test_more_columns_than_rows_depend():
    assert len(dependent(np.random.default_rng(2).normal(size=(3, 5)))) == 2


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_absorbed_columns_are_found_at_any_scale(scale):
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(6, 9, 3)) * scale
    raw[..., 1] = raw[0, :, 1]  # the same in every period
    raw[..., 2] += 1000 * scale
    within = demean(raw, "entity")
    assert absorbed(within.reshape(-1, 3), raw.reshape(-1, 3)) == [1]
