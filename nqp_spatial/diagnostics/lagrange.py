"""Which spatial model the residuals of a model without spatial interaction ask for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import nqp_spatial.panel.lags as _lags
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import lagrange
from nqp_spatial.core.spatial.ml import scale_of
from nqp_spatial.exceptions import DataWarning, EstimationError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import TestResult
from nqp_spatial.shared.options import Effects, check_options

Array = npt.NDArray[np.float64]

_TESTS = {
    "lag": ("LM lag", "hypotheses.lag"),
    "error": ("LM error", "hypotheses.error"),
    "robust_lag": ("Robust LM lag", "hypotheses.lag_beside_error"),
    "robust_error": ("Robust LM error", "hypotheses.error_beside_lag"),
    "joint": ("LM lag and error", "hypotheses.lag_and_error"),
}


def lm_tests(
    y: pd.Series,
    x: pd.DataFrame,
    graph: Any,
    *,
    effects: Effects | None = "twoway",
    durbin: Sequence[str] | None = (),
    correction: Literal["none", "lee-yu"] = "lee-yu",
) -> dict[str, TestResult]:
    r"""Lagrange multiplier tests of a spatial lag and a spatial error in a panel.

    The null is the model without either, estimated by least squares. With residuals e of data free
    of fixed effects, :math:`s^2 = e'e / NT` and :math:`t = T \, tr(WW + W'W)`,

    .. math::
        LM_{lag} = \frac{(e'Wy / s^2)^2}{J}, \quad LM_{error} = \frac{(e'We / s^2)^2}{t}, \quad
        J = \frac{(W Z \delta)' M_Z (W Z \delta)}{s^2} + t,

    and the robust forms test each while the other may be there locally [1]_ [2]_; see
    ``core/lagrange.py`` for them.

    Parameters
    ----------
    y : Series, shape (n_entities * n_periods,)
        Outcome, indexed by (entity, time) in any row order.
    x : DataFrame, shape (n_entities * n_periods, k)
        Regressors on the same index.
    graph : libpysal Graph or W, or (matrix, ids)
        Weights on exactly the entities of the panel; matched by label, taken as they are.
    effects : {"twoway", "entity", "time", None}
        Fixed effects. With None a constant is estimated.
    durbin : sequence of str
        Regressors whose spatial lag is in the null too, None for all: tests of SLX against SDM
        ("lag") and SDEM ("error"). The robust forms are weak there: they rest on W(WX), whose
        coefficient vanishes with theta.
    correction : {"lee-yu", "none"}
        "lee-yu" tests what is left after the transformation of Lee and Yu [3]_ and has the right
        size; it needs a row-normalised W with time or two-way effects. "none" takes demeaned data
        as they are, and W times demeaned y, as splm and Elhorst [2]_ do: with it the values of
        other programs come out, but it rejects too often (see Notes). Without fixed effects both
        are the same.

    Returns
    -------
    dict of str to TestResult
        "lag", "error", "robust_lag", "robust_error" (chi-squared, 1 df) and "joint" (2 df, LM error
        and robust LM lag). `tests_frame` makes the table.

    Raises
    ------
    DataError
        Whatever is wrong with the data, by its own class and with labels.
    NotRowNormalisedError
        For "lee-yu" with time or two-way effects and rows of W that do not sum to one.
    EstimationError
        If no degrees of freedom are left, the regressors fit y exactly, or W has no pattern.

    Warns
    -----
    DroppedLagWarning
        If a lag of ``durbin`` is collinear once the fixed effects are removed.
    DataWarning
        If lag and error cannot be told apart: robust forms and joint are then NaN.

    Notes
    -----
    Demeaned residuals are fewer than NT, and deviations from period means sum to zero, so that
    e'We has the mean -s2 T with a row-normalised W. Share of rejections at 5 % on a 7 x 7 lattice
    without spatial dependence, LM lag and LM error of 20,000 panels each (Monte-Carlo error 0.15):

    ========  ==========  ==========  ==========
    effects   T = 5       T = 10      T = 30
    ========  ==========  ==========  ==========
    none      5.2   5.1   4.8   5.2   4.9   5.0
    entity    7.8   8.1   6.3   6.5   5.5   5.3
    time      6.3   6.6   7.3   8.9   13.0  17.5
    twoway    8.8   9.5   8.8   10.1  13.3  18.1
    ========  ==========  ==========  ==========

    That is "none". With "lee-yu" all of them, the robust forms and the joint test are between 4.6
    and 5.3.

    References
    ----------
    .. [1] Anselin, L., Le Gallo, J. and Jayet, H. (2008). Spatial panel econometrics. In Matyas and
       Sevestre, The Econometrics of Panel Data, 3rd ed., Springer, chapter 19.
    .. [2] Elhorst, J. P. (2014). Spatial Econometrics. Springer, chapters 2 and 3.
    .. [3] Lee, L. F. and Yu, J. (2010). Estimation of spatial autoregressive panel data models
       with fixed effects. Journal of Econometrics 154, 165-185.
    """
    check_options(lm_tests, effects=effects, correction=correction)
    design = Design.of(Sample.of(y=y, x=x, needs=["x"]), graph)
    design.check_rank(effects)
    if correction == "lee-yu" and effects in ("time", "twoway"):
        otherwise = "effects='entity', or correction='none'"
        _lags.check_row_normalised(design, "correction='lee-yu'", effects, otherwise)
    wanted = _lags.durbin_names(durbin, design.x_names)
    lagged = _lags.identified(design, wanted, effects)
    Z = _lags.regressors(design, lagged, effects)
    _check_degrees(design, Z, effects)
    found = lagrange.statistics(design.y, Z, design.W, effects=effects, correction=correction)
    _check_found(found)
    return {
        key: _result(name, note(null), getattr(found, key), df=2 if key == "joint" else 1)
        for key, (name, null) in _TESTS.items()
    }


def tests_frame(tests: Mapping[str, TestResult]) -> pd.DataFrame:
    """Several tests as a table.

    Returns
    -------
    DataFrame
        Index test; columns name, statistic, df, pvalue, null.
    """
    columns = ["name", "statistic", "df", "pvalue", "null"]
    rows = [[getattr(test, column) for column in columns] for test in tests.values()]
    return pd.DataFrame(rows, index=pd.Index(list(tests), name="test"), columns=columns)


def _result(name: str, null: str, statistic: float, *, df: int) -> TestResult:
    return TestResult(name, null, statistic, df, float(stats.chi2(df).sf(statistic)))


def _check_degrees(design: Design, Z: Array, effects: str | None) -> None:
    left = scale_of(effects, "lee-yu", design.n_entities, design.n_periods).n
    k = Z.shape[-1]
    if left <= k:
        raise EstimationError(
            f"{left} observations are left by the {effects} effects for {k} coefficients. "
            "Use fewer regressors (durbin=[...]) or fewer effects."
        )
    y_within, Z_within = demean(design.y, effects).ravel(), demean(Z, effects).reshape(-1, k)
    basis = np.linalg.qr(Z_within)[0]
    resid = y_within - basis @ (basis.T @ y_within)
    if float(resid @ resid) <= 1e-20 * float(y_within @ y_within):
        raise EstimationError(
            f"The regressors fit {design.dependent!r} exactly, so that no residual is left to "
            "test. Is the outcome among the regressors, or built from them?"
        )


def _check_found(found: lagrange.LagrangeStatistics) -> None:
    if np.isnan(found.error):
        raise EstimationError(
            "The weights tell no pair of entities from another once the fixed effects are removed "
            "(equal weights among all?), so that nothing can be tested. Give W a cutoff."
        )
    if np.isnan(found.robust_lag):
        warnings.warn(
            "W times the fitted values is a combination of the regressors, so that a spatial lag "
            "cannot be told from a spatial error: the robust and joint tests are NaN.",
            DataWarning,
            stacklevel=3,
        )
