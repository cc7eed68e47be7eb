"""One period without fixed effects is R's spatialreg (tests/reference/columbus_family.R)."""

from __future__ import annotations

import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

from nqp_spatial import GNS, SAC, SLX, SpatialDurbinError, SpatialError, weights
from tests import panels

CLASSES = {"SLX": SLX, "SEM": SpatialError, "SDEM": SpatialDurbinError, "SAC": SAC, "GNS": GNS}
KINDS = ("direct", "indirect", "total")


@pytest.fixture(scope="module")
def table():
    return panels.known("columbus_family.csv", "model", "quantity", "name")


@pytest.fixture(scope="module")
def fit():
    frame, links = panels.columbus()
    graph = weights.normalise(Graph.from_dicts(links), "row")
    return lambda name: CLASSES[name](
        frame["CRIME"], frame[["INC", "HOVAL"]], graph, effects=None
    ).fit()


@pytest.mark.parametrize("name", CLASSES)
def test_estimates_and_standard_errors(fit, table, name):
    """SAC and GNS to 2e-6: sacsarlm's search stops where the likelihood is flat to 1e-13.

    Standard errors are spatialreg's analytic ones, comparable in all five (lmSLX: with SSE / n).
    """
    res, tolerance = fit(name), (2e-6 if name in ("SAC", "GNS") else 1e-6)
    known = table[name]
    assert set(known["params"].index) == set(res.params.index)
    assert_allclose(res.params[known["params"].index], known["params"], rtol=tolerance)
    errors = known["std_error"]
    assert_allclose(res.std_errors[errors.index], errors, rtol=tolerance)
    assert_allclose(res.sigma2, known["sigma2"].iloc[0], rtol=1e-6)
    assert_allclose(res.loglik, known["loglik"].iloc[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["SLX", "SDEM", "SAC", "GNS"])
def test_average_effects(fit, table, name):
    estimate = fit(name).effects()["estimate"]
    for kind in KINDS:
        known = table[name, kind]
        assert_allclose(estimate[kind][known.index], known, rtol=1e-6)


@pytest.mark.parametrize(("name", "scale"), [("SLX", 1.0), ("SDEM", (44 / 49) ** 0.5)])
def test_errors_of_local_effects(fit, table, name, scale):
    """impacts() of errorsarlm multiplies the variance by n / (n - k) = 49 / 44; undone here."""
    errors = fit(name).effects()["std_error"]
    for kind in KINDS:
        known = table[name, f"{kind} se"]
        assert_allclose(errors[kind][known.index], scale * known, rtol=1e-6)
