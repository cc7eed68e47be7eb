"""``fit(logdet=...)``: one model by other log-determinants, and what is said of their error."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import MissingDependencyError, OptionError

SIDE, T = 12, 5


def lattice(direction: int) -> np.ndarray:
    """Rook neighbours of a square lattice; with 1 only those to the east and the south."""
    W = np.zeros((SIDE**2, SIDE**2))
    for i in range(SIDE**2):
        row, column = divmod(i, SIDE)
        for step in ((0, 1), (1, 0), *(((0, -1), (-1, 0)) if direction == 2 else ())):
            a, b = row + step[0], column + step[1]
            if 0 <= a < SIDE and 0 <= b < SIDE:
                W[i, a * SIDE + b] = 1.0
    W[-1, 0] = 1.0  # the last has a neighbour too
    return W


@pytest.fixture(scope="module")
def model():
    return specification(2)


def specification(direction: int) -> nqp.SpatialDurbin:
    W = lattice(direction)
    if direction == 2:
        W[0, -1] = 1.0
    graph = nqp.weights.normalise(nqp.weights.as_graph(W, ids=range(SIDE**2)), "row")
    rng = np.random.default_rng(7)
    index = pd.MultiIndex.from_product([range(SIDE**2), range(T)], names=["i", "t"])
    x = pd.DataFrame({"x": rng.normal(size=len(index))}, index=index)
    A = np.linalg.inv(np.eye(SIDE**2) - 0.5 * graph.sparse.toarray())
    shock = x["x"].to_numpy() + rng.normal(size=len(index))
    y = pd.Series((A @ shock.reshape(SIDE**2, T)).ravel(), index=index, name="y")
    return nqp.SpatialDurbin(y, x, graph)


@pytest.mark.parametrize("method", ["monte-carlo", "chebyshev"])
def test_approximations_are_near_and_say_how_far(model, method):
    exact, near = model.fit(), model.fit(logdet=method)
    told = near.provenance["weights"]
    assert told["logdet"] == method and told["logdet_error"] > 0
    assert exact.provenance["weights"]["logdet_error"] == 0
    assert abs(near.rho - exact.rho) < 0.25 * exact.std_errors["rho"]
    assert_allclose(near.loglik, exact.loglik, atol=4 * T * told["logdet_error"] + 0.05)


def test_factorisations_are_exact(model):
    exact, other = model.fit(logdet="eigenvalues"), model.fit(logdet="lu")
    assert_allclose(other.params, exact.params, rtol=1e-8)
    assert_allclose(other.std_errors, exact.std_errors, rtol=1e-6)


def test_what_a_method_cannot_do_is_said(model):
    with pytest.raises(OptionError, match="logdet='chebyshev' cannot be used with this W"):
        specification(1).fit(logdet="chebyshev")
    with pytest.raises(OptionError, match="logdet='cholesky' is not known"):
        model.fit(logdet="cholesky")
    if importlib.util.find_spec("sksparse") is None:
        with pytest.raises(MissingDependencyError, match='pip install "scikit-sparse>='):
            model.fit(logdet="cholmod")
