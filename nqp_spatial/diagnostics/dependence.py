"""Dependence between entities that names no weights: tests on the correlations of residuals."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    EstimationError,
    UnbalancedPanelError,
)
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import TestResult
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_NAMES = {
    "cd": "Pesaran CD",
    "lm": "Breusch-Pagan LM",
    "scaled-lm": "Scaled LM",
    "bias-corrected-lm": "Bias-corrected scaled LM",
}
_COMMON = 3  # periods that two entities must share: two points always correlate perfectly


@dataclass(frozen=True)
class DependenceResult(TestResult):
    """A test of cross-section dependence, with the correlations that it is made of.

    Attributes
    ----------
    mean_correlation, mean_absolute_correlation : float
        Over all pairs of entities.
    n_pairs : int
    """

    mean_correlation: float
    mean_absolute_correlation: float
    n_pairs: int


def pesaran_cd(
    resids: pd.Series,
    *,
    test: Literal["cd", "lm", "scaled-lm", "bias-corrected-lm"] = "cd",
) -> DependenceResult:
    r"""Test residuals of a panel for dependence between entities.

    With :math:`r_{ij}` the correlation of the residuals of entities i and j over the
    :math:`T_{ij}` periods that both have (in deviations from their means there), P pairs and N
    entities,

    .. math::
        CD = \sqrt{1/P} \sum \sqrt{T_{ij}} \, r_{ij}, \quad LM = \sum T_{ij} r_{ij}^2, \quad
        LM_s = \sqrt{1/(2P)} \sum (T_{ij} r_{ij}^2 - 1), \quad LM_{bc} = LM_s - \frac{N}{2(T - 1)}

    (Pesaran [1]_; Breusch and Pagan 1980; Pesaran, Ullah and Yamagata 2008; Baltagi, Feng and
    Kao [2]_).

    Parameters
    ----------
    resids : Series
        Indexed by (entity, time), in any row order; entities may lack periods.
    test : {"cd", "lm", "scaled-lm", "bias-corrected-lm"}
        "cd" and the scaled forms are standard normal and two-sided; "lm" is chi-squared with P
        degrees of freedom, for N small beside T. "bias-corrected-lm" is for residuals of a model
        with entity effects, T being the periods of the entity that has most (as plm takes it).

    Returns
    -------
    DependenceResult
        A TestResult (``df`` is 0 for the normal) with ``mean_correlation``,
        ``mean_absolute_correlation`` and ``n_pairs``.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, residuals that do not
        vary, fewer than three periods in common for all pairs.

    Warns
    -----
    DataWarning
        If some pairs have fewer than three periods in common and are therefore left out, or, for
        "cd", if the residuals sum to zero in every period.

    Notes
    -----
    Positive and negative correlations cancel in CD. After period effects residuals sum to zero in
    each period, so that CD is near zero or negative whatever the dependence was [3]_: use residuals
    of a model without period effects, or read ``mean_absolute_correlation``.

    References
    ----------
    .. [1] Pesaran, M. H. (2021). General diagnostic tests for cross-sectional dependence in panels.
       Empirical Economics 60, 13-50 (first as a working paper, 2004).
    .. [2] Baltagi, B. H., Feng, Q. and Kao, C. (2012). A Lagrange multiplier test for cross-section
       dependence in a fixed effects panel data model. Journal of Econometrics 170, 164-177.
    .. [3] Juodis, A. and Reese, S. (2022). The incidental parameters problem in testing for
       remaining cross-section correlation. Journal of Business & Economic Statistics 40, 1191-1203.
    """
    check_option("test", test, _NAMES)
    wide = _wide(resids)
    if test == "cd":
        _warn_of_period_effects(wide)
    correlations, common = _correlations(wide)
    statistic, df = _statistic(test, correlations, common, wide)
    pvalue = stats.chi2(df).sf(statistic) if df else 2 * stats.norm.sf(abs(statistic))
    return DependenceResult(
        name=_NAMES[test],
        null="no correlation between entities",
        statistic=statistic,
        df=df,
        pvalue=float(pvalue),
        mean_correlation=float(correlations.mean()),
        mean_absolute_correlation=float(np.abs(correlations).mean()),
        n_pairs=len(correlations),
    )


def _statistic(test: str, r: Array, common: Array, wide: pd.DataFrame) -> tuple[float, int]:
    """The statistic and its degrees of freedom, 0 for the normal."""
    pairs = len(r)
    if test == "cd":
        return float((np.sqrt(common) * r).sum() / np.sqrt(pairs)), 0
    if test == "lm":
        return float((common * r**2).sum()), pairs
    scaled = float((common * r**2 - 1).sum() / np.sqrt(2 * pairs))
    if test == "scaled-lm":
        return scaled, 0
    return scaled - wide.shape[1] / (2 * (float(wide.count().max()) - 1)), 0


def _wide(resids: pd.Series) -> pd.DataFrame:
    """Periods by entities, NaN where an entity lacks a period; checked."""
    if isinstance(resids, pd.DataFrame):
        raise DataError("resids is a DataFrame. Take one column: frame['resid'].")
    sample = Sample.of_one(resids, "resids")
    wide, (name,) = sample.series().unstack(level=0), sample.names
    if wide.shape[1] < 2:
        raise EstimationError(f"{name!r} has one entity; dependence needs two or more.")
    return wide


def _warn_of_period_effects(wide: pd.DataFrame) -> None:
    """CD of residuals that sum to zero in each period is a constant, whatever the dependence."""
    size = wide.abs().sum(axis=1)
    if (wide.sum(axis=1).abs() <= 1e-9 * size).all():
        warnings.warn(
            "The residuals sum to zero in every period, as they do after period effects: CD is "
            "then about the same whatever the dependence was, and no test. Use the residuals of a "
            "model without period effects, or read mean_absolute_correlation.",
            DataWarning,
            stacklevel=outside(),
        )


def _correlations(wide: pd.DataFrame) -> tuple[Array, Array]:
    """Correlation and common periods of each pair of entities that has enough of them."""
    values = (wide - wide.mean()).to_numpy()
    there = (~np.isnan(values)).astype(float)
    values = np.nan_to_num(values)
    common = there.T @ there
    sums = values.T @ there  # [i, j]: of i over the periods that j has too
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = (values**2).T @ there
        spread = squares - sums**2 / common
        cross = values.T @ values - sums * sums.T / common
        correlations = cross / np.sqrt(spread * spread.T)
    i, j = np.triu_indices(wide.shape[1], 1)
    enough = common[i, j] >= _COMMON
    _check_pairs(wide.columns, i[~enough], j[~enough], int(enough.sum()))
    i, j = i[enough], j[enough]
    flat = spread <= 1e-20 * np.maximum(squares, (wide**2).sum().to_numpy()[:, None])
    constant = np.unique([*i[flat[i, j]], *j[flat[j, i]]]).astype(int)
    if len(constant):
        raise ConstantColumnError(
            f"The residuals of {first(wide.columns[constant])} do not vary over the periods shared "
            "with another entity, so that no correlation is defined. Leave those entities out."
        )
    return correlations[i, j], common[i, j]


def _check_pairs(entities: pd.Index, i: Codes, j: Codes, enough: int) -> None:
    """Warn of pairs that share too few periods; raise if all of them do."""
    if not len(i):
        return
    pairs = first(zip(entities[i], entities[j], strict=True), 3)
    short = f"{len(i)} pairs of entities have fewer than {_COMMON} periods in common, first {pairs}"
    if not enough:
        raise UnbalancedPanelError(f"All {short}. Correlations need longer series.")
    warnings.warn(f"{short}: they are left out of the test.", DataWarning, stacklevel=outside())
