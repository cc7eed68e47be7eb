"""What a fitted spatial model says about groups of entities and about worlds that were not seen.

All are linear in S_r = (I - rho W)^-1 (beta_r I + theta_r W), with standard errors by the delta
method from the derivatives in (beta, theta, rho).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial import multiplier as core
from nqp_spatial.core.spatial.multiplier import Multiplier, Weights
from nqp_spatial.effects.average import percent
from nqp_spatial.effects.parameters import (
    KINDS,
    Parameters,
    average_weights,
    check_list,
    joint,
    outcomes,
    standard_errors,
)
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.membership import members
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Level, check_level, check_options

Array = npt.NDArray[np.float64]


def group_effects(response: Parameters, variable: str, groups: pd.Series) -> pd.DataFrame:
    """What each group of entities sends to each other: a matrix of effects between groups.

    Parameters
    ----------
    variable : str
    groups : Series, index entity
        The group of each entity, such as its agglomeration or province; entities without one (NaN)
        belong to none. An entity may stand in several rows, in several groups.

    Returns
    -------
    DataFrame, index (sender, receiver)
        effect: change of the mean outcome of the receiver's members when the variable rises by one
        in all members of the sender; std_error.

    Raises
    ------
    DataError
        If no entity of the model is in a group; other entities of the Series are not used.
    """
    r = response.position(variable)
    parts = _members(groups, response.units)
    multiplier = response.multiplier()
    rows = {}
    for sender, sends in parts.items():
        weights = core.response_to(multiplier, sends)
        for receiver, receives in parts.items():
            share = receives / receives.sum()
            mean = Weights(*(np.asarray(share @ part) for part in _parts(weights)))
            effect, error = _delta(response, r, mean)
            rows[sender, receiver] = (float(effect), float(error))
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["effect", "std_error"])
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["sender", "receiver"])
    return frame


def _members(groups: pd.Series, entities: pd.Index) -> dict[object, Array]:
    """Indicator of the members of each group, shape (n,); cells belong where their entity does."""
    cells = isinstance(entities, pd.MultiIndex)
    if not (cells and isinstance(groups, pd.Series) and groups.index.nlevels == 2):
        groups = members(groups, complete=False)
        entities = entities.get_level_values(0) if cells else entities
    known = groups.dropna()
    known = known[known.index.isin(entities)]
    if known.empty:
        hint = type_hint(entities, groups.index) if len(groups) else ""
        raise DataError("No entity of the model is in a group." + (f" {hint}" if hint else ""))
    return {
        group: np.asarray(entities.isin(part.index), dtype=float)
        for group, part in known.groupby(known)
    }


def combined_effects(
    response: Parameters,
    weights: Mapping[str, float],
    *,
    level: Level = 0.95,
    transform: Literal["percent"] | None = None,
) -> pd.DataFrame:
    """Average effects of several regressors that move together: products, squares, others.

    With x and x squared in the model, the effect of x at x0 is that of ``{"x": 1, "x_squared": 2 *
    x0}``; with a product d z, the effect of d at z0 is that of ``{"d": 1, "d_z": z0}``.

    Parameters
    ----------
    weights : mapping of regressor to number
    level : float
    transform : {None, "percent"}
        "percent" is for an outcome in logs, as in ``effects``.

    Returns
    -------
    DataFrame, index effect
        estimate, std_error, pvalue, lower, upper.
    """
    if not weights:
        raise OptionError('Name what moves: {"x": 1.0, "x_squared": 2.0}.')
    check_options(combined_effects, transform=transform)
    check_level(level)
    kinds = average_weights(response)
    width = response.critical(level)
    rows = {}
    for kind in KINDS:
        gradient = np.zeros(len(response.params))
        estimate = 0.0
        for name, weight in weights.items():
            r = response.position(name)
            beta, theta = (float(value) for value in response.coefficients(r))
            estimate += weight * float(kinds[kind].effect(beta, theta))
            own = weight * kinds[kind].gradient(beta, theta)
            for place, value in zip(
                (response.beta[r], response.theta[r], response.rho), own, strict=True
            ):
                if place >= 0:
                    gradient[place] += value
        error = float(standard_errors(gradient, response.cov))
        pvalue = float(response.pvalue(estimate / error)) if error > 0 else np.nan
        bounds = (estimate - width * error, estimate + width * error)
        rows[kind] = (estimate, error, pvalue, *bounds)
    columns = ["estimate", "std_error", "pvalue", "lower", "upper"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("effect")
    return percent(frame) if transform else frame


def discrete_change(
    response: Parameters,
    variable: str | Mapping[str, float | pd.Series],
    change: float | pd.Series | None = None,
    *,
    entities: Sequence[object] | pd.Index | None = None,
    by: Literal["group", "entity"] = "group",
    level: Level = 0.95,
    transform: Literal["percent"] | None = None,
) -> pd.DataFrame:
    """Effect of a change of given size in some entities, on them, on the others and on all.

    ``discrete_change("did", 1, entities=treated)``. A change c of the regressors of some entities
    changes outcomes by s = sum over r of S_r c_r, exactly, whatever its size: the model is linear
    in its regressors. In the long run of a dynamic model the change stays. For outcomes by entity
    and period see ``counterfactual``.

    Parameters
    ----------
    variable : str, or mapping of regressor to number or Series by entity
        What moves; if several do, each with by how much: for x from 2 to 3 with its square in the
        model ``{"x": 1, "x_squared": 3**2 - 2**2}``; with a product x z ``{"x": 1, "x_z": z}``, z a
        Series by entity.
    change : float, or Series by entity
        Of one regressor. A number is the change of every entity in ``entities``; entities that a
        Series does not name do not change.
    entities : sequence, optional
        Whose regressors change by the numbers; default all.
    by : {"group", "entity"}
    transform : {None, "percent"}
        "percent", for an outcome in logs: the outcome of entity i changes by 100 (exp(s_i) - 1),
        exactly; averages are those of these changes, not changes of the average.

    Returns
    -------
    DataFrame
        By "group": rows changed, others, all; entities (how many), estimate (the average),
        std_error, pvalue, lower, upper. By "entity": changed (whether its own regressor moved),
        then the same for each. Intervals are symmetric, with "percent" on the scale of
        ln(1 + estimate / 100).
    """
    check_options(discrete_change, by=by, transform=transform)
    check_level(level)
    units = response.units
    shifts = _shifts(response, by_name(variable, change, "change"), units, entities)
    effect, gradient, cov = _joint(response, {r: c[:, None] for r, c in shifts.items()})
    effect, gradient = effect[:, 0], gradient[:, 0]
    if transform:
        gradient = 100 * np.exp(effect)[:, None] * gradient
        effect = 100 * np.expm1(effect)
    moved = np.any([c != 0 for c in shifts.values()], axis=0)
    if by == "entity":
        frame = _inference(response, effect, gradient, cov, level, transform)
        frame.index = units
        frame.insert(0, "changed", moved)
        return frame
    groups = {"changed": moved, "others": ~moved, "all": np.ones_like(moved)}
    sizes = np.array([part.sum() for part in groups.values()])
    shares = np.array([part / max(part.sum(), 1) for part in groups.values()])
    frame = _inference(response, shares @ effect, shares @ gradient, cov, level, transform)
    frame[sizes == 0] = np.nan
    frame.index = pd.Index(list(groups), name="group")
    frame.insert(0, "entities", sizes)
    return frame


def _shifts(
    response: Parameters,
    changes: Mapping[str, float | pd.Series],
    units: pd.Index,
    entities: Sequence[object] | pd.Index | None,
) -> dict[int, Array]:
    """Change of each regressor in each unit, by the regressor's position."""
    if not isinstance(changes, Mapping) or not changes:
        raise OptionError('Name what changes, and by how much: {"did": 1}.')
    check_list("entities", entities)
    everyone = pd.Index(entities) if entities is not None else units
    out = {}
    for name, change in changes.items():
        given = change if isinstance(change, pd.Series) else pd.Series(change, index=everyone)
        if not pd.api.types.is_numeric_dtype(given) or given.isna().any():
            raise OptionError(
                f"The change of {name!r} must be a number, or a Series of numbers by entity with "
                "no empty cells."
            )
        labels = units if given.index.nlevels == units.nlevels else units.get_level_values(0)
        unknown = given.index[~given.index.isin(labels)]
        if len(unknown):
            raise OptionError(
                f"{first(unknown)} in the change of {name!r} are not entities of the model, which "
                f"are {first(labels.unique(), 3)}."
            )
        if given.index.has_duplicates:
            twice = given.index[given.index.duplicated()]
            raise OptionError(f"The change of {name!r} names {first(twice)} more than once.")
        aligned = given.reindex(labels).fillna(0.0)
        out[response.position(name)] = aligned.to_numpy(dtype=float)
    return out


def _joint(response: Parameters, shifts: Mapping[int, Array]) -> tuple[Array, Array, Array]:
    """Sum over r of S_r c_r, changes c of shape (n, m), as `parameters.joint` has it."""
    multiplier = response.multiplier()
    return joint(response, {r: core.response_to(multiplier, c) for r, c in shifts.items()})


def _inference(
    response: Parameters,
    estimate: Array,
    gradient: Array,
    cov: Array,
    level: float,
    transform: str | None,
) -> pd.DataFrame:
    """Estimate, std_error, pvalue, lower, upper; for per cent on the scale of ln(1 + e / 100)."""
    error = standard_errors(gradient, cov)
    width = response.critical(level)
    middle, spread = estimate, error
    if transform:
        middle, spread = np.log1p(estimate / 100), error / (100 + estimate)
    with np.errstate(invalid="ignore", divide="ignore"):  # what cannot change has no p-value
        pvalue = response.pvalue(middle / spread)
    lower, upper = middle - width * spread, middle + width * spread
    if transform:
        lower, upper = 100 * np.expm1(lower), 100 * np.expm1(upper)
    columns = {"estimate": estimate, "std_error": error, "pvalue": pvalue}
    frame = pd.DataFrame({**columns, "lower": lower, "upper": upper})
    frame.loc[error == 0, "pvalue"] = np.nan
    return frame


def counterfactual(
    response: Parameters, changes: Mapping[str, Array], y: Array, *, level: float
) -> dict[str, Array]:
    """Outcomes had regressors been others, everything else as it was.

    y* = y - sum over r of S_r (x_r - x_r*): the errors and effects of each cell stay what they
    were.

    Parameters
    ----------
    changes : mapping of regressor to array, shape (n_periods, n_units)
        Actual less counterfactual values.
    y : array, shape (n_periods, n_units)

    Returns
    -------
    dict of array, shape (n_periods, n_units)
        actual, counterfactual, effect (actual less counterfactual), std_error, lower, upper (of
        the counterfactual).
    """
    check_level(level)
    shifts = {response.position(name): change.T for name, change in changes.items()}
    effect, gradient, cov = _joint(response, shifts)
    return outcomes(response, y, effect.T, standard_errors(gradient, cov).T, level)


def reduced_form(multiplier: Multiplier, trend: Array) -> Array:
    """(I - rho W)^-1 of the trend in each period, shape (n_periods, n_entities)."""
    return multiplier.solve(trend.T).T


def _parts(weights: Weights) -> tuple[Array, Array, Array, Array]:
    return weights.beta, weights.theta, weights.d_beta, weights.d_theta


def _delta(response: Parameters, r: int, weights: Weights) -> tuple[Array, Array]:
    """Effects and standard errors, of the shape of the weights."""
    beta, theta = (float(value) for value in response.coefficients(r))
    gradient = weights.gradient(beta, theta)
    return weights.effect(beta, theta), standard_errors(gradient, response.cov_of(r))


def by_name(
    variable: str | Mapping[str, float | pd.Series], value: float | pd.Series | None, what: str
) -> Mapping[str, float | pd.Series]:
    """``("did", 0)`` or ``({"did": 0, ...}, None)`` as a mapping; ``what`` names the second."""
    if isinstance(variable, Mapping):
        if value is not None:
            raise OptionError(f"{what} is in the mapping already. Leave it out.")
        return variable
    if value is None:
        raise OptionError(f"{what} is missing: type ({variable!r}, 1.0), or give a mapping.")
    return {variable: value}
