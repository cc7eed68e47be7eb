"""Direct, indirect and total effects against dense inverses, differences and simulation."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from nqp_spatial import SpatialDurbin, weights
from nqp_spatial.core.spatial import multiplier as multiplier_draws
from nqp_spatial.core.spectrum.eigen import SeriesSpectrum, prepare
from nqp_spatial.core.spectrum.series import trace_g_error
from nqp_spatial.effects.response import Response
from nqp_spatial.exceptions import DataError, IslandWarning, OptionError, UnstableModelError
from tests import by_hand, panels
from tests.by_hand import effects_matrix, slopes

N = 25
KINDS = ("direct", "indirect", "total")


def fitted(kind="contiguity", *, durbin=None, n_periods=8, seed=0, n=N, entities=None, rho=0.4):
    W = panels.KINDS[kind](n, seed=seed)
    y, X = panels.arrays(W, n_periods, seed=seed, rho=rho)
    data = panels.frame(y, X, entities=entities)
    ids = data.index.unique(0)
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        model = SpatialDurbin(
            data["y"], data[["x1", "x2"]], (W, ids), effects="entity", durbin=durbin
        )
    return model.fit(), W


def averages(W, beta, theta, rho):
    values = by_hand.averages(effects_matrix(W, beta, theta, rho))
    return dict(zip(KINDS, values, strict=True))


def parameters(res, name):
    return res.params[name], res.params.get(f"W_{name}", 0.0), res.rho


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
            gradient = slopes(
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
        S = effects_matrix(W, *parameters(res, name))
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
        gradient = slopes(
            lambda p, pick=pick: pick(effects_matrix(W, *p)), np.array(parameters(res, "x1"))
        )
        expected = np.sqrt(np.einsum("in,ij,jn->n", gradient, cov, gradient))
        assert_allclose(found[f"{column}_std_error"], expected, rtol=1e-6, atol=1e-12)


def test_footprints_are_columns_of_the_effect_matrix():
    names = [f"市{i:02d}" for i in range(N)]
    res, W = fitted("knn", entities=names)
    S = effects_matrix(W, *parameters(res, "x2"))
    entity = res.entity_effects("x2")
    cov = cov_of(res, "x2")
    for j in (0, 7, N - 1):
        found = res.footprint("x2", names[j])
        assert list(found.index) == names
        assert_allclose(found["effect"], S[:, j], rtol=1e-10, atol=1e-13)
        assert_allclose(
            found["effect"].sum(), entity["direct"].iloc[j] + entity["sent"].iloc[j], rtol=1e-10
        )
        gradient = slopes(
            lambda p, j=j: effects_matrix(W, *p)[:, j], np.array(parameters(res, "x2"))
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
        gradient = slopes(lambda p, q=q: part(p, q), point)
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
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
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
    for draws in (100.0, "100"):
        with pytest.raises(OptionError, match=f"draws={draws!r} is not a whole number"):
            res.effects(method="simulation", draws=draws)
    with pytest.raises(OptionError, match=r"orders=2.5 is not a whole number"):
        res.effects_by_order(2.5)
    with pytest.raises(OptionError, match=r"Give a list: variables=\['x1'\]"):
        res.effects_by_order(2, "x1")
    for wanted in (res.entity_effects, lambda v, e: res.discrete_change(v, 1, entities=e)):
        with pytest.raises(OptionError, match=r"Give a list: entities=\['a'\]"):
            wanted("x1", "a")
    for groups in ("province", {0: "a"}):
        with pytest.raises(DataError, match=rf"groups is a {type(groups).__name__}. Give a Series"):
            res.group_effects("x1", groups)
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


# -- sums over orders ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["general", "knn", "islands"])
def test_cumulative_effects_and_the_rest_follow_numerical_gradients(kind):
    """Sums of powers by dense algebra; the rest is the dense whole less that sum."""
    res, W = fitted(kind)
    found = res.effects_by_order(4, ["x1"], cumulative=True).xs("x1", level="variable")
    alone = res.effects_by_order(4, ["x1"]).xs("x1", level="variable")
    cov, point = cov_of(res, "x1"), np.array(parameters(res, "x1"))

    def whole(p):
        return np.array(list(averages(W, *p).values()))

    def summed(p, last):
        S = np.zeros_like(W)
        for q in range(last + 1):
            weight = p[2] ** q * p[0] + (p[2] ** (q - 1) * p[1] if q else 0.0)
            S = S + weight * np.linalg.matrix_power(W, q)
        direct, total = np.trace(S) / N, S.sum() / N
        return np.array([direct, total - direct, total])

    def expected(function):
        gradient = slopes(function, point)
        return function(point), np.sqrt(np.einsum("in,ij,jn->n", gradient, cov, gradient))

    for q in range(5):
        estimate, error = expected(lambda p, q=q: summed(p, q))
        rows = found.xs(q, level="order").loc[list(KINDS)]
        assert_allclose(rows["estimate"], estimate, rtol=1e-10, atol=1e-13)
        assert_allclose(rows["std_error"], error, rtol=1e-6, atol=1e-10)
    for frame in (found, alone):
        estimate, error = expected(lambda p: whole(p) - summed(p, 4))
        rest = frame.xs("rest", level="order").loc[list(KINDS)]
        assert_allclose(rest["estimate"], estimate, rtol=1e-8, atol=1e-13)
        assert_allclose(rest["std_error"], error, rtol=1e-5, atol=1e-9)


def test_sums_over_many_orders_are_the_whole_effect():
    res, _ = fitted("knn")
    found = res.effects_by_order(80, cumulative=True).xs(80, level="order")
    whole = res.effects().loc[found.index]
    assert_allclose(found, whole[["estimate", "std_error"]], rtol=1e-9, atol=1e-12)


# -- outcomes in logs ----------------------------------------------------------------------------


def test_percent_is_the_exponential_of_the_effect():
    """Delta-method errors by numerical gradients of 100 (exp(effect) - 1)."""
    res, W = fitted("general")
    plain, found = res.effects(), res.effects(transform="percent")
    for name in ("x1", "x2"):
        for effect in KINDS:

            def function(p, effect=effect):
                return 100 * (np.exp(averages(W, *p)[effect]) - 1)

            point = np.array(parameters(res, name))
            gradient = slopes(function, point)
            row = found.loc[(effect, name)]
            assert_allclose(row["estimate"], function(point), rtol=1e-10)
            expected = np.sqrt(gradient @ cov_of(res, name) @ gradient)
            assert_allclose(row["std_error"], expected, rtol=1e-6)
    for end in ("lower", "upper"):
        assert_allclose(found[end], 100 * (np.exp(plain[end]) - 1), rtol=1e-12)
    assert_allclose(found["pvalue"], plain["pvalue"], rtol=0)
    assert found.attrs["transform"] == "percent" and plain.attrs["transform"] is None


def test_percent_of_simulated_effects():
    """Quantiles pass through exp; the mean of the draws is larger than exp of their mean."""
    res, _ = fitted(n_periods=60)
    options = {"method": "simulation", "draws": 2000, "seed": 2}
    plain = res.effects(**options)
    found = res.effects(transform="percent", **options)
    for column in ("estimate", "lower", "upper"):
        assert_allclose(found[column], 100 * np.expm1(plain[column]), rtol=2e-3, atol=2e-2)
    assert_allclose(found["pvalue"], plain["pvalue"], rtol=0)
    mean = res.effects(transform="percent", centre="mean", **options)["estimate"]
    jensen = 100 * np.expm1(res.effects(centre="mean", **options)["estimate"])
    assert (mean > jensen).all()
    log_normal = 100 * np.expm1(plain["estimate"] + plain["std_error"] ** 2 / 2)
    assert_allclose(mean, log_normal, rtol=0.03)  # effects are close to normal


def test_the_percent_effect_moves_the_geometric_mean():
    """x up by one everywhere: geometric mean of exp(y) by 100 (exp(total) - 1) per cent."""
    res, W = fitted("knn")
    S = effects_matrix(W, *parameters(res, "x1"))
    log_y = np.random.default_rng(0).normal(size=N)
    before, after = np.exp(log_y.mean()), np.exp((log_y + S @ np.ones(N)).mean())
    total = res.effects(transform="percent").loc[("total", "x1"), "estimate"]
    assert_allclose(total, 100 * (after / before - 1), rtol=1e-10)


# -- large W -------------------------------------------------------------------------------------


def lattice(side, *, row=True):
    path = sp.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(side, side))
    C = sp.csr_array(sp.kron(path, sp.eye_array(side)) + sp.kron(sp.eye_array(side), path))
    sums = np.asarray(C.sum(axis=1)).ravel() if row else np.full(side**2, 4.0)
    return sp.csr_array(sp.diags_array(1 / sums) @ C)


def response(W, method="auto", *, rho=0.6, error=0.05):
    params, cov = np.array([1.0, 0.5, rho]), np.diag([0.05, 0.05, error]) ** 2
    return Response(("x",), params, cov, (0,), (1,), 2, W, prepare(W, method))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["monte-carlo", "chebyshev"])
def test_the_error_of_estimated_traces_is_reported(method):
    """200 seeds: the reported error is the spread of the direct effect around the exact one."""
    W = lattice(20)
    n = W.shape[0]
    exact = response(W).average().loc[("direct", "x"), "estimate"]
    S = np.linalg.solve(np.eye(n) - 0.6 * W.toarray(), np.eye(n) + 0.5 * W.toarray())
    assert_allclose(exact, np.trace(S) / n, rtol=1e-10)
    plain = response(W)
    found = []
    for seed in range(200):
        frame = dataclasses.replace(plain, spectrum=prepare(W, method, seed=seed)).average()
        found.append((frame.loc[("direct", "x"), "estimate"], frame.attrs["trace_error"]["x"]))
        assert_allclose(frame.loc[("total", "x"), "estimate"], 1.5 / 0.4, rtol=1e-8)
    values, errors = np.array(found).T
    spread = np.sqrt(np.mean((values - exact) ** 2))
    assert 0.8 < np.sqrt(np.mean(errors**2)) / spread < 1.35  # 200 draws: 5 per cent, HC3 is wide
    assert (np.abs(values - exact) < 2 * errors).mean() > 0.9


def test_what_a_short_series_leaves_out_is_in_the_error():
    """Twelve powers at rho = 0.9: the truncation, not the probes, makes the error."""
    W = lattice(20)
    n = W.shape[0]
    short = SeriesSpectrum(W, "monte-carlo", order=12, probes=200)
    exact = np.trace(np.linalg.solve(np.eye(n) - 0.9 * W.toarray(), W.toarray()))
    gap = exact - short.trace_g(0.9)
    others = [SeriesSpectrum(W, "monte-carlo", order=12, probes=200, seed=k) for k in range(1, 9)]
    assert gap > 5 * np.std([other.trace_g(0.9) for other in others])
    assert gap < trace_g_error(short, 0.9) < 20 * gap
    polynomial = SeriesSpectrum(W, "chebyshev", order=12, probes=200)
    assert abs(exact - polynomial.trace_g(0.9)) < 2 * trace_g_error(polynomial, 0.9)
    assert trace_g_error(short, 0.0) < 1e-9  # tr(W) is exact


def test_exact_traces_have_no_error():
    for method in ("eigenvalues", "lu"):
        frame = response(lattice(5), method).average()
        assert frame.attrs["trace_error"] == {"x": 0.0}


@pytest.mark.parametrize("row", [True, False])
@pytest.mark.parametrize("method", ["eigenvalues", "lu", "chebyshev"])
def test_weights_at_many_rho_are_those_of_dense_inverses(method, row):
    """Closed form, sums over eigenvalues or interpolation: each draw against its own inverse."""
    W = lattice(9, row=row)
    dense, identity = W.toarray(), np.eye(81)
    spectrum = prepare(W, method)
    rhos = np.random.default_rng(0).normal(0.4, 0.15, size=300)
    found = multiplier_draws.mean_row_sum(W, spectrum, rhos)
    expected = [(dense @ np.linalg.inv(identity - r * dense)).sum() / 81 for r in rhos]
    assert_allclose(found, expected, rtol=1e-8 if method == "chebyshev" else 1e-10)
    found = multiplier_draws.mean_trace(spectrum, rhos)
    if method == "chebyshev":  # approximate itself; the interpolation adds nothing
        expected = [spectrum.trace_g(r) / 81 for r in rhos]
    else:
        expected = [np.trace(dense @ np.linalg.inv(identity - r * dense)) / 81 for r in rhos]
    assert_allclose(found, expected, rtol=1e-7 if method == "lu" else 1e-10, atol=1e-10)


def test_interpolation_calls_seldom_and_near_the_pole_too():
    calls = []

    def pole(rho):
        calls.append(rho)
        return 1 / (1 - rho) + 0.3 / (1 + 0.8 * rho)

    rhos = np.random.default_rng(1).uniform(-0.5, 0.9999, size=2000)
    found = multiplier_draws.at_many(pole, rhos, (-1.25, 1.0))
    assert len(calls) <= 129
    expected = 1 / (1 - rhos) + 0.3 / (1 + 0.8 * rhos)
    assert_allclose(found, expected, rtol=0, atol=1e-10 * expected.max())


def test_what_is_not_smooth_is_not_interpolated():
    rhos = np.random.default_rng(1).uniform(-0.5, 0.5, size=400)
    found = multiplier_draws.at_many(lambda rho: abs(rho - 0.1), rhos, (-1.0, 1.0))
    assert_allclose(found, np.abs(rhos - 0.1), rtol=0, atol=1e-15)
    few = multiplier_draws.at_many(np.sin, rhos[:10], (-1.0, 1.0))
    assert_allclose(few, np.sin(rhos[:10]), rtol=0, atol=1e-15)
    one = multiplier_draws.at_many(np.sin, np.full(50, 0.3), (-1.0, 1.0))
    assert_allclose(one, np.sin(0.3), rtol=1e-15)


@pytest.mark.parametrize("kind", ["knn", "contiguity", "islands"])
def test_effects_of_some_entities(kind):
    """Those named, in the order in which they are named; with and without a symmetric form."""
    names = [f"市{i:02d}" for i in range(N)]
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        res, W = fitted(kind, entities=names)
    wanted = [names[17], names[2], names[N - 1]]
    found = res.entity_effects("x1", wanted)
    pd.testing.assert_frame_equal(found, res.entity_effects("x1").loc[wanted], rtol=1e-10)
    S = effects_matrix(W, *parameters(res, "x1"))
    assert_allclose(found["direct"], np.diag(S)[[17, 2, N - 1]], rtol=1e-10)
    with pytest.raises(OptionError, match="entities '北' are not in the model: '市00', '市01'"):
        res.entity_effects("x1", [names[0], "北"])


def test_many_entities_must_be_named():
    W = lattice(142)
    plain = response(W, "lu", rho=0.3)
    with pytest.raises(OptionError, match=r"each of 20,164 entities.*entities=0, 1 and 20162 more"):
        plain.by_entity("x")
    found = plain.by_entity("x", [7000])
    near = [7000 + a + 142 * b for a in range(-25, 26) for b in range(-25, 26)]
    part = W[near][:, near].toarray()  # what is 25 steps away counts 0.3^50
    S = np.linalg.solve(np.eye(len(near)) - 0.3 * part, np.eye(len(near)) + 0.5 * part)
    middle = near.index(7000)
    assert_allclose(found.loc[7000, "direct"], S[middle, middle], rtol=1e-10)
    assert_allclose(found.loc[7000, "total"], 1.5 / 0.7, rtol=1e-10)
