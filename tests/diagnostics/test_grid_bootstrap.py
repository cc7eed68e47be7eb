"""Inversion of simulated estimates of rho and lambda, and the warnings that lead to it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize_scalar

import nqp_spatial as nqp
from nqp_spatial.core.spatial.grid_bootstrap import Simulator, invert
from nqp_spatial.core.spatial.ml import lag
from nqp_spatial.core.spectrum import eigen
from nqp_spatial.diagnostics import grid_bootstrap
from nqp_spatial.exceptions import BoundaryWarning, IdentificationWarning, OptionError
from tests.panels import contiguity, row, symmetric

PLACES, PERIODS = 30, 6


def dense(n: int = PLACES, seed: int = 0) -> np.ndarray:
    """Row-normalised inverse distances among all of n random points."""
    points = np.random.default_rng(seed).random((n, 2))
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    return row(1 / (distance + np.eye(n)) - np.eye(n))


def panel(W: np.ndarray, rho: float, periods: int = PERIODS, seed: int = 1) -> pd.DataFrame:
    n, rng = len(W), np.random.default_rng(seed)
    x = rng.normal(size=(periods, n))
    mean = x + 0.5 * x @ W.T + rng.normal(size=n) + rng.normal(size=(periods, 1))
    y = (mean + rng.normal(size=(periods, n))) @ np.linalg.inv(np.eye(n) - rho * W).T
    index = pd.MultiIndex.from_product([range(n), range(periods)], names=["city", "year"])
    return pd.DataFrame({"y": y.T.ravel(), "x": x.T.ravel()}, index=index)


def fitted(W: np.ndarray, frame: pd.DataFrame, model=nqp.SpatialDurbin, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentificationWarning)
        warnings.simplefilter("ignore", BoundaryWarning)
        return model(frame["y"], frame[["x"]], (W, range(len(W))), **options).fit()


def by_hand(W: np.ndarray, y: np.ndarray, Z: np.ndarray, *, error: bool, reduced: bool) -> float:
    """The maximum of the two-way likelihood on explicit dummies and dense determinants."""
    periods, n = y.shape
    dummies = np.column_stack(
        [np.kron(np.ones((periods, 1)), np.eye(n)), np.kron(np.eye(periods), np.ones((n, 1)))]
    )
    off = np.eye(n * periods) - dummies @ np.linalg.pinv(dummies)
    big = np.kron(np.eye(periods), W)

    def least(r: float) -> float:
        A = np.eye(n * periods) - r * big
        left, right = off @ A @ y.ravel(), off @ (A @ Z if error else Z)
        e = left - right @ np.linalg.lstsq(right, left, rcond=None)[0]
        rows = (n - 1) * (periods - 1) if reduced else n * periods
        logdet = np.linalg.slogdet(np.eye(n) - r * W)[1]
        jacobian = (periods - 1) * (logdet - np.log(1 - r)) if reduced else periods * logdet
        return rows / 2 * np.log(e @ e) - jacobian

    # Brent from the best of a grid
    grid = np.linspace(-0.95, 0.99, 40)
    best = min(grid, key=least)
    found = minimize_scalar(
        least,
        bounds=(best - 0.06, min(best + 0.06, 0.9999)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(found.x)


@pytest.mark.parametrize("error", [False, True])
@pytest.mark.parametrize("correction", ["none", "lee-yu"])
def test_samples_are_drawn_and_estimated_as_by_hand(correction, error):
    n, periods, rho = 12, 4, 0.4
    W = contiguity(n, 3)
    rng = np.random.default_rng(5)
    y, Z = rng.normal(size=(periods, n)), rng.normal(size=(periods, n, 2))
    sparse = sp.csr_array(W)
    df = (n - 1) * (periods - 1) - 2
    maker = Simulator(y, Z, sparse, eigen.prepare(sparse), "twoway", correction, error, df)
    seeds = np.random.SeedSequence(0).spawn(3)
    # the truth at rho, from explicit dummies
    flat = Z.reshape(-1, 2)
    dummies = np.column_stack(
        [np.kron(np.ones((periods, 1)), np.eye(n)), np.kron(np.eye(periods), np.ones((n, 1)))]
    )
    big = np.kron(np.eye(periods), W)
    A = np.eye(n * periods) - rho * big
    columns = np.column_stack([A @ flat if error else flat, dummies])
    coefficients = np.linalg.lstsq(columns, A @ y.ravel(), rcond=None)[0]
    resid = A @ y.ravel() - columns @ coefficients
    sd = np.sqrt(resid @ resid / df)
    wanted = []
    for seed in seeds:
        e = sd * np.random.default_rng(seed).standard_normal((periods, n)).ravel()
        drawn = np.linalg.solve(A, columns @ coefficients + e)
        wanted.append(
            by_hand(W, drawn.reshape(periods, n), flat, error=error, reduced=correction == "lee-yu")
        )
    assert maker.estimates(rho, seeds) == pytest.approx(wanted, abs=2e-6)


def test_inversion_of_a_known_law():
    """Estimates a + b r + z: the quantiles are lines, and their crossings known."""
    z = np.random.default_rng(0).normal(scale=0.1, size=999)
    low, mid, high = np.quantile(z, [0.025, 0.5, 0.975])
    found = invert(lambda r: -0.1 + 0.8 * r + z, 0.3, (-1.0, 1.0), level=0.95)
    at = [(0.3 + 0.1 - q) / 0.8 for q in (mid, high, low)]
    assert [found.estimate, found.lower, found.upper] == pytest.approx(at, abs=2e-4)
    assert found.reached == (False, False, False)


@pytest.mark.parametrize(
    ("estimate", "reached", "empty"),
    [
        (0.15, (False, False, True), False),  # its upper limit is beyond the end
        (0.35, (True, False, True), False),  # its median too
        (0.6, (True, False, True), True),  # nothing makes it likely
        (-0.45, (False, True, False), False),
        (-0.55, (True, True, False), False),
        (-0.8, (True, True, False), True),
    ],
)
def test_ends_of_the_admissible_values_are_said(estimate, reached, empty):
    z = np.random.default_rng(0).normal(scale=0.1, size=999)
    found = invert(lambda r: -0.1 + 0.4 * r + z, estimate, (-1.0, 1.0), level=0.95)
    assert found.reached[0] == reached[0] and np.isnan(found.lower) == empty
    if not empty:
        assert found.reached == reached


def test_estimates_at_the_end_are_alike_though_their_last_digits_are_not():
    """Where a sixth of the samples end at 1, the values that may give that estimate begin early."""
    z = np.random.default_rng(0).normal(scale=0.3, size=999)
    noise = np.random.default_rng(1).uniform(0, 1e-6, size=999)
    found = invert(lambda r: np.minimum(r + z, 1 - noise), 1 - 5e-7, (-1.0, 1.0), level=0.95)
    assert found.lower == pytest.approx(1 - np.quantile(z, 0.975), abs=1e-3)
    assert found.reached == (True, False, True)


@pytest.mark.slow
def test_both_corrections_invert_to_alike_values():
    """Estimates 1.4 standard errors apart are the same evidence."""
    W = dense(60)
    frame = panel(W, 0.5, periods=10)
    found = {c: fitted(W, frame, correction=c) for c in ("none", "lee-yu")}
    assert found["lee-yu"].rho - found["none"].rho > 0.25
    turned = {c: grid_bootstrap(f, draws=99) for c, f in found.items()}
    assert abs(turned["none"].estimate - turned["lee-yu"].estimate) < 0.1
    for one in turned.values():
        assert one.identified and one.lower < one.estimate <= one.upper
        assert one.params["x"] == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_the_answer_is_that_of_the_same_data_however_they_stand():
    W = dense()
    frame = panel(W, 0.4)
    first = grid_bootstrap(fitted(W, frame), draws=59, seed=3)
    mixed = frame.sample(frac=1, random_state=0)
    again = grid_bootstrap(fitted(W, mixed), draws=59, seed=3, n_jobs=2)
    pd.testing.assert_frame_equal(first.to_frame(), again.to_frame(), rtol=1e-9)
    other = grid_bootstrap(fitted(W, frame), draws=59, seed=4)
    assert other.estimate != first.estimate
    scaled = frame.assign(y=1e6 * frame["y"], x=1e-3 * frame["x"])
    units = grid_bootstrap(fitted(W, scaled), draws=59, seed=3)
    assert units.estimate == pytest.approx(first.estimate, abs=1e-6)


def test_an_estimate_that_no_rho_explains_is_not_identified():
    """Half of the samples of rho = 0.97 under this W have their maximum at the end, as this one."""
    W = dense()
    frame = panel(W, 0.97, seed=3)
    with pytest.warns(BoundaryWarning, match=r"diagnostics.grid_bootstrap\(result\)"):
        result = nqp.SpatialDurbin(frame["y"], frame[["x"]], (W, range(PLACES))).fit()
    found = grid_bootstrap(result, draws=59)
    assert not found.identified and found.estimate == pytest.approx(1.0)
    assert found.params.isna().all()
    assert any("not identified" in note for note in found.notes)


@pytest.mark.slow
def test_the_warning_is_given_where_exact_dummies_are_no_measure_and_its_advice_helps():
    W = dense(80)
    frame = panel(W, 0.85, periods=20, seed=2)
    with pytest.warns(IdentificationWarning, match="grid_bootstrap"):
        result = nqp.SpatialDurbin(
            frame["y"], frame[["x"]], (W, range(80)), correction="none"
        ).fit()
    assert any("bias rho" in note for note in result.notes)
    assert result.rho + 2 * result.std_errors["rho"] < 0.85  # as it says
    # grid_bootstrap(result)
    assert grid_bootstrap(result, draws=59).lower < 0.85 <= grid_bootstrap(result, draws=59).upper
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # correction="lee-yu"
        again = nqp.SpatialDurbin(frame["y"], frame[["x"]], (W, range(80))).fit()
        assert abs(again.rho - 0.85) < 2 * again.std_errors["rho"]
        # a cutoff
        points = np.random.default_rng(0).random((80, 2))
        near = np.linalg.norm(points[:, None] - points, axis=-1) < 0.25
        cut = row(W * near)
        result = nqp.SpatialDurbin(
            frame["y"], frame[["x"]], (cut, range(80)), correction="none"
        ).fit()
    assert result.std_errors.notna().all()


def test_how_far_lee_and_yu_are_is_said_beside_exact_dummies():
    W = dense(60)
    frame = panel(W, 0.5, periods=12)
    none, other = (fitted(W, frame, correction=c) for c in ("none", "lee-yu"))
    apart = (other.rho - none.rho) / none.std_errors["rho"]
    assert any(f"it is {other.rho:.4f}, {apart:.1f} standard errors" in n for n in none.notes)
    error = [fitted(W, frame, nqp.SpatialError, correction=c) for c in ("none", "lee-yu")]
    assert any(f"it is {error[1].lambda_:.4f}" in note for note in error[0].notes)


def test_where_lee_and_yu_do_not_exist_the_bias_is_told_to_first_order():
    """A scaled W has no such estimate; its rows still sum to one number, so that it is known."""
    W = dense(60)
    frame = panel(W, 0.5, periods=20)
    scaled, none = (fitted(w, frame, correction="none") for w in (0.5 * W, W))
    assert scaled.rho == pytest.approx(2 * none.rho, abs=1e-6)
    G = W @ np.linalg.inv(np.eye(60) - none.rho * W)
    k = 20 * (G.sum() - np.trace(G)) / 59 * none.std_errors["rho"]
    assert any(f"at least {k:.1f} standard errors" in note for note in scaled.notes)
    weights = pd.Series(1.0, frame.index)
    stacked = fitted(W, frame, correction="none", observation_weights=weights)
    assert any(f"at least {k:.1f} standard errors" in note for note in stacked.notes)


def test_nothing_is_said_where_the_bias_is_small():
    W = row(symmetric(100, share=0.04))
    assert not any("bias" in n for n in fitted(W, panel(W, 0.3), correction="none").notes)


@pytest.mark.parametrize(
    ("model", "options", "match"),
    [
        (nqp.SLX, {}, "no spatial parameter"),
        (nqp.SAC, {}, "rho and lambda"),
        (nqp.SpatialDurbin, {"correction": "bias-corrected"}, "'bias-corrected'"),
        (nqp.SpatialDurbin, {"effects": "random"}, "'random'"),
        (nqp.SpatialDurbin, {"correction": "adjusted-score"}, "one W in all periods"),
    ],
)
def test_models_that_it_is_not_for_are_refused(model, options, match):
    W = contiguity(20)
    with pytest.raises(OptionError, match=match):
        grid_bootstrap(fitted(W, panel(W, 0.3), model, **options))


def test_dynamic_models_are_refused():
    W = contiguity(20)
    with pytest.raises(OptionError, match="one W in all periods; this is a dynamic model"):
        grid_bootstrap(fitted(W, panel(W, 0.3), nqp.DynamicSpatialDurbin))


def test_lag_of_another_matrix_is_as_the_model_has_it():
    """lag() of the model and of the simulator are one function: rows of (periods, places)."""
    W, values = contiguity(5), np.arange(10.0).reshape(2, 5)
    assert lag(sp.csr_array(W), values) == pytest.approx(values @ W.T)


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["none", "lee-yu"])
def test_coverage(correction):
    """Nominal within three deviations of the simulation, where the asymptotic interval is not."""
    import monte_carlo_grid_bootstrap as runs

    count = 400
    found = runs.cell(0.85, correction, count, seed=1)
    assert abs(found["grid"] - 0.95) < 3 * np.sqrt(0.05 * 0.95 / count)
    assert abs(found["below"] - 0.5) < 3 * np.sqrt(0.25 / count)
    if correction == "none":
        assert found["asymptotic"] < 0.5
