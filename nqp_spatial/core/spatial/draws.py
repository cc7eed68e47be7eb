"""Weights of average effects at many values of rho, as simulations need them.

Both follow from G = W (I - rho W)^-1: (I - rho W)^-1 = I + rho G. Its mean trace and mean row sum
are analytic in rho away from the ends of its interval, so where each value is dear they are
interpolated at Chebyshev points of x = ln[(rho - low) / (high - rho)], which takes the poles at the
ends to infinity (Trefethen 2013, Approximation Theory and Approximation Practice, chapters 5, 8).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import EigenSpectrum, Spectrum

Array = npt.NDArray[np.float64]

_TOLERANCE = 1e-10  # of interpolated values, relative to the largest
_DEGREES = (8, 16, 32, 64, 128)
_CHUNK = 2**22  # eigenvalues times draws at once


def mean_trace(spectrum: Spectrum, rhos: Array) -> Array:
    """tr(G) / n at each rho, shape (draws,)."""
    if isinstance(spectrum, EigenSpectrum):
        return _from_eigenvalues(spectrum.eigenvalues, rhos) / spectrum.n
    if spectrum.cheap:  # a series, whose weights must be found for each rho
        return at_many(spectrum.trace_g, rhos, spectrum.interval) / spectrum.n
    # a factorisation: it interpolates between few values itself
    return np.array([spectrum.trace_g(rho) for rho in rhos]) / spectrum.n


def _from_eigenvalues(
    omega: npt.NDArray[np.float64] | npt.NDArray[np.complex128], rhos: Array
) -> Array:
    """Sums of omega / (1 - rho omega)."""
    size = max(1, _CHUNK // len(omega))
    parts = [
        (omega / (1 - rhos[start : start + size, None] * omega)).sum(axis=1).real
        for start in range(0, len(rhos), size)
    ]
    return np.concatenate(parts)


def mean_row_sum(W: sp.csr_array, spectrum: Spectrum, rhos: Array) -> Array:
    """Mean row sum of G at each rho, shape (draws,): in closed form if all rows of W sum alike."""
    sums = np.asarray(W.sum(axis=1))
    if np.ptp(sums) <= 1e-12 * np.abs(sums).max():
        return np.asarray(sums[0] / (1 - rhos * sums[0]))

    def exact(rho: float) -> float:
        return float((W @ Multiplier(W, rho, spectrum).solve(np.ones(len(sums)))).mean())

    return at_many(exact, rhos, spectrum.interval)


def at_many(
    function: Callable[[float], float], rhos: Array, interval: tuple[float, float]
) -> Array:
    """A function of rho at each value, exactly or by interpolation to about 1e-10.

    The points of each degree contain those of half the degree; the degree is doubled until the
    interpolant was right at all the new points, and the last, which contains them, is used. If that
    does not come about, or would take as many evaluations as there are values, every value is
    exact.
    """
    low, high = interval
    x = np.log((rhos - low) / (high - rhos))
    middle, half = (x.max() + x.min()) / 2, np.ptp(x) / 2
    if half == 0:
        return np.full(rhos.shape, function(float(rhos[0])))
    if len(rhos) <= _DEGREES[1] + 1:
        return _exact(function, rhos)

    def at(node: float) -> float:
        return function(low + (high - low) / (1 + np.exp(-(middle + half * node))))

    nodes = _nodes(_DEGREES[0])
    values = np.array([at(node) for node in nodes])
    for degree in _DEGREES[1:]:
        if degree + 1 >= len(rhos):
            break
        finer = _nodes(degree)
        new = np.array([at(node) for node in finer[1::2]])
        error = np.abs(_barycentric(nodes, values, finer[1::2]) - new).max()
        merged = np.empty(degree + 1)
        merged[::2], merged[1::2] = values, new
        nodes, values = finer, merged
        if error <= _TOLERANCE * np.abs(values).max():
            return _barycentric(nodes, values, (x - middle) / half)
    return _exact(function, rhos)


def _exact(function: Callable[[float], float], rhos: Array) -> Array:
    return np.array([function(float(rho)) for rho in rhos])


def _nodes(degree: int) -> Array:
    """Chebyshev points of the second kind on [-1, 1]; those of half the degree are every other."""
    return np.cos(np.pi * np.arange(degree + 1) / degree)


def _barycentric(nodes: Array, values: Array, points: Array) -> Array:
    """The interpolating polynomial (Berrut and Trefethen 2004, SIAM Review 46, equation 5.4)."""
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] /= 2
    gaps = points[:, None] - nodes
    hit = gaps == 0
    terms = weights / np.where(hit, 1.0, gaps)
    found = terms @ values / terms.sum(axis=1)
    on_node = hit.any(axis=1)
    found[on_node] = values[hit[on_node].argmax(axis=1)]
    return np.asarray(found)
