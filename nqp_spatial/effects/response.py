"""The response of outcomes to regressors in a fitted spatial model: whatever is asked of it.

Each question is a function of its own module; here they are the methods of one object, which
results of models have as ``response`` and whose answers they pass on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np

from nqp_spatial.effects import over_time, scenarios
from nqp_spatial.effects.average import average_effects
from nqp_spatial.effects.by_entity import entity_effects, footprint
from nqp_spatial.effects.by_order import cumulative_effects, effects_by_order
from nqp_spatial.effects.parameters import Parameters
from nqp_spatial.effects.policy import impact
from nqp_spatial.effects.source import indirect_source
from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.options import check_option

Answer = TypeVar("Answer")

HORIZONS = ("short", "long")


@dataclass(frozen=True, eq=False)
class Response(Parameters):
    """Effects of the regressors, with inference."""

    is_dynamic: ClassVar[bool] = False

    average = average_effects
    by_order = effects_by_order
    cumulative = cumulative_effects
    by_entity = entity_effects
    footprint = footprint
    between_groups = scenarios.group_effects
    combined = scenarios.combined_effects
    discrete_change = scenarios.discrete_change
    counterfactual = scenarios.counterfactual
    impact = impact
    indirect_source = indirect_source

    @property
    def has_long_run(self) -> bool:
        """Whether a long run of its own is defined."""
        return False

    def at(self, horizon: str) -> Response:
        """The response in the short or the long run.

        Raises
        ------
        OptionError
            If the long run is asked of a model without dynamics.
        """
        check_option("horizon", horizon, HORIZONS)
        if horizon == "long":
            raise OptionError(
                "horizon='long' belongs to dynamic models; the effects of this one all come at "
                "once. Leave horizon out, or fit DynamicSpatialDurbin."
            )
        return self


@dataclass(frozen=True, eq=False)
class DynamicResponse(over_time.DynamicParameters, Response):
    """Effects over time; of the short run, unless ``at("long")`` is asked."""

    is_dynamic: ClassVar[bool] = True

    path = over_time.effects_path
    counterfactual = over_time.counterfactual

    @property
    def has_long_run(self) -> bool:
        """Whether the long run is defined: not explosive, nor rho at its bound."""
        return self.radius < 1 and not np.isnan(self.cov).any()

    def at(self, horizon: str) -> Response:
        """The response in the period of the change, or in the end, after a change that stays.

        Raises
        ------
        UnstableModelError
            If the long run is asked of an estimate that is not stationary.
        """
        check_option("horizon", horizon, HORIZONS)
        if horizon == "short":
            return self
        known = {f.name: getattr(self, f.name) for f in fields(Response)}
        if not np.isnan(self.cov).any():  # at the bound nothing is defined
            known["params"], known["cov"] = self.long_run()
        return Response(**{**known, "horizon": horizon})


def answer(method: Callable[..., Answer], *, horizons: bool = True) -> Callable[..., Answer]:
    """A method of `Response` as one of results: the same options, and ``horizon=``."""

    @wraps(method)
    def asked(self: Any, *args: Any, horizon: str = "short", **options: Any) -> Answer:
        return method(self.response.at(horizon), *args, **options)

    own = signature(method)
    first, *rest = own.parameters.values()
    if horizons:
        kind: Any = Literal["short", "long"]
        more = Parameter("horizon", Parameter.KEYWORD_ONLY, default="short", annotation=kind)
        rest.append(more)
        asked.__doc__ = _with_horizon(method.__doc__ or "")
    asked.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[first.replace(name="self"), *rest]
    )
    return asked


_HORIZON = """
    horizon : {"short", "long"}
        Of dynamic models: in the period of the change, (I - rho W)^-1 (beta I + theta W); or in the
        end, after a change that stays, [(1 - tau) I - (rho + eta) W]^-1 (beta I + theta W).
"""


def _with_horizon(text: str) -> str:
    """The docstring, with this option at the end of its parameters."""
    head, found, returns = text.partition("\n\n    Returns")
    return head + _HORIZON.rstrip() + found + returns
