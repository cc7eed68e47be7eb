"""Where an indirect effect comes from: dense algebra, complex steps, models that lack a part."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import OptionError, UnstableModelError
from tests import panels

N, T, STEP = 15, 6, 1e-30
QUEEN, GENERAL, SECOND = panels.contiguity(N, 3), panels.general(N, 4), panels.general(N, 9)


def fitted(kind=nqp.SpatialDurbin, W=QUEEN, *, fit=None, **options):
    f = panels.frame(*panels.arrays(W, T, seed=6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples as small as these
        return kind(f["y"], f[["x1", "x2"]], nqp.weights.as_graph(W, ids=range(N)), **options).fit(
            **(fit or {})
        )


def parts(params, W, M):
    """Implied, added, total of x1, from inverses; any numbers."""
    eye = np.eye(N)
    inverse = np.linalg.inv(eye - params.get("rho", 0.0) * W)

    def indirect(S):
        return (S.sum() - np.trace(S)) / N

    implied = params["x1"] * indirect(inverse)
    added = params.get("W_x1", 0.0) * indirect(inverse @ M)
    return np.array([implied, added, implied + added])


CASES = {
    "sdm": (lambda: fitted(), QUEEN, QUEEN),
    "not row-normalised": (lambda: fitted(W=GENERAL, effects="entity"), GENERAL, GENERAL),
    "second W": (
        lambda: fitted(durbin_graph=nqp.weights.as_graph(SECOND, ids=range(N))),
        QUEEN,
        SECOND,
    ),
    "random effects": (lambda: fitted(effects="random"), QUEEN, QUEEN),
    "clustered, by t": (lambda: fitted(fit={"cov_type": "clustered"}), QUEEN, QUEEN),
    "sar": (lambda: fitted(nqp.SpatialLag), QUEEN, QUEEN),
    "slx": (lambda: fitted(nqp.SLX), QUEEN, QUEEN),
    "sdem": (lambda: fitted(nqp.SpatialDurbinError), QUEEN, QUEEN),
    "dynamic": (lambda: fitted(nqp.DynamicSpatialDurbin), QUEEN, QUEEN),
}


@pytest.mark.parametrize("case", CASES)
def test_parts_and_their_errors_are_those_of_dense_algebra(case):
    make, W, M = CASES[case]
    res = make()
    found = res.indirect_source("x1").to_frame()
    params, V = res.params.to_dict(), res.cov.to_numpy()
    expected = parts(params, W, M)
    assert_allclose(found["estimate"], expected, rtol=1e-10, atol=1e-12)
    moved = []
    for name in res.params.index:
        shifted = {**params, name: params[name] + 1j * STEP}
        moved.append(np.r_[parts(shifted, W, M), parts(shifted, W, M)[:2]])
    moved = np.array(moved)  # (parameters, 5)
    errors = np.sqrt(np.einsum("pi,pq,qi->i", moved.imag / STEP, V, moved.imag / STEP))
    assert_allclose(found["std_error"], errors[:3], rtol=1e-9, atol=1e-12)
    assert_allclose(found.loc["total", "estimate"], res.effects()["estimate"]["indirect", "x1"])
    share = (moved[:, :2] / moved[:, 2:3]).imag / STEP
    share = np.sqrt(np.einsum("pi,pq,qi->i", share, V, share))
    assert_allclose(found["share_std_error"][:2], share, rtol=1e-8, atol=1e-10)


def test_total_is_c_over_rho_times_theta_plus_rho_beta():
    """METHODS, section 4, and the Wald tests of the same restrictions."""
    res = fitted()
    found, p = res.indirect_source("x1"), res.params
    inverse = np.linalg.inv(np.eye(N) - res.rho * QUEEN)
    c = (inverse.sum() - np.trace(inverse)) / N
    total = c / res.rho * (p["W_x1"] + res.rho * p["x1"])
    assert_allclose(found.to_frame().loc["total", "estimate"], total, rtol=1e-10)
    theta = res.wald_test("W_x1 = 0")
    assert_allclose(found.tests["theta"].statistic, theta.statistic, rtol=1e-10)
    assert_allclose(found.tests["theta"].pvalue, theta.pvalue, rtol=1e-8)
    one = fitted(durbin=["x1"])
    assert_allclose(
        one.indirect_source("x1").tests["indirect"].statistic,
        one.tests["sem"].statistic,
        rtol=1e-10,
    )


def test_at_rho_zero_theta_has_its_limit():
    res = fitted()
    params = res.params.copy()
    params["rho"] = 0.0
    found = res.as_(type(res), params=params).indirect_source("x1").to_frame()
    assert_allclose(found["estimate"], [0, params["W_x1"], params["W_x1"]], atol=1e-12)
    params["rho"] = 1e-9
    near = res.as_(type(res), params=params).indirect_source("x1").to_frame()
    assert_allclose(near[["estimate", "std_error"]], found[["estimate", "std_error"]], atol=1e-7)


def test_without_its_lag_all_is_implied_and_in_one_proportion():
    res = fitted(nqp.SpatialLag)
    effects = res.effects()["estimate"]
    ratios = {}
    for name in ("x1", "x2"):
        found = res.indirect_source(name)
        frame = found.to_frame()
        ratios[name] = frame.loc["implied", "estimate"] / effects["direct", name]
        assert frame.loc["added", ["estimate", "std_error"]].tolist() == [0, 0]
        assert np.isnan(frame.loc["added", "pvalue"]) and frame.loc["implied", "share"] == 1
        assert list(found.tests) == ["indirect"]
        assert "say nothing about spillovers of " + name in found.notes[-1]
        assert f"数据并未说明{name}的溢出" in found.notes[-1].zh
    assert_allclose(ratios["x1"], ratios["x2"], rtol=1e-12)
    inverse = np.linalg.inv(np.eye(N) - res.rho * QUEEN)
    assert_allclose(ratios["x1"], N / (1 - res.rho) / np.trace(inverse) - 1, rtol=1e-10)


def test_what_a_model_lacks_is_said():
    assert "has no rho" in fitted(nqp.SLX).indirect_source().notes[-1]
    nothing = fitted(nqp.SpatialError).indirect_source("x2")
    assert "neither rho nor a spatial lag of x2" in nothing.notes[-1] and not nothing.tests
    assert (nothing.to_frame()["estimate"] == 0).all()
    both = fitted().indirect_source()
    assert both.variable == "x1" and "is added by that lag" in both.notes[-1]
    other = fitted(durbin_graph=nqp.weights.as_graph(SECOND, ids=range(N))).indirect_source()
    assert other.tests["indirect"].null == "no indirect effect"
    frame = other.to_frame().loc["total"]
    z = frame["estimate"] / frame["std_error"]
    assert_allclose(other.tests["indirect"].statistic, z**2, rtol=1e-10)


def test_the_long_run_of_a_dynamic_model():
    res = fitted(nqp.DynamicSpatialDurbin)
    long = res.indirect_source("x1", horizon="long").to_frame()
    effects = res.effects(horizon="long")
    assert_allclose(long.loc["total", "estimate"], effects["estimate"]["indirect", "x1"])
    assert_allclose(long.loc["total", "std_error"], effects["std_error"]["indirect", "x1"])
    with pytest.raises(OptionError, match="horizon='long' belongs to dynamic models"):
        fitted().indirect_source(horizon="long")


def test_bad_questions():
    res = fitted()
    with pytest.raises(OptionError, match="variable='x3' is not known"):
        res.indirect_source("x3")
    with pytest.raises(OptionError, match="level=2"):
        res.indirect_source(level=2)
    with pytest.raises(UnstableModelError):
        res.as_(type(res), cov=res.cov * np.nan).indirect_source()
