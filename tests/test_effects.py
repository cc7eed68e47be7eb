"""Direct, indirect and total effects against dense inverses, differences and simulation."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

sys.path.append(str(Path(__file__).parent / "models"))
import spatial_panels as panels  # noqa: E402

from nqp_spatial import SpatialDurbin, weights  # noqa: E402
from nqp_spatial.exceptions import IslandWarning, OptionError, UnstableModelError  # noqa: E402

N = 25
KINDS = ("direct", "indirect", "total")


def fitted(kind="contiguity", *, durbin=None, n_periods=8, seed=0, n=N, entities=None, rho=0.4):
    W = panels.KINDS[kind](n, seed=seed)
    y, X = panels.arrays(W, n_periods, seed=seed, rho=rho)
    data = panels.frame(y, X, entities=entities)
    ids = data.index.unique(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IslandWarning)
        model = SpatialDurbin(
            data["y"], data[["x1", "x2"]], (W, ids), effects="entity", durbin=durbin
        )
    return model.fit(), W


def matrix(W, beta, theta, rho):
    """S = (I - rho W)^-1 (beta I + theta W), densely."""
    identity = np.eye(len(W))
    return np.linalg.inv(identity - rho * W) @ (beta * identity + theta * W)


def averages(W, beta, theta, rho):
    S = matrix(W, beta, theta, rho)
    direct, total = np.trace(S) / len(W), S.sum() / len(W)
    return {"direct": direct, "indirect": total - direct, "total": total}


def parameters(res, name):
    return res.params[name], res.params.get(f"W_{name}", 0.0), res.rho


def numerical_gradient(function, point, step=1e-5):
    """Central differences, extrapolated once; error about 1e-10."""
    out = []
    for j in range(len(point)):
        unit = np.zeros(len(point))
        unit[j] = 1.0
        slope = [
            (function(point + h * unit) - function(point - h * unit)) / (2 * h)
            for h in (step, step / 2)
        ]
        out.append((4 * slope[1] - slope[0]) / 3)
    return np.array(out)


def cov_of(res, name):
    """Covariance of (beta, theta, rho), zero for a lag that is not there."""
    wanted = [name, f"W_{name}", "rho"]
    return res.cov.reindex(index=wanted, columns=wanted).fillna(0.0).to_numpy()


CASES = [(kind, durbin) for kind in panels.KINDS for durbin in (None, [], ["x2"])]


@pytest.mark.parametrize(("kind", "durbin"), CASES)
def test_averages_are_those_of_the_dense_inverse(kind, durbin):
    res, W = fitted(kind, durbin=durbin)
    estimate = res.effects()["estimate"]
    for name in ("x1", "x2"):
        for effect, value in averages(W, *parameters(res, name)).items():
            assert_allclose(estimate[effect, name], value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "durbin"), CASES)
def test_delta_errors_follow_numerical_gradients(kind, durbin):
    res, W = fitted(kind, durbin=durbin)
    errors = res.effects()["std_error"]
    for name in ("x1", "x2"):
        for effect in KINDS:
            gradient = numerical_gradient(
                lambda p, effect=effect: averages(W, *p)[effect], np.array(parameters(res, name))
            )
            if f"W_{name}" not in res.params:
                gradient[1] = 0.0
            expected = np.sqrt(gradient @ cov_of(res, name) @ gradient)
            assert_allclose(errors[effect, name], expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["contiguity", "general", "knn"])
def test_delta_agrees_with_simulation(kind):
    """20,000 draws; the standard deviation of a normal sample has relative error 1/200.

    Five of these, and a second-order term of the delta method that falls with the sample: a panel
    of 25 x 60 makes it 2 per cent at most.
    """
    res, _ = fitted(kind, n_periods=60)
    delta = res.effects()
    simulated = res.effects(method="simulation", draws=20_000, seed=3)
    assert_allclose(simulated["estimate"], delta["estimate"], rtol=0)
    assert_allclose(simulated["std_error"], delta["std_error"], rtol=0.045)
    for end in ("lower", "upper"):  # a 2.5% quantile has a standard error of 0.019 sd
        gap = (simulated[end] - delta[end]) / delta["std_error"]
        assert gap.abs().max() < 0.15


def test_simulation_is_the_distribution_of_dense_effects():
    """The same normal draws made by hand, through dense inverses."""
    res, W = fitted("general", n_periods=30)
    simulated = res.effects(method="simulation", draws=5000, seed=5, centre="mean")
    rng = np.random.default_rng(1)
    sample = rng.multivariate_normal(res.params, res.cov, size=4000)
    where = [list(res.params.index).index(name) for name in ("x1", "W_x1", "rho")]
    byhand = pd.DataFrame([averages(W, *row[where]) for row in sample])
    for effect in KINDS:
        mean, sd = byhand[effect].mean(), byhand[effect].std()
        row = simulated.loc[(effect, "x1")]
        assert abs(row["estimate"] - mean) < 5 * sd * np.sqrt(1 / 4000 + 1 / 5000)
        assert_allclose(row["std_error"], sd, rtol=5 * np.sqrt(1 / 8000 + 1 / 10_000))


def test_simulation_is_repeatable_and_draws_differ_by_seed():
    res, _ = fitted()
    one, same, other = (
        res.effects(method="simulation", draws=50, seed=seed)["std_error"] for seed in (1, 1, 2)
    )
    pd.testing.assert_series_equal(one, same)
    assert (one != other).all()


def test_centre_mean_reports_the_mean_of_the_draws():
    res, _ = fitted(n_periods=3, rho=0.6)
    options = {"method": "simulation", "draws": 500, "seed": 4}
    mean, point = res.effects(centre="mean", **options), res.effects(**options)
    assert_allclose(point["estimate"], res.effects()["estimate"])
    columns = ["std_error", "lower", "upper"]
    pd.testing.assert_frame_equal(mean[columns], point[columns])
    gap = (mean["estimate"] - point["estimate"]).abs()
    assert (gap > 0).all() and (gap < 0.5 * point["std_error"]).all()


def test_draws_outside_the_interval_are_drawn_again_and_counted():
    """rho near 1 with a wide distribution: the share redrawn is that of a normal tail."""
    res, _ = fitted(n_periods=2, n=12, rho=0.9, seed=2)
    low, high = res.provenance["weights"]["rho_interval"]
    z = (high - res.rho) / res.std_errors["rho"]
    assert z < 2.5  # otherwise nothing would be redrawn
    from scipy import stats

    outside = stats.norm.sf(z) + stats.norm.cdf((low - res.rho) / res.std_errors["rho"])
    redrawn = res.effects(method="simulation", draws=20_000, seed=0).attrs["redrawn"]
    expected = 20_000 * outside / (1 - outside)
    assert abs(redrawn - expected) < 5 * np.sqrt(expected / (1 - outside))
    assert fitted()[0].effects(method="simulation", draws=100, seed=0).attrs["redrawn"] == 0


def test_row_normalised_total_has_its_closed_form():
    res, _ = fitted("knn")
    for name in ("x1", "x2"):
        beta, theta, rho = parameters(res, name)
        assert_allclose(res.effects()["estimate"]["total", name], (beta + theta) / (1 - rho))


@pytest.mark.parametrize(("kind", "durbin"), CASES)
def test_effects_by_entity(kind, durbin):
    res, W = fitted(kind, durbin=durbin)
    average = res.effects()["estimate"]
    for name in ("x1", "x2"):
        S = matrix(W, *parameters(res, name))
        found = res.entity_effects(name)
        assert list(found.index) == list(range(N))
        own = np.diag(S)
        assert_allclose(found["direct"], own, rtol=1e-10, atol=1e-12)
        assert_allclose(found["sent"], S.sum(axis=0) - own, rtol=1e-10, atol=1e-12)
        assert_allclose(found["received"], S.sum(axis=1) - own, rtol=1e-10, atol=1e-12)
        assert_allclose(found["total"], S.sum(axis=1), rtol=1e-10, atol=1e-12)
        for column, kind_of in (("direct", "direct"), ("sent", "indirect"), ("total", "total")):
            assert_allclose(found[column].mean(), average[kind_of, name], rtol=1e-10)
        assert_allclose(found["received"].mean(), average["indirect", name], rtol=1e-10)


@pytest.mark.parametrize("kind", ["general", "knn", "islands"])
def test_standard_errors_by_entity_follow_numerical_gradients(kind):
    res, W = fitted(kind)
    found, cov = res.entity_effects("x1"), cov_of(res, "x1")
    picks = {
        "direct": np.diag,
        "sent": lambda S: S.sum(axis=0) - np.diag(S),
        "received": lambda S: S.sum(axis=1) - np.diag(S),
        "total": lambda S: S.sum(axis=1),
    }
    for column, pick in picks.items():
        gradient = numerical_gradient(
            lambda p, pick=pick: pick(matrix(W, *p)), np.array(parameters(res, "x1"))
        )
        expected = np.sqrt(np.einsum("in,ij,jn->n", gradient, cov, gradient))
        assert_allclose(found[f"{column}_std_error"], expected, rtol=1e-6, atol=1e-12)


def test_footprints_are_columns_of_the_effect_matrix():
    names = [f"市{i:02d}" for i in range(N)]
    res, W = fitted("knn", entities=names)
    S = matrix(W, *parameters(res, "x2"))
    entity = res.entity_effects("x2")
    cov = cov_of(res, "x2")
    for j in (0, 7, N - 1):
        found = res.footprint("x2", names[j])
        assert list(found.index) == names
        assert_allclose(found["effect"], S[:, j], rtol=1e-10, atol=1e-13)
        assert_allclose(
            found["effect"].sum(), entity["direct"].iloc[j] + entity["sent"].iloc[j], rtol=1e-10
        )
        gradient = numerical_gradient(
            lambda p, j=j: matrix(W, *p)[:, j], np.array(parameters(res, "x2"))
        )
        expected = np.sqrt(np.einsum("in,ij,jn->n", gradient, cov, gradient))
        assert_allclose(found["std_error"], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("kind", ["general", "knn", "islands"])
@pytest.mark.parametrize("durbin", [None, []])
def test_orders_of_neighbours(kind, durbin):
    """W^q has the weight rho^q beta + rho^(q-1) theta; all orders and the rest sum to the whole."""
    res, W = fitted(kind, durbin=durbin)
    found = res.effects_by_order(6)
    whole = res.effects()["estimate"]
    cov, point = cov_of(res, "x1"), np.array(parameters(res, "x1"))

    def part(p, q):
        weight = p[2] ** q * p[0] + (p[2] ** (q - 1) * p[1] if q else 0.0)
        power = np.linalg.matrix_power(W, q)
        direct, total = np.trace(power) / N * weight, power.sum() / N * weight
        return np.array([direct, total - direct, total])

    for q in range(7):
        rows = found.xs(("x1", q), level=("variable", "order")).loc[list(KINDS)]
        assert_allclose(rows["estimate"], part(point, q), rtol=1e-10, atol=1e-13)
        gradient = numerical_gradient(lambda p, q=q: part(p, q), point)
        expected = np.sqrt(np.einsum("in,ij,jn->n", gradient, cov, gradient))
        assert_allclose(rows["std_error"], expected, rtol=1e-6, atol=1e-10)
    for name in ("x1", "x2"):
        for effect in KINDS:
            sums = found["estimate"].xs((effect, name), level=("effect", "variable")).sum()
            assert_allclose(sums, whole[effect, name], rtol=1e-10)


def test_the_rest_beyond_many_orders_vanishes():
    res, _ = fitted("contiguity")
    rest = res.effects_by_order(80)["estimate"].xs("rest", level="order")
    assert rest.abs().max() < 1e-12


@pytest.mark.parametrize("kind", panels.KINDS)
def test_lu_and_eigenvalues_give_the_same_effects(kind):
    res, _ = fitted(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IslandWarning)
        other = SpatialDurbin(
            res.fitted + res.resids,
            pd.DataFrame(
                {n: res.design.series(res.design.x[..., j], n) for j, n in enumerate(("x1", "x2"))}
            ),
            res.graph,
            effects="entity",
        ).fit(logdet="lu")
    assert other.spectrum.method == "lu" and res.spectrum.method == "eigenvalues"
    # the search without eigenvalues stops at the root of machine precision
    assert_allclose(other.effects(), res.effects(), rtol=1e-6, atol=1e-9)


def test_bad_options_are_named():
    res, _ = fitted()
    with pytest.raises(OptionError, match="Did you mean 'simulation'"):
        res.effects(method="simulations")
    with pytest.raises(OptionError, match="'estimate', 'mean'"):
        res.effects(method="simulation", centre="median")
    with pytest.raises(OptionError, match='method="simulation"'):
        res.effects(centre="mean")
    with pytest.raises(OptionError, match=r"draws=1 is too few"):
        res.effects(method="simulation", draws=1)
    with pytest.raises(OptionError, match=r"level=95"):
        res.effects(level=95)
    with pytest.raises(OptionError, match="variable='x9' is not known"):
        res.entity_effects("x9")
    with pytest.raises(OptionError, match="entity=99 is not known"):
        res.footprint("x1", 99)
    with pytest.raises(OptionError, match="orders=-1"):
        res.effects_by_order(-1)
    with pytest.raises(OptionError, match="Did you mean 'x1'"):
        res.effects_by_order(2, ["x_1"])


def test_an_unstable_rho_has_no_effects():
    """A bias correction may carry rho past one; the multiplier would be of the wrong sign there."""
    import dataclasses

    res, _ = fitted()
    shifted = dataclasses.replace(res, params=res.params.where(res.params.index != "rho", 1.02))
    with pytest.raises(UnstableModelError, match=r"rho = 1\.0200 is (outside|not inside)"):
        shifted.effects()


def test_level_widens_intervals():
    res, _ = fitted()
    z = {0.9: 1.6448536269514722, 0.99: 2.5758293035489004}  # normal quantiles, printed tables
    for level, width in z.items():
        frame = res.effects(level=level)
        assert_allclose((frame["upper"] - frame["estimate"]) / frame["std_error"], width)
        assert_allclose((frame["estimate"] - frame["lower"]) / frame["std_error"], width)


def test_weights_are_read_only_by_label():
    """Effects by entity carry the entity's label whatever the order of the graph's ids."""
    res, W = fitted("knn", n=12)
    order = np.random.default_rng(3).permutation(12)
    data = pd.DataFrame(
        {n: res.design.series(res.design.x[..., j], n) for j, n in enumerate(("x1", "x2"))}
    )
    y = res.fitted + res.resids
    graph = weights.as_graph(W[np.ix_(order, order)], ids=order)
    other = SpatialDurbin(y, data, graph, effects="entity").fit()
    pd.testing.assert_frame_equal(other.entity_effects("x1"), res.entity_effects("x1"))
