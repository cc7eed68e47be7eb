"""What a fitted spatial model says about groups of entities and about worlds that were not seen.

All are linear in S_r = (I - rho W)^-1 (beta_r I + theta_r W), with standard errors by the delta
method from the derivatives in (beta, theta, rho).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial import checks
from nqp_spatial._messages import check_option, first
from nqp_spatial.core import multiplier as core
from nqp_spatial.core.multiplier import Multiplier, Weights
from nqp_spatial.effects import KINDS, Response, average_weights
from nqp_spatial.exceptions import DataError, OptionError

Array = npt.NDArray[np.float64]


def group_effects(
    response: Response, variable: str, groups: pd.Series, entities: pd.Index
) -> pd.DataFrame:
    """What each group sends to each other: a matrix of effects between groups.

    Parameters
    ----------
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
    members = _members(groups, entities)
    multiplier = response.multiplier()
    rows = {}
    for sender, sends in members.items():
        weights = core.response_to(multiplier, sends)
        for receiver, receives in members.items():
            share = receives / receives.sum()
            mean = Weights(*(np.asarray(share @ part) for part in _parts(weights)))
            effect, error = _delta(response, r, mean)
            rows[sender, receiver] = (float(effect), float(error))
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["effect", "std_error"])
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["sender", "receiver"])
    return frame


def _members(groups: pd.Series, entities: pd.Index) -> dict[object, Array]:
    """Indicator of the members of each group, shape (n,)."""
    known = groups.dropna()
    known = known[known.index.isin(entities)]
    if known.empty:
        hint = checks.type_hint(entities, groups.index) if len(groups) else ""
        raise DataError(f"No entity of the model is in a group. {hint}".rstrip())
    return {
        group: np.asarray(entities.isin(part.index), dtype=float)
        for group, part in known.groupby(known)
    }


def combined_effects(
    response: Response, weights: Mapping[str, float], *, level: float = 0.95
) -> pd.DataFrame:
    """Average effects of several regressors that move together.

    With x and x squared in the model, the effect of x at x0 is that of ``{"x": 1, "x_squared": 2 *
    x0}``; with a product d z, the effect of d at z0 is that of ``{"d": 1, "d_z": z0}``.

    Returns
    -------
    DataFrame, index effect
        estimate, std_error, pvalue, lower, upper.
    """
    if not weights:
        raise OptionError('Name what moves: {"x": 1.0, "x_squared": 2.0}.')
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.95.")
    kinds = average_weights(response)
    width = stats.norm.ppf(0.5 + level / 2)
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
        error = float(np.sqrt(gradient @ response.cov @ gradient))
        pvalue = float(2 * stats.norm.sf(abs(estimate / error))) if error > 0 else np.nan
        bounds = (estimate - width * error, estimate + width * error)
        rows[kind] = (estimate, error, pvalue, *bounds)
    columns = ["estimate", "std_error", "pvalue", "lower", "upper"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("effect")


def counterfactual(
    response: Response, variable: str, actual: Array, y: Array, values: Array, *, level: float
) -> dict[str, Array]:
    """Outcomes had the variable been ``values``, everything else as it was.

    y* = y - S (x - x*): the errors and effects of each cell stay what they were.

    Parameters
    ----------
    actual, y, values : array, shape (n_periods, n_entities)

    Returns
    -------
    dict of array, shape (n_periods, n_entities)
        actual, counterfactual, effect (actual less counterfactual), std_error, lower, upper (of
        the counterfactual).
    """
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.95.")
    r = response.position(variable)
    weights = core.response_to(response.multiplier(), (actual - values).T)
    transposed = Weights(*(part.T for part in _parts(weights)))
    effect, error = _delta(response, r, transposed)
    width = stats.norm.ppf(0.5 + level / 2) * error
    without = y - effect
    return {
        "actual": y,
        "counterfactual": without,
        "effect": effect,
        "std_error": error,
        "lower": without - width,
        "upper": without + width,
    }


def reduced_form(multiplier: Multiplier, trend: Array) -> Array:
    """(I - rho W)^-1 of the trend in each period, shape (n_periods, n_entities)."""
    return multiplier.solve(trend.T).T


def _parts(weights: Weights) -> tuple[Array, Array, Array, Array]:
    return weights.beta, weights.theta, weights.d_beta, weights.d_theta


def _delta(response: Response, r: int, weights: Weights) -> tuple[Array, Array]:
    """Effects and standard errors, of the shape of the weights."""
    beta, theta = (float(value) for value in response.coefficients(r))
    gradient = weights.gradient(beta, theta)
    variance = np.einsum("...i,ij,...j->...", gradient, response.cov_of(r), gradient)
    return weights.effect(beta, theta), np.sqrt(np.maximum(variance, 0.0))


def target(variable: str, value: object, index: pd.MultiIndex, shape: tuple[int, int]) -> Array:
    """A number, or a Series by (entity, time), as an array (n_periods, n_entities)."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return np.full(shape, float(value))
    if not isinstance(value, pd.Series):
        check_option("value", type(value).__name__, ("float", "int", "Series"))
    assert isinstance(value, pd.Series)
    checks.same_rows(index, value.index, "the panel", f"the values of {variable!r}")
    aligned = value.reindex(index)
    checks.usable_column(aligned, variable, may_be_constant=True)
    missing = aligned.isna()
    if missing.any():
        raise DataError(f"{variable!r} is empty at {first(aligned.index[missing], 3)}.")
    return aligned.to_numpy(dtype=float).reshape(shape[1], shape[0]).T
