"""Time and memory of spatial Durbin fits as the number of entities grows.

    OMP_NUM_THREADS=1 python benchmarks/scale.py [--repeats 3] [--largest 100000] [--kinds nearest]

Data: seven regressors and their lags, two-way effects (Lee-Yu), rho = 0.5, on neighbouring Voronoi
cells of random points, squares of a chessboard, or six nearest neighbours. Each size runs in its
own process, so that its peak memory (data and Python included) is its own. A fit takes W as given:
structure, admissible interval, search, estimates and covariance ("fit"). Processor time is beside
it, which a busy machine does not lengthen as much; "again" fits another outcome with W prepared.
The last line of each W has the slopes of log time in log N.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import scipy.sparse as sp
from scipy.spatial import Delaunay, cKDTree

from nqp_spatial.core import spatial_ml
from nqp_spatial.core.spectrum import prepare

SIZES = [(3_000, 20), (10_000, 10), (30_000, 10), (100_000, 10), (1_000_000, 2)]
KINDS = ("voronoi", "chessboard", "nearest")
RHO, K, GIGABYTE = 0.5, 7, 2**20


def normalise(A: sp.sparray) -> sp.csr_array:
    """Rows that sum to one."""
    A = sp.csr_array(A)
    return sp.csr_array(sp.diags_array(1 / np.asarray(A.sum(axis=1))) @ A)


def weights(kind: str, n: int) -> sp.csr_array:
    """Row-normalised W of random points in random order, or of a chessboard."""
    points = np.random.default_rng(0).random((n, 2))
    if kind == "chessboard":
        side = round(np.sqrt(n))
        line, unit = sp.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1]), sp.eye_array(side)
        return normalise(sp.kron(line, unit) + sp.kron(unit, line))
    if kind == "nearest":
        columns = cKDTree(points).query(points, 7)[1][:, 1:].ravel()
        rows = np.repeat(np.arange(n), 6)
        return sp.csr_array((np.full(6 * n, 1 / 6), (rows, columns)), (n, n))
    t = Delaunay(points).simplices
    ends = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [0, 2]]])
    A = sp.csr_array(sp.coo_array((np.ones(len(ends)), ends.T), (n, n)))
    A = sp.csr_array(A + A.T)
    A.data[:] = 1.0
    return normalise(A)


def panel(W: sp.csr_array, n_periods: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """y (T, N) and Z (T, N, 14); the reduced form is a sum of powers of rho W."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_periods, W.shape[0], K))
    Z = np.concatenate([X, np.stack([W @ x for x in X])], axis=2)
    term = Z @ np.linspace(1, -0.5, 2 * K) + rng.normal(size=(n_periods, W.shape[0]))
    y = term.copy()
    for _ in range(60):
        term = RHO * (W @ term.T).T
        y += term
    return y, Z


def run(kind: str, n: int, n_periods: int, repeats: int, method: str) -> dict[str, object]:
    """Median seconds of a fit, of a second fit and of a log-determinant, and the peak memory."""
    W = weights(kind, n)
    y, Z = panel(W, n_periods, 0)
    options = {"effects": "twoway", "correction": "lee-yu"}
    fits, again, busy = [], [], []
    for _ in range(repeats):
        start, processor = time.perf_counter(), time.process_time()
        spectrum = prepare(W, method)
        found = spatial_ml.estimate(y, Z, W, spectrum, **options)
        fits.append(time.perf_counter() - start)
        busy.append(time.process_time() - processor)
        start = time.perf_counter()
        spatial_ml.estimate(y * np.linspace(0.9, 1.1, W.shape[0]), Z, W, spectrum, **options)
        again.append(time.perf_counter() - start)
    times = []
    for rho in np.linspace(0.3, 0.7, 5):
        start = time.perf_counter()
        spectrum.logdet(float(rho))
        times.append(time.perf_counter() - start)
    return {
        "n": W.shape[0],
        "method": spectrum.method,
        "logdet_ms": 1e3 * statistics.median(times),
        "fit": statistics.median(fits),
        "processor": statistics.median(busy),
        "again": statistics.median(again),
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIGABYTE,
        "rho": float(found.rho),
        "se": float(np.sqrt(found.cov[2 * K, 2 * K])),
        "logdet_error": spectrum.error(float(found.rho)),
    }


def main() -> None:
    """Print the table, one process for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--method", default="auto")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        kind, n, n_periods = arguments.one
        print(json.dumps(run(kind, int(n), int(n_periods), arguments.repeats, arguments.method)))
        return
    print("| W | N | T | method | ms each | fit, s | CPU, s | again, s | peak GB | ρ (s.e.) |")
    print("|" + "---|" * 10)
    for kind in arguments.kinds.split(","):
        rows = []
        for n, n_periods in SIZES:
            if n > arguments.largest:
                continue
            repeats = arguments.repeats if n <= 30_000 else 1
            command = [sys.executable, __file__, "--one", kind, str(n), str(n_periods)]
            command += ["--repeats", str(repeats), "--method", arguments.method]
            row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            rows.append(row)
            print(
                f"| {kind} | {row['n']:,} | {n_periods} | {row['method']} | {row['logdet_ms']:.1f} "
                f"| {row['fit']:.2f} | {row['processor']:.2f} | {row['again']:.2f} "
                f"| {row['gigabytes']:.2f} | {row['rho']:.5f} ({row['se']:.5f}) |",
                flush=True,
            )
        exact = [row for row in rows if row["method"] in ("lu", "cholmod")]
        if len(exact) > 1:
            size = np.log([row["n"] for row in exact])
            slopes = [
                np.polyfit(size, np.log([r[c] for r in exact]), 1)[0]
                for c in ("processor", "again")
            ]
            print(f"\n{kind}: CPU grows as N^{slopes[0]:.2f}, again as N^{slopes[1]:.2f}\n")


if __name__ == "__main__":
    main()
