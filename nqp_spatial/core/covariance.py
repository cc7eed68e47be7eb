"""Covariance of maximum likelihood estimates from the information matrix.

For theta = (delta, rho, sigma2) of the spatial lag model (Lee and Yu 2010, equation 13; Elhorst
2014, equation 3.13), with G = W (I - rho W)^-1 and g the expected Wy free of fixed effects,

    I = [ Z'Z / s2     Z'g / s2                          0            ]
        [ g'Z / s2     g'g / s2 + T' tr(GG + G'G)        T' tr(G) / s2 ]
        [ 0            T' tr(G) / s2                     n / (2 s2^2)  ].

When period effects were removed with a row-normalised W, the traces are those of G on the space
orthogonal to the vector of ones, on which G has lost the eigenvalue 1 / (1 - rho).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.likelihood import Scale
from nqp_spatial.core.multiplier import Multiplier
from nqp_spatial.core.spectrum import Spectrum

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Traces:
    """tr(G) and tr(GG + G'G) per period."""

    g: float
    gg_gtg: float


def traces(spectrum: Spectrum, multiplier: Multiplier, scale: Scale) -> Traces:
    """Traces of G, on the space left when ``scale.unit_roots`` period means are removed."""
    rho = multiplier.rho
    g, gg, gtg = spectrum.trace_g(rho), spectrum.trace_gg(rho), spectrum.trace_gtg(rho)
    if scale.unit_roots:
        root = 1 / (1 - rho)
        ones = np.ones(spectrum.n)
        column_sums = multiplier.apply_g_transposed(ones)
        g, gg = g - root, gg - root**2
        gtg -= float(column_sums @ column_sums) / spectrum.n
    return Traces(g, gg + gtg)


def information(Z: Array, g: Array, sigma2: float, traces: Traces, scale: Scale) -> Array:
    """Information matrix of (delta, rho, sigma2), shape (k + 2, k + 2)."""
    k = Z.shape[1]
    info = np.zeros((k + 2, k + 2))
    info[:k, :k] = Z.T @ Z / sigma2
    info[:k, k] = info[k, :k] = Z.T @ g / sigma2
    info[k, k] = g @ g / sigma2 + scale.n_periods * traces.gg_gtg
    info[k, k + 1] = info[k + 1, k] = scale.n_periods * traces.g / sigma2
    info[k + 1, k + 1] = scale.n / (2 * sigma2**2)
    return info


def invert(info: Array) -> Array:
    """Inverse of an information matrix whose entries differ by orders of magnitude.

    NaN where the matrix is not positive definite, as at the edge of the interval of rho.
    """
    if not (np.diag(info) > 0).all():
        return np.full_like(info, np.nan)
    scale = 1 / np.sqrt(np.diag(info))
    scaled = np.linalg.inv(info * np.outer(scale, scale))
    inverse = scaled * np.outer(scale, scale)
    return np.asarray(0.5 * (inverse + inverse.T))


def correct_twoway(
    delta: Array, rho: float, sigma2: float, cov: Array, n_periods: int
) -> tuple[Array, float, float]:
    """Analytic bias correction of the direct two-way estimate.

    Removing period effects shifts the score by a = (0, 1 / (1 - rho), 1 / (2 s2)) per period, so
    that the estimate moves by T cov a; s2 is then scaled by T / (T - 1) for the entity effects
    (Lee and Yu 2010, J. Econometrics 154, theorem 4; Elhorst 2014, equation 3.22).

    Parameters
    ----------
    delta : array, shape (k,)
    cov : array, shape (k + 2, k + 2)
        Covariance of (delta, rho, sigma2) from the direct approach.
    """
    k = len(delta)
    bias = np.zeros(k + 2)
    bias[k], bias[k + 1] = 1 / (1 - rho), 1 / (2 * sigma2)
    shift = n_periods * cov @ bias
    corrected = (sigma2 + shift[k + 1]) * n_periods / (n_periods - 1)
    return delta + shift[:k], float(rho + shift[k]), float(corrected)


def apply_g(W: sp.csr_array, multiplier: Multiplier, values: Array) -> Array:
    """G applied to each period of ``values``, shape (n_periods, n_entities)."""
    return np.asarray((W @ multiplier.solve(values.T)).T)
