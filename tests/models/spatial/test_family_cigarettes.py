"""The family on Baltagi's cigarette panel against plain-numpy, splm and plm values.

Expected numbers: tests/reference/cigar_family.csv (its maker names programs and conventions). The
data are not part of the repository, so these tests skip where the shared folder is absent.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import (
    GNS,
    SAC,
    SLX,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
)
from tests import panels
from tests.reference import independent_family as family
from tests.reference import independent_likelihood as independent

# small panels have likelihoods with several peaks: test_family_peaks.py
pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")


CLASSES = {
    "SAR": SpatialLag,
    "SDM": SpatialDurbin,
    "SEM": SpatialError,
    "SDEM": SpatialDurbinError,
    "SAC": SAC,
    "GNS": GNS,
    "SLX": SLX,
}
FREE = {"SEM": (False, True, []), "SDEM": (False, True, None), "SAC": (True, True, [])}
FREE["GNS"] = (True, True, None)
ONE_SPATIAL = ["SAR", "SDM", "SEM", "SDEM"]
NT = 46 * 30


@pytest.fixture(scope="module")
def fit(cigar):
    data, graph, _ = cigar
    return lambda model, effects, correction: CLASSES[model](
        data["logc"], data[["logp", "logy"]], graph, effects=effects, correction=correction
    ).fit()


def expected(model, effects, source):
    table = panels.read("cigar_family.csv").fillna("")
    rows = (table["model"] == model) & (table["effects"] == (effects or "none"))
    rows &= table["source"] == source
    return {q: part.set_index("name")["value"] for q, part in table[rows].groupby("quantity")}


def assert_params(res, known):
    """1e-6 of the value; 1e-8 beside it for a coefficient of 0.001 (SAR, logy)."""
    assert set(known["params"].index) == set(res.params.index)
    assert_allclose(res.params[known["params"].index], known["params"], rtol=1e-6, atol=1e-8)


def assert_errors(res, known, scale=1.0):
    errors = known["std_error"]
    assert_allclose(res.std_errors[errors.index], scale * errors, rtol=1e-6)


@pytest.mark.parametrize("effects", [None, "entity"])
@pytest.mark.parametrize("model", ONE_SPATIAL)
def test_direct_approach_agrees_with_the_arbiter(fit, model, effects):
    """Log-likelihoods to 1e-5: the data file has nine digits, the arbiter read more."""
    res, known = fit(model, effects, "none"), expected(model, effects, "arbiter")
    assert_params(res, known)
    assert_errors(res, known)
    assert_allclose(res.sigma2, known["sigma2"].iloc[0], rtol=1e-6)
    assert_allclose(np.sqrt(res.raw.cov[-1, -1]), known["sigma2_se"].iloc[0], rtol=1e-6)
    assert_allclose(res.loglik, known["loglik"].iloc[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", ONE_SPATIAL)
def test_bias_corrected_time_keeps_version_a(fit, model):
    """Coefficients, spatial parameter and likelihood of the direct estimate; s2 times N/(N-1)."""
    res, known = fit(model, "time", "bias-corrected"), expected(model, "time", "arbiter")
    assert_params(res, known)
    assert_allclose(res.sigma2, known["sigma2"].iloc[0] * 46 / 45, rtol=1e-6)
    assert_allclose(res.loglik, known["loglik"].iloc[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "effects", "correction", "source"),
    [
        ("SEM", "entity", "lee-yu", "splm LeeYu"),
        ("SEM", "entity", "bias-corrected", "splm LeeYu"),
        ("SEM", "time", "bias-corrected", "splm LeeYu"),
        ("SDEM", "entity", "lee-yu", "splm LeeYu"),
        ("SDEM", "time", "bias-corrected", "splm LeeYu"),
        ("SAC", "entity", "none", "splm"),
        ("SAC", "entity", "lee-yu", "splm LeeYu"),
        ("SAC", "time", "bias-corrected", "splm LeeYu"),
    ],
)
def test_agrees_with_splm(fit, model, effects, correction, source):
    res, known = fit(model, effects, correction), expected(model, effects, source)
    assert_params(res, known)
    assert_errors(res, known)
    assert_allclose(res.sigma2, known["sigma2"].iloc[0], rtol=1e-6)


def test_uncorrected_sac_with_time_effects_is_version_a_but_for_sigma2(fit):
    """splm without LeeYu: the same point, s2 not scaled by N / (N - 1)."""
    res, known = fit("SAC", "time", "bias-corrected"), expected("SAC", "time", "splm")
    assert_params(res, known)
    assert_allclose(res.sigma2, known["sigma2"].iloc[0] * 46 / 45, rtol=1e-6)


@pytest.mark.parametrize(
    ("effects", "correction", "n"),
    [
        ("entity", "none", NT),
        ("entity", "lee-yu", 46 * 29),
        ("time", "none", NT),
        ("time", "lee-yu", 45 * 30),
        ("twoway", "none", NT),
        ("twoway", "lee-yu", 45 * 29),
    ],
)
def test_slx_agrees_with_plm(fit, effects, correction, n):
    """plm divides the sum of squares by its degrees of freedom, we by the observations left."""
    res, known = fit("SLX", effects, correction), expected("SLX", effects, "plm")
    ssr, df = known["ssr"].iloc[0], known["df"].iloc[0]
    assert_params(res, known)
    assert_errors(res, known, np.sqrt(df / n))
    assert_allclose(res.sigma2, ssr / n, rtol=1e-6)
    loglik = -n / 2 * (np.log(2 * np.pi * ssr / n) + 1)
    assert_allclose(res.loglik, loglik, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("effects", "correction"),
    [("time", "none"), ("time", "lee-yu"), ("twoway", "none"), ("twoway", "lee-yu")],
)
@pytest.mark.parametrize("model", FREE)
def test_agrees_with_dummies_and_transformations_written_out(
    cigar, fit, model, effects, correction
):
    """No peer has these: the independent profile is highest at our point, with our covariance.

    A slope of the profile below 1e-4 beside curvatures above 500 leaves 2e-7 in rho and lambda.
    """
    data, _, W = cigar
    res = fit(model, effects, correction)
    wide = data.unstack("state")
    X = np.stack([wide["logp"].to_numpy(), wide["logy"].to_numpy()], axis=-1)
    lag, error, lags = FREE[model]
    build = independent.direct if correction == "none" else independent.transformed
    small = family.Family(build(wide["logc"].to_numpy(), X, W, effects, lags), lag, error)
    point = np.array([res.rho, res.lambda_])
    gamma, s2 = family.given(small, *point)
    keep = [name for name in res.params.index if name not in ("rho", "lambda")]
    assert_allclose(res.params[keep], gamma[: len(keep)], rtol=1e-6, atol=1e-9)
    assert_allclose(res.sigma2, s2, rtol=1e-9)
    assert_allclose(res.loglik, family.loglik(small, gamma, *point, s2), rtol=0, atol=1e-8)
    h = 1e-4
    for i in small.free:
        shift = h * np.eye(2)[i]
        up, down = (family.profile(small, *(point + sign * shift)) for sign in (1, -1))
        assert max(up, down) < res.loglik
        assert up + down - 2 * res.loglik < -500 * h * h
        assert abs(up - down) / (2 * h) < 1e-4
    cov = family.covariance(small, gamma, *point, s2)
    assert_allclose(res.raw.cov, cov, rtol=1e-6, atol=1e-12)


def test_nested_models_are_ordered(fit):
    for effects, correction in (("entity", "none"), ("twoway", "lee-yu"), ("time", "none")):
        height = {name: fit(name, effects, correction).loglik for name in CLASSES}
        for small, large in (
            ("SLX", "SDM"),
            ("SLX", "SDEM"),
            ("SAR", "SDM"),
            ("SAR", "SAC"),
            ("SEM", "SDEM"),
            ("SEM", "SDM"),  # the common factor restriction
            ("SEM", "SAC"),
            ("SDM", "GNS"),
            ("SDEM", "GNS"),
            ("SAC", "GNS"),
        ):
            assert height[small] <= height[large] + 1e-8, (small, large, effects)
