"""Effects removed by `core.absorb` against regressions on explicit dummies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.core.linear.absorb import (
    Absorber,
    NotConvergedError,
    parts,
    same_partition,
    singletons,
)
from tests.by_hand import dummies


def codes_of(values):
    return np.unique(values, return_inverse=True)[1]


@pytest.fixture
def kinds():
    """Firms that move between cities, industries, and province-years; some seen once."""
    rng = np.random.default_rng(7)
    n = 400
    firm = codes_of(np.r_[rng.integers(0, 90, n - 3), 200, 201, 202])
    city = codes_of((firm // 6 + (rng.random(n) < 0.15)) % 15)
    industry = codes_of(firm % 7)  # fixed for a firm, so that it adds nothing
    cell = codes_of(rng.integers(0, 4, n) * 10 + rng.integers(0, 6, n))
    return [firm, city, industry, cell]


@pytest.fixture
def time():
    return np.random.default_rng(8).integers(2000, 2010, 400).astype(float)


def explicit(kinds, trends=()):
    blocks = [dummies(codes) for codes in kinds]
    blocks += [dummies(codes) * (values - 2005)[:, None] for codes, values in trends]
    return np.hstack(blocks)


@pytest.mark.parametrize("direct", [2000, 0])
@pytest.mark.parametrize("which", [[0], [1, 0], [0, 1, 3], [3, 2, 1, 0]])
def test_what_is_left_is_that_of_dummies(kinds, which, direct):
    values = np.random.default_rng(1).normal(size=(400, 3)) + [0, 5, 1e6]
    D = explicit([kinds[i] for i in which])
    expected = values - D @ np.linalg.lstsq(D, values, rcond=None)[0]
    absorber = Absorber([kinds[i] for i in which], direct=direct)
    assert_allclose(absorber(values), expected, atol=2e-8)  # 1e6 times the precision of a float
    assert_allclose(absorber(values)[:, :2], expected[:, :2], atol=1e-11)
    if absorber.exact:
        assert absorber.rank == np.linalg.matrix_rank(D)
    else:  # a bound: exact for two kinds, never too small
        assert absorber.rank >= np.linalg.matrix_rank(D)


@pytest.mark.parametrize("direct", [2000, 0])
def test_trends_of_firms_and_of_cities(kinds, time, direct):
    firm, city, _, cell = kinds
    values = np.random.default_rng(2).normal(size=(400, 2))
    for trends in ([(firm, time)], [(codes_of(firm // 6), time)]):
        D = explicit([firm, cell], trends)
        expected = values - D @ np.linalg.lstsq(D, values, rcond=None)[0]
        absorber = Absorber([firm, cell], trends, direct=direct)
        assert_allclose(absorber(values), expected, atol=1e-10)
        if direct:
            assert absorber.rank == np.linalg.matrix_rank(D)


def test_the_bound_on_the_rank_by_hand():
    """Two parts that nothing links, and a third kind that repeats the first."""
    first = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    second = np.array([0, 1, 0, 1, 2, 3, 2, 3])
    assert parts(first, second) == 2
    assert Absorber([first, second], direct=0).rank == 4 + 4 - 2
    assert Absorber([first, second, first], direct=0).rank == 4 + (4 - 2) + (4 - 4)
    assert Absorber([first, second, first]).rank == np.linalg.matrix_rank(
        explicit([first, second, first])
    )


def test_same_partition_and_singletons():
    a = np.array([0, 0, 1, 1, 2])
    assert same_partition(a, np.array([2, 2, 0, 0, 1]))
    assert not same_partition(a, np.array([0, 1, 1, 1, 2]))
    # the last row is alone in a; without it the third kind's 9 is alone, and then a's 1
    b = codes_of([5, 5, 5, 9, 9])
    assert singletons([a, b]).tolist() == [False, False, True, True, True]
    assert singletons([np.array([0, 0, 1, 1])]).tolist() == [False] * 4
    assert singletons([]).tolist() == []


def test_iterations_that_do_not_end_are_told(kinds, monkeypatch):
    from nqp_spatial.core.linear import absorb

    monkeypatch.setattr(absorb, "_ITERATIONS", 2)
    with pytest.raises(NotConvergedError, match="2 iterations"):
        Absorber(kinds, direct=0)(np.random.default_rng(1).normal(size=(400, 1)))
