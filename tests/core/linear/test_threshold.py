"""The search for thresholds against brute force: explicit dummies at every candidate."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nqp_spatial.core.linear import threshold as core
from nqp_spatial.core.linear.projection import projection
from nqp_spatial.core.linear.threshold import candidates
from tests.by_hand import effect_dummies
from tests.reference import hansen_threshold

EFFECTS = (None, "entity", "time", "twoway")


def panel(seed=0, n_entities=9, n_periods=6, k=1, missing=0.2, ties=True):
    """Entity, period, y, x, z, q; q with ties."""
    rng = np.random.default_rng(seed)
    kept = rng.random((n_entities, n_periods)) >= missing
    kept[:, :2] = True
    entity, period = np.nonzero(kept)
    n = len(entity)
    q = rng.normal(size=n).round(1) if ties else rng.normal(size=n)
    x = rng.normal(size=(n, k)) + 2 + 0.3 * entity[:, None]
    z = rng.normal(size=(n, 2)) + period[:, None]
    y = x.sum(axis=1) * np.where(q > 0, 1.5, 1.0) + z[:, 0] + entity + period + rng.normal(size=n)
    return entity, period, y, x, z, q


def brute_ssr(y, x, z, q, D, gammas, below=np.less_equal):
    """Sum of squares of the regression with a split at each of ``gammas``."""
    split = [x * below(q, gamma)[:, None] for gamma in gammas]
    X = np.hstack([D, z, x, *split])
    return float(np.sum((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2))


def problem_of(effects, entity, period, y, x, z, q, *, trim=0.1, grid=None):
    others = np.column_stack([np.ones(len(q)), z]) if effects is None else z
    free = projection(effects, entity, period)
    problem = core.prepare(x, others, q, candidates(q, grid, trim), free)
    return problem, problem.free(y[:, None])[:, 0]


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_every_candidate_has_the_sum_of_squares_of_explicit_dummies(effects, k):
    entity, period, y, x, z, q = panel(seed=k, k=k)
    problem, rows = problem_of(effects, entity, period, y, x, z, q)
    D = effect_dummies(effects, entity, period)
    step = core.search(problem, rows, (), 0.1)
    expected = [brute_ssr(y, x, z, q, D, [gamma]) for gamma in problem.candidates.values]
    assert len(expected) > 10
    assert_allclose(step.ssr, expected, rtol=1e-9)
    assert step.found == int(np.argmin(expected))
    assert_allclose(step.before, brute_ssr(y, x, z, q, D, []), rtol=1e-9)


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("fixed", [(3,), (12, 4)])
def test_so_has_every_candidate_beside_fixed_thresholds(effects, fixed):
    entity, period, y, x, z, q = panel(seed=8, n_entities=14, k=2)
    problem, rows = problem_of(effects, entity, period, y, x, z, q, trim=0.05)
    D, values = effect_dummies(effects, entity, period), problem.candidates.values
    step = core.search(problem, rows, fixed, 0.05)
    others = [values[i] for i in fixed]
    assert_allclose(step.before, brute_ssr(y, x, z, q, D, others), rtol=1e-9)
    allowed = ~np.isnan(step.ssr)
    assert 0 < allowed.sum() < len(values)
    expected = [brute_ssr(y, x, z, q, D, [*others, gamma]) for gamma in values[allowed]]
    assert_allclose(step.ssr[allowed], expected, rtol=1e-9)


def test_without_the_last_demeaned_period_too():
    """Hansen's program: demean over all periods, then leave the last out."""
    entity, period, y, x, z, q = panel(seed=4, k=2)
    last = np.r_[entity[1:] != entity[:-1], True]
    problem = hansen_threshold.prepare(x, z, q, candidates(q, None, 0.1), entity)
    rows = problem.reduce(y[:, None])[:, 0]
    free = np.eye(len(y)) - np.equal.outer(entity, entity) / np.bincount(entity)[entity]
    fixed = (2,)
    step = core.search(problem, rows, fixed, 0.05)
    values = problem.candidates.values

    def ssr(gammas):
        X = np.hstack([z, x, *[x * (q <= gamma)[:, None] for gamma in gammas]])
        X, v = (free @ X)[~last], (free @ y)[~last]
        return np.sum((v - X @ np.linalg.lstsq(X, v, rcond=None)[0]) ** 2)

    allowed = np.flatnonzero(~np.isnan(step.ssr))
    assert_allclose(step.ssr[allowed], [ssr([values[2], values[i]]) for i in allowed], rtol=1e-9)
    assert_allclose(step.before, ssr([values[2]]), rtol=1e-9)


def test_units_do_not_matter():
    entity, period, y, x, z, q = panel(seed=3, k=2)
    problem, rows = problem_of("twoway", entity, period, y, x, z, q)
    plain = core.search(problem, rows, (), 0.1)
    scaled, _ = problem_of("twoway", entity, period, y, x * [1e-7, 1e6], z * 1e5, q * 1e3)
    assert_allclose(core.search(scaled, rows, (), 0.1).ssr, plain.ssr, rtol=1e-7)


def test_a_regressor_that_is_zero_below_is_not_split_there():
    """Candidates that identify nothing are NaN and never found."""
    entity, period, y, x, z, q = panel(seed=5)
    x = np.where(q[:, None] < 0, 0.0, x)
    problem, rows = problem_of("entity", entity, period, y, x, z, q)
    step = core.search(problem, rows, (), 0.1)
    assert_array_equal(np.isnan(step.ssr), problem.candidates.values < 0)
    assert problem.candidates.values[step.found] >= 0


def test_refining_all_ends_where_no_single_move_helps():
    entity, period, y, x, z, q = panel(seed=6, n_entities=12)
    problem, rows = problem_of("entity", entity, period, y, x, z, q, trim=0.05)
    path = core.estimate(problem, rows, (0.05,) * 3, "all")
    final = path.last[0].after
    for which in range(3):
        others = tuple(np.delete(path.found, which))
        assert core.search(problem, rows, others, 0.05).found == path.found[which]
    plain = core.estimate(problem, rows, (0.05,) * 3, False)
    assert final <= plain.steps[-1].after
    assert plain.found[0] == path.steps[0].found


def test_refinement_follows_hansen_and_stops_after_the_second():
    entity, period, y, x, z, q = panel(seed=6, n_entities=12)
    problem, rows = problem_of("entity", entity, period, y, x, z, q, trim=0.05)
    path = core.estimate(problem, rows, (0.05,) * 3, True)
    assert path.last[0].fixed == (path.steps[1].found,)
    assert path.last[1].fixed == (path.steps[0].found,)
    assert path.last[2].fixed == path.found[:2]


def test_no_room_for_another_threshold():
    entity, period, y, x, z, q = panel(seed=7)
    problem, rows = problem_of("entity", entity, period, y, x, z, q, trim=0.3)
    with pytest.raises(core.NoCandidateError) as caught:
        core.estimate(problem, rows, (0.3, 0.45), True)
    assert caught.value.args == (1,)


# candidates ----------------------------------------------------------------------------------


def test_candidates_by_observations():
    q = np.array([1.0, 1, 1, 1, 2, 3, 4, 5, 6, 7])
    found = candidates(q, None, 0.2)
    assert_array_equal(found.values, [1, 2, 3, 4, 5])  # 4 to 8 of 10 observations below
    assert_array_equal(found.ends, [4, 5, 6, 7, 8])
    assert_array_equal(found.allowed((2,), 0.2), [True, False, False, False, True])
    assert_array_equal(candidates(q, 5, 0.2).values, [1, 3, 5])  # quantiles 0.2, 0.4, 0.6, 0.8


def test_candidates_by_values_are_those_of_hansen_s_program():
    """dd[floor(sq * 8)], sq = 0.25, 0.5, 0.75 of eight distinct values; ties do not count."""
    q = np.array([1.0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    found = hansen_threshold.by_values(q, 4, 0.25)
    assert_array_equal(found.values, [2, 4, 6])
    assert_array_equal(found.ends, [4, 6, 8])


def test_distances_by_values_are_those_of_hansen_s_program():
    """Of 21 steps of 1/25, trim 0.12: i < nn + 3 and not i < nn - 3, nn = candidates below."""
    q = np.arange(1.0, 101)
    found = hansen_threshold.by_values(q, 25, 0.1)
    i, nn = np.arange(1, len(found) + 1), 10
    excluded = (i < nn + 3) & ~(i < nn - 3)
    assert_array_equal(found.allowed((10,), 0.12), ~excluded)


def test_given_candidates_are_sorted_and_those_outside_are_left_out():
    q = np.arange(10.0)
    assert_array_equal(candidates(q, np.array([8.5, 3.0, 4.2, 3.0]), 0.2).values, [3.0, 4.2])
    doubled = candidates(q, np.array([3.0, 3.5, 6.0]), 0.2)  # two that split alike
    assert_array_equal(doubled.ends, [4, 4, 7])
    entity, period = np.repeat(np.arange(2), 5), np.tile(np.arange(5), 2)
    x, y = np.sin(q)[:, None], np.cos(3 * q)
    free = projection("entity", entity, period)
    problem = core.prepare(x, np.empty((10, 0)), q, doubled, free)
    assert_allclose(problem.gram[0], problem.gram[1], rtol=1e-12)
    D = effect_dummies("entity", entity, period)
    rows = problem.free(y[:, None])[:, 0]
    expected = [brute_ssr(y, x, np.empty((10, 0)), q, D, [g]) for g in (3.0, 3.5, 6.0)]
    assert_allclose(core.search(problem, rows, (), 0.2).ssr, expected, rtol=1e-9)


def test_the_critical_value_is_that_of_hansen_s_table():
    """Hansen (1999, section 4) prints 7.35 and 10.59."""
    assert_allclose(
        [core.critical_value(0.95), core.critical_value(0.99)], [7.35, 10.59], atol=0.006
    )


# bootstrap -----------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", ["entity", "twoway", None])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_statistics_of_draws_equal_a_search_for_each(effects, number):
    """Explicit dummies for every draw and candidate."""
    entity, period, _, x, z, q = panel(seed=9, n_entities=14, k=2, missing=0.1)
    rng = np.random.default_rng(1)
    problem, _ = problem_of(effects, entity, period, q, x, z, q, trim=0.1, grid=12)
    outcomes = rng.normal(size=(len(q), 4)) + entity[:, None]
    D, values = effect_dummies(effects, entity, period), problem.candidates.values
    expected = []
    for y in outcomes.T:
        fixed, before, after = [], None, brute_ssr(y, x, z, q, D, [])
        for _ in range(number + 1):
            open_ = np.flatnonzero(problem.candidates.allowed(tuple(fixed), 0.1))
            ssr = [brute_ssr(y, x, z, q, D, values[[*fixed, i]]) for i in open_]
            before, after = after, min(ssr)
            fixed.append(int(open_[np.argmin(ssr)]))
        expected.append(17.0 * (before - after) / after)
    found = core.statistics(problem, outcomes, number, 0.1, 17.0)
    assert_allclose(found, expected, rtol=1e-8)


def test_a_draw_without_room_has_zero():
    entity, period, _, x, z, q = panel(seed=7, missing=0.0)
    problem, _ = problem_of("entity", entity, period, q, x, z, q, trim=0.3)
    outcomes = np.random.default_rng(0).normal(size=(len(q), 30))
    first = core.statistics(problem, outcomes, 0, 0.4, 10.0)
    second = core.statistics(problem, outcomes, 1, 0.4, 10.0)
    assert (first > 0).all()
    assert_array_equal(second, np.zeros(30))  # 0.4 on each side of a middle regime is too much


def null_of(problem, rows, where, method):
    fitted, resid = core.null_model(problem, rows, ())
    return core.Null(0, fitted, resid, where, method, 0.1, 40.0), resid


def test_residual_draws_are_whole_vectors_of_entities():
    entity, period, y, x, z, q = panel(seed=2, missing=0.0)
    problem, rows = problem_of("entity", entity, period, y, x, z, q)
    null, resid = null_of(problem, rows, np.arange(len(q)).reshape(9, 6), "residual")
    drawn = core._errors(null, np.random.default_rng(3))
    vectors = {tuple(part) for part in resid.reshape(9, 6)}
    blocks = drawn.T.reshape(core.BLOCK, 9, 6)
    assert {tuple(part) for draw in blocks for part in draw} == vectors
    assert len({tuple(draw.ravel()) for draw in blocks}) == core.BLOCK


def test_wild_draws_keep_each_entity_s_residuals_up_to_sign():
    entity, period, y, x, z, q = panel(seed=2)
    problem, rows = problem_of("entity", entity, period, y, x, z, q)
    null, resid = null_of(problem, rows, entity, "wild")
    signs = core._errors(null, np.random.default_rng(3)) / resid[:, None]
    assert_allclose(np.abs(signs), 1.0, rtol=1e-12)
    for i in np.unique(entity):
        assert np.ptp(signs[entity == i], axis=0).max() < 1e-12
    assert 0.4 < (signs > 0).mean() < 0.6


def test_the_null_model_is_the_regression_with_its_thresholds():
    entity, period, y, x, z, q = panel(seed=2, k=2)
    problem, rows = problem_of("twoway", entity, period, y, x, z, q)
    D, values = effect_dummies("twoway", entity, period), problem.candidates.values
    for fixed in ((), (2,), (2, 9)):
        fitted, resid = core.null_model(problem, rows, fixed)
        assert_allclose(fitted + resid, rows, rtol=1e-12)
        assert_allclose(resid @ resid, brute_ssr(y, x, z, q, D, values[list(fixed)]), rtol=1e-9)


def test_blocks_differ_and_repeat():
    entity, period, y, x, z, q = panel(seed=2, missing=0.0)
    problem, rows = problem_of("entity", entity, period, y, x, z, q)
    null, _ = null_of(problem, rows, np.arange(len(q)).reshape(9, 6), "residual")
    found = {key: core.block(problem, null, *key) for key in ((0, 0), (0, 1), (1, 0))}
    for a, b in combinations(found, 2):
        assert not np.isclose(found[a], found[b]).any()
    assert_array_equal(core.block(problem, null, 0, 1), found[0, 1])
