"""One period without fixed effects is R's spatialreg::lagsarlm (tests/reference/columbus_sdm.R)."""

from __future__ import annotations

import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

from nqp_spatial import SpatialDurbin, weights
from tests import panels

DURBIN = {"all": None, "INC": ["INC"], "none": []}


@pytest.fixture(scope="module")
def columbus():
    data, links = panels.columbus()
    return data, weights.normalise(Graph.from_dicts(links), "row")


@pytest.fixture(scope="module", params=DURBIN)
def pair(request, columbus):
    data, graph = columbus
    table = panels.read("columbus_sdm.csv").fillna("")
    table = table[table["model"] == request.param].set_index(["quantity", "name"])["value"]
    model = SpatialDurbin(
        data["CRIME"], data[["INC", "HOVAL"]], graph, effects=None, durbin=DURBIN[request.param]
    )
    return model.fit(), table


def test_estimates_and_standard_errors(pair):
    """1e-6: lagsarlm's search for rho was set to stop at 2e-12; s.e. move with its square root."""
    res, table = pair
    assert list(table["params"].index) == list(res.params.index)
    assert_allclose(res.params, table["params"], rtol=1e-6)
    assert_allclose(res.std_errors, table["std_error"], rtol=1e-6)
    assert_allclose(res.sigma2, table["sigma2"].iloc[0], rtol=1e-6)
    assert_allclose(res.loglik, table["loglik"].iloc[0], rtol=0, atol=1e-8)


def test_average_effects(pair):
    res, table = pair
    for kind in ("direct", "indirect", "total"):
        assert_allclose(res.effects()["estimate"][kind], table[kind], rtol=1e-6)


def test_simulated_intervals(pair):
    """2.5 and 97.5 per cent quantiles of 20,000 draws on each side.

    A quantile of normal draws there has a standard error of sqrt(0.025 * 0.975 / 20000) / 0.058 =
    0.019 standard deviations, 0.027 for a difference, more in the long tail: 0.15 allowed.
    """
    res, table = pair
    simulated = res.effects(method="simulation", draws=20_000, seed=1)
    error = res.effects()["std_error"]
    for kind in ("direct", "indirect", "total"):
        for end, column in (("0.025", "lower"), ("0.975", "upper")):
            gap = simulated[column][kind] - table[f"{kind} {end}"]
            assert (gap.abs() < 0.15 * error[kind]).all(), (kind, end)
