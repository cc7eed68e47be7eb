"""Quantile regression for panels with fixed effects, by moments or in Canay's two steps."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.bootstrap as _boot
from nqp_spatial.core.linear import bootstrap
from nqp_spatial.core.linear import quantile as panel_quantile
from nqp_spatial.exceptions import DataError, DataWarning, EstimationError, OptionError
from nqp_spatial.models.linear.fixed_effects import FixedEffects, FixedEffectsResults
from nqp_spatial.models.quantile.results import Fitted, PanelQuantileResults, label
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Count, Level, Seed, check_options

Array = npt.NDArray[np.float64]

Method = Literal["location-scale", "canay"]
CovType = Literal["bootstrap", "clustered", "robust"]
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class PanelQuantile(Described):
    """Quantile regression with fixed effects.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
    effects : {"entity", "twoway"}
        Entity effects, or entity and time effects.

    Raises
    ------
    DataError
        By its own class and with labels: what `FixedEffects` refuses, and entities (or periods
        with time effects) observed once, whose effect takes up the observation.
    OptionError
        An unknown option.

    Notes
    -----
    Both methods estimate an effect for each entity, so that estimates are biased by a term of order
    1 / n_periods: see the simulations in the documentation before panels of fewer than ten periods.
    ``jackknife=True`` of ``fit`` takes most of it off the first method, for larger variances.

    References
    ----------
    Machado, J. A. F. and Santos Silva, J. M. C. (2019). Quantiles via moments. Journal of
    Econometrics 213, 145-173.

    Canay, I. A. (2011). A simple approach to quantile regression for panel data. Econometrics
    Journal 14, 368-386.

    Dhaene, G. and Jochmans, K. (2015). Split-panel jackknife estimation of fixed-effect models.
    Review of Economic Studies 82, 991-1030.
    """

    def __init__(
        self, y: pd.Series, x: pd.DataFrame, *, effects: Literal["entity", "twoway"] = "entity"
    ) -> None:
        check_options(PanelQuantile, effects=effects)
        self._mean = FixedEffects(y, x, effects=effects)
        self.y, self.x, self.effects = self._mean.y, self._mean.x, effects
        self.sample = self._mean.sample
        _check_counts(self.y.index, effects)

    @classmethod
    def from_formula(cls, formula: str, data: Any, **options: Any) -> Self:
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``."""
        return cls(*split_formula(formula, data), **options)

    def fit(
        self,
        quantiles: Sequence[Level] = DECILES,
        *,
        method: Method = "location-scale",
        cov_type: CovType = "bootstrap",
        replications: Count = 300,
        seed: Seed = 0,
        n_jobs: int = 1,
        jackknife: bool = False,
    ) -> PanelQuantileResults:
        """Estimates at every quantile.

        Parameters
        ----------
        quantiles : sequence of float
            Between 0 and 1, all different.
        method : {"location-scale", "canay"}
            "location-scale": slopes of the mean plus q(tau) times slopes of the scale, so that
            regressors and effects move location and spread (Machado and Santos Silva).
            "canay": quantile regression of y less its effects, which only move location.
        cov_type : {"bootstrap", "clustered", "robust"}
            "bootstrap" draws entities with replacement. For "location-scale" also the analytic
            covariances: "clustered" allows any dependence within an entity, "robust" takes
            observations as independent; both take the number of periods as large.
        replications, seed : int
            Of the bootstrap; more draws extend fewer.
        n_jobs : int
            Processes; the answer does not depend on it.
        jackknife : bool
            For "location-scale": take the bias of order 1 / n_periods off all estimates, as twice
            the estimate less the mean of those from either half of the periods (Machado and Santos
            Silva 2019; Dhaene and Jochmans 2015). Each entity is split at the middle
            of its own periods, twice if their number is odd. The bootstrap repeats it in each draw;
            the analytic covariances do not know of it and are refused. Slopes of quantiles are
            corrected themselves: they are no longer location plus q times scale.

        Returns
        -------
        PanelQuantileResults

        Raises
        ------
        OptionError
            A quantile outside (0, 1) or given twice, an unknown option, options that do not go
            together.
        EstimationError
            The scale is not positive for most observations, or entities are too few to draw; with
            ``jackknife``, a regressor that does not vary in one half of the periods.
        DataError
            With ``jackknife``, entities of fewer than six periods.

        Warns
        -----
        DataWarning
            Counts observations whose fitted scale is not positive, and draws left out.
        """
        _check_options(method, cov_type, jackknife)
        if method == "location-scale":
            _check_spread(self.y.index)
        if method == "canay" and "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        taus = checked_quantiles(quantiles)
        replications = _boot.check_whole("replications", replications, _boot.LEAST)
        seed = _boot.check_whole("seed", seed, 0)
        data = self._data()
        found = self._estimates(data, taus, method)
        splits = self._halves(data) if jackknife else []
        statistic = _Statistic(data, taus, method, found.estimates, splits)
        if jackknife:
            absorb = bootstrap.absorber(data.kinds, np.ones(len(data.y)))
            found = found.moved_to(self._corrected(statistic), data.x, absorb(data.x))
        if cov_type == "bootstrap":
            draws = _boot.bootstrap(
                statistic,
                data.entity,
                replications=replications,
                seed=seed,
                n_jobs=n_jobs,
                label=f"bootstrap ({method})",
            )
            cov = np.atleast_2d(np.cov(draws, rowvar=False))
        else:
            cov = _analytic(data, taus, found.estimates, cov_type)
        return label(
            self._mean_regression(cov_type),
            taus,
            cov,
            found,
            method=method,
            cov_type=cov_type,
            options={
                "quantiles": taus,
                "jackknife": bool(jackknife),
                "replications": replications if cov_type == "bootstrap" else None,
                "seed": seed if cov_type == "bootstrap" else None,
            },
            y=self.y,
            x=self.x,
            effects=self.effects,
        )

    def _data(self) -> _Data:
        kinds = list(self._mean.absorbed.groups.values())
        return _Data(self.y.to_numpy(), self.x.to_numpy(), kinds)

    def _halves(self, data: _Data) -> list[tuple[bootstrap.Rows, bootstrap.Rows]]:
        """Splits of the periods; raise, naming entities, where they are too few."""
        counts = self.y.index.get_level_values(0).value_counts(sort=False)
        counts = counts[counts > 0]  # a categorical counts what no row has
        short = counts.index[counts < 2 * bootstrap.LEAST_HALF].sort_values()
        if len(short):
            raise DataError(
                f"jackknife=True needs at least {2 * bootstrap.LEAST_HALF} periods of each entity, "
                f"{bootstrap.LEAST_HALF} in either half: the residuals of two are equal in size "
                f"and say nothing of the spread. {len(short)} entities have fewer, first "
                f"{first(short, 3)}."
            )
        return bootstrap.halves(data.entity)

    def _corrected(self, statistic: _Statistic) -> Array:
        """Estimates less their bias; raise, naming what does not vary in a half."""
        found = statistic(np.ones(len(self.y)))
        if found is not None:
            return found.reshape(statistic.full.shape)
        told = "A half of the periods does not identify the slopes"
        for rows in (rows for split in statistic.splits for rows in split):
            codes = [code[rows] for code in statistic.data.kinds]
            x = statistic.data.x[rows]
            left = bootstrap.absorber(codes, np.ones(len(x)))(x)
            gone = np.linalg.norm(left, axis=0) <= 1e-9 * np.linalg.norm(x, axis=0)
            if gone.any():
                told = f"{first(self.x.columns[gone])} does not vary in a half of the periods"
                break
        raise EstimationError(
            f"{told} once the effects are removed, so that jackknife=True has nothing to correct "
            "with. Leave it out, or type jackknife=False."
        )

    def _mean_regression(self, cov_type: str) -> FixedEffectsResults:
        """The mean regression that stands beside the quantiles."""
        if cov_type == "robust":
            return self._mean.fit(cov_type="robust")
        return self._mean.fit(cov_type="clustered")

    def _estimates(self, data: _Data, taus: tuple[float, ...], method: str) -> Fitted:
        """Estimates as `_Statistic` has them, and what goes with them."""
        absorb = bootstrap.absorber(data.kinds, np.ones(len(data.y)))
        if method == "canay":
            found = panel_quantile.canay(data.y, data.x, absorb, taus)
            assert found is not None  # the mean regression has been checked
            return Fitted(found[0], np.tile(found[1], (len(taus), 1)), None, None)
        model = panel_quantile.location_scale(data.y, data.x, absorb)
        assert model is not None
        self._check_scale(model)
        q = panel_quantile.residual_quantiles(model, absorb.weight, taus)
        fixed = model.fixed + q[:, None] * model.scale_fixed
        return Fitted(_stacked(model, q), fixed, data.y - model.resid, model.scale)

    def _check_scale(self, model: panel_quantile.LocationScale) -> None:
        bad = (model.scale <= 0) | model.vanishing
        if not bad.any():
            return
        where = (
            f"The fitted scale is not positive for {int(bad.sum())} of {len(bad)} observations, "
            f"first {first(self.y.index[bad], 3)}"
        )
        if bad.mean() > 0.5 or model.vanishing.any():
            raise EstimationError(
                f"{where}: this is no model of location and scale. Take logarithms, leave out "
                "regressors with outliers, or type method='canay'."
            )
        warnings.warn(
            f"{where}: quantiles may cross there. Take logarithms, or compare with method='canay'.",
            DataWarning,
            stacklevel=outside(),
        )


def _check_options(method: str, cov_type: str, jackknife: bool) -> None:
    """Raise if options are unknown or do not go together."""
    check_options(PanelQuantile.fit, method=method, cov_type=cov_type)
    if method == "canay" and cov_type != "bootstrap":
        raise OptionError(f"cov_type={cov_type!r} belongs to 'location-scale'. Type bootstrap.")
    if method == "canay" and jackknife:
        raise OptionError("jackknife=True belongs to method='location-scale'.")
    if jackknife and cov_type != "bootstrap":
        raise OptionError(
            f"cov_type={cov_type!r} is the covariance of estimates without jackknife=True, whose "
            "variance is larger in short panels. Type cov_type='bootstrap'."
        )


def checked_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """The quantiles in increasing order.

    Raises
    ------
    OptionError
        None given, one that is not between 0 and 1, or one given twice.
    """
    given: list[Any] = list(quantiles) if isinstance(quantiles, Iterable) else [quantiles]
    if not given:
        raise OptionError("quantiles is empty. Type quantiles=(0.25, 0.5, 0.75).")
    for value in given:
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 < value < 1:
            raise OptionError(
                f"The quantile {first([value])} is not between 0 and 1. The median is 0.5."
            )
    repeated = [value for value in given if given.count(value) > 1]
    if repeated:
        raise OptionError(f"The quantile {first(repeated[:1])} is given twice. Leave one out.")
    return tuple(sorted(map(float, given)))


def _check_spread(index: pd.MultiIndex) -> None:
    """Raise where no entity has three observations: two residuals are equal in size."""
    most = int(index.get_level_values(0).value_counts().max())
    if most <= 2:
        raise DataError(
            f"No entity has more than {most} observations. Their two residuals are equal in size "
            "once entity effects are removed, so that slopes of the scale are zero and all "
            "quantiles have one slope. Type method='canay', or use more periods."
        )


def _check_counts(index: pd.MultiIndex, effects: str) -> None:
    """Raise where an effect has one observation, which it would fit exactly."""
    for level, role in enumerate(("entity", "time") if effects == "twoway" else ("entity",)):
        counts = index.get_level_values(level).value_counts()
        single = counts.index[counts == 1].sort_values()
        if len(single):
            name = index.names[level] or role
            kind = "entities are" if role == "entity" else "periods are"
            raise DataError(
                f"{len(single)} {kind} observed once, first {first(single, 3)}: the effect takes "
                "up the observation, which says nothing of the spread. Leave them out: "
                f"frame[frame.groupby(level={name!r})[y].transform('size') > 1]."
            )


@dataclass(frozen=True, eq=False)
class _Data:
    """Arrays of a panel: y (n,), x (n, k), and codes of the effects, entities first."""

    y: Array
    x: Array
    kinds: list[npt.NDArray[np.int64]]

    @property
    def entity(self) -> npt.NDArray[np.int64]:
        return self.kinds[0]


@dataclass(frozen=True, eq=False)
class _Statistic:
    """Estimates of one draw of entities, flat: see `_stacked`, or constant and slopes by quantile.

    ``full`` are those of the sample; they save Canay's programmes time and change nothing. With
    ``splits`` the estimates are corrected by those of half panels.
    """

    data: _Data
    taus: tuple[float, ...]
    method: str
    full: Array
    splits: list[tuple[bootstrap.Rows, bootstrap.Rows]]

    def __call__(self, weight: Array) -> Array | None:
        found = self._plain(weight)
        if not self.splits or found is None:
            return found
        return bootstrap.jackknife(
            found, self.splits, weight, lambda rows: self._plain(np.where(rows, weight, 0.0))
        )

    def _plain(self, weight: Array) -> Array | None:
        kept = weight > 0
        y, x, w = self.data.y[kept], self.data.x[kept], weight[kept]
        absorb = bootstrap.absorber([code[kept] for code in self.data.kinds], w)
        if self.method == "canay":
            found = panel_quantile.canay(y, x, absorb, self.taus, self.full)
            return None if found is None else found[0].ravel()
        model = panel_quantile.location_scale(y, x, absorb)
        if model is None or model.vanishing.all():
            return None
        q = panel_quantile.residual_quantiles(model, w, self.taus)
        return _stacked(model, q).ravel()


def _stacked(model: panel_quantile.LocationScale, q: Array) -> Array:
    """Rows: location with 0, scale with 0, then slopes with q for each quantile; (2 + m, k + 1)."""
    slopes = model.beta + np.outer(q, model.gamma)
    rows = np.vstack([model.beta, model.gamma, slopes])
    return np.column_stack([np.r_[0.0, 0.0, q], rows])


def _analytic(
    data: _Data,
    taus: tuple[float, ...],
    estimates: Array,
    cov_type: str,
) -> Array:
    """Covariance of all of `_stacked` from influences, with the factors of `FixedEffects`."""
    n, k = data.x.shape
    absorb = bootstrap.absorber(data.kinds, np.ones(n))
    model = panel_quantile.location_scale(data.y, data.x, absorb)
    assert model is not None
    columns: list[Array] = []
    for tau, q in zip(taus, estimates[2:, 0], strict=True):
        beta, gamma, quantile = panel_quantile.influence(model, absorb, tau, q)
        columns += [quantile[:, None], beta + q * gamma + np.outer(quantile, model.gamma)]
    zero = np.zeros((n, 1))
    parts = np.column_stack([zero, beta, zero, gamma, *columns])
    rank = absorb.projection.rank
    if cov_type == "robust":
        return parts.T @ parts * n / (n - k - rank)
    sums = np.zeros((data.entity.max() + 1, parts.shape[1]))
    np.add.at(sums, data.entity, parts)
    groups = len(sums)
    counted = k + rank - (groups - 1)  # entity effects are nested in the clusters
    return sums.T @ sums * groups / (groups - 1) * (n - 1) / (n - counted)
