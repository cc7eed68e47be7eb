"""What SpatialIV asks of its options, of the equation, and of what was found; by its message."""

from __future__ import annotations

import warnings

import numpy as np

import nqp_spatial.models.spatial.iv_instruments as _iv
from nqp_spatial.core.linear import iv
from nqp_spatial.core.spectrum.eigen import largest_row_sum
from nqp_spatial.exceptions import BoundaryWarning, DataWarning, EstimationError, OptionError
from nqp_spatial.models.spatial.iv_results import IVEstimate
from nqp_spatial.panel.design import Design
from nqp_spatial.shared.messages import first, outside

_WEAK = 10.0  # first-stage F below which normal intervals mislead (Staiger and Stock 1997)


def inside(design: Design, rho: float) -> bool:
    """Whether I - rho W is nonsingular on the way from zero; needs no eigenvalue as a rule."""
    if abs(rho) * largest_row_sum(design.W) < 1:
        return True
    low, high = design.spectrum.interval
    return low < rho < high


def check_orders(orders: int) -> None:
    """Raise `OptionError` unless a whole number of at least one."""
    if not isinstance(orders, int | np.integer) or isinstance(orders, bool) or orders < 1:
        raise OptionError(
            f"instrument_orders={orders!r} must be a whole number of at least 1. Type "
            "instrument_orders=2 for two orders of spatial lags beyond those in the model."
        )


def check_roles(roles: _iv.Roles, has_rho: bool, error: bool) -> None:
    """Raise if something is endogenous without an instrument, or nothing is at all."""
    if roles.endogenous and not roles.instruments and not has_rho:
        raise OptionError(
            f"{first(roles.endogenous)} is endogenous and has no instruments. Give instruments=."
        )
    if not roles.endogenous and not has_rho:
        if roles.instruments:
            raise OptionError(
                "instruments= are given, but nothing is endogenous: lag=False and endog=None."
            )
        if not error:
            raise OptionError(
                "Nothing is endogenous: lag=False and endog=None. Use SLX or FixedEffects."
            )
    if roles.endogenous and len(roles.instruments) < len(roles.endogenous):
        raise EstimationError(
            f"The model is underidentified: {len(roles.endogenous)} endogenous regressors were "
            f"given ({first(roles.endogenous)}) and {len(roles.instruments)} instruments for them"
            f"{': ' + first(roles.instruments) if roles.instruments else ''}. Lags of x instrument "
            "Wy, not a policy. Give at least one instrument for each endogenous regressor."
        )


def check_degrees(equation: _iv.Equation, error: bool, effects: str | None) -> None:
    """Raise `EstimationError` unless there are more observations than moments."""
    system = equation.system
    moments = len(equation.instruments) + int((~system.endogenous).sum())
    if system.n <= moments + error:
        raise EstimationError(
            f"{system.n} observations are left by the {effects} effects for {system.D.shape[-1]} "
            f"regressors and {moments} moments. Use fewer regressors (durbin=[...]), a smaller "
            "instrument_orders=, or fewer effects."
        )


def check_fit(found: iv.Solution, system: iv.System) -> None:
    """Raise `EstimationError` if nothing is left of y."""
    if found.sigma2 <= 1e-20 * float((system.y**2).mean()):
        raise EstimationError(
            "The regressors and Wy fit the outcome exactly, so that nothing can be inferred. "
            "Is the outcome among the regressors, or built from them?"
        )


def strength_of(
    system: iv.System, equation: _iv.Equation, moments: iv.Moments
) -> iv.FirstStage | None:
    """Statistics of the first stage, if something is endogenous; raise if the rank fails."""
    if not equation.endogenous:
        return None
    strength = iv.first_stage(system, moments)
    if strength.singular:
        raise EstimationError(
            f"The {len(equation.instruments)} instruments ({first(equation.instruments, 8)}) leave "
            f"a combination of the endogenous regressors ({first(equation.endogenous, 8)}) "
            "unmoved: the model is underidentified. Give an instrument for each of them."
        )
    return strength


def warn(found: IVEstimate, strength: iv.FirstStage | None, design: Design, has_rho: bool) -> None:
    """Weak instruments, rho outside its interval, lambda at its bound."""
    if strength is not None and strength.conditional_f.min() < _WEAK:
        weakest = float(strength.conditional_f.min())
        warnings.warn(
            f"Weak instruments: the smallest conditional first-stage F is {weakest:.2f}, below "
            f"{_WEAK:g}, so that estimates lean towards least squares and intervals are too "
            "short. See first_stage.strength of the result.",
            DataWarning,
            stacklevel=outside(),
        )
    if has_rho and not inside(design, found.rho):
        low, high = design.spectrum.interval
        warnings.warn(
            f"rho = {found.rho:.4f} is outside its interval ({low:.4f}, {high:.4f}), which "
            "instrumental variables do not impose: no effect is defined. Look at "
            "first_stage.strength, or estimate by maximum likelihood.",
            BoundaryWarning,
            stacklevel=outside(),
        )
    if found.at_bound:
        warnings.warn(
            f"lambda = {found.lambda_:.4f} is at the edge of its interval: its moments have no "
            "minimum inside. The slopes are consistent all the same.",
            BoundaryWarning,
            stacklevel=outside(),
        )
