"""From the options of a model in a study file to the call of the Python API.

`FAMILIES` says for each model which class it is, and which frames that class takes before its
options; everything else is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from nqp_spatial import did, models
from nqp_spatial.exceptions import DataError, MissingValuesError
from nqp_spatial.models.linear.panel import FirstDifference, PooledOLS, RandomEffects
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.mechanism.moderation import Moderation
from nqp_spatial.models.quantile.model import PanelQuantile
from nqp_spatial.models.threshold.model import PanelThreshold
from nqp_spatial.panel import instruments, transform
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared.messages import first
from nqp_spatial.study.data.prepare import StudyData
from nqp_spatial.study.fits.call import Call, Frames
from nqp_spatial.study.schema.instruments import Interaction, LagOf
from nqp_spatial.study.schema.model_keys import Model
from nqp_spatial.study.schema.study import Study

Frame: TypeAlias = pd.DataFrame | pd.Series


def call(study: Study, data: StudyData, outcome: str, options: Model, n_jobs: int = 1) -> Call:
    """What the study asks of the API for one model of one outcome.

    Raises
    ------
    NqpError
        An instrument that cannot be made.
    """
    family = FAMILIES[options.model]
    given = _resolved(options, data)
    y = noted(data.panel, outcome)
    x = noted(data.panel, study.regressors_of(options))
    frames = family.frames(y, x, given)
    if options.DRAWS:
        given = {"seed": study.seed, **given, "n_jobs": n_jobs}
    in_fit = options.FIT | {"coordinates", "seed", "n_jobs"}
    return Call(
        family.api,
        frames,
        {name: value for name, value in given.items() if name not in in_fit},
        {name: value for name, value in given.items() if name in in_fit},
    )


def noted(panel: PanelData, columns: Any) -> Any:
    """Columns of the panel that carry its notes, so that every table and map prints them."""
    part = panel[columns].copy()
    part.attrs = {"notes": list(panel.notes)}
    return part


# ---------------------------------------------------------------- names to columns


def _resolved(options: Model, data: StudyData) -> dict[str, Any]:
    """The options with columns in place of their names."""
    found, panel = options.given(), data.panel
    for name in options.COLUMNS:
        value = found.get(name)
        if isinstance(value, str):
            found[name] = panel[value]
        elif value is not None:
            parts = [_column(item, data) for item in value]
            found[name] = pd.concat(parts, axis=1)
    if "clusters" in found:
        found["clusters"] = clusters(found["clusters"], panel)
    if "other_effects" in found:
        found["other_effects"] = panel[found["other_effects"]]
    if found.get("cov_type") == "conley":
        found["coordinates"] = panel.polygons
    return found


def clusters(names: list[str], panel: PanelData) -> Any:
    """``"entity"`` and ``"time"`` as they are; other names are columns of the panel."""
    if set(names) <= {"entity", "time"}:
        return names
    return panel.categories(names)


def _column(item: str | LagOf | Interaction, data: StudyData) -> Frame:
    """A column of the panel, a lag, or a cross-section times a trend; see `instruments`."""
    if isinstance(item, str):
        return data.panel[item]
    if isinstance(item, LagOf):
        return lagged(data, item.lag, item.periods)
    return _interaction(item, data)


def lagged(data: StudyData, column: str, periods: int) -> pd.Series:
    """The lag of a column on the rows of the panel, from the whole table.

    Raises
    ------
    MissingValuesError
        The table lacks an earlier period.
    """
    values = transform.lag(data.whole[column], periods).values.reindex(data.panel.frame.index)
    empty = values.index[values.isna()]
    if len(empty):
        raise MissingValuesError(
            f"The lag of {column!r} by {periods} is missing in {len(empty)} rows, first "
            f"{first(empty, 3)}: lags come from earlier periods of the table. Begin the study "
            "later with periods under data, or leave the entities with gaps out."
        )
    return values


def _interaction(item: Interaction, data: StudyData) -> Frame:
    panel, name = data.panel, item.cross_section
    if item.period is None:
        hint = "Say of which period it is taken, such as period: 2005."
        values = constant(panel[name], 0, f"{name!r} differs within entities", hint)
    else:
        if item.period not in data.whole.periods:
            raise DataError(
                f"period: {item.period!r} is not a period of the table. It has "
                f"{first(data.whole.periods, 3)}."
            )
        values = data.whole[name].xs(item.period, level=1)
    values = values.rename(name)
    if item.trend in instruments.TRENDS:
        trend: Any = item.trend
    else:
        hint = "A trend is one value for each period."
        trend = constant(panel[item.trend], 1, f"{item.trend!r} differs within periods", hint)
    return instruments.cross_section_trend(values, panel.frame.index, trend)


def constant(column: pd.Series, level: int, problem: str, hint: str) -> pd.Series:
    """One value for each entity (level 0) or period (level 1).

    Raises
    ------
    DataError
        There are several: the problem, where, and what to do about it.
    """
    groups = column.groupby(level=level)
    counts = groups.nunique(dropna=False)
    several = counts.index[counts > 1]
    if len(several):
        raise DataError(f"{problem}, first {first(several, 3)}. {hint}")
    return groups.first().rename(column.name)


# ---------------------------------------------------------------- the models


def _plain(y: pd.Series, x: pd.DataFrame, given: dict[str, Any]) -> Frames:
    return y, x


def _did(y: pd.Series, x: pd.DataFrame, given: dict[str, Any]) -> Frames:
    """The first regressor is the policy."""
    return y, x.iloc[:, 0], _rest(x, x.columns[:1])


def _endogenous(y: pd.Series, x: pd.DataFrame, given: dict[str, Any]) -> Frames:
    """The regressors that are not said to be endogenous."""
    endog = given.get("endog")
    return y, x if endog is None else _rest(x, endog.columns)


def _mediated(y: pd.Series, x: pd.DataFrame, given: dict[str, Any]) -> Frames:
    mediators = given.pop("mediators")
    rest = _rest(x, [x.columns[0], *mediators.columns])
    return y, x.iloc[:, 0], mediators, rest


def _moderated(y: pd.Series, x: pd.DataFrame, given: dict[str, Any]) -> Frames:
    moderator = given.pop("moderator")
    return y, x.iloc[:, 0], moderator, _rest(x, [x.columns[0], moderator.name])


def _rest(x: pd.DataFrame, taken: Any) -> pd.DataFrame | None:
    kept = [name for name in x.columns if name not in set(taken)]
    return x[kept] if kept else None


@dataclass(frozen=True)
class Family:
    """How a model is built.

    Attributes
    ----------
    api : type
        Of the Python API.
    frames : callable
        What the class takes before its options (and before the graph).
    """

    api: type
    frames: Callable[[pd.Series, pd.DataFrame, dict[str, Any]], Frames] = _plain


FAMILIES: dict[str, Family] = {
    "pooled": Family(PooledOLS),
    "fe": Family(models.FixedEffects),
    "re": Family(RandomEffects),
    "fd": Family(FirstDifference),
    "iv": Family(models.IV2SLS, _endogenous),
    "gmm_difference": Family(models.DifferenceGMM),
    "gmm_system": Family(models.SystemGMM),
    "quantile": Family(PanelQuantile),
    "threshold": Family(PanelThreshold),
    "mediation": Family(Mediation, _mediated),
    "moderation": Family(Moderation, _moderated),
    "sar": Family(models.SpatialLag),
    "slx": Family(models.SLX),
    "sem": Family(models.SpatialError),
    "sdem": Family(models.SpatialDurbinError),
    "sac": Family(models.SAC),
    "gns": Family(models.GNS),
    "sdm": Family(models.SpatialDurbin),
    "spatial_iv": Family(models.SpatialIV, _endogenous),
    "dynamic_sar": Family(models.DynamicSpatialLag),
    "dynamic_sdm": Family(models.DynamicSpatialDurbin),
    "sdm_did": Family(did.SpatialDiD, _did),
}
