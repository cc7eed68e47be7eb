"""Expected and observed information of the random-effects models, and their inverses.

For normal y with mean m and covariance Omega the information of two parameters a, b is
m_a' Omega^-1 m_b + (1/2) tr(Omega^-1 Omega_a Omega^-1 Omega_b). With the symbols of
`random_effects`, G = W A^-1, H = W B^-1, V = (B'B)^-1, a = 1 + T phi, and Sigma the covariance of v
over s2,

    delta, rho    [Z, g]' Sigma^-1 [Z, g] / s2, with g_t = G Z_t delta, plus the terms below;

"kkp", and any model without a spatial error:

    rho, rho      T tr(GG + G'G)        lambda, lambda   T tr(HH + H'H)
    rho, lambda   T tr(GH + G'H)        lambda, phi      (T/a) tr(H)
    rho, phi      (T/a) tr(G)           lambda, s2       T tr(H) / s2
    rho, s2       T tr(G) / s2          phi, phi         N T^2 / (2 a^2)
    s2, s2        N T / (2 s2^2)        phi, s2          N T / (2 a s2);

"baltagi", with D = dB'B / d lambda, P = D V and Q = (I + T phi B'B)^-1 P:

    rho, rho      T tr(GG) + (T-1) tr(G'G) + tr(G' M^-1 G M)
    rho, lambda   -(T-1) tr(G'P) - tr(G'Q)      lambda, lambda   [(T-1) tr(PP) + tr(QQ)] / 2
    rho, phi      T tr(G' M^-1)                 lambda, phi      -(T/2) tr(M^-1 Q)
    phi, phi      T^2 tr(M^-1 M^-1) / 2         lambda, s2       -[(T-1) tr(P) + tr(Q)] / (2 s2)
    phi, s2       T tr(M^-1) / (2 s2).

Observed is minus the Hessian. With S the metric of v, so that q = v'Sv, a = [Z, Wy] the slopes of
-v and tau = ln(1 + T phi) in place of phi, whose score is zero at the estimate,

    delta, rho    a'Sa / s2, and T tr(GG) for rho, rho
    with lambda   -a'S_l v / s2          with tau   -a'S_t v / s2          with s2   a'Sv / s2^2
    lambda, tau   minus the derivatives of the score, by central differences of fourth order
    s2            -q_l / (2 s2^2), -q_t / (2 s2^2), q / s2^3 - NT / (2 s2^2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.information import invert
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spatial.observed import invert as invert_observed
from nqp_spatial.core.spatial.random_moments import Columns
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]

NAMES = ("rho", "lambda", "phi", "sigma2")


class Point(NamedTuple):
    """Values of the parameters; tau = ln(1 + T phi)."""

    delta: Array
    rho: float
    lambda_: float
    tau: float
    sigma2: float


def covariance(
    point: Point,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    form: str,
    names: tuple[str, ...],
    at_bound: tuple[str, ...],
    *,
    y: Array | None = None,
) -> Array:
    """Inverse information of (delta, ``names``), NaN for what is at its bound.

    With phi at its bound the other parameters have the covariance of the model without it. At a
    bound of rho or lambda the score is not zero, and the information says nothing of any of them.

    Parameters
    ----------
    Z : array, shape (n_periods, n_entities, k)
    W : sparse array, shape (n_entities, n_entities)
        The "baltagi" form makes dense arrays of this size.
    y : array, shape (n_periods, n_entities), optional
        For the observed information, NaN where it is not positive definite; the expected one
        without it.
    """
    k = Z.shape[2]
    out = np.full((k + len(names),) * 2, np.nan)
    if {"rho", "lambda"} & set(at_bound):
        return out
    present = {"lag": "rho" in names, "error": "lambda" in names}
    if y is None:
        info = information(point, Z, W, spectrum, form, **present)
    else:
        info = observed(point, y, Z, W, spectrum, form, **present, phi="phi" not in at_bound)
    kept = [*range(k), *(k + NAMES.index(name) for name in names if name not in at_bound)]
    to = [*range(k), *(k + j for j, name in enumerate(names) if name not in at_bound)]
    inverse = invert if y is None else invert_observed
    out[np.ix_(to, to)] = inverse(info[np.ix_(kept, kept)])
    return out


def information(
    point: Point,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    form: str,
    *,
    lag: bool,
    error: bool,
) -> Array:
    """Expected information of (delta, rho, lambda, phi, sigma2), shape (k + 4, k + 4).

    Rows of rho without ``lag``, and of lambda without ``error``, are not meant to be used.
    """
    n_periods, _, k = Z.shape
    g = np.zeros(Z.shape[:2])
    if lag:
        multiplier = Multiplier(W, point.rho)
        g = (W @ multiplier.solve((Z @ point.delta).T)).T
    columns = Columns(np.concatenate([Z, g[..., None]], axis=2), W, form)
    moments = columns.moments(point.lambda_, point.tau, derivatives=False)
    if form == "kkp":
        traces = _filtered_effects(point, spectrum, n_periods, lag=lag, error=error)
    else:
        traces = _unfiltered_effects(point, W, n_periods, lag=lag)
    info = np.zeros((k + 4, k + 4))
    info[: k + 1, : k + 1] = moments.gram / point.sigma2
    info[k:, k:] += traces
    return info


def observed(
    point: Point,
    y: Array,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    form: str,
    *,
    lag: bool,
    error: bool,
    phi: bool,
) -> Array:
    """Minus the Hessian in (delta, rho, lambda, phi, sigma2), shape (k + 4, k + 4).

    Rows of rho without ``lag``, of lambda without ``error``, and of phi at its bound are not meant
    to be used.
    """
    n_periods, n, k = Z.shape
    s2 = point.sigma2
    columns = Columns(np.concatenate([Z, np.stack([(W @ y.T).T, y], axis=-1)], axis=2), W, form)
    v = np.append(-point.delta, [-point.rho, 1.0])
    here = columns.moments(point.lambda_, point.tau)
    found = np.zeros((k + 4, k + 4))
    found[: k + 1, : k + 1] = here.gram[:-1, :-1] / s2
    if lag:
        found[k, k] += n_periods * spectrum.trace_gg(point.rho)
    slopes = (here.d_lambda, here.d_tau)
    for place, slope in enumerate(slopes, start=k + 1):
        found[: k + 1, place] = -slope[:-1] @ v / s2
        found[place, k + 3] = -(v @ slope @ v) / (2 * s2**2)
    found[: k + 1, k + 3] = here.gram[:-1] @ v / s2**2
    found[k + 3, k + 3] = v @ here.gram @ v / s2**3 - n * n_periods / (2 * s2**2)

    def score(lambda_: float, tau: float) -> Array:
        """Of (lambda, tau), but for T ln|B|."""
        at = columns.moments(lambda_, tau)
        of_lambda = -0.5 * at.logdet_lambda - v @ at.d_lambda @ v / (2 * s2)
        return np.array([of_lambda, -0.5 * (at.logdet_tau + n) - v @ at.d_tau @ v / (2 * s2)])

    inner = np.zeros((2, 2))
    low, high = spectrum.interval
    room = min(point.lambda_ - low, high - point.lambda_)
    steps = (min(1e-3 * (high - low), 0.2 * room), min(1e-3, 0.2 * point.tau))
    for j, present in enumerate((error, phi)):
        if present:
            inner[j] = -_derivative(score, (point.lambda_, point.tau), j, steps[j])
    found[k + 1 : k + 3, k + 1 : k + 3] = (inner + inner.T) / 2 if error and phi else inner
    if error:
        found[k + 1, k + 1] += n_periods * spectrum.trace_gg(point.lambda_)
    found = np.triu(found) + np.triu(found, 1).T
    per_phi = n_periods * np.exp(-point.tau)  # d tau / d phi
    found[k + 2] *= per_phi
    found[:, k + 2] *= per_phi
    return np.asarray(found)


def _derivative(
    function: Callable[[float, float], Array], at: tuple[float, float], place: int, step: float
) -> Array:
    """Of both values in one coordinate; the error is of order step^4."""
    unit = step * np.eye(2)[place]
    one, two = (function(*(at + m * unit)) - function(*(at - m * unit)) for m in (1, 2))
    return np.asarray((8 * one - two) / (12 * step))


def _filtered_effects(
    point: Point, spectrum: Spectrum, n_periods: int, *, lag: bool, error: bool
) -> Array:
    """Trace terms of (rho, lambda, phi, sigma2) for mu inside the error, or no spatial error."""
    n, s2 = spectrum.n, point.sigma2
    a = np.exp(point.tau)
    out = np.zeros((4, 4))
    for row, (rho, present) in enumerate(((point.rho, lag), (point.lambda_, error))):
        if present:
            out[row, row] = n_periods * (spectrum.trace_gg(rho) + spectrum.trace_gtg(rho))
            g = n_periods * spectrum.trace_g(rho)
            out[row, 2:] = out[2:, row] = g / a, g / s2
    if lag and error:
        both = point.rho, point.lambda_
        cross = spectrum.trace_gg(*both) + spectrum.trace_gtg(*both)
        out[0, 1] = out[1, 0] = n_periods * cross
    out[2, 2] = n * n_periods**2 / (2 * a**2)
    out[2, 3] = out[3, 2] = n * n_periods / (2 * a * s2)
    out[3, 3] = n * n_periods / (2 * s2**2)
    return out


def _unfiltered_effects(point: Point, W: sp.csr_array, n_periods: int, *, lag: bool) -> Array:
    """Trace terms of (rho, lambda, phi, sigma2) for mu outside the spatial error."""
    T, n, s2, t_phi = n_periods, W.shape[0], point.sigma2, np.expm1(point.tau)
    dense, identity = W.toarray(), np.eye(W.shape[0])
    B = identity - point.lambda_ * dense
    BtB, BtW = B.T @ B, B.T @ dense
    V = np.linalg.inv(BtB)
    P = -(BtW + BtW.T) @ V
    Q = np.linalg.solve(identity + t_phi * BtB, P)
    M_inverse = np.linalg.solve(identity + t_phi * BtB, BtB)
    out = np.zeros((4, 4))
    if lag:
        G = np.linalg.solve((identity - point.rho * dense).T, dense.T).T
        filtered = M_inverse @ G
        out[0, 0] = T * _trace(G, G) + (T - 1) * (G * G).sum()
        out[0, 0] += t_phi * (G * filtered).sum() + (G * (filtered @ V)).sum()
        out[0, 1] = -(T - 1) * (G * P).sum() - (G * Q).sum()
        out[0, 2:] = T * (G * M_inverse).sum(), T * np.trace(G) / s2
    out[1, 1] = 0.5 * ((T - 1) * _trace(P, P) + _trace(Q, Q))
    out[1, 2] = -0.5 * T * _trace(M_inverse, Q)
    out[1, 3] = -((T - 1) * np.trace(P) + np.trace(Q)) / (2 * s2)
    out[2, 2] = 0.5 * T**2 * _trace(M_inverse, M_inverse)
    out[2, 3] = 0.5 * T * np.trace(M_inverse) / s2
    out[3, 3] = n * T / (2 * s2**2)
    return np.asarray(np.triu(out) + np.triu(out, 1).T)


def _trace(left: Array, right: Array) -> float:
    """tr(left @ right)."""
    return float((left * right.T).sum())
