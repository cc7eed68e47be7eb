"""Join counts and Moran's I of a set of places: against spdep, by brute force, and their size."""

import itertools

import numpy as np
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial.core.did import clustering as core
from tests import panels

MEMBERS = np.array([1, 2, 8, 9, 10, 17, 24, 30, 31, 45]) - 1  # as R counts


def queen(side):
    path = np.eye(side, k=1) + np.eye(side, k=-1) + np.eye(side)
    return np.kron(path, path) - np.eye(side**2)


def found(W, members, draws=999, eligible=None, seed=0):
    n = len(W)
    member = np.zeros(n, dtype=bool)
    member[members] = True
    eligible = np.ones(n, dtype=bool) if eligible is None else eligible
    rng = np.random.default_rng(seed)
    return core.clustering(sp.csr_array(W), member, eligible, draws, rng)


def test_against_spdep():
    """tests/reference/join_counts.R; its variance is that of the relabellings."""
    expected = panels.read("join_counts.csv", "style")
    for style, W in {"B": queen(7), "W": panels.row(queen(7))}.items():
        own, row = found(W, MEMBERS, 20_000), expected.loc[style]
        assert_allclose([own.joins, own.expected, own.moran], row[["joins", "expected", "moran"]])
        z = (row["joins"] - row["expected"]) / np.sqrt(row["variance"])
        assert_allclose(own.z, z, rtol=0.02)  # of 20,000 relabellings: 0.5 per cent
    share = panels.row(queen(7))[np.ix_(MEMBERS, MEMBERS)].sum(axis=1).mean()
    assert_allclose([own.share, own.expected_share], [share, 9 / 48])


def test_pvalues_are_shares_of_all_relabellings():
    W = panels.general(9, 3)
    members = [0, 1, 2]
    every = []
    for chosen in itertools.combinations(range(9), 3):
        y = np.zeros(9)
        y[list(chosen)] = 1
        every.append((y @ W @ y / 2, (y - 1 / 3) @ W @ (y - 1 / 3)))
    joins, cross = np.array(every).T
    own = found(W, members, 40_000)
    first = every[0]
    assert_allclose(own.joins, first[0])
    assert_allclose(own.expected, joins.mean())
    assert abs(own.pvalue - np.mean(joins >= first[0] - 1e-12)) < 0.012
    assert abs(own.moran_pvalue - np.mean(cross >= first[1] - 1e-12)) < 0.012
    assert_allclose(own.moran, 9 / W.sum() * first[1] / (9 * (1 / 3) * (2 / 3)))


def test_only_those_that_are_eligible_are_dealt_out():
    W = panels.row(queen(5))
    eligible = np.ones(25, dtype=bool)
    eligible[[0, 6, 12]] = False
    own = found(W, [1, 2, 3], eligible=eligible)
    same = found(W[np.ix_(eligible, eligible)], [0, 1, 2])
    assert own == same


def test_where_all_are_linked_alike_nothing_is_said():
    own = found(np.ones((8, 8)) - np.eye(8), [0, 1, 2])
    assert np.isnan([own.pvalue, own.moran_pvalue, own.z]).all()
    assert_allclose(own.joins, own.expected)


def test_blocks_of_relabellings_change_nothing(monkeypatch):
    W = panels.row(queen(7))
    whole = found(W, MEMBERS, 500)
    monkeypatch.setattr(core, "_BLOCK", 49 * 100)
    assert found(W, MEMBERS, 500) == whole


def test_a_set_at_random_is_found_clustered_as_often_as_it_should_be():
    rng, W = np.random.default_rng(1), panels.row(queen(7))
    pvalues = []
    for i in range(400):
        one = found(W, rng.choice(49, 12, replace=False), 99, seed=i)
        pvalues.append([one.pvalue, one.moran_pvalue])
    share = (np.array(pvalues) <= 0.05).mean(axis=0)
    assert (np.abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 400)).all()
