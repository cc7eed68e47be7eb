"""Panels, fits and derivatives that the tests of dynamic models share."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nqp_spatial.models.spatial.dynamic import DynamicSpatialDurbin, DynamicSpatialLag
from tests import panels
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


NAMES = ("beta", "theta", "tau", "eta", "rho")


def parameters(res, variable):
    """(beta, theta, tau, eta, rho), zero for those the model lacks, and their covariance."""
    wanted = [variable, f"W_{variable}", "tau", "eta", "rho"]
    cov = res.cov.reindex(index=wanted, columns=wanted).fillna(0.0).to_numpy()
    return res.params.reindex(wanted).fillna(0.0).to_numpy(), cov


def slopes(function, point, h=1e-4):
    """Central differences, extrapolated once; parameters first."""
    out = []
    for unit in np.eye(len(point)):
        near, far = (
            (function(point + s * unit) - function(point - s * unit)) / (2 * s) for s in (h / 2, h)
        )
        out.append((4 * near - far) / 3)
    return np.array(out)


def delta_errors(function, point, cov):
    """Standard errors of the values of a function of the parameters."""
    gradient = slopes(function, point)
    variance = np.einsum("i...,ij,j...->...", gradient, cov, gradient)
    return np.sqrt(np.maximum(variance, 0.0))
