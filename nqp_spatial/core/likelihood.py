"""Concentrated Gaussian likelihoods of spatial panel models.

For a spatial lag of y, with y, Wy and the regressors Z already free of fixed effects,

    l(rho) = -(n/2) [ln(2 pi) + 1 + ln s2(rho)] + T' [ln|I - rho W| - c ln(1 - rho)],
    s2(rho) = (e0 - rho ed)'(e0 - rho ed) / n,

where e0 and ed are the residuals of y and of Wy on Z (Anselin, Le Gallo and Jayet 2008; Elhorst
2014, section 3.3), n and T' count the observations and periods left by the correction, and c is 1
when a row-normalised W has lost its unit eigenvalue to the removal of period effects (Lee and Yu
2010, section 3). Z is regressed on once, so that a search over rho costs only log-determinants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.optimize import brentq, minimize_scalar

from nqp_spatial.core.spectrum import Spectrum

Array = npt.NDArray[np.float64]

EXACT = 1e-20  # share of the sum of squares below which nothing is left to explain
_GRID = 41  # points at which the profile is looked at before the search, if that is cheap


@dataclass(frozen=True)
class Scale:
    """What a correction leaves: n observations, T' periods; c unit roots are gone."""

    n: int
    n_periods: int
    unit_roots: int = 0


@dataclass(frozen=True)
class LagOptimum:
    """Maximum of the likelihood of a model with a spatial lag of y.

    Attributes
    ----------
    delta : array, shape (k,)
        Coefficients of Z.
    rho, sigma2, loglik : float
    at_bound : bool
        Whether the search ended at the edge of the admissible interval.
    """

    delta: Array
    rho: float
    sigma2: float
    loglik: float
    at_bound: bool


def log_jacobian(spectrum: Spectrum, scale: Scale, rho: float) -> float:
    """T' [ln|I - rho W| - c ln(1 - rho)]."""
    unit = scale.unit_roots * np.log1p(-rho) if scale.unit_roots else 0.0
    return scale.n_periods * (spectrum.logdet(rho) - unit)


def maximise_lag(y: Array, wy: Array, Z: Array, spectrum: Spectrum, scale: Scale) -> LagOptimum:
    """Maximum likelihood of ``y = rho Wy + Z delta + e``.

    Parameters
    ----------
    y, wy : array, shape (rows,)
        Free of fixed effects; rows may exceed ``scale.n``, which counts what is independent.
    Z : array, shape (rows, k)
        Of full column rank.
    spectrum : Spectrum of W, shape (n_entities, n_entities)
    scale : Scale

    Returns
    -------
    LagOptimum
        With ``sigma2`` zero and no coefficients if Wy and Z fit y exactly: either y has no error,
        or Wy is a multiple of y, so that rho is not identified.
    """
    Q, R = np.linalg.qr(Z)
    e0, ed = y - Q @ (Q.T @ y), wy - Q @ (Q.T @ wy)
    # e0 - rho ed = (e0 - r ed) - (rho - r) ed, two orthogonal parts: no cancellation in the square
    c = float(ed @ ed)
    r = float(e0 @ ed) / c if c > 0 else 0.0
    least = float(np.square(e0 - r * ed).sum())
    if least <= EXACT * float(y @ y):
        return LagOptimum(np.full(Z.shape[1], np.nan), r, 0.0, np.inf, at_bound=False)

    def ssr(rho: float) -> float:
        return least + (rho - r) ** 2 * c

    def loglik(rho: float) -> float:
        s2 = ssr(rho) / scale.n
        constant = np.log(2 * np.pi) + 1 + np.log(s2)
        return -0.5 * scale.n * constant + log_jacobian(spectrum, scale, rho)

    def score(rho: float) -> float:
        unit = scale.unit_roots / (1 - rho) if scale.unit_roots else 0.0
        return scale.n * (r - rho) * c / ssr(rho) - scale.n_periods * (spectrum.trace_g(rho) - unit)

    rho, at_bound = _search(loglik, score, spectrum)
    delta = solve_triangular(R, Q.T @ (y - rho * wy))
    return LagOptimum(delta, rho, ssr(rho) / scale.n, loglik(rho), at_bound)


def _search(loglik, score, spectrum: Spectrum) -> tuple[float, bool]:  # type: ignore[no-untyped-def]
    """Maximise over the admissible interval: bracket, Brent, then the root of the score."""
    low, high = spectrum.interval
    edge = 1e-9 * (high - low)
    low, high = low + edge, high - edge
    left, right = low, high
    cheap = spectrum.method == "eigenvalues"
    if cheap:  # the profile need not be concave: start from the best of a grid
        grid = np.linspace(low, high, _GRID)
        best = int(np.argmax([loglik(rho) for rho in grid]))
        left, right = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    found = minimize_scalar(
        lambda rho: -loglik(rho), bounds=(left, right), method="bounded", options={"xatol": 1e-10}
    )
    rho = float(found.x)
    if cheap:
        step = 1e-4 * (high - low)
        a, b = max(rho - step, low), min(rho + step, high)
        if score(a) > 0 > score(b):
            rho = float(brentq(score, a, b, xtol=1e-15, rtol=1e-14))
    margin = 1e-5 * (high - low)
    return rho, bool(rho - low < margin or high - rho < margin)
