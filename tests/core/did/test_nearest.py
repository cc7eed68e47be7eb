"""Distance to the nearest treated unit, against loops."""

import numpy as np
from numpy.testing import assert_array_equal

from nqp_spatial.core.did.nearest import distance_to_treated


def by_loops(distances, treated):
    n_periods, n = treated.shape
    found = np.full((n_periods, n), np.inf)
    for t in range(n_periods):
        for i in range(n):
            for j in range(n):
                if j != i and treated[t, j]:
                    found[t, i] = min(found[t, i], distances[i, j])
    return found


def test_is_the_least_distance_to_another_treated_unit():
    rng = np.random.default_rng(3)
    distances = rng.uniform(1, 9, (12, 12))  # not symmetric, as of travel tables
    distances[rng.random((12, 12)) < 0.2] = np.inf
    np.fill_diagonal(distances, 0.0)
    first = rng.integers(1, 9, 12)
    treated = np.arange(6)[:, None] >= first
    kept = distances.copy()
    assert_array_equal(distance_to_treated(distances, treated), by_loops(distances, treated))
    assert_array_equal(distances, kept)  # the argument is left alone


def test_a_unit_is_not_its_own_neighbour_and_nobody_treated_is_infinitely_far():
    distances = np.array([[0.0, 2.0, 5.0], [2.0, 0.0, 4.0], [5.0, 4.0, 0.0]])
    treated = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    expected = [[np.inf] * 3, [np.inf, 2.0, 5.0], [2.0, 2.0, 4.0]]
    assert_array_equal(distance_to_treated(distances, treated), expected)
