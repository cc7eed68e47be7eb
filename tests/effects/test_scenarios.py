"""Group effects, combined effects, counterfactuals and predictors against dense algebra."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, IdMismatchError, OptionError
from tests import panels

N, T = 16, 7
MODELS = (nqp.SpatialDurbin, nqp.SpatialLag, nqp.SLX, nqp.SpatialDurbinError, nqp.SAC)


@pytest.fixture(scope="module")
def graph():
    """A 4 x 4 lattice, row-normalised, ids as text."""
    pairs = [
        (i, j) for i in range(N) for j in range(N) if abs(i // 4 - j // 4) + abs(i % 4 - j % 4) == 1
    ]
    focal, neighbour = ([f"c{k:02d}" for k in side] for side in zip(*pairs, strict=True))
    return nqp.weights.normalise(Graph.from_arrays(focal, neighbour, [1.0] * len(pairs)), "row")


@pytest.fixture(scope="module")
def frame(graph):
    rng = np.random.default_rng(11)
    index = pd.MultiIndex.from_product([graph.unique_ids, range(2010, 2010 + T)], names=["i", "t"])
    frame = pd.DataFrame(rng.normal(size=(N * T, 2)), index=index, columns=["d", "z"])
    W = graph.sparse.toarray()
    A = np.linalg.inv(np.eye(N) - 0.4 * W)
    d = frame["d"].to_numpy().reshape(N, T)
    noise = rng.normal(size=(N, T)) + rng.normal(size=(N, 1))
    frame["y"] = (A @ (d + 0.5 * W @ d + noise)).ravel()
    return frame


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.__name__)
def result(request, frame, graph):
    return request.param(frame["y"], frame[["d", "z"]], graph).fit()


def effect_matrix(result, graph, rho=None, beta=None, theta=None):
    """S by a dense inverse."""
    p = result.params
    rho = result.rho if rho is None else rho
    beta = p["d"] if beta is None else beta
    theta = p.get("W_d", 0.0) if theta is None else theta
    W = graph.sparse.toarray()
    return np.linalg.solve(np.eye(N) - rho * W, beta * np.eye(N) + theta * W)


def numerical_error(result, graph, function):
    """Delta-method standard error from numerical derivatives in (beta, theta, rho)."""
    p = result.params
    names = [name for name in ("d", "W_d", "rho") if name in p]
    keys = {"d": "beta", "W_d": "theta", "rho": "rho"}
    gradient = []
    for name in names:
        step = 1e-6
        up, down = ({keys[name]: p[name] + s * step} for s in (1, -1))
        change = function(effect_matrix(result, graph, **up)) - function(
            effect_matrix(result, graph, **down)
        )
        gradient.append(change / (2 * step))
    gradient = np.array(gradient)
    cov = result.cov.loc[names, names].to_numpy()
    return np.sqrt(np.einsum("i...,ij,j...->...", gradient, cov, gradient))


def test_group_effects_are_block_means_of_the_effect_matrix(result, graph):
    ids = result.entities
    groups = pd.Series(["a", "b", "b", None] * 4, index=ids)
    twice = pd.concat([groups, pd.Series({ids[0]: "b"})])  # the first city is in both
    found = result.group_effects("d", twice)
    member = {
        "a": np.array([k % 4 == 0 for k in range(N)]),
        "b": np.array([k % 4 in (1, 2) or k == 0 for k in range(N)]),
    }
    assert list(found.index) == [(s, r) for s in "ab" for r in "ab"]
    for sender, receiver in found.index:

        def block(S, sender=sender, receiver=receiver):
            return S[np.ix_(member[receiver], member[sender])].sum() / member[receiver].sum()

        row = found.loc[(sender, receiver)]
        assert_allclose(row.effect, block(effect_matrix(result, graph)), rtol=1e-10, atol=1e-12)
        assert_allclose(row.std_error, numerical_error(result, graph, block), rtol=1e-5, atol=1e-9)


def test_one_group_of_all_receives_the_total_effect(result):
    everyone = pd.Series("all", index=result.entities)
    found = result.group_effects("d", everyone).iloc[0]
    total = result.effects().loc[("total", "d")]
    assert_allclose([found.effect, found.std_error], [total.estimate, total.std_error], rtol=1e-9)


def test_a_counterfactual_takes_the_effects_away(result, frame, graph):
    found = result.counterfactual("d", 0)
    S = effect_matrix(result, graph)
    d = frame["d"].to_numpy().reshape(N, T)
    assert_allclose(found["effect"].to_numpy().reshape(N, T), S @ d, rtol=1e-9, atol=1e-12)
    assert_allclose(found["actual"], frame["y"], rtol=1e-12)
    assert_allclose(found["counterfactual"], frame["y"] - (S @ d).ravel(), rtol=1e-9, atol=1e-10)
    errors = numerical_error(result, graph, lambda M: M @ d)
    assert_allclose(found["std_error"].to_numpy().reshape(N, T), errors, rtol=1e-4, atol=1e-8)
    half = 1.959963984540054 * found["std_error"]
    assert_allclose(found["upper"] - found["counterfactual"], half, rtol=1e-9)
    same = result.counterfactual("d", frame["d"].sample(frac=1, random_state=0))
    assert_allclose(same["effect"], 0, atol=1e-12)


def test_means_of_counterfactuals(result, frame):
    """By group and period; errors are those of a mean change."""
    treated = frame.index.get_level_values(0) < "c05"
    late = frame.index.get_level_values(1) > 2010
    value = frame["d"].where(~(treated & late), 0.0)
    outcomes = result.counterfactual("d", value)
    means = result.counterfactual_means("d", value, level=0.9)
    assert_allclose(means.loc["all", "effect"], outcomes["effect"].groupby(level=1).mean())
    assert means.loc["all", "entities"].eq(N).all()
    assert 2010 not in means.loc["changed"].index and means.loc["changed", "entities"].eq(5).all()
    for year in range(2011, 2010 + T):
        change = (frame["d"] - value).xs(year, level=1)
        own = result.discrete_change({"d": change}, level=0.9)
        for group in ("all", "changed", "others"):
            assert_allclose(means.loc[(group, year), "effect"], own.loc[group, "estimate"])
            shown = means.loc[(group, year), ["std_error", "lower", "upper"]].to_numpy(dtype=float)
            assert_allclose(shown, own.loc[group, ["std_error", "lower", "upper"]].astype(float))
    assert means.loc[("all", 2010), "effect"] == 0 and np.isnan(means.loc[("all", 2010), "lower"])


def test_effects_by_order_end_in_the_whole(result):
    found = result.cumulative_effects(3, ["d"])
    assert_allclose(found[["estimate", "std_error"]], result.effects_by_order(3, ["d"]))
    sums = result.effects_by_order(3, ["d"], cumulative=True).drop(index="rest", level="order")
    kept = found.drop(index="rest", level="order")
    assert_allclose(kept["cumulative"], sums["estimate"])
    assert_allclose(kept["cumulative_std_error"], sums["std_error"])
    last = found.xs("rest", level="order")
    whole = result.effects().loc[last.index]
    assert_allclose(last["cumulative"], whole["estimate"])
    assert_allclose(last["cumulative_std_error"], whole["std_error"])


def test_predictors_add_up(result, frame, graph):
    found = result.predict()
    y = frame["y"].to_numpy().reshape(N, T)
    W = graph.sparse.toarray()
    parts = {name: found[name].to_numpy().reshape(N, T) for name in found}
    assert_allclose(parts["signal"], result.rho * W @ y, atol=1e-10)
    assert_allclose(parts["fitted"], parts["trend"] + parts["signal"] + parts["noise"], atol=1e-10)
    assert_allclose(parts["fitted"].ravel(), result.fitted, atol=1e-10)
    error = y - parts["trend"] - parts["signal"]  # u, with (I - lambda W) u = e
    innovations = result.resids.to_numpy().reshape(N, T)
    assert_allclose(error - result.lambda_ * W @ error, innovations, atol=1e-9)
    reduced = np.linalg.solve(np.eye(N) - result.rho * W, parts["trend"])
    assert_allclose(parts["reduced_form"], reduced, atol=1e-9)


def test_combined_effects_are_linear_in_the_coefficients(result):
    effects = result.effects()["estimate"].unstack("effect")
    found = result.combined_effects({"d": 1.0, "z": -2.0})
    for kind in ("direct", "indirect", "total"):
        assert_allclose(
            found.loc[kind, "estimate"],
            effects.loc["d", kind] - 2 * effects.loc["z", kind],
            rtol=1e-10,
            atol=1e-12,
        )
    alone = result.combined_effects({"d": 1.0})
    expected = result.effects().xs("d", level="variable")
    assert_allclose(
        alone[["estimate", "std_error"]], expected[["estimate", "std_error"]], rtol=1e-9
    )


def test_a_square_has_the_effect_of_its_slope(frame, graph):
    """With x and x^2, d E(y) / d x at x0 is beta_1 + 2 x0 beta_2, for SLX without lags exactly."""
    x = frame[["d"]].assign(d2=frame["d"] ** 2)
    fit = nqp.SLX(frame["y"], x, graph, durbin=[]).fit()
    found = fit.combined_effects({"d": 1.0, "d2": 2 * 0.7}).loc["direct"]
    p, V = fit.params, fit.cov
    a = np.array([1.0, 1.4])
    assert_allclose(found["estimate"], a @ p[["d", "d2"]], rtol=1e-12)
    names = ["d", "d2"]
    assert_allclose(found["std_error"], np.sqrt(a @ V.loc[names, names] @ a), rtol=1e-10)


def test_what_cannot_be_answered_is_said(result, frame):
    with pytest.raises(OptionError, match="variable='dd' is not known"):
        result.counterfactual("dd", 0)
    with pytest.raises(OptionError, match="value='str'"):
        result.counterfactual("d", "0")
    with pytest.raises(IdMismatchError, match="do not have the same"):
        result.counterfactual("d", frame["d"].iloc[1:])
    with pytest.raises(DataError, match="No entity of the model is in a group"):
        result.group_effects("d", pd.Series({"nowhere": "a"}))
    with pytest.raises(OptionError, match="Name what moves"):
        result.combined_effects({})
    with pytest.raises(OptionError, match="level=95"):
        result.counterfactual("d", 0, level=95)


# -- discrete changes ----------------------------------------------------------------------------


def shifted_error(result, graph, function, names):
    """Delta-method error of a function of the parameters, by numerical derivatives."""
    point = result.params[names].to_numpy()
    steps = 1e-6 * np.eye(len(names))
    slopes = [(function(point + s) - function(point - s)) / 2e-6 for s in steps]
    cov = result.cov.loc[names, names].to_numpy()
    return np.sqrt(np.einsum("i...,ij,j...->...", np.array(slopes), cov, np.array(slopes)))


def response_by_hand(result, graph, changes):
    """S_d c_d + S_z c_z as a function of the parameters, by dense inverses."""
    names = [n for n in ("d", "z", "W_d", "W_z", "rho") if n in result.params]
    W = graph.sparse.toarray()

    def function(point):
        p = dict(zip(names, point, strict=True))
        right = sum(p[name] * c + p.get(f"W_{name}", 0.0) * (W @ c) for name, c in changes.items())
        return np.linalg.solve(np.eye(N) - p.get("rho", 0.0) * W, right)

    return function, names


@pytest.mark.parametrize("transform", [None, "percent"])
def test_a_discrete_change_is_a_dense_solution(result, graph, transform):
    """One regressor by a number in four cities, another by a number of its own in three."""
    ids = result.entities
    own = pd.Series([0.5, -1.0, 2.0], index=ids[[3, 9, 1]])
    changes = {"d": 1.5 * np.isin(np.arange(N), [0, 5, 6, 9]), "z": own.reindex(ids, fill_value=0)}
    plain, names = response_by_hand(result, graph, changes)

    def function(point):
        return plain(point) if transform is None else 100 * (np.exp(plain(point)) - 1)

    point = result.params[names].to_numpy()
    options = {"entities": ids[[0, 5, 6, 9]], "transform": transform}
    found = result.discrete_change({"d": 1.5, "z": own}, by="entity", **options)
    assert list(found.index) == list(ids)
    moved = np.isin(np.arange(N), [0, 1, 3, 5, 6, 9])
    assert (found["changed"] == moved).all()
    assert_allclose(found["estimate"], function(point), rtol=1e-9, atol=1e-11)
    errors = shifted_error(result, graph, function, names)
    assert_allclose(found["std_error"], errors, rtol=1e-5, atol=1e-7)
    raw, spread = plain(point), shifted_error(result, graph, plain, names)
    ends = [raw - 1.959963984540054 * spread, raw + 1.959963984540054 * spread]
    ends = ends if transform is None else [100 * np.expm1(end) for end in ends]
    for column, end in zip(("lower", "upper"), ends, strict=True):
        assert_allclose(found[column], end, rtol=1e-5, atol=1e-6)

    groups = result.discrete_change({"d": 1.5, "z": own}, **options)
    assert list(groups["entities"]) == [6, N - 6, N]
    for name, members in (("changed", moved), ("others", ~moved), ("all", moved | True)):

        def average(point, members=members):
            return function(point)[members].mean()

        row = groups.loc[name]
        assert_allclose(row["estimate"], average(point), rtol=1e-9, atol=1e-11)
        error = shifted_error(result, graph, average, names)
        assert_allclose(row["std_error"], error, rtol=1e-5, atol=1e-7)


def test_a_change_of_one_everywhere_is_the_total_effect(result):
    found = result.discrete_change("d", 1)
    total = result.effects().loc[("total", "d")]
    assert found.loc["changed", "entities"] == N and found.loc["others", "entities"] == 0
    columns = ["estimate", "std_error", "pvalue", "lower", "upper"]
    for row in ("changed", "all"):
        assert_allclose(found.loc[row, columns].astype(float), total[columns], rtol=1e-8)
    assert found.loc["others", columns].isna().all()


def test_a_change_in_one_city_is_its_footprint(result):
    city = result.entities[4]
    found = result.discrete_change("d", 1, entities=[city], by="entity")
    column = result.footprint("d", city)
    assert_allclose(found["estimate"], column["effect"], rtol=1e-10, atol=1e-14)
    assert_allclose(found["std_error"], column["std_error"], rtol=1e-9, atol=1e-14)
    assert list(found.index[found["changed"]]) == [city]
    assert found.loc[found["std_error"] == 0, "pvalue"].isna().all()


def test_a_discrete_change_of_a_square_is_exact(frame, graph):
    """x from 2 to 3 with its square in the model: b1 (3 - 2) + b2 (9 - 4), for OLS by hand."""
    x = frame[["d"]].assign(d2=frame["d"] ** 2)
    fit = nqp.SLX(frame["y"], x, graph, durbin=[]).fit()
    found = fit.discrete_change({"d": 3 - 2, "d2": 3**2 - 2**2}).loc["all"]
    a, V = np.array([1.0, 5.0]), fit.cov.loc[["d", "d2"], ["d", "d2"]].to_numpy()
    assert_allclose(found["estimate"], a @ fit.params[["d", "d2"]], rtol=1e-12)
    assert_allclose(found["std_error"], np.sqrt(a @ V @ a), rtol=1e-10)


def test_percent_of_combined_effects(result):
    plain = result.combined_effects({"d": 1.0, "z": 0.5})
    found = result.combined_effects({"d": 1.0, "z": 0.5}, transform="percent")
    for column in ("estimate", "lower", "upper"):
        assert_allclose(found[column], 100 * (np.exp(plain[column]) - 1), rtol=1e-12)
    expected = 100 * np.exp(plain["estimate"]) * plain["std_error"]
    assert_allclose(found["std_error"], expected, rtol=1e-12)


def test_a_counterfactual_of_several_terms(result, frame, graph):
    """What d and z did together: the joint errors are not those of one after the other."""
    found = result.counterfactual({"d": 0, "z": frame["z"] - 1.0})
    d = frame["d"].to_numpy().reshape(N, T)
    plain, names = response_by_hand(result, graph, {"d": d, "z": np.ones((N, T))})
    point = result.params[names].to_numpy()
    assert_allclose(found["effect"].to_numpy().reshape(N, T), plain(point), rtol=1e-9, atol=1e-11)
    errors = shifted_error(result, graph, plain, names)
    assert_allclose(found["std_error"].to_numpy().reshape(N, T), errors, rtol=1e-5, atol=1e-8)


def test_changes_that_cannot_be_made_are_said(result, frame):
    ids = result.entities
    cases = [
        (("dd", 1), {}, "variable='dd' is not known"),
        (("d", None), {}, r"change is missing: type \('d', 1.0\)"),
        (({"d": 1}, 1), {}, "change is in the mapping already"),
        (({}, None), {}, "Name what changes"),
        (("d", "1"), {}, "change of 'd' must be a number"),
        (("d", pd.Series([1.0, np.nan], index=ids[:2])), {}, "without empty|with no empty cells"),
        (("d", pd.Series([1.0], index=["nowhere"])), {}, "'nowhere' in the change of 'd' are not"),
        (("d", pd.Series([1.0, 2.0], index=ids[[0, 0]])), {}, "names 'c00' more than once"),
        (("d", 1), {"entities": ["c99"]}, "'c99' in the change of 'd' are not entities"),
        (("d", 1), {"by": "city"}, "by='city' is not known"),
        (("d", 1), {"transform": "per cent"}, "Did you mean 'percent'"),
        (("d", 1), {"level": 95}, "level=95"),
    ]
    for arguments, options, message in cases:
        with pytest.raises(OptionError, match=message):
            result.discrete_change(*arguments, **options)
    with pytest.raises(OptionError, match="value is missing"):
        result.counterfactual("d")


# -- every model ---------------------------------------------------------------------------------

FAMILY = {
    "SAR": nqp.SpatialLag,
    "SDM": nqp.SpatialDurbin,
    "SEM": nqp.SpatialError,
    "SDEM": nqp.SpatialDurbinError,
    "SAC": nqp.SAC,
    "GNS": nqp.GNS,
    "SLX": nqp.SLX,
}


@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")  # GNS, 16 x 7
@pytest.mark.parametrize("effects", ["entity", "random"])
@pytest.mark.parametrize("name", FAMILY)
def test_every_model_predicts_and_has_counterfactuals(name, effects, frame, graph):
    """Predictors from the printed equation; the counterfactual takes the dense effect away."""
    result = FAMILY[name](frame["y"], frame[["d", "z"]], graph, effects=effects).fit()
    p, W = result.params, graph.sparse.toarray()
    y, d, z = (frame[c].to_numpy().reshape(N, T) for c in ("y", "d", "z"))
    found = result.predict()
    parts = {column: found[column].to_numpy().reshape(N, T) for column in found}
    systematic = sum(p[n] * x + p.get(f"W_{n}", 0.0) * (W @ x) for n, x in (("d", d), ("z", z)))
    signal = p.get("rho", 0.0) * W @ y
    assert_allclose(parts["signal"], signal, atol=1e-12)
    left = parts["trend"] - systematic  # the constant, or entity effects
    if effects == "random":
        assert_allclose(left, p["const"], atol=1e-9)
    else:
        assert_allclose(left - left[:, :1], 0, atol=1e-9)
    error = y - signal - parts["trend"]
    if effects == "entity":
        assert_allclose(parts["noise"], p.get("lambda", 0.0) * W @ error, atol=1e-9)
    assert_allclose(parts["fitted"], parts["trend"] + signal + parts["noise"], atol=1e-9)
    reduced = np.linalg.solve(np.eye(N) - p.get("rho", 0.0) * W, parts["trend"])
    assert_allclose(parts["reduced_form"], reduced, atol=1e-9)
    without = result.counterfactual("d", 0)
    S = effect_matrix(result, graph)
    expected = y - S @ d
    assert_allclose(without["counterfactual"].to_numpy().reshape(N, T), expected, atol=1e-9)
    assert (without["std_error"] >= 0).all() and without["std_error"].max() > 0


@pytest.mark.parametrize("name", ["SAR", "SDM", "SEM", "SDEM", "SAC", "GNS"])
def test_predictors_are_those_of_spatialreg(name):
    """tests/reference/predict.R: Columbus, one period. SAC and GNS: sacsarlm stops early.

    spatialreg's "TS" adds rho W y in lag models and lambda W u in error models: our "fitted".
    """
    known = panels.read("predict.csv", "model", "type")
    columbus, links = panels.columbus()
    graph = nqp.weights.normalise(Graph.from_dicts(links), "row")
    model = FAMILY[name](columbus["CRIME"], columbus[["INC", "HOVAL"]], graph, effects=None)
    found = model.fit().predict()
    tolerance = 5e-6 if name in ("SAC", "GNS") else 1e-6
    types = {"trend": "trend", "TC": "reduced_form", "TS": "fitted"}
    present = [kind for kind in types if (name, kind) in known.index]
    expected = ["trend", "TC"] if name in ("SAC", "GNS") else ["trend", "TC", "TS"]
    assert present == [kind for kind in expected if kind != "TC" or name not in ("SEM", "SDEM")]
    for kind in present:
        expected = known.loc[(name, kind), "value"]  # some are near zero: atol, for outcomes of 35
        assert_allclose(found[types[kind]], expected, rtol=tolerance, atol=tolerance)
