"""Panels, fits and derivatives that the tests of dynamic models share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nqp_spatial.models.spatial.dynamic import DynamicSpatialDurbin, DynamicSpatialLag
from tests import by_hand, panels
from tests.reference import independent_dynamic as independent

CLASSES = {"SAR": DynamicSpatialLag, "SDM": DynamicSpatialDurbin}
N = 16


def panel(kind="contiguity", n_periods=9, *, tau=0.4, eta=-0.1, rho=0.3, seed=3, n=N):
    """A frame of n_periods + 1 years from 2001 on, and W."""
    W = panels.KINDS[kind](n, seed=2)
    rng = np.random.default_rng(seed)
    y, X = independent.simulate(W, n_periods, rng, tau=tau, eta=eta, rho=rho)
    return panels.frame(y, X), W


def model(name="SDM", kind="contiguity", n_periods=9, *, truth=None, **options):
    data, W = panel(kind, n_periods, **(truth or {}))
    options = {"effects": "entity", **options}
    return CLASSES[name](data["y"], data[["x1", "x2"]], (W, range(len(W))), **options), W


def fitted(name="SDM", kind="contiguity", n_periods=9, *, truth=None, **options):
    found, W = model(name, kind, n_periods, truth=truth, **options)
    return found.fit(), W


def arrays(data: pd.DataFrame, n: int):
    """y (T, N) and X (T, N, 2) of a frame made by `panel`."""
    y = data["y"].to_numpy().reshape(n, -1).T
    return y, np.moveaxis(data[["x1", "x2"]].to_numpy().reshape(n, -1, 2), 0, 1)


def parameters(res, variable):
    """(beta, theta, tau, eta, rho), and their covariance."""
    return by_hand.parameters(res, variable, ("tau", "eta", "rho"))
