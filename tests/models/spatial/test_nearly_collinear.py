"""x1 beside x2 + 1e7 x1: the same regression as x1 beside x2, whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import (
    GNS,
    SAC,
    SLX,
    DifferenceGMM,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
    SystemGMM,
)
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.exceptions import CollinearityError
from nqp_spatial.models.spatial.dynamic import DynamicSpatialLag
from nqp_spatial.models.spatial.iv import SpatialIV
from tests import panels

N, FAR = 24, 1e7
W = panels.contiguity(N, 1)
FAMILY = (SLX, SpatialLag, SpatialDurbin, SpatialError, SpatialDurbinError, SAC, GNS)
COVARIANCES = ["asymptotic", "robust", "clustered", "driscoll-kraay"]
pytestmark = [
    pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning"),
    pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.DataWarning"),
]


@pytest.fixture(scope="module")
def data():
    frame = panels.frame(*panels.arrays(W, 7))
    return frame.assign(near=frame["x2"] + FAR * frame["x1"])


def both(model, data, fit, **options):
    """On x1 and x2, and on x1 and the column that is nearly x1."""
    return [
        model(data["y"], data[["x1", name]], (W, range(N)), **options).fit(**fit)
        for name in ("x2", "near")
    ]


def assert_same(plain, mixed, effects=True):
    assert_allclose(mixed.params["near"], plain.params["x2"], rtol=1e-6)
    assert_allclose(mixed.std_errors["near"], plain.std_errors["x2"], rtol=1e-6)
    assert_allclose(mixed.std_errors["x1"], FAR * plain.std_errors["x2"], rtol=1e-5)
    assert mixed.loglik is None or mixed.loglik == pytest.approx(plain.loglik, rel=1e-9)
    if effects:
        columns = ["estimate", "std_error"]
        expected = plain.effects().xs("x2", level="variable")[columns]
        found = mixed.effects().xs("near", level="variable")[columns]
        assert_allclose(found, expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("cov_type", COVARIANCES)
@pytest.mark.parametrize("model", FAMILY)
def test_family(model, cov_type, data):
    assert_same(*both(model, data, {"cov_type": cov_type}))


@pytest.mark.parametrize("effects", ["entity", "time", None])
def test_other_effects(effects, data):
    assert_same(*both(SpatialDurbin, data, {"cov_type": "clustered"}, effects=effects))


@pytest.mark.parametrize("cov_type", ["asymptotic", "clustered"])
def test_random_effects(cov_type, data):
    assert_same(*both(SpatialDurbin, data, {"cov_type": cov_type}, effects="random"))


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_a_panel_with_gaps(correction, data):
    part = data.drop(data.index[[3, 40, 77]])
    options = {"unbalanced": "renormalised", "correction": correction}
    assert_same(*both(SpatialDurbin, part, {"cov_type": "clustered"}, **options))


def test_dynamic(data):
    plain, mixed = both(DynamicSpatialLag, data, {"cov_type": "robust"})
    assert_same(plain, mixed, effects=False)
    assert_allclose(mixed.std_errors[["tau", "rho"]], plain.std_errors[["tau", "rho"]], rtol=1e-6)


def test_instruments(data):
    plain, mixed = both(SpatialIV, data, {"cov_type": "clustered"})
    assert_same(plain, mixed, effects=False)


@pytest.mark.parametrize("model", [DifferenceGMM, SystemGMM])
def test_gmm_is_right_or_refuses(model, data):
    """Its weights are inverses of products of products: 1e7 cannot be had, 1e3 can."""
    with pytest.raises(CollinearityError, match="'x1', 'near' are nearly a linear combination"):
        model(data["y"], data[["x1", "near"]], collapse=True).fit()
    closer = data.assign(near=data["x2"] + 1e3 * data["x1"])
    plain, mixed = (
        model(data["y"], closer[["x1", name]], collapse=True).fit() for name in ("x2", "near")
    )
    assert_allclose(mixed.params["near"], plain.params["x2"], rtol=1e-5)
    assert_allclose(mixed.std_errors["near"], plain.std_errors["x2"], rtol=1e-5)


def test_the_basis_is_orthogonal_and_its_inverse_is_one():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(5, 8, 4)) @ np.triu(rng.normal(size=(4, 4)) * [1, 1e5, 1e-3, 1])
    basis = Basis.of(columns, untouched=1)
    flat = basis.columns(columns).reshape(-1, 4)
    assert_allclose(flat[:, :3].T @ flat[:, :3], 40 * np.eye(3), atol=1e-9)
    assert_allclose(flat[:, 3], columns[..., 3].ravel(), rtol=0, atol=0)
    assert_allclose(basis.forward @ basis.backward, np.eye(4), atol=1e-9)
