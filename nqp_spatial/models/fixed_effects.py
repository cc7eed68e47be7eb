"""Pooled and fixed-effects regression with the covariances of the field, over linearmodels.

Small-sample factors follow reghdfe and fixest, so that the numbers are those users know:

unadjusted, robust   n / (n - K), K counting all effects;
clustered            G / (G - 1) * (n - 1) / (n - K), where effects nested in the clusters are not
                     counted in K, and G is the smaller number of clusters for two-way clustering;
driscoll-kraay       T / (T - 1) * (n - 1) / (n - K), K counting all effects.

K is the rank of regressors and effects together, as the regression with dummies has it: two kinds
of effects lose one for each part of the panel that no category connects with the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from linearmodels.panel import PanelOLS

import nqp_spatial.models._effects as _fx
from nqp_spatial import checks
from nqp_spatial._messages import check_option, first
from nqp_spatial._provenance import versions
from nqp_spatial.core.collinear import dependent
from nqp_spatial.core.within import EFFECTS
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    EstimationError,
    OptionError,
)
from nqp_spatial.formula import split_formula
from nqp_spatial.results import Results

COV_TYPES = ("unadjusted", "robust", "clustered", "driscoll-kraay")
KERNELS = ("bartlett", "parzen", "quadratic-spectral")


class FixedEffects:
    """Linear panel regression with entity, time, two-way or further fixed effects.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    x : DataFrame, shape (nobs, k)
    effects : {"twoway", "entity", "time", None}
        With None a constant is estimated (pooled regression).
    other_effects : Series or DataFrame, optional
        Further categories whose means are removed, such as province by year; linearmodels takes
        at most two kinds of effects in all.

    Raises
    ------
    DataError
        By its own class and with labels: missing cells, duplicates, text, infinite values,
        constant or collinear regressors (also once the effects are removed).
    OptionError
        For an unknown option, names of regressors that repeat, or effects that contain each other.
    """

    def __init__(
        self,
        y: pd.Series,
        x: pd.DataFrame,
        *,
        effects: str | None = "twoway",
        other_effects: pd.Series | pd.DataFrame | None = None,
    ) -> None:
        check_option("effects", effects, EFFECTS)
        x = x.to_frame() if isinstance(x, pd.Series) else x
        checks.panel_index(y, "y")
        checks.panel_index(x, "x")
        self.effects = effects
        self.y, self.x = _checked(y, x)
        self.other_effects = _categories(other_effects, self.y.index)
        self._groups = _fx.groups(self.y.index, effects, self.other_effects)
        self._check_effects()
        if self._pooled and "const" in self.x:
            raise OptionError("A regressor is named 'const', as the constant is. Rename it.")
        self._check_rank()

    @classmethod
    def from_formula(cls, formula: str, data: Any, **options: Any) -> Self:
        """The model of ``"y ~ x1 + x2"`` on the columns of ``data``."""
        return cls(*split_formula(formula, data), **options)

    def fit(
        self,
        *,
        cov_type: str = "clustered",
        clusters: str | Sequence[str] | pd.Series | pd.DataFrame = "entity",
        bandwidth: int | None = None,
        kernel: str = "bartlett",
    ) -> FixedEffectsResults:
        """Least squares.

        Parameters
        ----------
        cov_type : {"clustered", "unadjusted", "robust", "driscoll-kraay"}
        clusters : {"entity", "time"}, both in a list, or a Series or DataFrame of labels
            For ``cov_type="clustered"``; labels on the (entity, time) index, one or two columns.
        bandwidth : int, optional
            Of the Driscoll-Kraay kernel in periods; by default floor(4 (T / 100)^(2/9)).
        kernel : str
            "bartlett" (Driscoll and Kraay), "parzen" or "quadratic-spectral".

        Returns
        -------
        FixedEffectsResults
        """
        check_option("cov_type", cov_type, COV_TYPES)
        if cov_type != "clustered" and not (isinstance(clusters, str) and clusters == "entity"):
            raise OptionError('clusters= belongs to cov_type="clustered". Leave one of them out.')
        check_option("kernel", kernel, KERNELS)
        labels = _cluster_labels(clusters, self.y.index) if cov_type == "clustered" else None
        y, x, scale = self._scaled()
        options = self._linearmodels_options(cov_type, labels, bandwidth, kernel)
        others = self.other_effects
        model = PanelOLS(
            y,
            x,
            entity_effects=self.effects in ("entity", "twoway"),
            time_effects=self.effects in ("time", "twoway"),
            other_effects=None if others is None else others.set_axis(y.index),
            check_rank=False,  # checked already, in a way that units do not matter to
        )
        raw = model.fit(debiased=False, auto_df=False, count_effects=False, **options)
        return self._label(raw, scale, cov_type, labels, bandwidth)

    def _scaled(self) -> tuple[pd.Series, pd.DataFrame, pd.Series]:
        """What linearmodels gets: columns of like size, and centred where effects absorb the mean.

        Its least squares drop a column much smaller than another, and it takes a column of large
        mean for a constant. The scales are powers of two, so that no digit changes.
        """
        index = self._plain_index()
        y, x = self.y.set_axis(index), self.x.set_axis(index)
        spread = np.sqrt(((x - x.mean()) ** 2).mean())
        scale = pd.Series(2.0 ** np.round(np.log2(spread)), index=x.columns)
        if self._pooled:
            x = x / scale
            x.insert(0, "const", 1.0)
            return y, x, pd.concat([pd.Series({"const": 1.0}), scale])
        return y - y.mean(), (x - x.mean()) / scale, scale

    def _plain_index(self) -> pd.MultiIndex:
        """The index, text periods as 0, 1, ...: linearmodels takes numbers or dates."""
        index = self.y.index
        periods = index.levels[1]
        if not (pd.api.types.is_object_dtype(periods) or pd.api.types.is_string_dtype(periods)):
            return index
        codes = pd.factorize(index.get_level_values(1), sort=True)[0]
        return pd.MultiIndex.from_arrays([index.get_level_values(0), codes], names=index.names)

    @property
    def _pooled(self) -> bool:
        return self.effects is None and self.other_effects is None

    def _linearmodels_options(
        self, cov_type: str, labels: pd.DataFrame | None, bandwidth: int | None, kernel: str
    ) -> dict[str, Any]:
        if cov_type == "clustered":
            assert labels is not None
            return {"cov_type": "clustered", "clusters": labels.set_axis(self._plain_index())}
        if cov_type == "driscoll-kraay":
            n_periods = self.y.index.get_level_values(1).nunique()
            lags = int(4 * (n_periods / 100) ** (2 / 9)) if bandwidth is None else bandwidth
            if not 0 <= lags < n_periods:
                raise OptionError(f"bandwidth={lags} must be from 0 to {n_periods - 1} periods.")
            return {"cov_type": "kernel", "kernel": kernel, "bandwidth": lags}
        return {"cov_type": cov_type}

    def _label(
        self,
        raw: Any,
        scale: pd.Series,
        cov_type: str,
        labels: pd.DataFrame | None,
        bandwidth: int | None,
    ) -> FixedEffectsResults:
        factor, df = self._small_sample(cov_type, labels)
        cov = raw.cov * factor / np.outer(scale, scale)
        _check_variances(cov)
        included = {"entity": ("entity",), "time": ("time",), "twoway": ("entity", "time")}
        others = () if self.other_effects is None else tuple(map(str, self.other_effects.columns))
        resid = raw.resids.reindex(self._plain_index()).set_axis(self.y.index)
        return FixedEffectsResults(
            params=(raw.params / scale).rename("estimate"),
            cov=cov,
            nobs=int(raw.nobs),
            resids=resid.rename("resid"),
            fitted=(self.y - resid).rename("fitted"),
            loglik=float(raw.loglik),
            rsquared={"within": float(raw.rsquared), "overall": self._overall(resid)},
            dependent=str(self.y.name),
            cov_type=cov_type if labels is None else f"clustered by {' and '.join(labels.columns)}",
            model_name="Pooled regression" if self._pooled else "Fixed effects",
            df_resid=df,
            effects_included=(*included.get(self.effects or "", ()), *others),
            extra_statistics={"n_entities": self.y.index.get_level_values(0).nunique()},
            provenance=self._provenance(cov_type, bandwidth),
            raw=raw,
        )

    def _small_sample(self, cov_type: str, labels: pd.DataFrame | None) -> tuple[float, float]:
        """Factor on linearmodels' unscaled covariance, and degrees of freedom of t."""
        n, k = len(self.y), self.x.shape[1] + self._pooled
        every = k + _fx.rank(self._groups)
        if cov_type in ("unadjusted", "robust"):
            return n / (n - every), n - every
        if cov_type == "driscoll-kraay":
            periods = self.y.index.get_level_values(1).nunique()
            if periods < 2:
                raise EstimationError("Driscoll-Kraay errors need at least two periods.")
            return periods / (periods - 1) * (n - 1) / (n - every), periods - 1
        assert labels is not None
        groups = min(int(labels[name].nunique()) for name in labels.columns)
        if groups < 2:
            raise EstimationError("Clustered errors need at least two clusters in each dimension.")
        counted = every - max(_fx.rank(self._nested(labels)) - 1, 0)
        return groups / (groups - 1) * (n - 1) / (n - counted), groups - 1

    def _nested(self, labels: pd.DataFrame) -> dict[str, _fx.Codes]:
        """The effects whose categories each lie within one cluster."""
        return {
            name: codes
            for name, codes in self._groups.items()
            if any(_fx.contained(codes, labels[column].to_numpy()) for column in labels)
        }

    def _check_effects(self) -> None:
        """Raise unless there are two kinds of effects at most, and neither contains the other."""
        if len(self._groups) > 2:
            raise OptionError(
                f"linearmodels removes two kinds of effects at most, not {len(self._groups)} "
                f"({first(self._groups)}). Combine kinds: province-by-year effects contain the "
                "time effects."
            )
        if len(self._groups) == 2 and self.other_effects is not None:
            (one, a), (other, b) = self._groups.items()
            if _fx.contained(a, b) or _fx.contained(b, a):
                raise OptionError(
                    f"The effects {one!r} and {other!r} are nested: every category of one lies in "
                    "one category of the other, so that it adds nothing. Leave the coarser out."
                )

    def _overall(self, resid: pd.Series) -> float:
        """R-squared with the fixed effects counted as explained."""
        deviation = self.y - self.y.mean()
        return 1 - float((resid**2).sum() / (deviation**2).sum())

    def _provenance(self, cov_type: str, bandwidth: int | None) -> dict[str, Any]:
        notes: list[str] = []
        for attrs in (self.y.attrs, self.x.attrs):
            note = attrs.get("note")
            notes += [*attrs.get("notes", ()), *([note] if isinstance(note, str) else [])]
        options = {"effects": self.effects, "cov_type": cov_type, "bandwidth": bandwidth}
        return {"versions": versions(), "options": options, "notes": tuple(dict.fromkeys(notes))}

    def _check_rank(self) -> None:
        """Raise, naming columns, if the data do not identify the regression."""
        columns = pd.concat([self.y, self.x], axis=1)
        within = _fx.demeaned(columns, self._groups)
        raw_norm = np.linalg.norm(columns - columns.mean(), axis=0)
        gone = columns.columns[np.linalg.norm(within, axis=0) <= 1e-8 * raw_norm]
        if len(gone):
            raise ConstantColumnError(
                f"{first(gone)} does not vary once the effects are removed. Leave it out, or "
                "choose other effects."
            )
        for j, others in dependent(within[:, 1:]):
            raise CollinearityError(
                f"{self.x.columns[j]!r} is a linear combination of "
                f"{first(self.x.columns[others])} once the effects are removed. Leave one out."
            )
        taken = self.x.shape[1] + self._pooled + _fx.rank(self._groups)
        if taken >= len(self.y):
            raise EstimationError(
                f"{len(self.y)} observations leave no degrees of freedom for {taken} parameters, "
                "effects included. Use fewer regressors or effects."
            )
        size = np.linalg.norm(within, axis=0)
        slopes = np.linalg.lstsq(within[:, 1:] / size[1:], within[:, 0] / size[0], rcond=None)[0]
        left = within[:, 0] / size[0] - within[:, 1:] / size[1:] @ slopes
        if np.linalg.norm(left) <= 1e-10:
            raise EstimationError(
                f"The regressors fit {self.y.name!r} exactly, so that nothing can be inferred. "
                "Is the outcome among the regressors, or built from them?"
            )


@dataclass(frozen=True, eq=False, repr=False)
class FixedEffectsResults(Results):
    """Least squares with fixed effects; ``raw`` is linearmodels' PanelEffectsResults.

    The regressors of ``raw`` are centred and divided by powers of two, and its covariance is
    without the small-sample factor: read the numbers of this object instead.
    ``rsquared``: "within", of data free of the effects; "overall", effects counted as explained.
    """

    citation: ClassVar[str] = (
        "Correia, S. (2017). Linear models with high-dimensional fixed effects (small-sample "
        "factors of reghdfe); estimation by linearmodels (Sheppard).\n"
        "Driscoll, J. C. and Kraay, A. C. (1998). Review of Economics and Statistics 80, 549-560."
    )


def _checked(y: pd.Series, x: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Both numeric and complete, on one sorted index."""
    if isinstance(y, pd.DataFrame):
        raise DataError("y is a DataFrame. Give one column: frame['name'].")
    names = [str(column) for column in x.columns]
    if not names:
        raise OptionError("x has no columns. Give at least one regressor.")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise OptionError(f"The regressor name {repeated[0]!r} repeats. Rename one of them.")
    if len(y) == 0:
        raise DataError("y has no rows.")
    for values, role in ((y, "y"), (x, "x")):
        checks.complete_keys(values.index, role)
        checks.unique_keys(values.index, role)
    checks.same_rows(y.index, x.index, "y", "x")
    y = y.rename("y") if y.name is None else y
    checks.usable_column(y, str(y.name))
    for name in x.columns:
        checks.usable_column(x[name], str(name))
    y = y.sort_index().astype(float)
    return y, x.reindex(y.index).astype(float).rename(columns=str)


def _check_variances(cov: pd.DataFrame) -> None:
    """Raise if a variance is negative, as two-way clustering with few clusters may have it."""
    negative = cov.columns[np.diag(cov) < 0]
    if len(negative):
        raise EstimationError(
            f"The clustered variance of {first(negative)} is negative: two-way clustering adds two "
            "covariances and subtracts a third, which fails with few clusters. Cluster in one "
            "dimension."
        )


def _categories(
    values: pd.Series | pd.DataFrame | None, index: pd.MultiIndex
) -> pd.DataFrame | None:
    """Categories on the index of y, as codes, complete."""
    if values is None:
        return None
    frame = _labels_on(values, index, "other_effects")
    for name in frame.columns:
        if frame[name].isna().any():
            where = first(frame.index[frame[name].isna()], 3)
            raise OptionError(f"other_effects {name!r} is empty at {where}. Complete it.")
    return frame.astype("category")


def _cluster_labels(clusters: Any, index: pd.MultiIndex) -> pd.DataFrame:
    """One or two columns of cluster codes on ``index``."""
    if isinstance(clusters, pd.Series | pd.DataFrame):
        frame = _labels_on(clusters, index, "clusters")
    else:
        names = [clusters] if isinstance(clusters, str) else clusters
        if not isinstance(names, Sequence):
            raise OptionError(
                f"clusters is a {type(clusters).__name__}. Give 'entity', 'time', both in a list, "
                "or a Series of labels indexed by (entity, time)."
            )
        for name in names:
            check_option("clusters", name, ("entity", "time"))
        levels = {"entity": 0, "time": 1}
        frame = pd.DataFrame({n: index.get_level_values(levels[n]) for n in names}, index=index)
    if not 1 <= frame.shape[1] <= 2:
        raise OptionError(f"{frame.shape[1]} cluster dimensions were given; use one or two.")
    if frame.isna().any().any():
        where = first(frame.index[frame.isna().any(axis=1)], 3)
        raise OptionError(f"clusters are empty at {where}. Every row needs a cluster.")
    return frame.apply(lambda column: pd.Series(pd.factorize(column)[0], index=index)).rename(
        columns=str
    )


def _labels_on(values: pd.Series | pd.DataFrame, index: pd.MultiIndex, role: str) -> pd.DataFrame:
    """Labels matched by (entity, time); columns without a name get that of their role."""
    checks.panel_index(values, role)
    checks.unique_keys(values.index, role)
    checks.same_rows(index, values.index, "y", role)
    frame = values.to_frame(values.name or role) if isinstance(values, pd.Series) else values
    if not frame.columns.is_unique:
        raise OptionError(f"{role} has a column name twice: {first(frame.columns)}. Rename one.")
    return frame.reindex(index)
