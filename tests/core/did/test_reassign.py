"""Fake policies keep what they must keep."""

from __future__ import annotations

import numpy as np
import pytest

from nqp_spatial.core.did.reassign import Reassignment, clumps, on

T = 9
FIRST = np.array([3] * 4 + [5] * 6 + [7] * 2 + [T] * 18)
RING = [[(i - 1) % 30, (i + 1) % 30] for i in range(30)]


def plan(kind="space", first=FIRST, **options):
    treated = first[first < T]
    return Reassignment(first, T, kind, np.arange(treated.min(), treated.max() + 1), **options)


def draws(chosen, count=400, seed=3):
    return np.stack([chosen.draw(seed, i) for i in range(count)])


def test_space_keeps_cohorts_and_gives_each_unit_each_path_alike():
    found = draws(plan(), 4000)
    assert (np.sort(found, axis=1) == np.sort(FIRST)).all()
    shares = (found == 5).mean(axis=0)  # 6 of 30
    assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 4000)


def test_mixed_draws_a_period_for_each_treated_unit():
    found = draws(plan("mixed"), 2000)
    assert ((found < T).sum(axis=1) == 12).all()
    dates = found[found < T]
    assert set(dates) == {3, 4, 5, 6, 7}
    shares = np.bincount(dates)[3:] / len(dates)
    assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.16 / len(dates))
    sizes = {tuple(np.unique(own[own < T], return_counts=True)[1]) for own in found}
    assert len(sizes) > 50  # cohorts are not kept


def test_restricted_keeps_the_sizes_of_cohorts_and_draws_distinct_periods():
    found = draws(plan("mixed-restricted"), 2000)
    for own in found:
        assert sorted(np.unique(own[own < T], return_counts=True)[1]) == [2, 4, 6]
    largest = [np.argmax(np.bincount(own[own < T])) for own in found]
    shares = np.bincount(largest)[3:] / 2000  # the cohort of six begins in each period alike
    assert np.abs(shares - 0.2).max() < 5 * np.sqrt(0.16 / 2000)


@pytest.mark.parametrize("kind", ["mixed", "mixed-restricted"])
def test_one_date_is_one_random_period_for_all(kind):
    first = np.where(np.arange(30) < 12, 5, T)
    chosen = Reassignment(first, T, kind, np.arange(1, T))
    found = draws(chosen, 300)
    dates = [set(own[own < T]) for own in found]
    assert all(len(own) == 1 for own in dates)
    assert set.union(*dates) == set(range(1, T))


def test_groups_keep_their_paths():
    groups = np.arange(30) % 3
    found = draws(plan(groups=groups), 200)
    for g in range(3):
        assert (np.sort(found[:, groups == g], axis=1) == np.sort(FIRST[groups == g])).all()
    assert len({tuple(own) for own in found}) == 200


def test_clumps_keep_their_sizes_and_paths():
    first = np.full(30, T)
    first[[0, 1, 2, 3, 10, 11, 20]] = [3, 3, 5, 5, 3, 5, 7]
    chosen = plan(first=first, neighbours=RING)
    assert [len(own) for own in clumps(first < T, RING)] == [4, 2, 1]
    moved = set()
    for own in draws(chosen, 300):
        found = clumps(own < T, RING)
        assert sorted(map(len, found)) == [1, 2, 4]
        paths = {len(clump): sorted(own[clump]) for clump in found}
        assert paths == {4: [3, 3, 5, 5], 2: [3, 5], 1: [7]}
        moved |= set(np.flatnonzero(own < T))
    assert moved == set(range(30))


def test_clumps_that_have_no_room_are_drawn_all_the_same():
    first = np.where(np.arange(30) % 2 == 0, 4, T)  # every second unit: no two are neighbours
    found = draws(plan(first=first, neighbours=RING), 50)
    assert ((found < T).sum(axis=1) == 15).all()


def test_a_draw_follows_from_the_seed_and_its_number_alone():
    chosen = plan("mixed-restricted")
    assert (chosen.draw(1, 7) == chosen.draw(1, 7)).all()
    assert (chosen.draw(1, 7) != chosen.draw(1, 8)).any()
    assert (chosen.draw(1, 7) != chosen.draw(2, 7)).any()


def test_policies_are_on_from_their_first_period():
    D = on(np.array([[0, 2, 4]]), 4)
    assert D.shape == (1, 4, 3)
    assert (D[0] == [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]]).all()
