"""Group effects, combined effects, counterfactuals and predictors against dense algebra."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, IdMismatchError, OptionError

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
