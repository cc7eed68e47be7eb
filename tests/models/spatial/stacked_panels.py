"""Panels whose periods differ, for the tests: dense arrays beside frames and graphs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from nqp_spatial import models, weights
from tests import panels
from tests.assertions import assert_covariance
from tests.reference import stacked_likelihood as dense

MODELS = {  # whether y, X and the error have a lag
    "SLX": (models.SLX, False, True, False),
    "SAR": (models.SpatialLag, True, False, False),
    "SDM": (models.SpatialDurbin, True, True, False),
    "SEM": (models.SpatialError, False, False, True),
    "SDEM": (models.SpatialDurbinError, False, True, True),
    "SAC": (models.SAC, True, False, True),
    "GNS": (models.GNS, True, True, True),
}
EFFECTS = (None, "entity", "time", "twoway")


@dataclass
class Panel:
    """A panel of cells: a frame, graphs, and the same as dense arrays.

    ``Ws`` holds W of each period on all entities; ``K`` those of the cells.
    """

    frame: pd.DataFrame
    Ws: np.ndarray
    K: np.ndarray
    v: np.ndarray
    constant: bool
    weighted: bool

    @property
    def entities(self):
        return self.frame.index.get_level_values(0).unique().sort_values()

    @property
    def periods(self):
        return self.frame.index.get_level_values(1).unique().sort_values()

    @property
    def graph(self):
        graphs = [weights.as_graph(W, ids=list(self.entities)) for W in self.Ws]
        return graphs[0] if self.constant else dict(zip(self.periods, graphs, strict=True))

    @property
    def v_series(self):
        return pd.Series(self.v, index=self.frame.index, name="v") if self.weighted else None

    def cells(self, name, effects) -> dense.Cells:
        """Rows in the order of the frame, which is period after period."""
        _, lag, theta, error = MODELS[name]
        x = [c for c in self.frame.columns if c.startswith("x")]
        return dense.Cells(
            y=self.frame["y"].to_numpy(),
            X=self.frame[x].to_numpy(),
            entity=self.entities.get_indexer(self.frame.index.get_level_values(0)),
            period=self.periods.get_indexer(self.frame.index.get_level_values(1)),
            K=self.K,
            v=self.v,
            effects=effects,
            lagged=list(range(len(x))) if theta else [],
            lag=lag,
            error=error,
        )

    def model(self, name, effects, correction="none", **options):
        x = [c for c in self.frame.columns if c.startswith("x")]
        full = len(self.frame) == len(self.entities) * len(self.periods)
        chosen = {
            "unbalanced": "error" if full else "submatrix",
            "observation_weights": self.v_series,
            "effects": effects,
            "correction": correction,
            **options,
        }
        return MODELS[name][0](self.frame["y"], self.frame[x], self.graph, **chosen)

    def fit(self, name, effects, correction="none", **options):
        return self.model(name, effects, correction).fit(**options)


def make(
    Ws,
    present,
    *,
    v=None,
    rho=0.3,
    lambda_=0.2,
    k=1,
    seed=0,
    sigma=1.0,
    renormalised=False,
    constant=False,
) -> Panel:
    """Draw a panel with effects on the cells that are present.

    Parameters
    ----------
    Ws : sequence of array, shape (n, n)
        For each period.
    present : array of bool, shape (n_periods, n)
    v : array, shape (n_periods, n), optional
        Observation weights.
    """
    rng = np.random.default_rng(seed)
    present = np.asarray(present)
    n_periods, n = present.shape
    mu, tau = rng.normal(size=n), rng.normal(size=n_periods)
    X = rng.normal(size=(n_periods, n, k)) + 0.5 * mu[:, None]
    shocks = sigma * rng.normal(size=(n_periods, n))
    weighted = v is not None
    v = np.ones((n_periods, n)) if v is None else v
    y = np.full((n_periods, n), np.nan)
    pieces = []
    beta, theta = np.linspace(1.0, -0.5, k), np.linspace(0.5, 0.2, k)
    for t in range(n_periods):
        at = np.flatnonzero(present[t])
        W = cut(Ws[t], at, renormalised)
        pieces.append(W)
        A, B = (np.eye(len(at)) - value * W for value in (rho, lambda_))
        u = np.linalg.solve(B, shocks[t, at] / np.sqrt(v[t, at]))
        mean = X[t, at] @ beta + W @ X[t, at] @ theta + mu[at] + tau[t]
        y[t, at] = np.linalg.solve(A, mean + u)
    K = np.zeros((present.sum(), present.sum()))
    start = 0
    for W in pieces:
        K[start : start + len(W), start : start + len(W)] = W
        start += len(W)
    t, i = np.nonzero(present)
    index = pd.MultiIndex.from_arrays([i, 2001 + t], names=["city", "year"])
    columns = {f"x{j + 1}": X[t, i, j] for j in range(k)}
    frame = pd.DataFrame({"y": y[t, i], **columns}, index=index)
    return Panel(frame, np.asarray(Ws), K, v[t, i], constant, weighted)


def cut(W, at, renormalised=False):
    """W among those that are present."""
    out = W[np.ix_(at, at)]
    if renormalised:
        before, after = W[at].sum(axis=1), out.sum(axis=1)
        out = out * np.divide(before, after, out=np.zeros_like(before), where=after > 0)[:, None]
    return out


def gaps(n_periods, n, share=0.15, seed=0):
    """Cells absent at random; every entity is seen, and a third of them enter late."""
    rng = np.random.default_rng(seed)
    present = rng.random((n_periods, n)) >= share
    present[: n_periods // 2, : n // 6] = False  # whole entities that enter late
    present[-2:, : n // 6] = True
    present[:, n // 6] = False  # an entity with a single observation
    present[1, n // 6] = True
    for i in np.flatnonzero(present.sum(axis=0) < 2):
        if i != n // 6:
            present[:2, i] = True
    return present


def varying(kind, n, n_periods, seed=0):
    """W of its own in each period."""
    return [kind(n, seed=seed + t) for t in range(n_periods)]


def directed(n, seed=0):
    """Nearest neighbours of random points with unequal weights: complex roots, unequal sums."""
    rng = np.random.default_rng(seed + 1000)
    W = panels.knn(n, seed=seed, k=4) * rng.uniform(0.4, 1.6, (n, n))
    return W / W.sum(axis=1).max()


def draw_weights(n_periods, n, by, seed=0):
    rng = np.random.default_rng(seed + 77)
    if by == "entity":
        return np.tile(rng.uniform(0.3, 4.0, n), (n_periods, 1))
    return rng.uniform(0.3, 4.0, (n_periods, n))


def point(res):
    """Coefficients without rho and lambda."""
    return res.params[[name for name in res.params.index if name not in ("rho", "lambda")]]


def assert_is_maximum_likelihood(panel, name, effects):
    """Exact dummies: the dense likelihood maximised, and its expected information."""
    cells, res = panel.cells(name, effects), panel.fit(name, effects)
    found = dense.maximise(cells)
    assert_allclose(point(res), found["delta"], rtol=1e-6, atol=1e-6)
    assert_allclose([res.rho, res.lambda_], [found["rho"], found["lambda"]], rtol=1e-6, atol=1e-6)
    assert_allclose(res.sigma2, found["sigma2"], rtol=1e-6)
    assert_allclose(res.loglik, found["loglik"], rtol=0, atol=1e-8)
    gamma, s2 = dense.given(cells, res.rho, res.lambda_)
    assert_covariance(res.raw.cov, dense.covariance(cells, gamma, res.rho, res.lambda_, s2))


def assert_is_the_root_of_the_adjusted_score(panel, name, effects):
    """The root, J^-1 var(score) J^-1 by dense traces, and the integral of the score."""
    cells, res = panel.cells(name, effects), panel.fit(name, effects, "adjusted-score")
    found = dense.adjusted(cells)
    assert_allclose(res.rho, found["rho"], rtol=1e-8, atol=1e-8)
    assert_allclose(point(res), found["delta"], rtol=1e-8, atol=1e-8)
    assert_allclose(res.sigma2, found["sigma2"], rtol=1e-8)
    expected = dense.adjusted_covariance(cells, found["delta"], found["rho"], found["sigma2"])
    assert_covariance(res.raw.cov, expected)
    assert_allclose(res.loglik, dense.adjusted_loglik(cells, found["rho"]), rtol=0, atol=1e-7)


def moran_z(resid, K):
    """Moran's I of all cells less its mean, by its standard deviation under normality.

    Cliff and Ord (1981, p. 42).
    """
    n, z = len(resid), resid - resid.mean()
    s0, s1 = K.sum(), ((K + K.T) ** 2).sum() / 2
    s2 = ((K.sum(axis=0) + K.sum(axis=1)) ** 2).sum()
    found = n / s0 * (z @ K @ z) / (z @ z)
    mean = -1 / (n - 1)
    variance = (n**2 * s1 - n * s2 + 3 * s0**2) / ((n**2 - 1) * s0**2) - mean**2
    return float((found - mean) / np.sqrt(variance))
