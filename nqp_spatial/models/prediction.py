"""Predictions of rows that the fit has not seen: regressors, and fixed effects known from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsmr

from nqp_spatial.exceptions import DataError, EstimationError, OptionError
from nqp_spatial.panel.absorbed import LEVELS
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]
PeriodEffects: TypeAlias = Literal["last", "mean"] | float | pd.Series


def columns_of(new: Any, names: Sequence[str]) -> pd.DataFrame:
    """The regressors of new rows."""
    frame = getattr(new, "frame", new)
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"The new rows are a {type(new).__name__}. Give a DataFrame indexed by (entity, time), "
            "with a column for each regressor."
        )
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise DataError(f"The new rows have no column {first(lacking)}, a regressor of the model.")
    return frame[list(names)]


class PredictsRows:
    """A result whose model has ``regressors`` and ``absorbed`` effects of entities and periods."""

    def predict(
        self, new: Any = None, *, period_effects: PeriodEffects | None = None
    ) -> pd.DataFrame:
        """Outcomes by regressors and effects: of the sample, or of new rows.

        Parameters
        ----------
        new : DataFrame or PanelData, optional
            Regressors by (entity, time), in any order, of entities of the sample.
        period_effects : "last", "mean", float, or Series by period, optional
            In models with time effects, those of periods that the sample does not have: that of the
            last period, the mean of all, or numbers, which are deviations from that mean.

        Returns
        -------
        DataFrame, index (entity, time)
            linear (X b, with the constant if there is one), effects, and their sum fitted.

        Raises
        ------
        DataError
            With labels: absent or empty columns, unknown entities and periods.
        OptionError
            For new rows of a model that has other effects, or trends.
        """
        return linear(cast(Any, self), new, period_effects)


def linear(result: Any, new: Any, period_effects: PeriodEffects | None) -> pd.DataFrame:
    """What regressors, and the effects of entities and periods, say of rows.

    Parameters
    ----------
    result : Results
        With parameters of the regressors of its model, and perhaps "const".
    new : DataFrame or PanelData, or None
        Rows; None are those of the sample.

    Returns
    -------
    DataFrame, index (entity, time)
        linear, effects, and their sum fitted.
    """
    x, absorbed = result.model.regressors, result.model.absorbed
    names = list(x.columns)
    level = float(result.params.get("const", 0.0)) if "const" not in names else 0.0
    inside = x @ result.params[names] + level
    total = result.fitted - inside
    if new is None:
        return pd.DataFrame({"linear": inside, "effects": total, "fitted": result.fitted})
    kinds = set(absorbed.kept)
    unknown = sorted(kinds - {"entity", "time"}) + [absorbed.trend or ""] * bool(absorbed.slopes)
    if unknown:
        raise OptionError(
            "Predictions of new rows know effects of entities and periods; this model has those of "
            f"{', '.join(unknown)} as well. Fit it with effects= alone."
        )
    sample = Sample.of(may_be_constant=("new",), new=columns_of(new, names))
    effects = effects_at(
        sample.keys, absorbed.keys, total.to_numpy(), _EFFECTS[frozenset(kinds)], period_effects
    )
    explained = sample.frame("new") @ result.params[names] + level
    return sample.keys.as_given(
        pd.DataFrame({"linear": explained, "effects": effects, "fitted": explained + effects})
    )


_EFFECTS = {frozenset(kinds): name for name, kinds in LEVELS.items() if name != "random"}


def effects_at(
    new: Keys, sample: Keys, total: Array, effects: str | None, period_effects: PeriodEffects | None
) -> Array:
    """Sums of fixed effects at new rows.

    Parameters
    ----------
    new, sample : Keys
        Rows to predict, and those of the fit.
    total : array, shape (nobs,)
        The sum of the effects at each row of the sample.
    effects : {"twoway", "entity", "time", None}
    period_effects : "last", "mean", a number, or Series by period, optional
        Of periods that the sample does not have.

    Raises
    ------
    DataError
        An entity that the sample lacks has no effect; nor has a period of which none is given.
    EstimationError
        If the effects of entities and periods cannot be told apart.
    """
    of_entity, of_period = _apart(sample, total, effects)
    found = np.zeros(len(new.index))
    if of_entity is not None:
        at = of_entity.index.get_indexer(new.entities)
        if (at < 0).any():
            raise DataError(
                f"{first(new.entities[at < 0])} is not in the sample, so that its effect is "
                "unknown. Leave it out, or use a model without entity effects."
            )
        found += of_entity.to_numpy()[at][new.entity]
    if of_period is not None:
        found += _of_periods(new.periods, of_period, period_effects)[new.period]
    elif period_effects is not None:
        raise OptionError(
            f"period_effects= is for a model with time effects; this one has effects={effects!r}. "
            "Leave it out.",
            option="period_effects",
        )
    return found


def _of_periods(periods: pd.Index, known: pd.Series, given: PeriodEffects | None) -> Array:
    """Effects of periods, those of new ones as given."""
    at = known.index.get_indexer(periods)
    new = periods[at < 0]
    found = np.where(at < 0, np.nan, known.to_numpy()[at])
    if not len(new):
        return found
    if given is None:
        raise DataError(
            f"{first(new)} is not in the sample, so that its time effect is unknown. Give "
            "period_effects='last' (that of the last period), 'mean', a number, or a Series by "
            "period."
        )
    middle = float(known.mean())  # zero beside effects of entities
    if isinstance(given, pd.Series):
        absent = new.difference(given.index)
        if len(absent) or given.reindex(new).isna().any():
            raise DataError(
                f"period_effects has no number for {first(new[~new.isin(given.dropna().index)])}."
            )
        found[at < 0] = middle + given.reindex(new).to_numpy(dtype=float)
    elif isinstance(given, str):
        check_option("period_effects", given, ("last", "mean"))
        found[at < 0] = known.iloc[-1] if given == "last" else middle
    else:
        found[at < 0] = middle + float(given)
    return found


def _apart(
    keys: Keys, total: Array, effects: str | None
) -> tuple[pd.Series | None, pd.Series | None]:
    """Effects of entities and of periods, those of periods with mean zero if there are both."""
    kinds = LEVELS[effects]
    n, t = keys.shape
    if kinds == ():
        return None, None
    if len(kinds) == 1:
        codes, labels = (
            (keys.entity, keys.entities) if kinds == ("entity",) else (keys.period, keys.periods)
        )
        alone = pd.Series(np.bincount(codes, total) / np.bincount(codes), labels)
        return (alone, None) if kinds == ("entity",) else (None, alone)
    rows = np.arange(len(total))
    ones = np.ones(len(total))
    links = sp.csr_array((ones, (keys.entity, n + keys.period)), shape=(n + t, n + t))
    if connected_components(links, directed=False)[0] > 1:
        raise EstimationError(
            "No period has entities of both parts of the panel, so that effects of entities and "
            "periods cannot be told apart. Predict each part by a model of its own."
        )
    both = sp.csr_array(
        (np.tile(ones, 2), (np.tile(rows, 2), np.concatenate([keys.entity, n + keys.period])))
    )
    solved = lsmr(both, total, atol=1e-15, btol=1e-15, conlim=0, maxiter=10 * (n + t))[0]
    middle = solved[n:].mean()
    return (
        pd.Series(solved[:n] + middle, keys.entities),
        pd.Series(solved[n:] - middle, keys.periods),
    )
