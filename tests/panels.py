"""Small random panels and weights for the tests of spatial models; knows nothing of the package."""

from __future__ import annotations

from pathlib import Path

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


def rook(side: int) -> np.ndarray:
    """Binary rook contiguity of a square lattice."""
    path = np.eye(side, k=1) + np.eye(side, k=-1)
    return np.kron(np.eye(side), path) + np.kron(path, np.eye(side))


def ring(n: int, chord: int) -> np.ndarray:
    """Row-normalised: a ring, and a link of the first entity with another across it."""
    W = np.roll(np.eye(n), 1, axis=1) + np.roll(np.eye(n), -1, axis=1)
    W[0, chord] = W[chord, 0] = 1.0
    return row(W)


def directed(n: int, seed: int = 0) -> np.ndarray:
    """Row-normalised random directed links: real eigenvalues may be few and small."""
    rng = np.random.default_rng(seed)
    W = (rng.random((n, n)) < 0.25) * rng.random((n, n)) + 0.1 * np.roll(np.eye(n), 1, axis=1)
    np.fill_diagonal(W, 0)
    return row(W)


def read(name: str, *index: str) -> pd.DataFrame:
    """A table of tests/reference, with its header of comments left out."""
    table = pd.read_csv(REFERENCE / name, comment="#")
    return table.set_index(list(index)) if index else table


def known(name: str, *index: str) -> pd.Series:
    """The column `value` of a table of tests/reference; labels are text, absent ones empty."""
    table = pd.read_csv(REFERENCE / name, comment="#", dtype={"name": str})
    return table.fillna(dict.fromkeys(index, "")).set_index(list(index))["value"].sort_index()


def columbus() -> tuple[pd.DataFrame, dict[int, list[int]]]:
    """The 49 neighbourhoods of spData, in one period, and the neighbours of each (col.gal.nb)."""
    data = read("columbus_data.csv").astype({"HOVAL": float})
    links = {row.area: [int(j) for j in row.neighbours.split()] for row in data.itertuples()}
    assert sum(map(len, links.values())) == 230
    return data.assign(year=1980).set_index(["area", "year"]), links


def grunfeld() -> pd.DataFrame:
    """The ten firms of plm's Grunfeld; statsmodels ships an eleventh."""
    from statsmodels.datasets import grunfeld

    data = grunfeld.load_pandas().data
    data = data[data["firm"] != "American Steel"].rename(columns={"invest": "inv"})
    return data.astype({"year": int}).set_index(["firm", "year"])


def cigar(shared: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Baltagi's 46 states and 30 years, and their binary contiguity in the order of the states."""
    folder = shared / "reference" / "data"
    data = pd.read_csv(folder / "cigar.csv").set_index(["state", "year"])
    W = np.loadtxt(folder / "cigar_w.csv", delimiter=",")
    assert data.shape == (1380, 3) and W.shape == (46, 46) and W.sum() == 188
    return data, W
