"""The data of the benchmark: real and simulated panels, written as plain binary files.

Each program reads them in a process of its own: panel.f8 (columns y, x1 ... xk, one after another,
rows by entity and then period) and W in compressed rows (indptr.i4, indices.i4, weights.f8). Rows
of W sum to one. What is simulated says so in its title.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import Delaunay, cKDTree

Array = npt.NDArray[np.float64]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "reference" / "data"
CONTROLS = ["edu", "fin", "urb", "eco", "ope", "mar"]
RHO, K = 0.5, 7

_CIGARETTES_IN_R = """
data(Cigar, package = "plm"); data(usa46, package = "SDPDmod")
panel <- with(Cigar, cbind(log(sales), log(price / cpi), log(ndi / cpi)))
write.table(panel, file.path(commandArgs(TRUE)[1], "panel"), row.names = FALSE, col.names = FALSE)
write.table(as.matrix(usa46), file.path(commandArgs(TRUE)[1], "W"),
            row.names = FALSE, col.names = FALSE)
"""


class MissingDataError(Exception):
    """A case whose data are not on this machine; the text says what would bring them."""


@dataclass(frozen=True)
class Panel:
    """y (n_periods, n_entities), x (n_periods, n_entities, k) and W in the order of entities."""

    y: Array
    x: Array
    W: sp.csr_array

    def write(self, folder: Path) -> None:
        """Write what `_peers.py` and `peers.R` read."""
        n_periods, n_entities, k = self.x.shape
        columns = [self.y.T.ravel(), *(self.x[..., j].T.ravel() for j in range(k))]
        with (folder / "panel.f8").open("wb") as file:
            for column in columns:
                column.astype("<f8").tofile(file)
        self.W.indptr.astype("<i4").tofile(folder / "indptr.i4")
        self.W.indices.astype("<i4").tofile(folder / "indices.i4")
        self.W.data.astype("<f8").tofile(folder / "weights.f8")
        shape = {"n_entities": n_entities, "n_periods": n_periods, "k": k}
        (folder / "shape.json").write_text(json.dumps(shape), encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """A panel by name; ``make`` builds it. ``peers`` is False where ours runs alone."""

    name: str
    title: str
    make: Callable[[], Panel]
    peers: bool = True
    goal: str = ""


def normalise(A: sp.sparray) -> sp.csr_array:
    """Rows that sum to one."""
    A = sp.csr_array(A)
    return sp.csr_array(sp.diags_array(1 / np.asarray(A.sum(axis=1))) @ A)


def voronoi(n: int) -> sp.csr_array:
    """Neighbouring Voronoi cells of random points in random order."""
    t = Delaunay(np.random.default_rng(0).random((n, 2))).simplices
    ends = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [0, 2]]])
    A = sp.csr_array(sp.coo_array((np.ones(len(ends)), ends.T), (n, n)))
    A = sp.csr_array(A + A.T)
    A.data[:] = 1.0
    return normalise(A)


def nearest(n: int) -> sp.csr_array:
    """Six nearest neighbours of random points: asymmetric."""
    points = np.random.default_rng(0).random((n, 2))
    columns = np.sort(cKDTree(points).query(points, 7)[1][:, 1:], axis=1).ravel()
    pointers = np.arange(0, 6 * n + 1, 6)
    return sp.csr_array((np.full(6 * n, 1 / 6), columns, pointers), (n, n))


def inverse_distance(n: int) -> sp.csr_array:
    """Inverse squared distance between random points without cutoff: dense."""
    points = np.random.default_rng(0).random((n, 2))
    A = np.empty((n, n))
    for i, point in enumerate(points):
        A[i] = 1 / np.maximum(((points - point) ** 2).sum(axis=1), 1e-18)
    np.fill_diagonal(A, 0.0)
    return sp.csr_array(A / A.sum(axis=1, keepdims=True))


def simulate(W: sp.csr_array, n_periods: int, k: int = K, seed: int = 0) -> Panel:
    """A spatial Durbin panel with entity and period effects, rho = 0.5 and normal errors."""
    rng = np.random.default_rng(seed)
    n = W.shape[0]
    x = rng.normal(size=(n_periods, n, k))
    beta, theta = np.linspace(1.0, 0.4, k), np.linspace(0.3, -0.6, k)
    term = rng.normal(size=n) + rng.normal(size=(n_periods, 1)) + rng.normal(size=(n_periods, n))
    for t in range(n_periods):
        term[t] += x[t] @ beta + W @ (x[t] @ theta)
    y = term.copy()
    for _ in range(60):  # the reduced form is a sum of powers of rho W
        term = RHO * (W @ term.T).T
        y += term
    return Panel(y, x, W)


def cities(kind: str) -> Panel:
    """The package's simulated outcome and controls on 277 real cities and their real pilots."""
    import nqp_spatial as nqp

    frame = nqp.load_simulated_clusters()
    polygons = nqp.load_cities().loc[frame.index.unique(0)]
    w = nqp.weights
    if kind == "contiguity":
        graph = w.contiguity(polygons, islands="nearest")
    else:
        graph = w.inverse_distance(polygons, power=2)  # of distance itself, rho goes to its bound
    W = sp.csr_array(w.normalise(graph, "row").sparse)
    columns = frame[["nqp", "did", *CONTROLS]].to_numpy(dtype=float)
    cells = np.moveaxis(columns.reshape(len(polygons), -1, columns.shape[1]), 0, 1)
    return Panel(cells[..., 0], cells[..., 1:], W)


def cigarettes() -> Panel:
    """Baltagi's panel and its states' contiguity: from ../shared, else from R's plm and SDPDmod."""
    if SHARED.is_dir():
        columns = np.loadtxt(SHARED / "cigar.csv", delimiter=",", skiprows=1)[:, 2:]
        links = np.loadtxt(SHARED / "cigar_w.csv", delimiter=",")
    else:
        columns, links = _cigarettes_from_r()
    cells = np.moveaxis(columns.reshape(46, 30, 3), 0, 1)
    return Panel(cells[..., 0], cells[..., 1:], normalise(sp.csr_array(links)))


def _cigarettes_from_r() -> tuple[Array, Array]:
    missing = MissingDataError(
        "needs ../shared/reference/data beside the checkout, or R with plm (the panel) and SDPDmod "
        "(the contiguity of the states)"
    )
    if not shutil.which("Rscript"):
        raise missing
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "cigarettes.R"
        script.write_text(_CIGARETTES_IN_R, encoding="utf-8")
        run = subprocess.run(["Rscript", script, folder], capture_output=True, check=False)
        if run.returncode:
            raise missing
        return np.loadtxt(Path(folder) / "panel"), np.loadtxt(Path(folder) / "W")


CASES = (
    Case("tiny", "25 entities x 4 periods, simulated (a check of the command)",
         lambda: simulate(voronoi(25), 4, k=2)),
    Case("cigarettes", "Cigarette demand, 46 states x 30 years, 2 regressors and their lags",
         cigarettes),
    Case("contiguity", "277 cities x 12 years, 7 regressors and their lags, contiguity",
         lambda: cities("contiguity"),
         goal="fit and effects at most 10 ms, in all at most 60 ms"),
    Case("dense", "277 cities x 12 years, 7 regressors and their lags, inverse squared distance "
         "(dense)",
         lambda: cities("dense"), goal="at most 60 ms"),
    Case("3000x20", "3,000 entities x 20 periods, 7 regressors and their lags, Voronoi neighbours, "
         "simulated", lambda: simulate(voronoi(3_000), 20), goal="at most 0.4 s"),
    Case("10000x10", "10,000 entities x 10 periods, 7 regressors and their lags, Voronoi "
         "neighbours, simulated", lambda: simulate(voronoi(10_000), 10), goal="at most 1.5 s"),
    Case("dense5000x5", "5,000 entities x 5 periods, 7 regressors and their lags, inverse squared "
         "distance without cutoff (25 million links), simulated",
         lambda: simulate(inverse_distance(5_000), 5), peers=False),
)  # fmt: skip

_SIZES = ((3_000, 10), (10_000, 10), (30_000, 10), (100_000, 10), (1_000_000, 2))
GROWTH = tuple(
    Case(f"{kind}-{n}x{n_periods}", f"{words} | {n:,} | {n_periods}",
         lambda W=W, n=n, n_periods=n_periods: simulate(W(n), n_periods), peers=False)
    for kind, words, W in (("voronoi", "Voronoi neighbours", voronoi),
                           ("nearest", "six nearest", nearest))
    for n, n_periods in _SIZES if kind == "voronoi" or n <= 100_000
)  # fmt: skip
