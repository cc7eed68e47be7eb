"""SpatialDurbin: what must not change the answer, and what must stop it."""

from __future__ import annotations

import dataclasses
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from libpysal.weights import W as LegacyW
from numpy.testing import assert_allclose

from nqp_spatial import SpatialDurbin, weights
from nqp_spatial.exceptions import (
    BoundaryWarning,
    CollinearityError,
    ConstantColumnError,
    DataError,
    DataWarning,
    DroppedLagWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    InfiniteValuesError,
    IslandWarning,
    MissingValuesError,
    NegativeWeightsError,
    NotNumericError,
    NotRowNormalisedError,
    OptionError,
    UnbalancedPanelError,
    UnstableModelError,
    WeightsError,
)
from tests import panels
from tests.assertions import assert_same_fit
from tests.reference import independent_likelihood as independent

N, T = 12, 5
CITIES = [130100 + 100 * i for i in range(N)]
CONTIGUITY = panels.contiguity(N, seed=1)
few = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def panel(W=CONTIGUITY, *, seed=0, n_periods=T, entities=CITIES, **options):
    return panels.frame(*panels.arrays(W, n_periods, seed=seed, **options), entities=entities)


@pytest.fixture
def data():
    return panel()


@pytest.fixture
def graph():
    return weights.as_graph(CONTIGUITY, ids=CITIES)


def model(data, graph, **options):
    return SpatialDurbin(data["y"], data.drop(columns="y"), graph, **options)


def assert_same_answer(one, two, rtol=1e-9):
    assert_same_fit(one, two, params=(rtol, 1e-12), cov=(rtol * 10, 1e-14))
    assert_allclose(one.loglik, two.loglik, rtol=rtol)
    assert_allclose(one.effects(), two.effects(), rtol=rtol * 10, atol=1e-12)


# What must not change the answer


@few
@given(seed=st.integers(0, 10**6))
def test_row_order_does_not_matter(seed):
    data, graph = panel(), weights.as_graph(CONTIGUITY, ids=CITIES)
    y = data["y"].sample(frac=1, random_state=seed)
    x = data[["x1", "x2"]].sample(frac=1, random_state=seed + 1)
    one, two = model(data, graph).fit(), SpatialDurbin(y, x, graph).fit()
    assert_same_answer(one, two, rtol=1e-14)
    assert one.provenance["data_sha256"] == two.provenance["data_sha256"]
    pd.testing.assert_series_equal(one.resids, two.resids)


@few
@given(order=st.permutations(range(N)))
def test_names_and_order_of_entities_do_not_matter(order):
    """The same data under other labels, so that rows of W and of the panel are permuted."""
    data, graph = panel(), weights.as_graph(CONTIGUITY, ids=CITIES)
    names = {city: f"城市{order[i]:02d}" for i, city in enumerate(CITIES)}
    renamed = data.rename(index=names, level=0)
    shuffled = np.random.default_rng(0).permutation(N)
    ids = [names[CITIES[i]] for i in shuffled]
    other = weights.as_graph(CONTIGUITY[np.ix_(shuffled, shuffled)], ids=ids)
    one, two = model(data, graph).fit(), model(renamed, other).fit()
    assert_same_answer(one, two)
    assert_allclose(
        one.entity_effects("x1").rename(index=names).sort_index(), two.entity_effects("x1")
    )


@few
@given(y_scale=st.floats(1e-4, 1e4), x_scale=st.floats(1e-4, 1e4), shift=st.floats(-1e3, 1e3))
def test_units_change_coefficients_as_they_must(y_scale, x_scale, shift):
    data, graph = panel(), weights.as_graph(CONTIGUITY, ids=CITIES)
    scaled = data.assign(y=data["y"] * y_scale + shift, x1=data["x1"] * x_scale)
    one, two = model(data, graph).fit(), model(scaled, graph).fit()
    factor = pd.Series(y_scale, index=one.params.index)
    factor[["x1", "W_x1"]] /= x_scale
    factor["rho"] = 1.0
    assert_allclose(two.params, one.params * factor, rtol=1e-6, atol=1e-9 * y_scale)
    assert_allclose(two.std_errors, one.std_errors * factor, rtol=1e-6)
    assert_allclose(two.sigma2, one.sigma2 * y_scale**2, rtol=1e-6)
    free = (N - 1) * (T - 1)
    assert_allclose(two.loglik, one.loglik - free * np.log(y_scale), rtol=1e-6, atol=1e-5)


@few
@given(seed=st.integers(0, 10**6), correction=st.sampled_from(["lee-yu", "none"]))
def test_entity_and_period_constants_leave_two_way_estimates_alone(seed, correction):
    """Row-normalised W turns a period's constant into a period's constant."""
    data, graph = panel(), weights.as_graph(CONTIGUITY, ids=CITIES)
    rng = np.random.default_rng(seed)
    added = np.add.outer(10 * rng.normal(size=N), 10 * rng.normal(size=T)).ravel()
    moved = data.assign(y=data["y"] + added, x2=data["x2"] + 3 * added)
    options = {"correction": correction}
    one, two = model(data, graph, **options).fit(), model(moved, graph, **options).fit()
    assert_allclose(one.params, two.params, rtol=1e-7, atol=1e-9)
    assert_allclose(one.sigma2, two.sigma2, rtol=1e-8)
    if correction == "lee-yu":
        assert_allclose(one.cov, two.cov, rtol=1e-7, atol=1e-12)


@few
@given(
    rho=st.floats(-0.7, 0.8), seed=st.integers(0, 1000), effects=st.sampled_from([None, "entity"])
)
def test_total_effect_has_its_closed_form(rho, seed, effects):
    W = panels.knn(N, seed=seed)
    with warnings.catch_warnings(action="ignore", category=BoundaryWarning):
        res = model(panel(W, rho=rho, seed=seed), (W, CITIES), effects=effects).fit()
    if np.isnan(res.std_errors).any():
        return  # at the edge, where no effect is given
    total = (res.params["x1"] + res.params["W_x1"]) / (1 - res.rho)
    assert_allclose(res.effects()["estimate"]["total", "x1"], total, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Exact dummies of periods bias rho")  # few places
def test_without_spatial_lag_in_the_data_coefficients_are_least_squares(graph):
    """Given rho, coefficients are those of OLS of y - rho Wy on dummies and [X, WX]."""
    data = panel(rho=0.0, n_periods=40, seed=3)
    res = model(data, graph, correction="none").fit()
    assert abs(res.rho) < 3 * res.std_errors["rho"]
    wide = data.unstack(0)
    y, X = wide["y"].to_numpy(), np.stack([wide["x1"], wide["x2"]], axis=-1)
    small = independent.direct(y, X, CONTIGUITY, "twoway")
    gamma, _ = independent.given_rho(small, res.rho)
    assert_allclose(res.params.drop("rho"), gamma[:4], rtol=1e-10)


def forms():
    numbers = pd.DataFrame(CONTIGUITY, index=CITIES, columns=CITIES)
    shuffled = numbers.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    neighbours = {c: [CITIES[j] for j in np.flatnonzero(row)] for c, row in numbers.iterrows()}
    values = {c: [numbers.loc[c, d] for d in near] for c, near in neighbours.items()}
    order = np.random.default_rng(4).permutation(N)
    ids = [CITIES[i] for i in order]
    return {
        "Graph": weights.as_graph(CONTIGUITY, ids=CITIES),
        "Graph from arcs": Graph.from_arrays(
            *[np.repeat(CITIES, (CONTIGUITY > 0).sum(axis=1))],
            [d for near in neighbours.values() for d in near],
            [v for value in values.values() for v in value],
        ),
        "W": LegacyW(neighbours, values, id_order=ids, silence_warnings=True),
        "DataFrame": shuffled,
        "matrix and ids": (sp.coo_array(CONTIGUITY[np.ix_(order, order)]), ids),
        "array and ids": (CONTIGUITY, CITIES),
    }


@pytest.mark.parametrize("form", forms())
def test_every_form_of_weights_is_matched_by_label(data, graph, form):
    one, two = model(data, graph).fit(), model(data, forms()[form]).fit()
    assert_same_answer(one, two, rtol=1e-12)
    assert one.provenance["data_sha256"] == two.provenance["data_sha256"]


@pytest.mark.parametrize("kind", panels.KINDS)
@pytest.mark.parametrize("effects", [None, "entity"])
def test_log_determinants_by_lu_give_the_same_fit(kind, effects):
    """1e-6: without the root of the score the search ends at the root of machine precision."""
    W = panels.KINDS[kind](30, seed=2)
    data = panel(W, entities=range(30))
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        specified = model(data, (W, range(30)), effects=effects)
    one, two = specified.fit(logdet="eigenvalues"), specified.fit(logdet="lu")
    assert two.provenance["weights"]["logdet"] == "lu"
    assert_allclose(one.params, two.params, rtol=1e-6, atol=1e-8)
    assert_allclose(one.std_errors, two.std_errors, rtol=1e-6)
    assert_allclose(one.loglik, two.loglik, rtol=1e-12)


def test_a_formula_builds_the_same_frames(data, graph):
    one = SpatialDurbin.from_formula("y ~ x1 + x2", data, graph, durbin=["x2"]).fit()
    assert_same_answer(one, model(data, graph, durbin=["x2"]).fit(), rtol=1e-14)
    assert list(one.params.index) == ["x1", "x2", "W_x2", "rho"]


def test_fitted_values_and_residuals_add_up_to_y(data, graph):
    for effects in (None, "entity", "time", "twoway"):
        for correction in ("lee-yu", "none", "bias-corrected"):
            res = model(data, graph, effects=effects, correction=correction).fit()
            assert_allclose(res.fitted + res.resids, data["y"].sort_index(), rtol=1e-12)


def test_residuals_are_those_of_the_equation(data, graph):
    """e = y - rho Wy - X beta - W X theta, less entity and period means, by label."""
    res = model(data, graph).fit()
    big = pd.DataFrame(CONTIGUITY, index=CITIES, columns=CITIES)
    lagged = {name: (big @ data[name].unstack()).stack() for name in data}
    e = data["y"] - res.rho * lagged["y"]
    for name in ("x1", "x2"):
        e = e - res.params[name] * data[name] - res.params[f"W_{name}"] * lagged[name]
    e = e - e.groupby(level=0).transform("mean") - e.groupby(level=1).transform("mean") + e.mean()
    assert_allclose(res.resids, e, atol=1e-12)
    free = (N - 1) * (T - 1)
    assert_allclose(res.sigma2, (e**2).sum() / free, rtol=1e-12)
    y = data["y"] - data["y"].groupby(level=0).transform("mean")
    y = y - y.groupby(level=1).transform("mean")
    assert_allclose(res.rsquared["within"], 1 - (e**2).sum() / (y**2).sum(), rtol=1e-10)
    around = data["y"] - data["y"].mean()
    assert_allclose(res.rsquared["overall"], 1 - (e**2).sum() / (around**2).sum(), rtol=1e-10)


def test_common_factor_and_other_wald_tests(data, graph):
    """By hand from params and cov: r' (R V R')^-1 r."""
    res = model(data, graph).fit()
    V, p = res.cov.to_numpy(), res.params
    assert_allclose(res.tests["slx"].statistic, p["rho"] ** 2 / V[4, 4], rtol=1e-10)
    theta = p[["W_x1", "W_x2"]].to_numpy()
    assert_allclose(
        res.tests["sar"].statistic, theta @ np.linalg.solve(V[2:4, 2:4], theta), rtol=1e-10
    )
    r = theta + p["rho"] * p[["x1", "x2"]].to_numpy()
    R = np.array([[p["rho"], 0, 1, 0, p["x1"]], [0, p["rho"], 0, 1, p["x2"]]])
    statistic = r @ np.linalg.solve(R @ V @ R.T, r)
    assert_allclose(res.tests["sem"].statistic, statistic, rtol=1e-10)
    assert res.tests["sem"].df == 2


def test_nothing_passed_in_is_changed_and_later_changes_do_not_reach_the_model(graph):
    data = panel()
    before, adjacency = data.copy(deep=True), graph.adjacency.copy(deep=True)
    y, x = data["y"].copy(), data[["x1", "x2"]].copy()
    specified = SpatialDurbin(y, x, graph)
    res = specified.fit()
    res.effects()
    res.effects(method="simulation", draws=20, seed=0)
    res.entity_effects("x1")
    pd.testing.assert_frame_equal(pd.concat([y, x], axis=1), before)
    pd.testing.assert_series_equal(graph.adjacency, adjacency)
    assert (graph.sparse.toarray() == CONTIGUITY).all()
    y.iloc[:10], x.iloc[:, 0] = 99.0, 0.0
    assert_same_answer(specified.fit(), res, rtol=1e-14)
    assert_same_answer(specified.with_graph(graph).fit(), res, rtol=1e-14)


def test_results_are_frozen_and_fits_are_new_objects(data, graph):
    specified = model(data, graph)
    res = specified.fit()
    with pytest.raises(dataclasses.FrozenInstanceError):
        res.params = None
    assert specified.fit() is not res
    assert not hasattr(specified, "params")


def test_nullable_and_integer_columns_are_numbers(data, graph):
    integers = data.assign(x1=(10 * data["x1"]).round().astype(int), x2=data["x2"] > 0)
    floats = integers.astype(float)
    nullable = floats.convert_dtypes()
    one = model(floats, graph).fit()
    assert_same_answer(one, model(integers, graph).fit(), rtol=1e-14)
    assert_same_answer(one, model(nullable, graph).fit(), rtol=1e-14)


def test_labels_of_any_kind(data, graph):
    """Time as dates, entities as categories: labels are kept, values are those of plain labels."""
    expected = model(data, graph).fit()
    dated = data.rename(index=lambda year: pd.Timestamp(year, 1, 1), level=1)
    assert_same_answer(expected, model(dated, graph).fit(), rtol=1e-14)
    keys = data.index.to_frame()
    keys["city"] = pd.Categorical(keys["city"], categories=CITIES[::-1])
    categories = data.set_axis(pd.MultiIndex.from_frame(keys))
    found = model(categories, graph).fit()
    assert_allclose(found.params, expected.params, rtol=1e-9)
    assert_allclose(
        found.entity_effects("x1").loc[CITIES], expected.entity_effects("x1").loc[CITIES], rtol=1e-8
    )


def test_results_survive_pickling(data, graph):
    res = model(data, graph).fit()
    again = pickle.loads(pickle.dumps(res))
    assert_same_answer(res, again, rtol=1e-15)


# What must stop it


def assert_refused(error, match, data, graph, **options):
    with pytest.raises(error, match=match):
        model(data, graph, **options).fit()


FIRST = (130100, 2001)


def test_missing_infinite_and_text_cells_are_named(data, graph):
    for column in ("y", "x2"):
        holed = data.copy()
        holed.loc[FIRST, column] = np.nan
        assert_refused(
            MissingValuesError, rf"'{column}' is empty in 1 of 60 .*\(130100, 2001\)", holed, graph
        )
        holed.loc[FIRST, column] = -np.inf
        assert_refused(
            InfiniteValuesError, rf"'{column}' is infinite.*\(130100, 2001\)", holed, graph
        )
        text = data.astype({column: object})
        text.loc[FIRST, column] = "n/a"
        assert_refused(
            NotNumericError, rf"'{column}' holds text.*'n/a' at \(130100, 2001\)", text, graph
        )


def test_missing_and_repeated_rows_are_named(data, graph):
    lacking = data.drop(index=[(130300, 2004)])
    assert_refused(UnbalancedPanelError, r"1 of 60 .*\(130300, 2004\)", lacking, graph)
    twice = pd.concat([data, data.loc[[FIRST]]])
    assert_refused(
        DuplicateKeysError, r"1 \(entity, time\) pairs .* y, first \(130100, 2001\)", twice, graph
    )


def test_keys_that_are_empty_or_of_two_kinds_are_named(data, graph):
    keys = data.index.to_frame().astype(object)
    keys.iloc[3, 0] = None
    empty = data.set_axis(pd.MultiIndex.from_frame(keys))
    assert_refused(DataError, "1 rows of y have no 'city', first row number 4", empty, graph)
    keys.iloc[3, 0] = "石家庄市"
    mixed = data.set_axis(pd.MultiIndex.from_frame(keys))
    assert_refused(DataError, r"'city' mixes text \('石家庄市'\) and numbers", mixed, graph)


def test_rows_of_y_and_x_must_be_the_same(data, graph):
    with pytest.raises(IdMismatchError, match=r"1 are only in y, 0 only in x.*\(130100, 2001\)"):
        SpatialDurbin(data["y"], data[["x1"]].drop(index=[FIRST]), graph)
    text = data[["x1"]].rename(index=str, level=0)
    with pytest.raises(IdMismatchError, match="60 are only in y, 60 only in x"):
        SpatialDurbin(data["y"], text, graph)


def test_the_note_on_the_interval_of_rho(data):
    """Eigenvalues by hand: roots of one for rings of directed links; zeros if none leads back."""
    ids = data.index.unique(0)
    n = len(ids)

    def notes(W):
        with warnings.catch_warnings(action="ignore", category=IslandWarning):
            model = SpatialDurbin(data["y"], data[["x1"]], (W, ids), effects="entity")
        weights = model.fit().provenance
        return weights["weights"]["rho_interval"], " ".join(weights["notes"])

    three = np.zeros((n, n))
    for start in range(0, n - n % 3, 3):
        for j in range(3):
            three[start + j, start + (j + 1) % 3] = 1.0
    interval, text = notes(three)  # exp(2 pi i j / 3): none is real and negative
    assert_allclose(interval, (-1, 1), rtol=1e-9)
    assert "no negative real eigenvalue" in text and "(-1, 1)" in text
    interval, text = notes(np.triu(np.ones((n, n)), 1))
    assert_allclose(interval, (-1 / (n - 1), 1 / (n - 1)))
    assert "no negative real eigenvalue" in text
    four = np.zeros((n, n))
    for j in range(4):
        four[j, (j + 1) % 4] = 1.0
    assert "complex eigenvalues: rho was sought in (-1, 1)" in notes(four)[1]  # 1, i, -1, -i


def test_bare_arrays_and_flat_indices_are_refused(data, graph):
    with pytest.raises(DataError, match=r"y is a DataFrame. Give one column"):
        SpatialDurbin(data[["y"]], data[["x1"]], graph)
    with pytest.raises(DataError, match="y is a ndarray"):
        SpatialDurbin(data["y"].to_numpy(), data[["x1"]], graph)
    with pytest.raises(DataError, match="x is a ndarray"):
        SpatialDurbin(data["y"], data[["x1"]].to_numpy(), graph)
    with pytest.raises(DataError, match=r"y is not indexed by \(entity, time\)"):
        SpatialDurbin(data["y"].reset_index(drop=True), data[["x1"]], graph)


def test_ids_of_panel_and_weights_must_be_the_same(data):
    small = weights.as_graph(panels.contiguity(N - 1), ids=CITIES[:-1])
    assert_refused(
        IdMismatchError, "1 ids of the panel are not in the weights: 131200", data, small
    )
    large = weights.as_graph(panels.contiguity(N + 1), ids=[*CITIES, 999])
    assert_refused(IdMismatchError, "1 ids of the weights are not in the panel: 999", data, large)
    text = weights.as_graph(CONTIGUITY, ids=[str(c) for c in CITIES])
    assert_refused(IdMismatchError, r"types differ \(int64 and text\).*astype\(int\)", data, text)


def test_constant_and_absorbed_columns_are_named(data, graph):
    assert_refused(ConstantColumnError, "'x2' has the same value 3.0", data.assign(x2=3.0), graph)
    fixed = data.assign(area=data.index.get_level_values(0).map(hash) % 97 / 7)
    assert_refused(ConstantColumnError, "'area' does not vary once the twoway", fixed, graph)
    assert_refused(
        ConstantColumnError, "'area' does not vary once the entity", fixed, graph, effects="entity"
    )
    trend = data.assign(trend=data.index.get_level_values(1).astype(float) ** 2)
    assert_refused(
        ConstantColumnError, "'trend' does not vary once the time", trend, graph, effects="time"
    )
    still = data.assign(y=data.index.get_level_values(0).astype(float))
    assert_refused(ConstantColumnError, "'y' does not vary once the twoway", still, graph)
    assert "trend" in model(trend, graph, effects="entity", durbin=[]).fit().params


def test_collinear_columns_are_named_with_those_they_depend_on(data, graph):
    double = data.assign(x3=2 * data["x1"] - data["x2"])
    assert_refused(CollinearityError, "'x3' is a linear combination of 'x1', 'x2'", double, graph)
    area = data.index.get_level_values(0).to_numpy() / 1e4
    later = data.assign(x3=data["x1"] + area)
    assert_refused(
        CollinearityError, "'x3' .* 'x1' once the entity effects", later, graph, effects="entity"
    )
    complement = data.assign(s1=data["x1"] > 0, s2=data["x1"] <= 0)
    assert_refused(
        CollinearityError, "'s2' .* 'the constant', 's1'", complement, graph, effects=None
    )


def test_a_lag_that_is_a_combination_is_dropped_and_named(data, graph):
    """x3 is W x1: the lag of x1 says nothing new, that of x3 does."""
    lagged = (pd.DataFrame(CONTIGUITY, CITIES, CITIES) @ data["x1"].unstack()).stack()
    more = data.assign(x3=lagged)
    with pytest.warns(DroppedLagWarning, match="The spatial lag of 'x1' is collinear"):
        res = model(more, graph).fit()
    assert list(res.params.index) == ["x1", "x2", "x3", "W_x2", "W_x3", "rho"]
    assert res.lagged == ("x2", "x3")


@pytest.mark.filterwarnings("ignore:Exact dummies of periods bias rho")  # few places
def test_a_lag_that_is_the_same_for_all_is_dropped_and_named(data, graph):
    """A policy that all neighbours of every city share in a year has a lag of one."""
    season = data.assign(x2=np.where(data.index.get_level_values(0) == CITIES[0], data["x2"], 0.0))
    W = np.zeros((N, N))
    W[1:, 0], W[0, 1:] = 1.0, 1 / (N - 1)  # a star: all see the first city only
    with pytest.warns(DroppedLagWarning, match="'x2'"):
        res = model(season, (W, CITIES), correction="none").fit()
    assert "W_x2" not in res.params


def test_weights_that_cannot_be_used(data):
    nothing = weights.as_graph(np.zeros((N, N)), ids=CITIES)
    assert_refused(WeightsError, "All weights are zero", data, nothing)
    negative = CONTIGUITY.copy()
    i, j = np.argwhere(negative)[0]
    negative[i, j] *= -1
    assert_refused(NegativeWeightsError, "1 weights are negative", data, (negative, CITIES))
    assert_refused(WeightsError, "Weights of type 'str' are not understood", data, "queen")
    assert_refused(WeightsError, "diagonal", data, (CONTIGUITY + 0.1 * np.eye(N), CITIES))
    assert_refused(IdMismatchError, "12 rows, but 11 ids", data, (CONTIGUITY, CITIES[:-1]))


def test_islands_warn_and_their_lag_is_zero(data):
    W = panels.islands(N)
    with pytest.warns(IslandWarning, match="2 entities have no neighbours, first 131100, 131200"):
        specified = model(data, (W, CITIES), effects="entity")
    effects = specified.fit().entity_effects("x1")
    assert_allclose(effects.loc[[131100, 131200], ["sent", "received"]], 0.0, atol=1e-15)
    assert (effects.loc[CITIES[:10], "received"] != 0).all()


@pytest.mark.parametrize("effects", ["twoway", "time"])
@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
def test_time_effects_need_rows_that_sum_to_one(data, effects, correction):
    """W times demeaned y leaves period means times row sums in the error, so it is refused."""
    options = {"effects": effects, "correction": correction}
    match = rf"'{correction}' with {effects} effects .* 11 do not, first 130100.*normalise\(graph"
    W = panels.general(N)
    assert_refused(NotRowNormalisedError, match, data, (W, CITIES), **options)
    with pytest.warns(IslandWarning):
        assert_refused(
            NotRowNormalisedError,
            r"2 do not, first 131100, 131200 \(row sum 0\). Islands .*islands='nearest'",
            data,
            (panels.islands(N), CITIES),
            **options,
        )
    assert model(data, (W, CITIES), effects=effects, correction="none").fit().nobs == 60


def test_a_matrix_without_ids_is_taken_in_sorted_order_with_a_warning(data, graph):
    for bare in (CONTIGUITY, sp.csr_array(CONTIGUITY)):
        with pytest.warns(
            DataWarning, match="matrix without ids.*130100, 130200, 130300 and 9 more"
        ):
            specified = model(data, bare)
        assert_same_answer(specified.fit(), model(data, graph).fit(), rtol=1e-14)


def test_unknown_options_get_a_suggestion(data, graph):
    assert_refused(
        OptionError, "effects='two-way' is not known.*'twoway'", data, graph, effects="two-way"
    )
    assert_refused(OptionError, "Did you mean 'lee-yu'", data, graph, correction="lee_yu")
    assert_refused(
        OptionError, r"durbin='x1' is text. Give a list: durbin=\['x1'\]", data, graph, durbin="x1"
    )
    assert_refused(
        OptionError, "durbin='x_1' is not known.*Did you mean 'x1'", data, graph, durbin=["x_1"]
    )
    specified = model(data, graph)
    with pytest.raises(OptionError, match="cov_type='HC7' is not known"):
        specified.fit(cov_type="HC7")
    with pytest.raises(OptionError, match="logdet='eigen'.*Did you mean 'eigenvalues'"):
        specified.fit(logdet="eigen")


@pytest.mark.parametrize("name", ["rho", "const", "sigma2", "lambda", "W_x1"])
def test_names_of_other_parameters_are_refused(data, graph, name):
    renamed = data.rename(columns={"x2": name})
    assert_refused(
        OptionError, f"The regressor name '{name}' repeats, or is the name", renamed, graph
    )


def test_repeated_and_absent_regressors(data, graph):
    twice = data[["x1", "x1"]]
    with pytest.raises(OptionError, match="'x1' repeats"):
        SpatialDurbin(data["y"], twice, graph)
    with pytest.raises(OptionError, match="x has no columns"):
        SpatialDurbin(data["y"], data[[]], graph)


def test_one_series_is_one_regressor(data, graph):
    res = SpatialDurbin(data["y"], data["x1"], graph).fit()
    assert list(res.params.index) == ["x1", "W_x1", "rho"]


def test_too_few_periods_entities_and_observations(data, graph):
    year = data.xs(2001, level=1, drop_level=False)
    for effects in ("entity", "twoway"):
        assert_refused(EstimationError, "one period.*effects=None", year, graph, effects=effects)
    pair = data.loc[CITIES[:2]]
    assert_refused(
        EstimationError, "at least three", pair, (1 - np.eye(2), CITIES[:2]), effects="time"
    )
    short = data.loc[pd.IndexSlice[CITIES[:6], [2001, 2002]], :]
    path = panels.row(np.eye(6, k=1) + np.eye(6, k=-1))
    match = "5 observations are left by the twoway effects for 6 parameters"
    assert_refused(EstimationError, match, short, (path, CITIES[:6]))


def test_an_exact_fit_is_refused(data, graph):
    exact = data.assign(y=data["x1"] - 2 * data["x2"])
    assert_refused(EstimationError, "fit the outcome exactly", exact, graph)


@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
def test_an_exact_fit_through_the_spatial_lag_is_refused(graph, effects):
    """y without error: the residual is zero at the true rho, not at zero."""
    data = panel(sigma=0.0, effects=effects == "twoway")
    assert_refused(EstimationError, "fit the outcome exactly", data, graph, effects=effects)


@pytest.mark.parametrize("correction", ["lee-yu", "none", "bias-corrected"])
@pytest.mark.parametrize("effects", ["time", "twoway"])
def test_equal_weights_among_all_do_not_identify_rho(data, effects, correction):
    """Free of period means, Wy is -y / (N - 1) (Kelejian and Prucha 2002): no rho can be found."""
    W = (np.ones((N, N)) - np.eye(N)) / (N - 1)
    with pytest.warns(DroppedLagWarning, match="'x1', 'x2'"):
        assert_refused(
            EstimationError,
            "equal weights among all",
            data,
            (W, CITIES),
            effects=effects,
            correction=correction,
        )


def circles():
    """Four circles of three cities: no negative eigenvalue, so rho is bounded by the radius, -1."""
    return np.kron(np.eye(N // 3), np.roll(np.eye(3), 1, axis=1))


@pytest.mark.parametrize("effects", [None, "entity", "twoway"])
@pytest.mark.parametrize("correction", ["lee-yu", "none", "bias-corrected"])
def test_rho_at_its_bound_warns_and_gives_no_standard_errors(effects, correction):
    """Data made with rho = -2, which I - rho W admits, and the search does not."""
    data = panel(circles(), rho=-2.0, seed=2)
    specified = model(data, (circles(), CITIES), effects=effects, correction=correction)
    with pytest.warns(
        BoundaryWarning, match=r"rho = -1\.00000 is at the edge .*\(-1.0000, 1.0000\)"
    ):
        res = specified.fit()
    assert res.std_errors.isna().all() and np.isfinite(res.params).all()
    for method in ("delta", "simulation"):
        assert res.effects(method=method).isna().all(axis=None)
    with pytest.raises(
        UnstableModelError, match=r"rho was estimated at the edge of \(-1\.0000, 1\.0000\)"
    ):
        res.entity_effects("x1")
    assert np.isnan(res.wald_test("x1 = 0").pvalue) and "nan" in res.summary().lower()


def test_regressors_are_kept_for_one_design_only():
    """A second fit uses them again; a model whose design was replaced does not."""
    W = panels.contiguity(20)
    frame = panels.frame(*panels.arrays(W, 5, seed=1))
    other = panels.frame(*panels.arrays(W, 5, seed=2))
    graph = weights.as_graph(W, ids=range(20))
    model, fresh = (SpatialDurbin(f["y"], f[["x1", "x2"]], graph) for f in (frame, other))
    first = model.fit().params
    assert (model.fit().params == first).all()
    model.design = fresh.design
    assert (model.fit().params == fresh.fit().params).all()


def test_two_graphs_are_no_pair_of_matrix_and_ids(data, graph):
    """They ended in KeyError: 0."""
    with pytest.raises(WeightsError, match=r"A pair of weights is \(matrix, ids\), .*Graph, Graph"):
        model(data, (graph, graph))
