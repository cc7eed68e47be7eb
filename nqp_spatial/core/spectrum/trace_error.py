"""Error of tr(G) where it is estimated from random probes."""

from __future__ import annotations

import copy

import numpy as np

from nqp_spatial.core.spectrum.eigen import SeriesSpectrum, Spectrum


def trace_g_error(spectrum: Spectrum, rho: float) -> float:
    """Standard error of ``spectrum.trace_g(rho)`` plus the terms left out; zero if it is exact.

    tr(G) is a weighted sum of traces of powers of W, so the same sum of each probe's deviations
    gives its standard error. With t = |rho| R, R the radius of the eigenvalues, and K the highest
    order, the weights beyond it sum to R t^K / (1 - t) for powers and to 2 R r^(K+1) / [t (1 - r)
    sqrt(1 - t^2)], r = (1 - sqrt(1 - t^2)) / t, for Chebyshev polynomials; the traces beyond it are
    judged by the largest of the last four.
    """
    if not isinstance(spectrum, SeriesSpectrum):  # exact, or made of approximate parts: not known
        return 0.0 if spectrum.error(rho) == 0 else np.nan
    means, deviations = spectrum.moments
    probe = copy.copy(spectrum)
    sampled = []
    for row in deviations:
        probe.__dict__["moments"] = (row, deviations)
        sampled.append(probe.trace_g(rho))
    beyond = _weights_beyond(spectrum, rho) * float(np.abs(means[-4:]).max())
    return float(np.linalg.norm(sampled)) + beyond


def _weights_beyond(spectrum: SeriesSpectrum, rho: float) -> float:
    radius, order = 1 / spectrum.interval[1], spectrum.order
    t = abs(rho) * radius
    if t == 0:
        return 0.0
    if spectrum.method != "chebyshev":
        return radius * t**order / (1 - t)
    root = np.sqrt(1 - t**2)
    r = (1 - root) / t
    return float(2 * radius * r ** (order + 1) / (t * (1 - r) * root))
