"""Average effects by order of neighbours, alone or summed, with standard errors.

S = sum over q of rho^q W^q beta + rho^(q-1) W^(q-1) M theta, M the W of the lags of regressors:
order 0 is the entity itself, order 1 its neighbours, order 2 theirs (LeSage and Pace 2009, section
2.7.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial import multiplier as core
from nqp_spatial.effects.average import average_effects
from nqp_spatial.effects.parameters import (
    KINDS,
    Parameters,
    average_weights,
    check_list,
    standard_errors,
)
from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.options import Between

Array = npt.NDArray[np.float64]


def effects_by_order(
    response: Parameters,
    orders: Annotated[int, Between(0)] = 5,
    variables: Sequence[str] | None = None,
    *,
    cumulative: bool = False,
) -> pd.DataFrame:
    """Average effects by order of neighbours: W^0, W^1, ... W^orders.

    Parameters
    ----------
    orders : int
    variables : sequence of str, optional
        Default all.
    cumulative : bool
        Sums of the orders 0 ... q instead of order q alone; they converge to the whole effect.

    Returns
    -------
    DataFrame
        Index (effect, variable, order); estimate, std_error. The row "rest" is the whole effect
        less the orders shown. Standard errors are by the delta method: each row is a function of
        (beta, theta, rho) with an exact gradient, so those of sums allow for the covariance of
        their terms.
    """
    if not isinstance(orders, Integral) or orders < 0:
        why = "negative" if isinstance(orders, Integral) else "not a whole number"
        raise OptionError(f"orders={orders!r} is {why}. Type orders=5, for example.")
    check_list("variables", variables)
    rho, whole = response.rho_estimate, average_weights(response)
    terms = core.by_order(response.W, orders, response.M)
    rows: dict[tuple[str, str, object], tuple[float, float]] = {}
    for name in variables or response.variables:
        r = response.position(name)
        beta, theta = (float(value) for value in response.coefficients(r))
        coefficients = [_coefficients(q, beta, theta, rho) for q in range(orders + 1)]
        cov = response.cov_of(r)
        for kind in KINDS:
            parts = np.array(
                [
                    _share(kind, *order.beta) * own + _share(kind, *order.theta) * lag
                    for order, (own, lag) in zip(terms, coefficients, strict=True)
                ]
            )
            shown = np.cumsum(parts, axis=0) if cumulative else parts
            everything = [whole[kind].effect(beta, theta), *whole[kind].gradient(beta, theta)]
            rest = np.array(everything, dtype=float) - parts.sum(axis=0)
            for q, part in zip((*range(orders + 1), "rest"), (*shown, rest), strict=True):
                rows[kind, name, q] = (float(part[0]), _error(part[1:], cov))
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "std_error"])
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["effect", "variable", "order"])
    frame.attrs = {"cumulative": cumulative}
    return frame


def cumulative_effects(
    response: Parameters,
    orders: Annotated[int, Between(0)] = 5,
    variables: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Average effects by order of neighbours, beside their sums, which end in the whole effects.

    Parameters
    ----------
    orders : int
    variables : sequence of str, optional
        Default all.

    Returns
    -------
    DataFrame
        Index (effect, variable, order), as of ``effects_by_order``; estimate, std_error,
        cumulative, cumulative_std_error.
    """
    single = effects_by_order(response, orders, variables)
    sums = effects_by_order(response, orders, variables, cumulative=True)
    whole = average_effects(response)[["estimate", "std_error"]]
    last = [order == "rest" for order in sums.index.get_level_values("order")]
    sums.loc[last] = whole.loc[sums.index[last].droplevel("order")].to_numpy()
    return single.join(
        sums.rename(columns={"estimate": "cumulative", "std_error": "cumulative_std_error"})
    )


def _coefficients(q: int, beta: float, theta: float, rho: float) -> tuple[Array, Array]:
    """Of W^q and of W^(q-1) M, each with its derivatives in (beta, theta, rho)."""
    if q == 0:
        return np.array([beta, 1.0, 0.0, 0.0]), np.zeros(4)
    own = np.array([rho**q * beta, rho**q, 0.0, q * rho ** (q - 1) * beta])
    d_rho = (q - 1) * rho ** (q - 2) * theta if q > 1 else 0.0
    return own, np.array([rho ** (q - 1) * theta, 0.0, rho ** (q - 1), d_rho])


def _share(kind: str, diagonal: float, row_sum: float) -> float:
    """Mean of the elements of W^q that belong to an effect."""
    return {"direct": diagonal, "indirect": row_sum - diagonal, "total": row_sum}[kind]


def _error(gradient: Array, cov: Array) -> float:
    return float(standard_errors(gradient, cov))
