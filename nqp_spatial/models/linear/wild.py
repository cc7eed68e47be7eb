"""The wild cluster bootstrap test of a coefficient: a p-value and an interval for few clusters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import wild as core
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import note, word
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.linear.least_squares import LeastSquaresResults
from nqp_spatial.models.scores import Prepared, Rows, cluster_codes
from nqp_spatial.results import Calculation, Frame, Named, TestResult, Tests
from nqp_spatial.shared.options import (
    Between,
    Level,
    Seed,
    check_level,
    check_option,
    check_options,
    whole,
)
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_FEW = 10  # clusters with the policy, or without it, below which the test is doubtful


@dataclass(frozen=True, eq=False, repr=False)
class WildBootstrap(Calculation):
    """A wild cluster bootstrap test of one coefficient.

    Attributes
    ----------
    variable : str
    table : DataFrame, one row, index variable
        ``estimate``; ``null``, the value tested; ``statistic``, t of the data with clustered
        errors; ``pvalue`` of the bootstrap; ``lower`` and ``upper``, all values that are not
        rejected; ``pvalue_t``, what t with one degree of freedom less than clusters would say;
        ``clusters``, ``draws``.
    drawn : array, shape (draws,)
        t of the draws under the value tested.
    notes : tuple of str
        How many draws of what kind, and where the test is doubtful.
    """

    what: ClassVar[str] = "Wild cluster bootstrap"
    citation: ClassVar[str] = (
        "Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for "
        "inference with clustered errors. Review of Economics and Statistics 90, 414-427.\n"
        "Roodman, D., MacKinnon, J. G., Nielsen, M. O. and Webb, M. D. (2019). Fast and wild: "
        "bootstrap inference in Stata using boottest. Stata Journal 19, 4-60."
    )

    variable: str
    table: pd.DataFrame
    drawn: Array
    notes: tuple[str, ...] = ()

    @property
    def pvalue(self) -> float:
        """Of the bootstrap."""
        return float(self.table["pvalue"].iloc[0])

    @property
    def statistic(self) -> float:
        """T of the data."""
        return float(self.table["statistic"].iloc[0])

    def conf_int(self) -> tuple[float, float]:
        """All values of the coefficient that are not rejected."""
        lower, upper = self.table[["lower", "upper"]].iloc[0]
        return float(lower), float(upper)

    def to_frame(self) -> pd.DataFrame:
        """The test in a row."""
        return self.table

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """The test, whose distribution is that of the draws."""
        row = self.table.iloc[0]
        null = note("wild.null", variable=self.variable, value=f"{row['null']:g}")
        df = (1.0, float(row["clusters"] - 1))
        return Tests({"wild": TestResult(self.what, null, self.statistic, df, self.pvalue)})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The test in a row."""
        return self._titled({"wild-bootstrap": self.table})

    @property
    def facts(self) -> Mapping[str, float]:
        """The numbers of the row."""
        return {str(name): float(value) for name, value in self.table.iloc[0].items()}

    @property
    def headline(self) -> str:
        """Of what."""
        return f"{self.what}: {self.variable}"

    def _told(self) -> str:
        return format_frame(self.table)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The law of t under the value tested, and t of the data."""
        return Named({"draws": self._law})

    def _law(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.style import COLOURS, drawing

        drawn = self.drawn[np.isfinite(self.drawn)]
        with drawing(ax, (5.2, 3.2), self.notes, lang) as ax:
            weights = np.full(len(drawn), 1 / len(drawn))
            ax.hist(drawn, bins=40, weights=weights, color=COLOURS[0], alpha=0.5, lw=0)
            label = word("wild.data", lang)
            ax.axvline(self.statistic, color=COLOURS[1], lw=1.4, label=label)
            ax.set_xlabel(word("wild.t", lang).format(variable=self.variable))
            ax.set_ylabel(word("wild.share", lang))
            ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3)
        return ax


def wild_bootstrap(
    res: LeastSquaresResults,
    variable: str | None = None,
    *,
    null: float = 0.0,
    clusters: Any = None,
    weights: Literal["rademacher", "webb", "mammen"] = "rademacher",
    impose_null: bool = True,
    tail: Literal["symmetric", "equal"] = "symmetric",
    draws: Annotated[int, Between(99)] = 9999,
    level: Level = 0.95,
    seed: Seed = 0,
) -> WildBootstrap:
    """Test of a coefficient by the wild cluster bootstrap, for few clusters [1]_ [2]_.

    The studentised statistic, effects and controls partialled out again in every draw.

    Parameters
    ----------
    variable : str, optional
        A regressor, by default the first.
    null : float
        The value tested.
    clusters : "entity", "time", or labels, optional
        One way to cluster, in the bootstrap and in its errors; by default that of the fit.
    weights : {"rademacher", "webb", "mammen"}
        Factors of clusters: signs, of which all combinations are taken if there are no more than
        ``draws``; Webb's six values, for fewer than 12 clusters, which have few signs; or Mammen's
        two.
    impose_null : bool
        Whether residuals are those under the null hypothesis (WCR), which is better with few
        clusters; else those of the fit (WCU).
    tail : {"symmetric", "equal"}
        P-value of absolute t, or twice the smaller of both tails.
    draws : int
    level : float
        Of the interval, which has the values that are not rejected.
    seed : int

    Returns
    -------
    WildBootstrap
        ``pvalue``, ``conf_int()``, ``statistic``. The data count as one of the draws, so that the
        p-value is (1 + #) / (draws + 1), and never zero; boottest has # / draws.

    Raises
    ------
    OptionError
        A fit that is not clustered, or in two dimensions, without ``clusters``; two dimensions.
    EstimationError
        One cluster.

    Notes
    -----
    Where few clusters have the policy, or few have not, neither kind of residuals gives tests of
    the right size (MacKinnon and Webb 2018): a note counts them. Permutations of the policy are
    another way.

    References
    ----------
    .. [1] Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for
       inference with clustered errors. Review of Economics and Statistics 90, 414-427.
    .. [2] Roodman, D., MacKinnon, J. G., Nielsen, M. O. and Webb, M. D. (2019). Fast and wild:
       bootstrap inference in Stata using boottest. Stata Journal 19, 4-60.
    """
    check_options(wild_bootstrap, weights=weights, tail=tail)
    check_level(level)
    whole("draws", draws, 99)
    whole("seed", seed, 0)
    model = res.model
    equation = model.equation()
    names = list(equation.x.columns)
    variable = next(n for n in names if n != "const") if variable is None else variable
    check_option("variable", variable, names)
    codes, name = _clusters(res, equation, clusters)
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        raise EstimationError("A cluster bootstrap needs at least two clusters.")
    found = core.bootstrap(
        equation.y.to_numpy(),
        equation.x.to_numpy(),
        names.index(variable),
        codes,
        _removal(model),
        kind=weights,
        draws=draws,
        restricted=impose_null,
        rng=np.random.default_rng(seed),
    )
    options = CovarianceOptions({"cov_type": "clustered"})
    how = Prepared(options, Rows(equation.y.index), {name: codes[None, :]})
    factor, df = equation.small_sample(how)
    lower, upper = found.interval(level, tail)
    statistic = found.t(null) / np.sqrt(factor)
    row = {
        "estimate": found.estimate,
        "null": float(null),
        "statistic": statistic,
        "pvalue": found.pvalue(null, tail),
        "lower": lower,
        "upper": upper,
        "pvalue_t": float(2 * stats.t.sf(abs(statistic), df)),
        "clusters": n_clusters,
        "draws": len(found.a),
    }
    drawn = found.drawn(null) / np.sqrt(factor)
    table = pd.DataFrame([row], pd.Index([variable], name="variable"))
    told = _told(model, variable, codes, name, weights, found.whole, row)
    return WildBootstrap(variable, table, drawn, (*res.notes, *told))


def _clusters(
    res: LeastSquaresResults, equation: Any, clusters: Any
) -> tuple[npt.NDArray[np.int64], str]:
    """Codes on the rows that are used, from zero, and what they are called."""
    if clusters is None:
        own = res.clusters
        if own is None or own.shape[1] != 1:
            what = "in two dimensions" if own is not None else "not clustered"
            raise OptionError(
                f"The errors of this fit are {what}. Type clusters='entity', or give labels by "
                "entity or by (entity, time).",
                option="clusters",
            )
        codes = own.reindex(equation.y.index).iloc[:, 0].to_numpy()
        name = str(own.columns[0])
    else:
        found = cluster_codes(clusters, Rows(equation.y.index), equation.rows)
        if len(found) != 1:
            raise OptionError(
                "The bootstrap clusters in one dimension. Give one, that with fewer clusters.",
                option="clusters",
            )
        ((name, cells),) = found.items()
        codes = cells[0]
    return np.unique(codes, return_inverse=True)[1].astype(np.int64), name


def _removal(model: Any) -> Callable[[Array], Array]:
    """What removes the effects of a model from columns (n, m), times the roots of weights."""
    absorbed = getattr(model, "absorbed", None)
    if absorbed is None or absorbed.absorber is None:
        return lambda columns: columns  # a constant is a regressor
    remove: Callable[[Array], Array] = absorbed.absorber
    if absorbed.roots is None:
        return remove
    roots = absorbed.roots[:, None]
    return lambda columns: remove(columns / roots)


def _told(
    model: Any,
    variable: str,
    codes: npt.NDArray[np.int64],
    name: str,
    kind: str,
    is_whole: bool,
    row: Mapping[str, float],
) -> list[str]:
    """How it was drawn; how many clusters have the policy, where they are few."""
    n = int(row["clusters"])
    values = {"draws": int(row["draws"]), "clusters": n, "name": name}
    told: list[str] = [note("wild.signs", **values) if is_whole else note(f"wild.{kind}", **values)]
    column = model.x[variable].to_numpy() if variable in model.x else np.zeros(0)
    if len(column) and np.isin(column, (0, 1)).all():
        treated = int((np.bincount(codes, column) > 0).sum())
        if min(treated, n - treated) < _FEW:
            told.append(note("wild.few", treated=treated, clusters=n))
    return told
