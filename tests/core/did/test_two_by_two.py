"""Scores are what an estimate moves by when a row counts a little more, whatever its formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.core.did import influence, two_by_two

COPIES = 2000
METHODS = ("dr", "reg", "ipw")


def data(n=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    treated = rng.random(n) < 1 / (1 + np.exp(-(0.4 * x[:, 0] - 0.3)))
    change = 1 + x @ [0.5, -0.2] + treated * (0.7 + 0.3 * x[:, 0]) + rng.normal(size=n)
    return change, treated, np.column_stack([np.ones(n), x])


def moved(estimate, rows, i):
    """By how much the estimate moves, per unit of the weight of row i, over many copies of all."""
    whole = np.tile(np.arange(rows), COPIES)
    return (estimate(np.r_[whole, i]) - estimate(np.arange(rows))) * COPIES


@pytest.mark.parametrize("method", [None, *METHODS])
def test_scores_of_a_panel_are_derivatives(method):
    change, treated, X = data()
    X = X if method else None
    name = method or "dr"

    def estimate(rows):
        own = None if X is None else X[rows]
        return two_by_two.panel(change[rows, None], treated[rows], own, name)[0][0]

    _, scores = two_by_two.panel(change[:, None], treated, X, name)
    assert_allclose(scores.sum(), 0.0, atol=1e-10)
    for i in (0, 1, 2, 3, 17):
        assert_allclose(scores[i, 0], moved(estimate, len(change), i), rtol=4e-3, atol=1e-5)


@pytest.mark.parametrize("method", [None, *METHODS])
def test_scores_of_cross_sections_are_derivatives(method):
    change, treated, X = data(80, seed=1)
    after = np.random.default_rng(2).random(80) < 0.5
    y = X @ [0.3, 0.4, -0.1] + after * change
    X = X if method else None
    name = method or "dr"

    def estimate(rows):
        own = None if X is None else X[rows]
        return two_by_two.cross_sections(y[rows], after[rows], treated[rows], own, name)[0]

    _, scores = two_by_two.cross_sections(y, after, treated, X, name)
    for i in (0, 1, 2, 3, 41):
        assert_allclose(scores[i], moved(estimate, len(y), i), rtol=4e-3, atol=1e-5)


def test_several_changes_at_once_are_each_alone():
    change, treated, X = data()
    both = np.column_stack([change, change**2])
    for method in METHODS:
        estimate, scores = two_by_two.panel(both, treated, X, method)
        for j in range(2):
            alone, own = two_by_two.panel(both[:, [j]], treated, X, method)
            assert_allclose(estimate[j], alone[0], rtol=1e-12)
            assert_allclose(scores[:, j], own[:, 0], rtol=1e-10, atol=1e-14)


def test_covariates_that_separate_or_repeat_are_told():
    change, treated, X = data()
    apart = np.column_stack([X, treated + 0.01 * X[:, 1]])
    with pytest.raises(two_by_two.SeparationError, match="probabilities of one"):
        two_by_two.panel(change[:, None], treated, apart, "ipw")
    twice = np.column_stack([X, X[:, 1]])
    for method in METHODS:
        with pytest.raises(two_by_two.SeparationError, match="depend on each other"):
            two_by_two.panel(change[:, None], treated, twice, method)


def test_maxima_of_scores_follow_their_law():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 3)) / 20
    alone = influence.maxima(scores[:, :1], draws=20000, seed=0, kind="normal")
    assert abs(np.quantile(alone, 0.95) - 1.96) < 0.03
    for kind in ("mammen", "rademacher", "normal"):
        three = influence.maxima(scores, draws=20000, seed=0, kind=kind)
        assert abs(np.quantile(three, 0.95) - 2.388) < 0.05  # of three independent normals
    padded = np.column_stack([scores, np.zeros(400)])
    assert np.array_equal(influence.maxima(padded, draws=99, seed=1, kind="mammen"),
                          influence.maxima(scores, draws=99, seed=1, kind="mammen"))  # fmt: skip
    clusters = np.arange(400) % 7
    summed = influence.by_cluster(scores, clusters)
    assert_allclose(summed[3], scores[clusters == 3].sum(axis=0), atol=1e-14)
