"""Predictions of spatial models for rows that the fit has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.effects.scenarios import reduced_form
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.models.prediction import PeriodEffects, columns_of, effects_at
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.lags import regressors
from nqp_spatial.panel.sample import Sample
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.shared.messages import first

if TYPE_CHECKING:
    from nqp_spatial.models.spatial.results import SpatialResults

Array = npt.NDArray[np.float64]


def out_of_sample(
    result: SpatialResults, new: Any, period_effects: PeriodEffects | None
) -> pd.DataFrame:
    """What `predict` has at new rows; of a dynamic model period after period."""
    sample = Sample.of(
        may_be_constant=("new",), balanced=True, new=columns_of(new, result.variables)
    )
    design = _on_weights(result.design, sample)
    at = Keys.of(result.design.series(result.design.y, "y").index, "y")
    inside = result.predict()["trend"] - _systematic(result, result.design)
    effects = effects_at(
        sample.keys, at, inside.to_numpy(), _kinds(result), period_effects
    ).reshape(sample.keys.shape)
    trend = _systematic(result, design).to_numpy().reshape(sample.keys.shape).T + effects.T
    multiplier = Multiplier(design.W, result.rho)
    tau, eta = (float(result.params.get(name, 0.0)) for name in ("tau", "eta"))
    if "tau" not in result.params and "eta" not in result.params:
        parts = {"trend": trend, "reduced_form": reduced_form(multiplier, trend)}
    else:
        before, steps = _last(result, sample), []
        for now in trend:
            memory = tau * before + eta * np.asarray(design.W @ before)
            before = multiplier.solve(now + memory)
            steps.append((memory, before))
        parts = {
            "trend": trend,
            "memory": np.array([memory for memory, _ in steps]),
            "reduced_form": np.array([outcome for _, outcome in steps]),
        }
    return sample.keys.as_given(
        pd.DataFrame({name: design.series(part, name) for name, part in parts.items()})
    )


def _on_weights(design: Design, sample: Sample) -> Design:
    """The design of new periods, each of which has all entities of W."""
    keys = sample.keys
    if design.units.nlevels > 1:
        raise OptionError(
            "Predictions of new rows need one W for all periods. This model has W by period, or "
            "entities that are absent in some."
        )
    for labels, text in (
        (design.entities.difference(keys.entities), "lack"),
        (keys.entities.difference(design.entities), "have, beside those of W,"),
    ):
        if len(labels):
            raise DataError(
                f"The new rows {text} {first(labels)}. Spatial lags need all entities of W, and no "
                "other, in each period."
            )
    shape = (*keys.shape, len(sample.roles["new"]))
    values = {
        "y": np.zeros(keys.shape[::-1]),
        "x": np.moveaxis(sample.array("new").reshape(shape), 0, 1),
        "periods": keys.periods,
    }
    if not isinstance(design, StackedDesign):
        return replace(design, **values)
    return Design(
        W=design.blocks[0],
        graph=design.graph,
        dependent=design.dependent,
        x_names=design.x_names,
        entities=design.entities,
        notes=design.notes,
        **values,
    )


def _systematic(result: SpatialResults, design: Design) -> pd.Series:
    """X beta + W X theta, with the constant if there is one."""
    constant = "const" in result.params
    Z = regressors(design, result.lagged, None if constant else "entity")
    names = [*["const"] * constant, *result.variables, *(LAG + name for name in result.lagged)]
    return design.series(Z @ result.params[names].to_numpy(), "trend")


def _kinds(result: SpatialResults) -> str | None:
    """Of random effects their predictions are entity effects."""
    effects = result.model.effects
    return "entity" if effects == "random" else effects


def _last(result: SpatialResults, sample: Sample) -> Array:
    """Y of the period before the new ones, which must follow the sample."""
    observed = result.observed  # type: ignore[attr-defined]
    periods = sample.keys.periods
    whole = pd.MultiIndex.from_product([observed.entities[:1], observed.periods.append(periods)])
    inside = periods.isin(observed.periods)
    if inside.any():
        raise DataError(
            f"{first(periods[inside])} is in the sample; a dynamic model predicts periods after "
            f"{observed.periods[-1]}. predict() without rows has those of the sample."
        )
    clock = Keys.of(whole, "the periods").clock
    together = Keys.of(whole, "the periods").periods
    if not together[: len(observed.periods)].equals(observed.periods) or not clock.even:
        raise DataError(
            f"{first(periods)} do not follow {observed.periods[-1]} one by one. A dynamic model "
            "needs every period on the way."
        )
    return np.asarray(observed.y[-1])
