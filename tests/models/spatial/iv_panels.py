"""Panels with an endogenous 0/1 policy and its instrument, for the tests of SpatialIV."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nqp_spatial.weights import as_graph
from tests import panels

BETA, THETA = 1.0, 0.5  # of x and of d


def weights(n=40, seed=0, kind="knn"):
    """Dense W; nearest neighbours, so that lags of higher orders differ from one another."""
    return panels.KINDS[kind](n, seed=seed)


def graph_of(W):
    return as_graph(W, ids=range(len(W)))


def frame(W, n_periods=8, *, rho=0.4, lambda_=0.0, seed=0, share=0.5, sigma=0.3):
    """y, x1, x2, d, z1, z2: d = 1 where z1 + z2 / 2 + v > 0, and e / sigma has ``share`` of v."""
    rng = np.random.default_rng(seed)
    n = len(W)
    x1, x2, z1, z2, v, w = rng.normal(size=(6, n_periods, n))
    effects = rng.normal(size=n) + rng.normal(size=(n_periods, 1))
    d = (z1 + 0.5 * z2 + v > 0).astype(float)
    e = sigma * (share * v + np.sqrt(1 - share**2) * w)
    u = np.linalg.solve(np.eye(n) - lambda_ * W, e.T)
    signal = x1 + d - 0.5 * x2
    mean = (BETA * signal + THETA * signal @ W.T + effects).T + u
    y = np.linalg.solve(np.eye(n) - rho * W, mean).T
    columns = {"y": y, "x1": x1, "x2": x2, "d": d, "z1": z1, "z2": z2}
    index = pd.MultiIndex.from_product(
        [range(n), range(2001, 2001 + n_periods)], names=["city", "year"]
    )
    return pd.DataFrame({name: c.T.ravel() for name, c in columns.items()}, index=index)


def array(column):
    """(n_periods, n_entities) of a column."""
    return column.unstack(0).to_numpy()


def within(values, effects):
    """Dense projection off the dummies, by least squares: no code of the package."""
    n_periods, n = values.shape
    parts = [np.ones((n_periods * n, 1))] if effects else []
    if effects in ("entity", "twoway"):
        parts.append(np.tile(np.eye(n), (n_periods, 1)))
    if effects in ("time", "twoway"):
        parts.append(np.repeat(np.eye(n_periods), n, axis=0))
    if not parts:
        return values.ravel()
    H = np.column_stack(parts)
    flat = values.ravel()
    return flat - H @ np.linalg.lstsq(H, flat, rcond=None)[0]
