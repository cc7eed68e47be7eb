"""Observed information: minus the Hessian of the log-likelihood, in all parameters.

For l = -(n/2) ln(2 pi s2) - e'e / (2 s2) + ln of the Jacobians, e = (I - lambda W)(y - rho Wy - Z
delta), the slopes a of -e are (I - lambda W) Z, (I - lambda W) Wy and Wu, u = y - rho Wy - Z delta;
of its second derivatives only those in lambda and another parameter are not zero: WZ and WWy. So

    -l_pq = (a_p'a_q + e'e_pq) / s2 + T' [tr(GG) - c / (1 - rho)^2]   (the latter if p = q = rho),
    -l_ps = a_p'e / s2^2,      -l_ss = e'e / s2^3 - n / (2 s2^2),      s = s2,

and for lambda as for rho. Its mean is the expected information (`information`), where Wy gives way
to its mean g and a trace. Both estimate one matrix if the model is right (Efron and Hinkley 1978,
Biometrika 65, 457-487).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.spatial.likelihood import Scale

Array = npt.NDArray[np.float64]


class Curved(Protocol):
    """What is asked of W: any spectrum has it, and what fixed effects leave of one."""

    def trace_gg(self, rho: float) -> float:
        """tr(G G), minus the second derivative of ln|I - rho W|."""


def curvature(spectrum: Curved, value: float, scale: Scale) -> float:
    """T' [tr(GG) - c / (1 - rho)^2], at rho or lambda."""
    unit = scale.unit_roots / (1 - value) ** 2
    return scale.n_periods * (spectrum.trace_gg(value) - unit)


def information(
    slopes: Array,
    second: Array,
    resid: Array,
    sigma2: float,
    jacobian: Sequence[float],
    scale: Scale,
) -> Array:
    """Minus the Hessian in (delta, rho and lambda as present, sigma2).

    Parameters
    ----------
    slopes : array, shape (rows, k + m)
        Minus the derivatives of the innovations.
    second : array, shape (k + m, k + m)
        e'e_pq.
    resid : array, shape (rows,)
    jacobian : sequence of float, length m
        `curvature` at rho and lambda, as the model has them.
    """
    q = slopes.shape[1]
    found = np.empty((q + 1, q + 1))
    found[:q, :q] = (slopes.T @ slopes + second) / sigma2
    for position, value in enumerate(jacobian, start=q - len(jacobian)):
        found[position, position] += value
    found[:q, -1] = found[-1, :q] = slopes.T @ resid / sigma2**2
    found[-1, -1] = float(resid @ resid) / sigma2**3 - scale.n / (2 * sigma2**2)
    return found


def invert(info: Array) -> Array:
    """The inverse; NaN where the matrix is not positive definite, to rounding.

    Units of the parameters do not decide that: it is judged, and inverted, with a unit diagonal.
    """
    nothing = np.full_like(info, np.nan)
    if not (np.diag(info) > 0).all():
        return nothing
    size = np.outer(root := np.sqrt(np.diag(info)), root)
    values, vectors = np.linalg.eigh(info / size)
    if values[0] <= len(values) * np.finfo(float).eps * values[-1]:
        return nothing
    return np.asarray((vectors / values) @ vectors.T / size)
