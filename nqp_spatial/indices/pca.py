"""Principal-component indices, with the tests of whether the indicators share anything."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import DataError, DataWarning, OptionError
from nqp_spatial.indices.system import IndicatorSystem, check_frame, indicator_columns
from nqp_spatial.language.catalogue import words
from nqp_spatial.results import Calculation, Frame, Named, TestResult
from nqp_spatial.shared.notes import notes_of
from nqp_spatial.shared.options import Positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bartlett:
    """Bartlett's test that the correlation matrix is the identity (nothing to summarise)."""

    statistic: float
    df: int
    pvalue: float


@dataclass(frozen=True, eq=False, repr=False)
class PCAResult(Calculation):
    """A principal-component index and how it came about.

    Attributes
    ----------
    score : Series, shape (nobs,)
        The kept components, each weighted by its share of their variance; mean zero.
    weights : DataFrame
        By indicator: column, direction, and the weight of its standardised value in ``score``.
    loadings : DataFrame, shape (k, n_components)
        Correlations of the indicators (after their direction) with the components.
    coefficients : DataFrame, shape (k, n_components)
        Unit-length eigenvectors: components = standardised indicators @ coefficients.
    components : DataFrame, shape (nobs, n_components)
        Component scores; the variance of each is its eigenvalue.
    explained : DataFrame, shape (k, 3)
        Eigenvalue, share and cumulative share of every component, kept or not.
    kmo : Series, shape (k + 1,)
        Kaiser-Meyer-Olkin measure, ``overall`` first, then by indicator.
    bartlett : Bartlett
    notes : tuple of str
        What the data say that readers must be told.
    """

    what = "Principal-component index"
    citation = (
        "Jolliffe, I. T. (2002). Principal Component Analysis. Springer, ch. 2; Kaiser, H. F. "
        "(1974). An index of factorial simplicity. Psychometrika 39, 31-36."
    )
    score: pd.Series
    weights: pd.DataFrame
    loadings: pd.DataFrame
    coefficients: pd.DataFrame
    components: pd.DataFrame
    explained: pd.DataFrame
    kmo: pd.Series
    bartlett: Bartlett
    notes: tuple[str, ...] = ()

    @property
    def unit_score(self) -> pd.Series:
        """``score`` from 0, its lowest value, to 1, its highest, as logarithms and tables need."""
        low, high = self.score.min(), self.score.max()
        return (self.score - low) / (high - low)

    @property
    def adequacy(self) -> pd.DataFrame:
        """KMO and Bartlett's test as papers print them: index test; statistic, df, pvalue."""
        test = self.bartlett
        return pd.DataFrame(
            {
                "statistic": [float(self.kmo["overall"]), test.statistic],
                "df": [np.nan, test.df],
                "pvalue": [np.nan, test.pvalue],
            },
            index=pd.Index(["KMO", "Bartlett"], name="test"),
        )

    def to_frame(self) -> pd.DataFrame:
        """The index and its components side by side, shape (nobs, 1 + n_components)."""
        return pd.concat([self.score, self.components], axis=1)

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Bartlett's test that the indicators have nothing in common."""
        null, own = "the correlations of the indicators are zero", self.bartlett
        return {"bartlett": TestResult("Bartlett", null, own.statistic, own.df, own.pvalue)}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Weights of the indicators, variance and loadings of the components, their adequacy."""
        frames = {"index-weights": self.weights, "components": self.explained}
        return self._titled(frames | {"loadings": self.loadings, "adequacy": self.adequacy})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Eigenvalues of the components."""
        return Named({"components": self._scree})

    def _scree(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        """Eigenvalues; those above one carry more than one indicator does."""
        from nqp_spatial.plots.lines import Reference, lines

        text = words("components", lang)
        values = self.explained["eigenvalue"].set_axis(range(1, len(self.explained) + 1))
        return lines(
            values.to_frame("estimate"),
            x=text["component"],
            y=text["eigenvalue"],
            band=(),
            reference=[Reference(1.0)],
            kind="marks",
            ax=ax,
            notes=self.notes,
            lang=lang,
        )

    @property
    def headline(self) -> str:
        """Method and size."""
        return (
            f"Principal-component index {self.score.name!r}: {len(self.weights)} indicators, "
            f"{len(self.score)} rows, {self.components.shape[1]} component(s)"
        )

    def _told(self) -> str:
        """Adequacy, variance shares and loadings."""
        test = self.bartlett
        return (
            f"KMO {self.kmo['overall']:.4f}; Bartlett chi2({test.df}) = {test.statistic:.2f}, "
            f"p = {test.pvalue:.4f}\n\n{self.explained.round(4).to_string()}"
            f"\n\n{self.loadings.round(4).to_string()}"
        )


def pca(
    frame: pd.DataFrame,
    directions: IndicatorSystem | Mapping[str, str] | None = None,
    *,
    n_components: Positive = 1,
) -> PCAResult:
    """Index from the principal components of the indicators' correlation matrix [1]_.

    Indicators are centred and scaled to unit variance (divisor n - 1); those with direction
    "negative" change sign, so that more is better. Each component is signed so that it
    correlates positively with the mean of these, which makes the index do so too.

    Parameters
    ----------
    frame : DataFrame, shape (nobs, ...)
        Not changed.
    directions : IndicatorSystem or mapping of column to "positive" or "negative", optional
        Default: every column of ``frame``, all positive.
    n_components : int or float
        An integer: so many components. A share in (0, 1): the fewest that reach it.

    Returns
    -------
    PCAResult

    Raises
    ------
    OptionError
        ``n_components`` is neither.
    DataError
        A column is absent, text, incomplete, infinite or constant, or there is only one.

    Warns
    -----
    DataWarning
        Indicators are collinear, so that KMO and Bartlett's test do not exist (nan).

    References
    ----------
    .. [1] Jolliffe, I. T. (2002). Principal Component Analysis. Springer, ch. 2; Kaiser, H. F.
       (1974). An index of factorial simplicity. Psychometrika 39, 31-36; Bartlett, M. S. (1951).
       The effect of standardization on a chi-square approximation. Biometrika 38, 337-344.
    """
    check_frame(frame)
    if directions is None:
        directions = {column: "positive" for column in frame.columns}
    if not isinstance(directions, IndicatorSystem):
        directions = IndicatorSystem.from_directions(directions)
    z = _standardised(indicator_columns(frame, directions.columns), directions)
    _, singular, rows = np.linalg.svd(z.to_numpy(), full_matrices=False)
    explained = _explained(singular, *z.shape)
    kept = _number(n_components, explained["share"].to_numpy())
    names = pd.Index([f"pc{i + 1}" for i in range(kept)])
    vectors = _signed(rows[:kept].T)
    coefficients = pd.DataFrame(vectors, index=z.columns, columns=names)
    components = z @ coefficients
    share = explained["share"].to_numpy()[:kept] / explained["share"].to_numpy()[:kept].sum()
    kmo, bartlett = _adequacy(z)
    return PCAResult(
        score=(components @ share).rename(directions.name),
        weights=pd.DataFrame(
            {
                "column": directions.columns,
                "direction": list(directions.directions.values()),
                "weight": vectors @ share,
            },
            index=z.columns,
        ),
        loadings=coefficients * np.sqrt(explained["eigenvalue"].to_numpy()[:kept]),
        coefficients=coefficients,
        components=components,
        explained=explained,
        kmo=kmo,
        bartlett=bartlett,
        notes=notes_of(frame),
    )


def _standardised(table: pd.DataFrame, system: IndicatorSystem) -> pd.DataFrame:
    """Mean zero, variance one, more is better; columns named as the indicators."""
    if table.shape[1] < 2:
        raise DataError(
            f"A principal component needs two or more indicators, got {table.shape[1]}."
        )
    sign = np.array([1.0 if i.direction == "positive" else -1.0 for i in system.indicators])
    table = table / table.abs().max()  # squares of any unit stay within floating point
    z = (table - table.mean()) / table.std(ddof=1) * sign
    z.columns = pd.Index([i.name for i in system.indicators], name="indicator")
    return z


def _explained(singular: Array, nobs: int, k: int) -> pd.DataFrame:
    """Eigenvalues of the correlation matrix, which sum to k, and their shares."""
    eigenvalue = np.zeros(k)
    eigenvalue[: len(singular)] = singular**2 / (nobs - 1)
    share = eigenvalue / eigenvalue.sum()
    return pd.DataFrame(
        {"eigenvalue": eigenvalue, "share": share, "cumulative": share.cumsum()},
        index=pd.Index([f"pc{i + 1}" for i in range(k)], name="component"),
    )


def _number(n_components: int | float, share: Array) -> int:
    """How many components to keep."""
    most = int((share > 1e-12).sum())
    if isinstance(n_components, int | np.integer) and not isinstance(n_components, bool):
        if 1 <= n_components <= most:
            return int(n_components)
    elif isinstance(n_components, float) and 0 < n_components < 1:
        return int(np.argmax(share.cumsum() >= n_components - 1e-12)) + 1
    raise OptionError(
        f"n_components={n_components!r} is neither a number of components from 1 to {most} "
        "nor a share of variance between 0 and 1, such as 0.8."
    )


def _signed(vectors: Array) -> Array:
    """Eigenvectors (k, n_components) turned so that each correlates positively with the mean.

    The covariance of a component with the mean indicator is its eigenvalue times the mean of
    its vector; where that is zero up to rounding, the largest element decides.
    """
    total = vectors.sum(axis=0)
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)[0]
    return vectors * np.where(np.where(np.abs(total) > 1e-8, total, largest) < 0, -1.0, 1.0)


def _adequacy(z: pd.DataFrame) -> tuple[pd.Series, Bartlett]:
    """Kaiser-Meyer-Olkin measures and Bartlett's test, nan where the correlations are singular."""
    nobs, k = z.shape
    R = np.corrcoef(z.to_numpy(), rowvar=False)
    df = k * (k - 1) // 2
    labels = pd.Index(["overall", *z.columns], name="indicator")
    if np.linalg.matrix_rank(R) < k:
        warnings.warn(
            "The indicators are collinear: KMO and Bartlett's test are not defined and given as "
            "nan. Remove indicators that are sums or multiples of others to have them.",
            DataWarning,
            stacklevel=3,
        )
        return pd.Series(np.nan, index=labels, name="kmo"), Bartlett(np.nan, df, np.nan)
    inverse = np.linalg.inv(R)
    scale = np.sqrt(np.diag(inverse))
    partial2 = (inverse / np.outer(scale, scale)) ** 2
    r2 = R**2
    np.fill_diagonal(partial2, 0.0)
    np.fill_diagonal(r2, 0.0)
    by_indicator = r2.sum(axis=0) / (r2.sum(axis=0) + partial2.sum(axis=0))
    overall = r2.sum() / (r2.sum() + partial2.sum())
    statistic = -(nobs - 1 - (2 * k + 5) / 6) * np.linalg.slogdet(R)[1]
    kmo = pd.Series([overall, *by_indicator], index=labels, name="kmo")
    return kmo, Bartlett(float(statistic), df, float(stats.chi2.sf(statistic, df)))
