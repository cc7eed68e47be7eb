"""Lagrange multiplier tests of a spatial lag and a spatial error, from arrays to statistics.

Both alternatives are tested at the least-squares fit y = Z delta + e of data free of fixed effects.
With s2 = e'e / n, the scores are

    d_lag = e'Wy / s2 - T' tr(W),    d_error = e'We / s2 - T' tr(W),

and the information that is left once delta and s2 are estimated is

    t = T' tr(WW + W'W) - 2 T'^2 tr(W)^2 / n,    J = (W Z delta)' M (W Z delta) / s2 + t,

M the residual maker of Z (Anselin 1988, chapter 6; Anselin, Le Gallo and Jayet 2008). Then
d_lag^2 / J and d_error^2 / t are chi-squared with one degree of freedom. The robust forms take from
each score what the other predicts of it (Bera and Yoon 1993; Anselin, Bera, Florax and Yoon 1996;
Elhorst 2014, chapter 2):

    (d_lag - d_error)^2 / (J - t),    (d_error - d_lag t / J)^2 / (t - t^2 / J),

and with either robust form the simple one of the other adds up to the joint test. How fixed effects
are removed decides n, T' and the traces (``correction``):

none     demeaned data as if they were data, n = NT, T' = T, tr(W) = 0, and W times demeaned y:
         what splm and Elhorst's programs compute.
lee-yu   the transformation of Lee and Yu (2010): n = N(T-1), (N-1)T or (N-1)(T-1), T' the periods
         left. Where period means were removed the traces are those of W on the space orthogonal
         to a vector of ones, on which a row-normalised W has lost its root one, so tr(W) = -1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spatial.ml import lag, scale_of

Array = npt.NDArray[np.float64]

CORRECTIONS = ("none", "lee-yu")
_NOTHING = 1e-10  # share of a quantity below which what is left of it is rounding


@dataclass(frozen=True)
class LagrangeStatistics:
    """The five statistics, each chi-squared with one degree of freedom but ``joint`` with two.

    NaN where the data cannot tell: all of them if W does nothing that s2 does not do, the robust
    ones and ``joint`` if W Z delta is a combination of the columns of Z.
    """

    lag: float
    error: float
    robust_lag: float
    robust_error: float
    joint: float


def statistics(
    y: Array, Z: Array, W: sp.csr_array, *, effects: str | None, correction: str
) -> LagrangeStatistics:
    """Test the residuals of y on Z for a spatial lag and a spatial error.

    Parameters
    ----------
    y : array, shape (n_periods, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        Regressors (and their lags, if the null has them) before demeaning; of full rank after it.
        With a constant if ``effects`` is None and one is wanted.
    W : sparse array, shape (n_entities, n_entities)
        Zero diagonal; rows that sum to one for "lee-yu" with time or two-way effects.
    effects : {None, "entity", "time", "twoway"}
    correction : {"none", "lee-yu"}
    """
    n_periods, n_entities, k = Z.shape
    basis = np.linalg.qr(demean(Z, effects).reshape(-1, k))[0]
    y_within = demean(y, effects)
    resid = y_within - _projected(basis, y_within)
    g = lag(W, y_within - resid)  # W Z delta
    if correction == "lee-yu":
        g = demean(g, effects)
    scale = scale_of(effects, correction, n_entities, n_periods)
    sigma2 = float((resid**2).sum()) / scale.n
    trace, t, size = _traces(W, scale)
    left = float(((g - _projected(basis, g)) ** 2).sum())
    if sigma2 == 0 or t <= _NOTHING * size:
        return LagrangeStatistics(*(np.nan,) * 5)
    d_lag = float((resid * lag(W, y_within)).sum()) / sigma2 - trace
    d_error = float((resid * lag(W, resid)).sum()) / sigma2 - trace
    seen = left > _NOTHING**2 * float((g**2).sum())
    return _from_scores(d_lag, d_error, left / sigma2 if seen else 0.0, t)


def _from_scores(d_lag: float, d_error: float, left: float, t: float) -> LagrangeStatistics:
    """Statistics from scores and information; ``left`` is J - t."""
    simple_lag, simple_error = d_lag**2 / (left + t), d_error**2 / t
    if left == 0:
        return LagrangeStatistics(simple_lag, simple_error, np.nan, np.nan, np.nan)
    robust_lag = (d_lag - d_error) ** 2 / left
    share = t / (left + t)
    robust_error = (d_error - share * d_lag) ** 2 / (t * left / (left + t))
    return LagrangeStatistics(
        simple_lag, simple_error, robust_lag, robust_error, simple_error + robust_lag
    )


def _projected(basis: Array, values: Array) -> Array:
    """What the columns of Z explain of values of shape (n_periods, n_entities)."""
    return (basis @ (basis.T @ values.ravel())).reshape(values.shape)


def _traces(W: sp.csr_array, scale: Scale) -> tuple[float, float, float]:
    """T' tr(W), t, and T' tr(WW + W'W) before the share of s2 is taken from it."""
    ww, wtw, trace = float(W.multiply(W.T).sum()), float((W.data**2).sum()), 0.0
    if scale.unit_roots:
        column_sums = np.asarray(W.sum(axis=0)).ravel()
        ww, wtw, trace = ww - 1, wtw - float(column_sums @ column_sums) / W.shape[0], -1.0
    trace, size = scale.n_periods * trace, scale.n_periods * (ww + wtw)
    return trace, size - 2 * trace**2 / scale.n, size
