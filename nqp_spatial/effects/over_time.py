"""Effects over time in dynamic spatial models, with delta-method standard errors.

    y_t = tau y_{t-1} + rho W y_t + eta W y_{t-1} + X_t beta + W X_t theta + ...

With S = I - rho W and A = S^-1 (tau I + eta W), a change of x by one

in period t moves y_t by           S^-1 (beta I + theta W)                          (short run)
in period t alone moves y_{t+h} by A^h S^-1 (beta I + theta W)                      (one-time)
from period t on moves y_{t+h} by  the sum of these over 0 to h                     (permanent)
which tends to                     [(1 - tau) I - (rho + eta) W]^-1 (beta I + theta W)  (long run)

(Elhorst 2014, Spatial Econometrics, section 4.6; Debarsy, Ertur and LeSage 2012, Statistical
Methodology 9, 158-171). Each matrix has a mean diagonal element (direct), a mean row sum (total)
and their difference (indirect). The long run is the short run of a static model with
beta / (1 - tau), theta / (1 - tau) and (rho + eta) / (1 - tau) for beta, theta and rho, which
is how it is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.spatial import path
from nqp_spatial.core.spatial.dynamic import Dynamics
from nqp_spatial.effects.parameters import (
    KINDS,
    Parameters,
    check_list,
    outcomes,
    standard_errors,
)
from nqp_spatial.exceptions import OptionError, UnstableModelError
from nqp_spatial.shared.options import Between, Level, check_level, check_options

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DynamicParameters(Parameters):
    """What effects over time depend on besides; the effects as they are are those of the short run.

    Attributes
    ----------
    where : Dynamics
        Positions of tau and eta among the parameters.
    radius : float
        Largest absolute eigenvalue of A.
    """

    where: Dynamics = field(kw_only=True)
    radius: float = field(kw_only=True)

    @property
    def dynamics(self) -> tuple[float, float]:
        """The estimates of tau and eta, zero where the model has none."""
        return self.where.of(self.params)

    def long_run(self) -> tuple[Array, Array]:
        """Parameters, and their covariance, of the static model whose short run is the long run.

        Raises
        ------
        UnstableModelError
            If the estimate is not stationary.
        """
        tau, eta = self.dynamics
        rho = self.rho_estimate
        if np.isnan(self.cov).any():
            self.multiplier()  # raises: rho is at its bound
        if self.radius >= 1:
            raise UnstableModelError(
                f"tau + rho + eta = {tau:.4f} + {rho:.4f} + {eta:.4f} = {tau + rho + eta:.4f}, "
                f"largest root {self.radius:.4f}: the estimate is not stationary, so that long-run "
                "effects are not defined. Use horizon='short' or effects_path()."
            )
        params, J = self.params.copy(), np.eye(len(self.params))
        left = 1 - tau
        slopes = [position for position in (*self.beta, *self.theta) if position >= 0]
        for position in slopes:
            J[position, position] = 1 / left
        scaled = [*slopes, self.rho]
        params[self.rho] = rho + eta
        J[self.rho, self.rho] = 1 / left
        if self.where.eta >= 0:
            J[self.rho, self.where.eta] = 1 / left
        if self.where.tau >= 0:
            J[scaled, self.where.tau] = params[scaled] / left**2
        params[scaled] /= left
        return params, J @ self.cov @ J.T

    def cov_over_time(self, r: int) -> Array:
        """Covariance of (beta_r, theta_r, tau, eta, rho), zero for those that the model lacks."""
        where = np.array([self.beta[r], self.theta[r], self.where.tau, self.where.eta, self.rho])
        block = self.cov[np.ix_(where, where)].copy()
        block[where < 0, :] = block[:, where < 0] = 0.0
        return block


def effects_path(
    response: DynamicParameters,
    horizons: Annotated[int, Between(0)] = 10,
    *,
    shock: Literal["one-time", "permanent"] = "one-time",
    variables: Sequence[str] | None = None,
    level: Level = 0.95,
) -> pd.DataFrame:
    """Average direct, indirect and total effects by periods since a change.

    ``shock="one-time"``: x changes in one period alone. ``shock="permanent"``: from one period on;
    the path then tends to ``effects(horizon="long")``.

    Parameters
    ----------
    horizons : int
        Last horizon; horizon 0 is the short run.
    shock : {"one-time", "permanent"}
    variables : sequence of str, optional
        Default all.
    level : float

    Returns
    -------
    DataFrame
        Index (effect, variable, horizon); estimate, std_error, pvalue, lower, upper.
        ``attrs["trace_error"]`` has by variable the largest standard error that estimated traces
        leave in a direct or indirect one-time effect: zero up to 2,000 entities.

    Raises
    ------
    UnstableModelError
        If rho was estimated at its bound. An estimate that is not stationary has a path, which
        does not converge.
    """
    check_options(effects_path, shock=shock)
    if not isinstance(horizons, Integral) or horizons < 0:
        raise OptionError(f"horizons={horizons!r} must be a whole number, 0 or more.")
    check_level(level)
    check_list("variables", variables)
    tau, eta = response.dynamics
    multiplier = response.multiplier()
    arguments = (response.W, response.spectrum, tau, eta, multiplier.rho, int(horizons))
    direct, total = path.direct(*arguments), path.total(*arguments)
    moments = {"direct": direct, "indirect": total - direct, "total": total}
    rows = {}
    for kind in KINDS:
        for name in response.variables if variables is None else variables:
            r = response.position(name)
            beta, theta = (float(value) for value in response.coefficients(r))
            estimate, gradient = moments[kind].path(beta, theta)
            if shock == "permanent":
                estimate, gradient = estimate.cumsum(), gradient.cumsum(axis=0)
            error = standard_errors(gradient, response.cov_over_time(r))
            for h in range(len(estimate)):
                rows[kind, name, h] = (estimate[h], error[h])
    frame = _framed(response, rows, shock, level)
    frame.attrs["trace_error"] = {
        name: direct.path_error(*(float(v) for v in response.coefficients(response.position(name))))
        for name in frame.index.unique("variable")
    }
    return frame


def _framed(
    response: Parameters,
    rows: dict[tuple[str, str, int], tuple[float, float]],
    shock: str,
    level: float,
) -> pd.DataFrame:
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "std_error"])
    frame.index = pd.MultiIndex.from_tuples(list(rows), names=["effect", "variable", "horizon"])
    with np.errstate(invalid="ignore", divide="ignore"):
        frame["pvalue"] = response.pvalue(frame["estimate"] / frame["std_error"])
    width = response.critical(level) * frame["std_error"]
    frame["lower"], frame["upper"] = frame["estimate"] - width, frame["estimate"] + width
    frame.attrs = {"method": "delta", "shock": shock}
    return frame


def counterfactual(
    response: DynamicParameters, changes: Mapping[str, Array], y: Array, *, level: float
) -> dict[str, Array]:
    """Outcomes had regressors been others in every period of the sample, y before it given.

    The effect d_t = y_t - y*_t follows S d_t = (tau I + eta W) d_{t-1} + sum over r of (beta_r I +
    theta_r W) (x_rt - x_rt*) from zero before the sample: what a change does is carried on.
    Errors and fixed effects stay what they were.

    Parameters
    ----------
    changes : mapping of regressor to array, shape (n_periods, n_entities)
        Actual less counterfactual values.
    y : array, shape (n_periods, n_entities)

    Returns
    -------
    dict of array, shape (n_periods, n_entities)
        actual, counterfactual, effect, std_error, lower, upper, as for static models.
    """
    check_level(level)
    tau, eta = response.dynamics
    multiplier = response.multiplier()
    shared = [response.where.tau, response.where.eta, response.rho]
    effect, gradient = np.zeros_like(y), np.zeros((*y.shape, len(response.params)))
    for name, change in changes.items():
        r = response.position(name)
        beta, theta = (float(value) for value in response.coefficients(r))
        part, slopes = path.response(multiplier, change, beta, theta, tau, eta)
        effect += part
        for column, position in enumerate([response.beta[r], response.theta[r], *shared]):
            if position >= 0:
                gradient[..., position] += slopes[..., column]
    error = standard_errors(gradient, response.cov)
    return outcomes(response, y, effect, error, level)
