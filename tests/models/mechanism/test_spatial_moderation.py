"""Moderation in the spatial Durbin model, against the model by hand and dense inverses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, OptionError
from tests.panels import row, symmetric

N, T = 36, 8
IDS = [f"c{i:02d}" for i in range(N)]
W = row(symmetric(N, 1, share=0.06))
GRAPH = (W, IDS)
A, B, A_LAG, B_LAG, RHO = 1.0, 0.6, -0.3, 0.4, 0.35


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    d, m, x, e = rng.normal(size=(4, T, N))
    m = 50 + 2 * m
    mean = A * d + B * d * (m - 50) + 0.5 * x
    mean = mean + (A_LAG * d + B_LAG * d * (m - 50)) @ W.T + rng.normal(size=N)
    y = (mean + 0.5 * e) @ np.linalg.inv(np.eye(N) - RHO * W).T
    index = pd.MultiIndex.from_product([IDS, range(T)], names=["city", "year"])
    columns = {"y": y, "d": d, "m": m, "x": x}
    return pd.DataFrame({n: v.T.ravel() for n, v in columns.items()}, index)


def model(f: pd.DataFrame, **options) -> nqp.SpatialModeration:
    return nqp.SpatialModeration(f["y"], f["d"], f["m"], f[["x"]], GRAPH, **options)


def by_hand(params: pd.Series, point: float, W: np.ndarray) -> np.ndarray:
    beta = params["d"] + params["d:m"] * point
    theta = params["W_d"] + params["W_d:m"] * point
    n = len(W)
    S = np.linalg.inv(np.eye(n) - params["rho"] * W) @ (beta * np.eye(n) + theta * W)
    direct, total = np.trace(S) / n, S.sum() / n
    return np.array([direct, total - direct, total])


@pytest.mark.parametrize("effects", ["twoway", "entity", None])
def test_it_is_the_durbin_model_on_the_product(data, effects):
    found = model(data, effects=effects).fit()
    x = data[["d", "m", "x"]].assign(**{"d:m": data["d"] * data["m"]})
    same = nqp.SpatialDurbin(data["y"], x, GRAPH, effects=effects).fit()
    assert list(found.params.index) == list(same.params.index)
    assert_allclose(found.params, same.params, rtol=1e-10)
    assert_allclose(found.cov, same.cov, rtol=1e-10)
    names = ["d:m = 0", "W_d:m = 0"]
    assert found.tests["interaction"].statistic == same.wald_test(names).statistic


def test_effects_are_those_of_dense_inverses_and_their_numerical_gradients(data):
    found = model(data).fit()
    points = [46.0, 50.0, 53.5]
    shown = found.marginal_effects(points)
    assert list(shown.index.names) == ["effect", "m"]
    for point in points:
        own = shown.xs(point, level="m")
        assert list(own.index) == ["direct", "indirect", "total"]
        assert_allclose(own["estimate"], by_hand(found.params, point, W), rtol=1e-9)
        gradient = np.empty((3, len(found.params)))
        for j, name in enumerate(found.params.index):
            step = 1e-5 * max(1.0, abs(found.params[name]))
            up, down = found.params.copy(), found.params.copy()
            up[name] += step
            down[name] -= step
            gradient[:, j] = (by_hand(up, point, W) - by_hand(down, point, W)) / (2 * step)
        error = np.sqrt(np.diag(gradient @ found.cov.to_numpy() @ gradient.T))
        assert_allclose(own["std_error"], error, rtol=1e-5)


def test_the_truth_is_inside(data):
    """One panel, three effects at three values: all within four standard errors."""
    shown = model(data).fit().marginal_effects([48.0, 50.0, 52.0])
    for point in (48.0, 50.0, 52.0):
        truth = pd.Series(
            {
                "d": A + B * -50,
                "d:m": B,
                "W_d": A_LAG + B_LAG * -50,
                "W_d:m": B_LAG,
                "rho": RHO,
            }
        )
        own = shown.xs(point, level="m")
        off = (own["estimate"] - by_hand(truth, point, W)) / own["std_error"]
        assert (off.abs() < 4).all()
        assert (own["lower"] < own["estimate"]).all()


def test_centring_moves_coefficients_and_no_effect(data):
    plain, centred = model(data).fit(), model(data, centre=True).fit()
    at = [46.0, 50.0]
    assert_allclose(centred.marginal_effects(at), plain.marginal_effects(at), rtol=1e-6)
    mean = float(data["m"].mean())
    direct = centred.effects()["estimate"]["direct", "d"]
    assert_allclose(direct, plain.marginal_effects([mean])["estimate"].iloc[0], rtol=1e-6)
    assert centred.loglik == pytest.approx(plain.loglik, rel=1e-10)
    assert any(note.startswith("d:m is the product of both less") for note in centred.notes)


def test_categories_have_an_effect_each_whatever_the_base(data):
    kind = pd.Series(np.where(data["m"] > 50, "rich", "poor"), data.index, name="kind")
    other = kind.astype(pd.CategoricalDtype(["rich", "poor"]))
    one, two = (
        nqp.SpatialModeration(data["y"], data["d"], m, data[["x"]], GRAPH).fit()
        for m in (kind, other)
    )
    left, right = one.marginal_effects(), two.marginal_effects()
    for label in ("rich", "poor"):
        assert_allclose(left.xs(label, level="kind"), right.xs(label, level="kind"), rtol=1e-6)
    direct = one.effects()["estimate"]["direct", "d"]
    assert_allclose(left.xs("poor", level="kind")["estimate"].iloc[0], direct, rtol=1e-9)


def test_a_moderator_that_is_absorbed_keeps_its_product(data):
    fixed = data.assign(m=data.groupby("city")["m"].transform("first"))
    found = model(fixed).fit()
    assert "m" not in found.params and {"d:m", "W_d:m"} <= set(found.params.index)
    assert any("absorb the own effect of m," in note for note in found.notes)


def test_weights_and_options_are_replaced_as_of_any_model(data):
    own = model(data, durbin=["d", "d:m"], centre=True)
    far = (row(W @ W * (1 - np.eye(N))), IDS)
    assert own.with_graph(far).fit().params.index.equals(own.fit().params.index)
    assert own.with_options(correction="none").correction == "none"
    both = nqp.compare_weights(own, {"near": GRAPH, "far": far})
    assert_allclose(both["near"].params, own.fit().params, rtol=1e-12)
    formula = nqp.SpatialModeration.from_formula(
        "y ~ d + x", data, GRAPH, treatment="d", moderator="m"
    )
    assert_allclose(formula.fit().params, model(data).fit().params, rtol=1e-12)
    mixed = data.sample(frac=1, random_state=0)
    assert_allclose(model(mixed).fit().params, model(data).fit().params, rtol=1e-10)


def test_what_is_wrong_is_said(data):
    with pytest.raises(OptionError, match="'d' is in"):
        nqp.SpatialModeration(data["y"], data["d"], data["d"], data[["x"]], GRAPH)
    with pytest.raises(DataError, match="'m' is empty in 1 of"):
        nan = data["m"].where(np.arange(len(data)) != 5)
        nqp.SpatialModeration(data["y"], data["d"], nan, data[["x"]], GRAPH)
    with pytest.raises(OptionError, match="centre=True"):
        nqp.SpatialModeration(
            data["y"], data["d"], data["m"].gt(50), data[["x"]], GRAPH, centre=True
        )
    with pytest.raises(OptionError, match="at='deciles' is not known"):
        model(data).fit().marginal_effects("deciles")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_its_figure_has_a_panel_an_effect(data, lang):
    axes = model(data).fit().plot(lang=lang)
    assert len(axes.figure.axes) >= 3
