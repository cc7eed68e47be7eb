"""Panel threshold regression of Hansen (1999): slopes that change where a variable passes a value.

y_it = mu_i (+ lambda_t) + sum_r x_it' beta_r 1(gamma_{r-1} < q_it <= gamma_r) + z_it' delta + e_it

Thresholds are found by least squares, one after another, with refinement; the model with the
thresholds found is a fixed-effects regression.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear import threshold as core
from nqp_spatial.core.linear.projection import projection
from nqp_spatial.exceptions import DataError, DataWarning, EstimationError, OptionError
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.threshold.results import PanelThresholdResults
from nqp_spatial.models.threshold.search import (
    ORDINALS,
    SearchOptions,
    ThresholdSearch,
    data_key,
)
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.sample import Sample, columns_of
from nqp_spatial.results import Results
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first, outside, suggest
from nqp_spatial.shared.options import Count, Effects, Unpack, shared_options

Array = npt.NDArray[np.float64]


class PanelThreshold(Described):
    """Fixed-effects regression whose slopes depend on the regime of a threshold variable.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
        All regressors, those that depend on the regime among them.
    threshold : Series or str
        The threshold variable q, on the index of y; or the name of a column of ``x``. Taken to be
        exogenous, as the regressors are.
    regime : str or sequence of str
        Columns of ``x`` whose slopes depend on the regime.
    effects : {"twoway", "entity", "time", None}
        With None a constant is estimated. Effects do not depend on the regime.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, a constant q, collinear
        regressors, one period with entity effects.
    OptionError
        An unknown option or regressor.

    Warns
    -----
    DataWarning
        If q does not vary over time within any entity although there are entity effects.

    References
    ----------
    Hansen, B. E. (1999). Threshold effects in non-dynamic panels: Estimation, testing, and
    inference. Journal of Econometrics 93, 345-368.
    """

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        threshold: pd.Series | str,
        *,
        regime: str | Sequence[str],
        effects: Effects | None = "twoway",
    ) -> None:
        self.sample = Sample.of(y=y, x=x, needs=["x"])
        if effects in ("entity", "twoway"):
            _check_periods(self.sample.index)
        base = FixedEffects(self.sample.series(), self.sample.frame("x"), effects=effects)
        self.y, self.x, self.effects = base.y, base.x, effects
        self.regime = _regime_names(regime, list(self.x.columns))
        self.threshold = _threshold_column(threshold, self.sample)
        if effects in ("entity", "twoway"):
            _warn_if_fixed(self.threshold)

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, *, threshold: str, regime: str | Sequence[str], **options: Any
    ) -> Self:
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``.

        Parameters
        ----------
        formula : str
        data : DataFrame with an (entity, time) index, or PanelData
        threshold : str
            A column of ``data``; it need not be in the formula.
        regime : str or sequence of str
            Regressors by their names in the formula.
        """
        frame = data.frame if isinstance(data, PanelData) else data
        y, x = split_formula(formula, data)
        if not isinstance(threshold, str):
            raise OptionError("threshold is not a name. With a formula, name a column of the data.")
        checks.columns_exist(frame, [threshold])
        return cls(y, x, frame[threshold], regime=regime, **options)

    @shared_options(Covariance, cov_type="clustered")
    def fit(
        self,
        thresholds: Literal[1, 2, 3] = 1,
        *,
        trim: float | Sequence[float] = 0.01,
        grid: Count | Sequence[float] | Array | None = None,
        refine: bool | Literal["all"] = True,
        **cov: Unpack[Covariance],
    ) -> PanelThresholdResults:
        """Least squares over thresholds and slopes.

        Covariances take thresholds as known, which their faster rate of convergence allows.

        Parameters
        ----------
        thresholds : {1, 2, 3}
        trim : float or one for each threshold
            Smallest share of the observations in a regime, in the search for each threshold.
            Hansen has (0.01, 0.01, 0.05), xthreg 0.01.
        grid : int, array or None
            None searches every value of q; a number so many quantiles of q (xthreg: 300); or the
            values to search.
        refine : {True, False, "all"}
            True finds the first threshold again beside the second (Hansen, section 4); "all" also
            finds earlier ones again beside the third, until none moves; False does neither.

        Returns
        -------
        PanelThresholdResults

        Raises
        ------
        DataError
            If q has too few values for the grid, or no value leaves enough observations.
        EstimationError
            If no further threshold is left between those found.
        """
        options = SearchOptions.checked(thresholds, trim, grid, refine)
        CovarianceOptions(cov)  # a mistake is told before the search
        search = self._search(options)
        model = FixedEffects(self.y, self._split(search), effects=self.effects)
        return self._label(model.fit(**cov), search)

    def _search(self, options: SearchOptions) -> ThresholdSearch:
        """Thresholds, and all that tests and confidence sets need."""
        q = self.threshold.to_numpy()
        found = self._candidates(q, options)
        entity, period = self.sample.keys.entity, self.sample.keys.period
        free = projection(self.effects, entity, period)
        others = self.x.drop(columns=self.regime).to_numpy()
        others = others - others.mean(axis=0)  # a constant is absorbed in any case
        if self.effects is None:
            others = np.column_stack([np.ones(len(q)), others])
        problem = core.prepare(self.x[self.regime].to_numpy(), others, q, found, free)
        y = free((self.y - self.y.mean()).to_numpy()[None])[0]
        try:
            path = core.estimate(problem, y, options.trims, options.refine)
        except core.NoCandidateError as error:
            raise self._none_left(int(error.args[0]), options) from None
        absorbed = {"entity": entity, "twoway": entity, "time": period}.get(self.effects or "")
        df = len(q) - (0 if absorbed is None else int(absorbed.max()) + 1)
        data = pd.concat([self.y, self.x, self.threshold], axis=1)
        key = data_key(data, self.regime, self.effects, options)
        return ThresholdSearch(problem, y, path, options, self.threshold, float(df), entity, key)

    def _candidates(self, q: Array, options: SearchOptions) -> core.Candidates:
        """Values to search, or an error that says why there are too few."""
        name, grid = self.threshold.name, options.grid
        distinct = len(np.unique(q))
        if isinstance(grid, int) and grid > distinct:
            raise DataError(
                f"grid={grid} asks for more quantiles than {name!r} has distinct values "
                f"({distinct}). Leave grid out: every value is then searched."
            )
        asked = np.asarray(grid) if isinstance(grid, tuple) else grid
        found = core.candidates(q, asked, options.trims[0])
        if len(found) < options.thresholds:
            raise DataError(
                f"{name!r} has {len(found)} values that leave {options.trims[0]:g} of the "
                f"observations in a regime on either side, too few for {options.thresholds} "
                f"thresholds: it has {distinct} distinct values from {q.min():.6g} to "
                f"{q.max():.6g}. Trim less, or choose another variable."
            )
        if isinstance(grid, tuple) and len(found) < len(grid):
            lost = sorted(set(grid) - set(found.values.tolist()))
            warnings.warn(
                f"{len(lost)} of {len(grid)} values of grid leave less than {options.trims[0]:g} "
                f"of the observations in a regime and were not searched, first {first(lost, 3)}.",
                DataWarning,
                stacklevel=outside(),
            )
        return found

    def _none_left(self, number: int, options: SearchOptions) -> EstimationError:
        if number == 0:
            return EstimationError(
                f"No value of {self.threshold.name!r} identifies the slopes of "
                f"{first(self.regime)} in both regimes once the effects are removed. Trim more, or "
                "choose other regime-dependent regressors."
            )
        return EstimationError(
            f"No value of {self.threshold.name!r} is left for threshold {number + 1}: with "
            f"trim={options.trims[number]:g} every value lies too near to those found, or "
            "identifies no slope. Trim less, or fit fewer thresholds."
        )

    def _split(self, search: ThresholdSearch) -> pd.DataFrame:
        """Regressors with one slope, then x[1], x[2], ... for each that depends on the regime."""
        regime = search.regime
        columns = {name: self.x[name] for name in self.x.columns if name not in self.regime}
        for name in self.regime:
            for r in range(search.options.thresholds + 1):
                columns[f"{name}[{r + 1}]"] = self.x[name].where(regime == r, 0.0)
        frame = pd.DataFrame(columns)
        frame.attrs = dict(self.x.attrs)
        return frame

    def _label(self, fitted: Results, search: ThresholdSearch) -> PanelThresholdResults:
        provenance = dict(fitted.provenance)
        provenance["options"] = {**provenance["options"], **asdict(search.options)}
        provenance["notes"] = (*provenance["notes"], *search.notes)
        provenance["model_hash"] = search.key
        words = ORDINALS[search.options.thresholds - 1]
        return fitted.as_(
            PanelThresholdResults,
            model_name=f"Panel threshold regression ({words})",
            model=self,
            provenance=provenance,
            extra_statistics={
                **fitted.extra_statistics,
                "n_regimes": search.options.thresholds + 1,
                "ssr": float((fitted.resids**2).sum()),
            },
            search=search,
            regressors=tuple(self.regime),
        )


def _threshold_column(threshold: Any, sample: Sample) -> pd.Series:
    """The threshold variable on the rows of the model: a Series, or a column of ``x`` by name."""
    if not isinstance(threshold, str):
        given = columns_of(threshold, "threshold")
        assert given is not None
        name = "q" if threshold.name is None else str(threshold.name)
        column = sample.keys.take(given.iloc[:, 0], "threshold")
        checks.usable_column(column, name)
        return column.astype(float).rename(name)
    x = sample.frame("x")
    if threshold not in x.columns:
        raise OptionError(
            f"threshold={threshold!r} is not a column of x. Known are {first(x.columns, 8)}."
            + suggest(threshold, x.columns)
            + " A variable that is not a regressor is given as a Series: frame['name']."
        )
    return x[threshold]


def _regime_names(regime: Any, known: Sequence[str]) -> list[str]:
    """Names of regressors whose slopes depend on the regime, each once and known."""
    several = isinstance(regime, Iterable) and not isinstance(regime, str)
    names = [str(name) for name in regime] if several else [str(regime)]
    if not names:
        raise OptionError("regime is empty. Name the regressors whose slopes change: regime=['x'].")
    for name in names:
        if name not in known:
            raise OptionError(
                f"regime has {name!r}, which is not a regressor. Known are {first(known, 8)}."
                + suggest(name, known)
            )
        if names.count(name) > 1:
            raise OptionError(f"regime has {name!r} twice. Name it once.")
    return names


def _check_periods(index: pd.MultiIndex) -> None:
    counts = pd.Series(index.get_level_values(0)).value_counts()
    if len(counts) and counts.max() == 1:
        raise DataError(
            f"Every entity is observed once, so that entity effects leave nothing, first "
            f"{first(index, 3)}. Use effects=None or 'time', or a panel of two periods at least."
        )


def _warn_if_fixed(q: pd.Series) -> None:
    if not (q.groupby(level=0).nunique() > 1).any():
        warnings.warn(
            f"The threshold variable {q.name!r} is constant over time in every entity: regimes are "
            "groups of entities, and none moves from one to the other.",
            DataWarning,
            stacklevel=outside(),
        )
