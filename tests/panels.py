"""Small random panels and weights for the tests of spatial models; knows nothing of the package."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests import REFERENCE


def row(W: np.ndarray) -> np.ndarray:
    sums = W.sum(axis=1, keepdims=True)
    return np.divide(W, sums, out=np.zeros_like(W), where=sums > 0)


def symmetric(n: int, seed: int = 0, share: float = 0.2) -> np.ndarray:
    """Binary, symmetric, without islands: a ring and random links."""
    rng = np.random.default_rng(seed)
    W = np.triu(rng.random((n, n)) < share, 1) | np.eye(n, k=1, dtype=bool)
    W[0, n - 1] = True
    return (W | W.T).astype(float)


def contiguity(n: int, seed: int = 0) -> np.ndarray:
    return row(symmetric(n, seed))


def general(n: int, seed: int = 0) -> np.ndarray:
    """Asymmetric, real-valued, rows that do not sum to one."""
    rng = np.random.default_rng(seed)
    W = symmetric(n, seed) * rng.uniform(0.2, 1.0, (n, n))
    return W / W.sum(axis=1).max()


def knn(n: int, seed: int = 0, k: int = 3) -> np.ndarray:
    """Row-normalised k nearest neighbours of random points: asymmetric, complex eigenvalues."""
    points = np.random.default_rng(seed).random((n, 2))
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distance, np.inf)
    W = np.zeros((n, n))
    for i, near in enumerate(np.argsort(distance, axis=1)[:, :k]):
        W[i, near] = 1 / k
    return W


def blocks(n: int, seed: int = 0) -> np.ndarray:
    """Row-normalised, two components of unlike size."""
    W = np.zeros((n, n))
    m = n // 3
    W[:m, :m], W[m:, m:] = symmetric(m, seed), symmetric(n - m, seed + 1)
    return row(W)


def islands(n: int, seed: int = 0) -> np.ndarray:
    """Row-normalised but for the last two entities, which have no neighbours."""
    W = np.zeros((n, n))
    W[: n - 2, : n - 2] = symmetric(n - 2, seed)
    return row(W)


KINDS = {
    "contiguity": contiguity,
    "general": general,
    "knn": knn,
    "blocks": blocks,
    "islands": islands,
}


def arrays(W, n_periods=4, *, rho=0.4, k=2, seed=0, effects=True, sigma=1.0):
    """y (T, N) and X (T, N, k) of a spatial Durbin model with entity and period effects."""
    rng = np.random.default_rng(seed)
    n = len(W)
    mu, tau = effects * rng.normal(size=n), effects * rng.normal(size=n_periods)
    X = rng.normal(size=(n_periods, n, k)) + 0.5 * mu[:, None] + 0.5 * tau[:, None, None]
    beta, theta = np.linspace(1.0, -0.5, k), np.linspace(0.5, 0.2, k)
    shocks = sigma * rng.normal(size=(n_periods, n))
    inverse = np.linalg.inv(np.eye(n) - rho * W)
    mean = np.stack([X[t] @ beta + W @ X[t] @ theta for t in range(n_periods)])
    y = (mean + mu + tau[:, None] + shocks) @ inverse.T
    return y, X


def frame(y, X, entities=None, periods=None) -> pd.DataFrame:
    n_periods, n = y.shape
    entities = range(n) if entities is None else entities
    periods = range(2001, 2001 + n_periods) if periods is None else periods
    index = pd.MultiIndex.from_product([entities, periods], names=["city", "year"])
    columns = {f"x{j + 1}": X[..., j].T.ravel() for j in range(X.shape[-1])}
    return pd.DataFrame({"y": y.T.ravel(), **columns}, index=index)


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / name, comment="#")
