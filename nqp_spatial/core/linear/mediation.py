"""Indirect effects of a regressor through mediators: least squares, and the errors of a product.

M_j = a_j d + x' g_j + effects + error,   y = c' d + sum_j b_j M_j + x' h + effects + error,

so that d acts on y through M_j by a_j b_j, and c = c' + sum_j a_j b_j exactly is its effect with
the mediators left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.bootstrap import Absorber

Array = npt.NDArray[np.float64]

PRODUCT_TESTS = ("sobel", "goodman-1", "goodman-2")


@dataclass(frozen=True, eq=False)
class Paths:
    """Coefficients of every step, m mediators.

    Attributes
    ----------
    total : float
        c, of d without mediators.
    a : array, shape (m,)
        Of d on each mediator.
    b_single, b_parallel : array, shape (m,)
        Of each mediator on y, beside d: one mediator at a time, and all together.
    """

    total: float
    a: Array
    b_single: Array
    b_parallel: Array


def paths(y: Array, d: Array, M: Array, X: Array, absorb: Absorber) -> Paths | None:
    """All steps by partialling out; shapes (n,), (n,), (n, m), (n, k). None where collinear."""
    within = absorb(np.column_stack([d, X]))
    first = absorb.fit(within, absorb(np.column_stack([y, M])))
    if first is None:
        return None
    slopes, left = first
    u, E = left[:, :1], left[:, 1:]  # what d, x and the effects leave of y and of the mediators
    together = absorb.fit(E, u)
    size = absorb.weight @ E**2
    if together is None:
        return None
    single = (absorb.weight[:, None] * E * u).sum(axis=0) / size
    return Paths(float(slopes[0, 0]), slopes[0, 1:], single, together[0][:, 0])


def product_error(a: float, se_a: float, b: float, se_b: float, test: str) -> float:
    """Standard error of a b: Sobel's to first order; Goodman's add or subtract the product."""
    extra = {"sobel": 0.0, "goodman-1": 1.0, "goodman-2": -1.0}[test]
    variance = (a * se_b) ** 2 + (b * se_a) ** 2 + extra * (se_a * se_b) ** 2
    return float(np.sqrt(variance)) if variance >= 0 else float("nan")
